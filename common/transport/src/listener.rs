//! Accepting connections: bounded, each in its own task, stopped in an orderly way.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use scb_protocol::{Code, Refusal, Step, counted};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinError;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accept::accept;
use crate::connection::Connection;
use crate::descriptors::Room;
use crate::{Error, Limits, ServerTls, Shutdown};

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
        let room = Room::new(
            limits.max_connections.min(Semaphore::MAX_PERMITS),
            self.descriptors,
        );
        if room.served < limits.max_connections {
            tracing::warn!(
                "room for {} only: the limit of open files is too low for {}",
                counted(room.served, "connection"),
                limits.max_connections
            );
        }
        let server = Arc::new(Server {
            handler,
            tls,
            limits,
            first_step: self.first_step,
            shutdown: shutdown.clone(),
            cancel: CancellationToken::new(),
            room,
            places: Arc::new(Semaphore::new(room.served)),
            busy_places: Arc::new(Semaphore::new(room.told_busy)),
        });
        let tasks = TaskTracker::new();
        let mut pause = PAUSE.0;
        loop {
            let accepted = tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                accepted = self.socket.accept() => accepted,
            };
            match accepted {
                Ok((socket, peer)) => {
                    pause = PAUSE.0;
                    Server::admit(&server, &tasks, socket, peer);
                }
                Err(error) => pause = wait_after(&error, pause, &shutdown).await,
            }
        }
        drop(self.socket);
        stop(&tasks, &server.cancel, limits.drain).await;
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
    room: Room,
    places: Arc<Semaphore>,
    busy_places: Arc<Semaphore>,
}

impl<H, F> Server<H>
where
    H: Fn(Connection) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    /// Starts the task of one connection; never waits.
    fn admit(server: &Arc<Self>, tasks: &TaskTracker, socket: TcpStream, peer: SocketAddr) {
        let this = Arc::clone(server);
        if let Ok(place) = Arc::clone(&server.places).try_acquire_owned() {
            tasks.spawn(async move { this.serve_one(socket, peer, place).await });
        } else if let Ok(place) = Arc::clone(&server.busy_places).try_acquire_owned() {
            tasks.spawn(async move { this.turn_away(socket, peer, place).await });
        } else {
            tracing::debug!(%peer, "dropped: too many connections are being told busy");
        }
    }

    async fn serve_one(&self, socket: TcpStream, peer: SocketAddr, place: OwnedSemaphorePermit) {
        let Some(connection) = self.handshake(socket, peer).await else {
            return;
        };
        let id = connection.id();
        let mut handler = tokio::spawn((self.handler)(connection));
        tokio::select! {
            ended = &mut handler => report(id, ended),
            () = self.cancel.cancelled() => {
                handler.abort();
                report(id, handler.await);
            }
        }
        drop(place);
    }

    async fn turn_away(&self, socket: TcpStream, peer: SocketAddr, place: OwnedSemaphorePermit) {
        if let Some(connection) = self.handshake(socket, peer).await {
            tracing::info!(conn = connection.id(), %peer, "refused: busy");
            let busy = Refusal::new(Code::Busy, self.first_step)
                .with("limit", self.room.served)
                .retry_after(self.limits.busy_retry);
            connection.refuse(&busy).await;
        }
        drop(place);
    }

    /// `None` if it fails, takes too long, or the server stops.
    async fn handshake(&self, socket: TcpStream, peer: SocketAddr) -> Option<Connection> {
        let tls = Arc::clone(&self.tls.borrow());
        let accepting = timeout(self.limits.handshake, accept(socket, peer, &tls));
        let accepted = tokio::select! {
            () = self.shutdown.cancelled() => return None,
            accepted = accepting => accepted,
        };
        match accepted {
            Ok(Ok(done)) => Some(Connection::server(
                done.stream,
                done.peer,
                self.first_step,
                &self.limits,
            )),
            Ok(Err(failed)) => {
                tracing::info!(%peer, "handshake failed: {}", failed.error);
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
