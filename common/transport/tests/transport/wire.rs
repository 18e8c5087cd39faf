//! What can be seen between client and server.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use scb_protocol::{Code, Step};
use scb_testkit::TestCampus;
use scb_transport::{ClientAuth, ServerTrust, connect};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::harness::{
    LONG, client_tls, client_trusting, cuhk_tls, greeted, raw_client, raw_config, serve, status,
};

/// A relay that keeps what it carries.
struct Tap {
    address: SocketAddr,
    from_client: Arc<Mutex<Vec<u8>>>,
    from_server: Arc<Mutex<Vec<u8>>>,
}

impl Tap {
    /// Relays one connection.
    async fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tap = Self {
            address: listener.local_addr().unwrap(),
            from_client: Arc::default(),
            from_server: Arc::default(),
        };
        let (out, back) = (Arc::clone(&tap.from_client), Arc::clone(&tap.from_server));
        tokio::spawn(async move {
            let (client, _) = listener.accept().await.unwrap();
            let (client_read, client_write) = client.into_split();
            let server = TcpStream::connect(server).await.unwrap();
            let (server_read, server_write) = server.into_split();
            tokio::join!(
                relay(client_read, server_write, &out),
                relay(server_read, client_write, &back)
            );
        });
        tap
    }
}

async fn relay(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    kept: &Mutex<Vec<u8>>,
) {
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        kept.lock().unwrap().extend_from_slice(&buffer[..read]);
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}

/// Length of the first TLS record, with its header.
fn first_record(bytes: &[u8]) -> usize {
    5 + usize::from(u16::from_be_bytes([bytes[3], bytes[4]]))
}

#[tokio::test]
async fn no_name_and_no_certificate_can_be_seen() {
    let campus = TestCampus::new();
    let server = serve(cuhk_tls(&campus, ClientAuth::Required)).await;
    let tap = Tap::before(server.address).await;
    let student = campus.student("1155000001");
    let tls = client_tls(&campus, Some(&student));
    let mut connection = greeted(&tap.address.to_string(), &tls).await.unwrap();
    status(&mut connection).await.unwrap();
    connection.close().await;
    let seen = [
        tap.from_client.lock().unwrap().clone(),
        tap.from_server.lock().unwrap().clone(),
    ]
    .concat();
    assert!(
        contains(&seen, b"scb/1"),
        "the tap works: ALPN is in the open"
    );
    let key = student.leaf().public_key().unwrap();
    for secret in [&b"1155000001"[..], b"campus.test", b"status", key.point()] {
        assert!(!contains(&seen, secret));
    }
}

#[tokio::test]
async fn after_a_wrong_root_only_an_alert_leaves_the_client() {
    let campus = TestCampus::new();
    let server = serve(cuhk_tls(&campus, ClientAuth::Required)).await;
    let tap = Tap::before(server.address).await;
    let student = campus.student("1155000001");
    let wrong = ServerTrust::Fingerprint(TestCampus::new().root_fingerprint());
    let tls = client_trusting(&campus, wrong, Some(&student));
    let address = tap.address.to_string();
    let refusal = connect(&address, &tls, Step::One, LONG).await.unwrap_err();
    assert_eq!(refusal.code, Code::ServerIdentity);
    let sent = tap.from_client.lock().unwrap().clone();
    let after_hello = sent.len() - first_record(&sent);
    // A dummy change_cipher_spec (6 bytes) and one encrypted alert (5 + 2 + 1 + 16 bytes).
    assert!(
        after_hello <= 30,
        "{after_hello} bytes after the ClientHello"
    );
}

#[tokio::test]
async fn after_the_right_root_the_client_does_send_its_certificate() {
    let campus = TestCampus::new();
    let server = serve(cuhk_tls(&campus, ClientAuth::Required)).await;
    let tap = Tap::before(server.address).await;
    let student = campus.student("1155000001");
    let right = ServerTrust::Fingerprint(campus.root_fingerprint());
    let tls = client_trusting(&campus, right, Some(&student));
    greeted(&tap.address.to_string(), &tls).await.unwrap();
    let sent = tap.from_client.lock().unwrap().clone();
    assert!(sent.len() - first_record(&sent) > student.leaf().der().len());
}

#[tokio::test]
async fn a_client_that_offers_another_protocol_or_none_is_refused() {
    let campus = TestCampus::new();
    let server = serve(cuhk_tls(&campus, ClientAuth::Optional)).await;
    raw_client(&server, raw_config(&campus)).await;
    for offered in [vec![], vec![b"http/1.1".to_vec()], vec![b"scb/2".to_vec()]] {
        let mut config = raw_config(&campus);
        config.alpn_protocols = offered;
        let socket = TcpStream::connect(server.address).await.unwrap();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let name = "localhost".try_into().unwrap();
        let error = connector.connect(name, socket).await.unwrap_err();
        assert!(
            error.to_string().contains("NoApplicationProtocol"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_server_that_does_not_speak_our_protocol_is_refused() {
    let campus = TestCampus::new();
    let identity = campus.service("cuhk");
    let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_no_client_auth()
    .with_single_cert(identity.chain.to_rustls(), identity.key.to_pkcs8_der())
    .unwrap();
    let tls = client_tls(&campus, None);
    for (spoken, code) in [
        (vec![], Code::ServerMisbehaved),
        (vec![b"http/1.1".to_vec()], Code::ServerMisbehaved),
    ] {
        config.alpn_protocols = spoken;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config.clone()));
        let other = tokio::spawn(async move {
            let (socket, _) = listener.accept().await.unwrap();
            acceptor.accept(socket).await.map(drop)
        });
        let refusal = connect(&address, &tls, Step::One, LONG).await.unwrap_err();
        assert_eq!(refusal.code, code);
        let _ = other.await.unwrap();
    }
}

#[tokio::test]
async fn a_client_that_vanishes_at_any_byte_leaves_nothing_behind() {
    let campus = TestCampus::new();
    let server = serve(cuhk_tls(&campus, ClientAuth::Optional)).await;
    let tap = Tap::before(server.address).await;
    let tls = client_tls(&campus, None);
    drop(greeted(&tap.address.to_string(), &tls).await.unwrap());
    let recorded = tap.from_client.lock().unwrap().clone();
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let settle = |goal: usize| async move {
        while tasks() > goal {
            tokio::task::yield_now().await;
        }
    };
    // The listener's own task only.
    timeout(LONG, settle(1)).await.unwrap();
    for cut in 0..recorded.len() {
        let mut client = TcpStream::connect(server.address).await.unwrap();
        client.write_all(&recorded[..cut]).await.unwrap();
    }
    greeted(&server.host_port(), &tls).await.unwrap();
    timeout(LONG, settle(1)).await.unwrap();
}
