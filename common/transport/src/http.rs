//! HTTP on a connection that the listener accepted: one router, bounds, deadlines, an orderly
//! end. Which routes there are is the roles' business.

mod answer;
mod body;
mod problem;
mod request;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::Extensions;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use scb_certs::Chain;
use scb_protocol::Refusal;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::peer::next_id;
use crate::{Limits, Peer, Shutdown};
use body::Room;

pub use problem::{oauth_problem, problem, problem_in_words};

/// Bytes that the body of a request may have at most.
pub const MAX_BODY: usize = 64 * 1024;
/// Bytes that the head of a request may have at most.
const MAX_HEAD: u32 = 16 * 1024;
/// Fields that the head of a request may have at most.
const MAX_FIELDS: usize = 64;
/// Requests at once on one HTTP/2 connection.
const MAX_STREAMS: u32 = 16;
/// Bytes of bodies that may come unread on one HTTP/2 connection, and of one of them: what RFC 9113 begins
/// with (section 6.9.2).
const WINDOW: u32 = 65_535;
/// Bytes of one answer that wait for a peer who does not read; of the others its route keeps what it
/// shares with all.
const MAX_WAITING: usize = 64 * 1024;

/// How requests and answers are written on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// HTTP/1.1 (RFC 9112).
    Http1,
    /// HTTP/2 (RFC 9113).
    Http2,
}

/// Routes, and what each connection brings along for them. Cheap to clone.
#[derive(Clone)]
pub struct Web {
    router: Router,
    room: Room,
    greet: Arc<dyn Fn(&mut Extensions) + Send + Sync>,
}

impl Web {
    /// Answers by these routes. Bodies of more than [`MAX_BODY`] are refused, and so are so many bodies
    /// and heads that are longer than a few KiB at once that they would take more than 40 MiB.
    pub fn new(router: Router) -> Self {
        Self {
            router: router.layer(DefaultBodyLimit::max(MAX_BODY)),
            room: Room::default(),
            greet: Arc::new(|_| {}),
        }
    }

    /// Calls `greet` once for each new connection; each request on it then carries what was
    /// inserted, besides its [`HttpConnection`].
    #[must_use]
    pub fn greeting(mut self, greet: impl Fn(&mut Extensions) + Send + Sync + 'static) -> Self {
        self.greet = Arc::new(greet);
        self
    }
}

impl std::fmt::Debug for Web {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Web").finish_non_exhaustive()
    }
}

/// The connection on which a request came: an extension of each request.
#[derive(Debug, Clone)]
pub struct HttpConnection {
    id: u64,
    address: SocketAddr,
    chain: Option<Chain>,
    closing: CancellationToken,
}

impl HttpConnection {
    pub(crate) fn plain(address: SocketAddr, shutdown: &Shutdown) -> Self {
        Self {
            id: next_id(),
            address,
            chain: None,
            closing: shutdown.child(),
        }
    }

    pub(crate) fn over_tls(peer: Peer, shutdown: &Shutdown) -> Self {
        Self {
            id: peer.id,
            address: peer.address,
            chain: peer.chain,
            closing: shutdown.child(),
        }
    }

    /// Number of the connection in this process, for the log.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The peer's address.
    pub fn peer_address(&self) -> SocketAddr {
        self.address
    }

    /// The client's certificate chain, leaf first, without the root. The handshake has verified
    /// it; `None` for a client that showed none, and without TLS.
    pub fn peer_chain(&self) -> Option<&Chain> {
        self.chain.as_ref()
    }

    /// Ends the connection once the requests on it are answered.
    pub fn close(&self) {
        self.closing.cancel();
    }
}

/// Serves one connection to its end: closed by the peer, by a route, at shutdown, or because
/// no request came, or was answered, in time.
pub(crate) async fn serve<S>(
    stream: S,
    version: Version,
    web: &Web,
    connection: HttpConnection,
    limits: &Limits,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut extensions = Extensions::new();
    extensions.insert(connection.clone());
    (web.greet)(&mut extensions);
    let pulse = Pulse::new(limits);
    let answering = answer::Answering {
        router: web.router.clone(),
        extensions,
        connection: connection.clone(),
        pulse: pulse.clone(),
        room: web.room.of_connection(),
        deadline: limits.message,
        linger: limits.linger,
    };
    let service = service_fn(move |request| answering.clone().answer(request));
    let io = TokioIo::new(stream);
    match version {
        Version::Http1 => {
            let serving = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(limits.message)
                .max_buf_size(MAX_HEAD as usize)
                .max_headers(MAX_FIELDS)
                .serve_connection(io, service);
            let stop = http1::Connection::graceful_shutdown;
            drive(pin!(serving), stop, &connection, &pulse).await;
        }
        Version::Http2 => {
            let serving = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .max_concurrent_streams(MAX_STREAMS)
                .max_header_list_size(MAX_HEAD)
                .initial_stream_window_size(WINDOW)
                .initial_connection_window_size(WINDOW)
                .max_send_buf_size(MAX_WAITING)
                .serve_connection(io, service);
            let stop = http2::Connection::graceful_shutdown;
            drive(pin!(serving), stop, &connection, &pulse).await;
        }
    }
}

/// Answers whatever is asked first with a refusal, and ends the connection. Bounded in time.
pub(crate) async fn refuse<S>(
    stream: S,
    version: Version,
    connection: HttpConnection,
    refusal: &Refusal,
    limits: &Limits,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    tracing::info!(conn = connection.id, "refused: {}", refusal.code);
    let (refusal, ending) = (refusal.clone(), connection.clone());
    let refusing = Web::new(Router::new().fallback(move || {
        ending.close();
        let told = problem(&refusal);
        async move { told }
    }));
    let serving = serve(stream, version, &refusing, connection, limits);
    let _ = timeout(limits.message, serving).await;
}

/// When the connection must have made progress: a first request soon, then the answer to each
/// and the next one.
#[derive(Debug, Clone)]
struct Pulse {
    until: Arc<watch::Sender<Instant>>,
    idle: Duration,
}

impl Pulse {
    fn new(limits: &Limits) -> Self {
        Self {
            until: Arc::new(watch::Sender::new(Instant::now() + limits.message)),
            idle: limits.idle,
        }
    }

    fn beat(&self) {
        self.until.send_replace(Instant::now() + self.idle);
    }

    async fn stopped(&self) {
        loop {
            let until = *self.until.borrow();
            sleep_until(until).await;
            if *self.until.borrow() <= until {
                return;
            }
        }
    }
}

async fn drive<C, E>(
    mut serving: Pin<&mut C>,
    stop: impl Fn(Pin<&mut C>),
    connection: &HttpConnection,
    pulse: &Pulse,
) where
    C: Future<Output = Result<(), E>>,
    E: std::error::Error,
{
    let id = connection.id;
    let mut stopping = false;
    let mut stopped = pin!(pulse.stopped());
    loop {
        tokio::select! {
            ended = serving.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(conn = id, "HTTP ended: {error}");
                }
                return;
            }
            () = connection.closing.cancelled(), if !stopping => {
                stopping = true;
                stop(serving.as_mut());
            }
            () = stopped.as_mut() => {
                tracing::debug!(conn = id, "HTTP ended: no request or no reader in time");
                return;
            }
        }
    }
}
