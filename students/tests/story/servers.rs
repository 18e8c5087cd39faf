//! Both servers, small: the protocol's own states, no store, and faults on demand.

mod blackboard;
mod cuhk;
mod desk;
mod proof;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use scb_certs::Certificate;
use scb_testkit::TestIdentity;
use scb_transport::{ClientAuth, ClockFn, Connection, Limits, Listener, ServerTls, Shutdown};
use tokio::sync::watch;

pub(crate) use desk::{Desk, Fault, Wrong, bundle, listed};

const PATIENCE: Duration = Duration::from_secs(3600);

pub(crate) async fn serve_cuhk(desk: &Arc<Desk>, identity: &TestIdentity) -> SocketAddr {
    serve_cuhk_under(desk, identity, desk.campus.root().certificate()).await
}

/// CUHK with a certificate under this root.
pub(crate) async fn serve_cuhk_under(
    desk: &Arc<Desk>,
    identity: &TestIdentity,
    root: &Certificate,
) -> SocketAddr {
    let tls = tls(desk, identity, root, ClientAuth::Optional);
    let desk = Arc::clone(desk);
    serve(tls, move |connection| {
        cuhk::serve(connection, Arc::clone(&desk))
    })
    .await
}

pub(crate) async fn serve_blackboard(desk: &Arc<Desk>) -> SocketAddr {
    let root = desk.campus.root().certificate();
    let tls = tls(desk, &desk.blackboard, root, ClientAuth::Required);
    let desk = Arc::clone(desk);
    serve(tls, move |connection| {
        blackboard::serve(connection, Arc::clone(&desk))
    })
    .await
}

fn tls(
    desk: &Desk,
    identity: &TestIdentity,
    root: &Certificate,
    client_auth: ClientAuth,
) -> ServerTls {
    let clock = Arc::new(ClockFn(desk.campus.clock().reader()));
    let trust = Arc::clone(&desk.trust);
    ServerTls::new(identity.pair(), root, trust, client_auth, clock).unwrap()
}

/// No deadline of the servers' decides a test, however busy the machine is: a handshake that took too
/// long would look like a connection that a fault has ended.
fn patient() -> Limits {
    Limits {
        handshake: PATIENCE,
        message: PATIENCE,
        ..Limits::default()
    }
}

async fn serve<F>(
    tls: ServerTls,
    handler: impl Fn(Connection) -> F + Send + Sync + 'static,
) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap())
        .await
        .unwrap();
    let address = listener.local_addr();
    let (sender, receiver) = watch::channel(Arc::new(tls));
    tokio::spawn(async move {
        listener
            .serve(receiver, patient(), Shutdown::new(), handler)
            .await;
        drop(sender);
    });
    address
}
