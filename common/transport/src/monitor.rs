//! The port for whoever looks after a server: whether it lives, whether it can do its work, and
//! what it has counted. It never shows a secret or a student.

mod counters;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use scb_protocol::{Code, Refusal, Step};
use tokio::task::JoinHandle;

use crate::{Error, Limits, Listener, Shutdown, Web, problem};

pub use counters::{Counters, Measured, seconds_between};

/// OpenMetrics 1.0, which Prometheus reads.
const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

/// Few look at it, and a server that is full must still be seen to be full: it has places of its
/// own.
const PLACES: usize = 16;

/// What a running server can tell about itself.
pub trait Vitals: Send + Sync + 'static {
    /// Why it cannot do its work, a sentence each; nothing if it can.
    fn ailments(&self) -> impl Future<Output = Vec<String>> + Send;

    /// Brings what is measured, not counted, up to date.
    fn measure(&self);

    /// What somebody should know although it can do its work, a sentence each.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A port that answers `/healthz`, `/readyz` and `/metrics` from its first moment on, before the
/// server itself is ready.
#[derive(Debug)]
pub struct Monitor<V> {
    address: SocketAddr,
    watched: Arc<Watched<V>>,
    stop: Shutdown,
    serving: JoinHandle<()>,
}

#[derive(Debug)]
struct Watched<V> {
    registry: Registry,
    /// What is told until there are vitals.
    starting: String,
    vitals: OnceLock<V>,
    shutdown: Shutdown,
}

impl<V: Vitals> Monitor<V> {
    /// Listens at `address` (port 0 takes a free one) and answers from now on. Until
    /// [`Monitor::watch`] the server is not ready, for the reason `starting`; from `shutdown` on
    /// again not. Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// As for [`Listener::bind`].
    pub async fn start(
        address: SocketAddr,
        registry: Registry,
        starting: impl Into<String>,
        shutdown: &Shutdown,
    ) -> Result<Self, Error> {
        let listener = Listener::bind(address).await?.first_step(Step::Zero);
        let address = listener.local_addr();
        if !address.ip().is_loopback() {
            tracing::warn!(
                "whoever reaches {address} can read what this server counts: let only your \
                 monitoring reach it"
            );
        }
        let watched = Arc::new(Watched {
            registry,
            starting: starting.into(),
            vitals: OnceLock::new(),
            shutdown: shutdown.clone(),
        });
        let stop = Shutdown::new();
        let limits = Limits {
            max_connections: PLACES,
            drain: Duration::from_secs(1),
            ..Limits::default()
        };
        let web = Web::new(routes(Arc::clone(&watched)));
        let serving = tokio::spawn(listener.serve_plain(web, limits, stop.clone()));
        Ok(Self {
            address,
            watched,
            stop,
            serving,
        })
    }

    /// The address that is bound, with the real port.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// From now on the server is as ready as `vitals` say.
    pub fn watch(&self, vitals: V) {
        // A second server in the same process would have a monitor of its own.
        let _ = self.watched.vitals.set(vitals);
    }

    /// Answers nobody any more. To be called when the server has stopped.
    pub async fn stop(self) {
        self.stop.trigger();
        let _ = self.serving.await;
    }
}

fn routes<V: Vitals>(watched: Arc<Watched<V>>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { told(TEXT, "alive\n".into()) }))
        .route("/readyz", get(readiness::<V>))
        .route("/metrics", get(metrics::<V>))
        .fallback(|| async { problem(&Refusal::new(Code::NotFound, Step::Zero)) })
        .method_not_allowed_fallback(|| async {
            problem(&Refusal::new(Code::MethodNotAllowed, Step::Zero))
        })
        .with_state(watched)
}

/// `200 ready`, and a remark on each further line; or `503` and a reason on each line.
async fn readiness<V: Vitals>(State(watched): State<Arc<Watched<V>>>) -> Response {
    let reasons = watched.ailments().await;
    if reasons.is_empty() {
        let remarks = watched.vitals.get().map(V::remarks).unwrap_or_default();
        let lines = [vec!["ready".to_owned()], remarks].concat();
        return told(TEXT, lines.join("\n") + "\n");
    }
    let body = reasons.join("\n") + "\n";
    (StatusCode::SERVICE_UNAVAILABLE, told(TEXT, body)).into_response()
}

async fn metrics<V: Vitals>(State(watched): State<Arc<Watched<V>>>) -> Response {
    if let Some(vitals) = watched.vitals.get() {
        vitals.measure();
    }
    let mut text = String::new();
    match encode(&mut text, &watched.registry) {
        Ok(()) => told(METRICS, text),
        Err(_) => problem(&Refusal::new(Code::Internal, Step::Zero)),
    }
}

impl<V: Vitals> Watched<V> {
    async fn ailments(&self) -> Vec<String> {
        match self.vitals.get() {
            _ if self.shutdown.is_triggered() => vec!["the server stops".to_owned()],
            Some(vitals) => vitals.ailments().await,
            None => vec![self.starting.clone()],
        }
    }
}

/// Nobody is to keep an answer that was true a moment ago.
fn told(media_type: &'static str, body: String) -> Response {
    let headers = [(CONTENT_TYPE, media_type), (CACHE_CONTROL, "no-store")];
    (headers, body).into_response()
}
