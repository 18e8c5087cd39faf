//! HTTP without TLS, for what is public and signed.

use std::net::SocketAddr;
use std::sync::Arc;

use scb_protocol::{Step, StepEvent};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Listener, accept_until, run_to_end, stop};
use crate::http::{self, HttpConnection, Version, Web};
use crate::places::{Place, Places, Standing};
use crate::{Limits, Shutdown, telemetry};

impl Listener {
    /// Accepts until `shutdown` and answers HTTP/1.1 in clear: for what anybody may read, and
    /// what proves itself. Otherwise as [`Listener::serve`].
    pub async fn serve_plain(self, web: Web, limits: Limits, shutdown: Shutdown) {
        let server = Arc::new(Plain {
            web,
            limits,
            shutdown: shutdown.clone(),
            cancel: CancellationToken::new(),
            places: self.places.open(&limits, self.descriptors),
            first_step: self.first_step,
        });
        let tasks = TaskTracker::new();
        let admit = |socket, peer| Plain::admit(&server, &tasks, socket, peer);
        accept_until(self.socket, &shutdown, admit).await;
        stop(&tasks, &server.cancel, limits.drain).await;
    }
}

/// What the connections of one listener share.
struct Plain {
    web: Web,
    limits: Limits,
    shutdown: Shutdown,
    cancel: CancellationToken,
    places: Places,
    first_step: Step,
}

impl Plain {
    /// Starts the task of one connection; never waits.
    fn admit(server: &Arc<Self>, tasks: &TaskTracker, socket: TcpStream, peer: SocketAddr) {
        let this = Arc::clone(server);
        match server.places.take(peer.ip()) {
            Some(place) => {
                tasks.spawn(async move { this.serve_one(socket, peer, place).await });
            }
            None => tracing::debug!(%peer, "dropped: too many connections are being told busy"),
        }
    }

    async fn serve_one(&self, socket: TcpStream, peer: SocketAddr, place: Place) {
        let _ = socket.set_nodelay(true);
        let connection = HttpConnection::plain(peer, &self.shutdown);
        let (id, limits) = (connection.id(), self.limits);
        match place.standing {
            Standing::Served => {
                let web = self.web.clone();
                let serving = async move {
                    http::serve(socket, Version::Http1, &web, connection, &limits).await;
                };
                run_to_end(id, serving, &self.cancel).await;
            }
            Standing::ToldBusy(busy) => {
                let busy = busy.refusal(self.first_step);
                telemetry::tally(&StepEvent::refused(&busy));
                http::refuse(socket, Version::Http1, connection, &busy, &limits).await;
            }
        }
        drop(place);
    }
}
