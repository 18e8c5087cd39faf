//! Accepting connections: bounded, each in its own task, stopped in an orderly way.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use scb_protocol::{Refusal, Step, StepEvent, certificate_refusal};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinError;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accept::{Failed, Spoken, accept};
use crate::connection::Connection;
use crate::http::{self, HttpConnection, Version, Web};
use crate::places::{Busy, Place, Places, SharedPlaces, Standing};
use crate::{Error, Limits, ServerTls, Shutdown, telemetry};

mod plain;

/// First and longest pause after accepting has failed, for lack of file descriptors.
const PAUSE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// How long tasks that were cancelled may take to be gone.
const CANCELLED: Duration = Duration::from_secs(1);

/// A bound socket. Connections wait in the system's queue until [`Listener::serve`].
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    first_step: Step,
    descriptors: Option<u64>,
    places: SharedPlaces,
    web: Option<Web>,
}

impl Listener {
    /// Binds `address`; port 0 takes a free one.
    ///
    /// # Errors
    ///
    /// [`Error::AddressInUse`] or [`Error::Bind`].
    pub async fn bind(address: SocketAddr) -> Result<Self, Error> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => Error::AddressInUse(address),
            _ => Error::Bind { address, source },
        };
        let socket = TcpListener::bind(address).await.map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        let first_step = Step::One;
        Ok(Self {
            socket,
            address,
            first_step,
            descriptors: None,
            places: SharedPlaces::default(),
            web: None,
        })
    }

    /// Sets the step that is named when a connection is refused before its first message.
    /// Without this, step 1.
    #[must_use]
    pub fn first_step(mut self, step: Step) -> Self {
        self.first_step = step;
        self
    }

    /// Sets how many files the process may have open (see
    /// [`raise_descriptor_limit`](crate::raise_descriptor_limit)): with few of them there is
    /// room for fewer connections than the limits say. Without this, they are not counted.
    #[must_use]
    pub fn within(mut self, descriptors: Option<u64>) -> Self {
        self.descriptors = descriptors;
        self
    }

    /// Shares the places for connections with `other`: together they hold as many as one of them
    /// would hold alone.
    #[must_use]
    pub fn beside(mut self, other: &Self) -> Self {
        self.places = other.places.clone();
        self.descriptors = other.descriptors;
        self
    }

    /// Answers HTTP as well, for clients that ask for `h2` or `http/1.1` (RFC 7301), or for no
    /// application protocol at all. Without this, they are refused in the handshake.
    #[must_use]
    pub fn with_http(mut self, web: Web) -> Self {
        self.web = Some(web);
        self
    }

    /// The address that is bound, with the real port.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Accepts until `shutdown`, and runs `handler` for each connection in a task of its
    /// own once its handshake is done. New handshakes use the newest `tls`.
    ///
    /// After `shutdown` nothing is accepted any more; handlers have [`Limits::drain`] to
    /// finish, then they are cancelled. Returns when all are gone.
    pub async fn serve<H, F>(
        self,
        tls: watch::Receiver<Arc<ServerTls>>,
        limits: Limits,
        shutdown: Shutdown,
        handler: H,
    ) where
        H: Fn(Connection) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let server = Arc::new(Server {
            handler,
            tls,
            limits,
            first_step: self.first_step,
            shutdown: shutdown.clone(),
            cancel: CancellationToken::new(),
            places: self.places.open(&limits, self.descriptors),
            web: self.web,
        });
        let tasks = TaskTracker::new();
        let admit = |socket, peer| Server::admit(&server, &tasks, socket, peer);
        accept_until(self.socket, &shutdown, admit).await;
        stop(&tasks, &server.cancel, limits.drain).await;
    }
}

/// Hands every connection to `admit`, until `shutdown`.
async fn accept_until(
    socket: TcpListener,
    shutdown: &Shutdown,
    admit: impl Fn(TcpStream, SocketAddr),
) {
    let mut pause = PAUSE.0;
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            accepted = socket.accept() => accepted,
        };
        match accepted {
            Ok((socket, peer)) => {
                pause = PAUSE.0;
                admit(socket, peer);
            }
            Err(error) => pause = wait_after(&error, pause, shutdown).await,
        }
    }
}

/// What the connections of one listener share.
struct Server<H> {
    handler: H,
    tls: watch::Receiver<Arc<ServerTls>>,
    limits: Limits,
    first_step: Step,
    shutdown: Shutdown,
    cancel: CancellationToken,
    places: Places,
    web: Option<Web>,
}

/// What a handshake has led to.
enum Opened {
    Scb(Connection),
    Http(TlsStream<TcpStream>, Version, HttpConnection),
    /// For a client that is told this, whatever it asks.
    Refusal(TlsStream<TcpStream>, Version, HttpConnection, Refusal),
}

impl<H, F> Server<H>
where
    H: Fn(Connection) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    /// Starts the task of one connection; never waits.
    fn admit(server: &Arc<Self>, tasks: &TaskTracker, socket: TcpStream, peer: SocketAddr) {
        let this = Arc::clone(server);
        let Some(place) = server.places.take(peer.ip()) else {
            tracing::debug!(%peer, "dropped: too many connections are being told busy");
            return;
        };
        tasks.spawn(async move {
            match place.standing {
                Standing::Served => this.serve_one(socket, peer, place).await,
                Standing::ToldBusy(busy) => this.turn_away(socket, peer, place, busy).await,
            }
        });
    }

    async fn serve_one(&self, socket: TcpStream, peer: SocketAddr, place: Place) {
        match (self.handshake(socket, peer).await, &self.web) {
            (Some(Opened::Scb(connection)), _) => {
                let id = connection.id();
                run_to_end(id, (self.handler)(connection), &self.cancel).await;
            }
            (Some(Opened::Http(stream, version, connection)), Some(web)) => {
                let (id, limits, web) = (connection.id(), self.limits, web.clone());
                let serving =
                    async move { http::serve(stream, version, &web, connection, &limits).await };
                run_to_end(id, serving, &self.cancel).await;
            }
            (Some(Opened::Refusal(stream, version, connection, refusal)), _) => {
                telemetry::tally(&StepEvent::refused(&refusal));
                http::refuse(stream, version, connection, &refusal, &self.limits).await;
            }
            _ => {}
        }
        drop(place);
    }

    async fn turn_away(&self, socket: TcpStream, peer: SocketAddr, place: Place, busy: Busy) {
        let busy = busy.refusal(self.first_step);
        telemetry::tally(&StepEvent::refused(&busy));
        match self.handshake(socket, peer).await {
            Some(Opened::Scb(connection)) => {
                tracing::info!(conn = connection.id(), %peer, "refused: busy");
                connection.refuse(&busy).await;
            }
            Some(
                Opened::Http(stream, version, connection)
                | Opened::Refusal(stream, version, connection, _),
            ) => {
                http::refuse(stream, version, connection, &busy, &self.limits).await;
            }
            None => {}
        }
        drop(place);
    }

    /// `None` if it fails, takes too long, or the server stops.
    async fn handshake(&self, socket: TcpStream, peer: SocketAddr) -> Option<Opened> {
        let tls = Arc::clone(&self.tls.borrow());
        let accepting = accept(socket, peer, &tls, self.web.is_some());
        let accepting = timeout(self.limits.handshake, accepting);
        let accepted = tokio::select! {
            () = self.shutdown.cancelled() => return None,
            accepted = accepting => accepted,
        };
        match accepted {
            Ok(Ok(done)) => Some(match done.spoken {
                Spoken::Scb => Opened::Scb(Connection::server(
                    done.stream,
                    done.peer,
                    self.first_step,
                    &self.limits,
                )),
                Spoken::Http(version) => {
                    let connection = HttpConnection::over_tls(done.peer, &self.shutdown);
                    Opened::Http(done.stream, version, connection)
                }
                Spoken::Refusal(version, found) => {
                    let connection = HttpConnection::over_tls(done.peer, &self.shutdown);
                    let refusal = certificate_refusal(&found, self.first_step);
                    Opened::Refusal(done.stream, version, connection, refusal)
                }
            }),
            Ok(Err(failed)) => {
                self.log_failed(peer, &failed);
                let _ = timeout(self.limits.linger, failed.linger()).await;
                None
            }
            Err(_) => {
                tracing::info!(%peer, "handshake took too long");
                None
            }
        }
    }
}

/// Runs what serves a connection in a task of its own, so that a panic ends nothing else.
async fn run_to_end(
    id: u64,
    serving: impl Future<Output = ()> + Send + 'static,
    cancel: &CancellationToken,
) {
    let mut serving = tokio::spawn(serving);
    tokio::select! {
        ended = &mut serving => report(id, ended),
        () = cancel.cancelled() => {
            serving.abort();
            report(id, serving.await);
        }
    }
}

impl<H> Server<H> {
    /// One line, with the very code that the client arrives at if it was about its certificate.
    fn log_failed(&self, peer: SocketAddr, failed: &Failed) {
        match failed.refusal(self.first_step) {
            Some(refusal) => telemetry::emit(&StepEvent::refused(&refusal.with("peer", peer))),
            None => tracing::info!(%peer, "handshake failed: {}", failed.error),
        }
    }
}

/// A panic ends its own connection only; it is logged here, once.
fn report(id: u64, ended: Result<(), JoinError>) {
    match ended {
        Err(error) if error.is_panic() => {
            tracing::error!(conn = id, "the handler of this connection panicked");
        }
        Err(_) => tracing::info!(conn = id, "cancelled: the server stops"),
        Ok(()) => {}
    }
}

/// Waits a little after a failed accept, so that a lack of descriptors does not become a
/// busy loop; returns the next pause. Errors of a single connection need none.
async fn wait_after(error: &io::Error, pause: Duration, shutdown: &Shutdown) -> Duration {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    if matches!(
        error.kind(),
        ConnectionAborted | ConnectionReset | Interrupted
    ) {
        return pause;
    }
    tracing::warn!("cannot accept connections: {error}");
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = sleep(pause) => {}
    }
    (pause * 2).min(PAUSE.1)
}

async fn stop(tasks: &TaskTracker, cancel: &CancellationToken, drain: Duration) {
    tasks.close();
    if timeout(drain, tasks.wait()).await.is_err() {
        cancel.cancel();
        if timeout(CANCELLED, tasks.wait()).await.is_err() {
            tracing::warn!(left = tasks.len(), "some handlers do not stop");
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    /// EMFILE: too many open files.
    fn no_descriptors() -> io::Error {
        io::Error::from_raw_os_error(24)
    }

    #[tokio::test(start_paused = true)]
    async fn waits_longer_and_longer_for_file_descriptors() {
        let started = Instant::now();
        let (mut pause, shutdown) = (PAUSE.0, Shutdown::new());
        for _ in 0..10 {
            let waited = Instant::now();
            let next = wait_after(&no_descriptors(), pause, &shutdown).await;
            assert!(waited.elapsed() >= pause);
            pause = next;
        }
        assert_eq!(pause, PAUSE.1);
        assert!(started.elapsed() > 4 * PAUSE.1);
    }

    #[tokio::test(start_paused = true)]
    async fn does_not_wait_for_one_connection_or_at_shutdown() {
        let (started, shutdown) = (Instant::now(), Shutdown::new());
        let aborted = io::Error::from(io::ErrorKind::ConnectionAborted);
        assert_eq!(wait_after(&aborted, PAUSE.0, &shutdown).await, PAUSE.0);
        shutdown.trigger();
        wait_after(&no_descriptors(), PAUSE.1, &shutdown).await;
        assert_eq!(started.elapsed(), Duration::ZERO);
    }
}
