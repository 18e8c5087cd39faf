//! One request: answered under a total deadline, its body included, and logged.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::{HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use axum::http::{Extensions, Request, Response};
use hyper::body::Incoming;
use scb_protocol::{Code, Refusal, Step};
use tokio::time::{Instant, timeout};
use tower_service::Service;

use super::{HttpConnection, Pulse, problem};

/// What every request of one connection is answered with.
#[derive(Clone)]
pub(super) struct Answering {
    pub(super) router: Router,
    pub(super) extensions: Extensions,
    pub(super) connection: HttpConnection,
    pub(super) pulse: Pulse,
    pub(super) deadline: Duration,
}

/// A browser is not to guess that bytes are a page.
const NO_SNIFF: (HeaderName, HeaderValue) =
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));

impl Answering {
    pub(super) async fn answer(
        mut self,
        mut request: Request<Incoming>,
    ) -> Result<Response<Body>, Infallible> {
        let started = Instant::now();
        self.pulse.beat();
        let what = format!("{} {}", request.method(), shown(request.uri().path()));
        request.extensions_mut().extend(self.extensions);
        let routed = timeout(self.deadline, self.router.call(request)).await;
        let mut response = match routed {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(_) => {
                self.connection.close();
                problem(&Refusal::new(Code::Timeout, Step::Zero))
            }
        };
        response.headers_mut().insert(NO_SNIFF.0, NO_SNIFF.1);
        let (conn, status) = (self.connection.id(), response.status().as_u16());
        let ms = started.elapsed().as_secs_f64() * 1000.0;
        tracing::debug!(conn, "{what} {status} {ms:.1}ms");
        Ok(response)
    }
}

/// The start of a path, which is visible ASCII; never the query.
fn shown(path: &str) -> &str {
    path.get(..80).unwrap_or(path)
}
