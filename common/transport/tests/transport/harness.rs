//! A server on port 0 that greets and answers `status`, and clients for it.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use scb_certs::{ServiceName, TrustStore};
use scb_protocol::message::cuhk::{Reply, Request};
use scb_protocol::{Refusal, Step};
use scb_testkit::{TestCampus, TestIdentity};
use scb_transport::{
    ALPN, ClientAuth, ClientTls, Clock, ClockFn, Connection, Limits, Listener, ServerTls,
    ServerTrust, Shutdown, connect,
};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Longer than anything here takes: reached only by a failing test.
pub const LONG: Duration = Duration::from_secs(20);

/// A running listener.
pub struct Server {
    pub address: SocketAddr,
    pub shutdown: Shutdown,
    pub tls: watch::Sender<Arc<ServerTls>>,
    pub done: JoinHandle<()>,
}

impl Server {
    /// `127.0.0.1:port`
    pub fn host_port(&self) -> String {
        self.address.to_string()
    }
}

pub fn clock(campus: &TestCampus) -> Arc<dyn Clock> {
    Arc::new(ClockFn(campus.clock().reader()))
}

/// CUHK's TLS configuration.
pub fn cuhk_tls(campus: &TestCampus, client_auth: ClientAuth) -> ServerTls {
    server_tls(campus, &campus.service("cuhk"), campus.trust(), client_auth)
}

pub fn server_tls(
    campus: &TestCampus,
    identity: &TestIdentity,
    trust: Arc<TrustStore>,
    client_auth: ClientAuth,
) -> ServerTls {
    let root = campus.root().certificate();
    ServerTls::new(identity.pair(), root, trust, client_auth, clock(campus)).unwrap()
}

pub fn client_tls(campus: &TestCampus, identity: Option<&TestIdentity>) -> ClientTls {
    let trust = ServerTrust::Pinned(campus.trust_without_crls());
    client_trusting(campus, trust, identity)
}

pub fn client_trusting(
    campus: &TestCampus,
    trust: ServerTrust,
    identity: Option<&TestIdentity>,
) -> ClientTls {
    let identity = identity.map(TestIdentity::pair);
    ClientTls::with_clock(trust, ServiceName::cuhk(), identity, clock(campus)).unwrap()
}

/// Serves with [`answer`].
pub async fn serve(tls: ServerTls) -> Server {
    serve_with(tls, Limits::default(), answer).await
}

pub async fn serve_with<H, F>(tls: ServerTls, limits: Limits, handler: H) -> Server
where
    H: Fn(Connection) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let listener = Listener::bind((Ipv4Addr::LOCALHOST, 0).into())
        .await
        .unwrap();
    let address = listener.local_addr();
    let shutdown = Shutdown::new();
    let (tls, newest) = watch::channel(Arc::new(tls));
    let done = tokio::spawn(listener.serve(newest, limits, shutdown.clone(), handler));
    Server {
        address,
        shutdown,
        tls,
        done,
    }
}

/// Greets, answers every `status` with its connection's number, refuses what it cannot take.
pub async fn answer(mut connection: Connection) {
    if let Err(refusal) = converse(&mut connection).await {
        connection.refuse(&refusal).await;
    }
}

async fn converse(connection: &mut Connection) -> Result<(), Refusal> {
    connection.send(&greeting()).await?;
    loop {
        let request: Request = connection.receive(Step::Three, LONG).await?;
        match request {
            Request::Status {} => {
                let epoch = connection.id();
                connection.send(&Reply::Status { epoch }).await?;
            }
            other => {
                return Err(scb_protocol::message::unexpected(
                    "status",
                    &other,
                    Step::Three,
                ));
            }
        }
    }
}

pub fn greeting() -> Reply {
    Reply::Greeting {
        v: 1,
        service: "spiffe://campus.test/service/cuhk".parse().unwrap(),
        time: 0,
    }
}

/// Connects, and waits for the greeting: only then has the server accepted the client.
pub async fn greeted(address: &str, tls: &ClientTls) -> Result<Connection, Refusal> {
    let mut connection = connect(address, tls, Step::One, LONG).await?;
    connection.receive_reply::<Reply>(Step::One, LONG).await?;
    Ok(connection)
}

/// One request, one reply.
pub async fn status(connection: &mut Connection) -> Result<Reply, Refusal> {
    connection.send(&Request::Status {}).await?;
    connection.receive_reply(Step::Three, LONG).await
}

/// A client of plain rustls, which does what it is told.
pub async fn raw_client(server: &Server, config: ClientConfig) -> TlsStream<TcpStream> {
    let socket = TcpStream::connect(server.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, socket).await.unwrap()
}

/// Offers `scb/1`, shows no certificate, and takes any server of the campus.
pub fn raw_config(campus: &TestCampus) -> ClientConfig {
    let mut config = raw_builder(campus).with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    config
}

pub fn raw_builder(
    campus: &TestCampus,
) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
    let mut roots = RootCertStore::empty();
    roots.add(campus.root().certificate().to_rustls()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let time = Arc::new(FixedTime(campus.now()));
    ClientConfig::builder_with_details(provider, time)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
}

#[derive(Debug)]
struct FixedTime(rustls_pki_types::UnixTime);

impl rustls::time_provider::TimeProvider for FixedTime {
    fn current_time(&self) -> Option<rustls_pki_types::UnixTime> {
        Some(self.0)
    }
}
