//! HTTP on the port of the frames and on one without TLS: who gets which, and the bounds.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Extension;
use axum::routing::{get, post};
use scb_protocol::Code;
use scb_testkit::TestCampus;
use scb_transport::{ClientAuth, HttpConnection, Limits, Listener, MAX_BODY, Shutdown, Web};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::harness::{
    LONG, Server, answer, client_tls, cuhk_tls, greeted, raw_builder, raw_client, raw_config,
    serve, status,
};

/// Longer than any answer here.
const MANY: usize = 16 * 1024 * 1024;

fn routes() -> Web {
    let who = |Extension(connection): Extension<HttpConnection>| async move {
        match connection.peer_chain() {
            Some(_) => "somebody",
            None => "nobody",
        }
    };
    let count = |body: Bytes| async move { body.len().to_string() };
    let leave = |Extension(connection): Extension<HttpConnection>| async move {
        connection.close();
        "bye"
    };
    Web::new(
        Router::new()
            .route("/who", get(who))
            .route("/count", post(count))
            .route("/leave", get(leave))
            .route("/many", get(|| async { vec![b'x'; MANY] }))
            .route("/never", get(std::future::pending::<()>)),
    )
}

/// A listener without TLS and one with it, which share their places.
pub struct Both {
    pub plain: std::net::SocketAddr,
    pub tls: Server,
    _plain_done: JoinHandle<()>,
}

pub async fn serve_both(campus: &TestCampus, limits: Limits) -> Both {
    let any = (Ipv4Addr::LOCALHOST, 0).into();
    let listener = Listener::bind(any).await.unwrap().with_http(routes());
    let plain = Listener::bind(any).await.unwrap().beside(&listener);
    let (address, plain_address) = (listener.local_addr(), plain.local_addr());
    let shutdown = Shutdown::new();
    let tls = cuhk_tls(campus, ClientAuth::Optional);
    let (tls, newest) = watch::channel(Arc::new(tls));
    let serving = listener.serve(newest, limits, shutdown.clone(), answer);
    let done = tokio::spawn(serving);
    let plain_done = tokio::spawn(plain.serve_plain(routes(), limits, shutdown.clone()));
    Both {
        plain: plain_address,
        tls: Server {
            address,
            shutdown,
            tls,
            done,
        },
        _plain_done: plain_done,
    }
}

/// Sends these bytes and reads until the server closes.
pub async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8]) -> String {
    stream.write_all(bytes).await.unwrap();
    let mut said = Vec::new();
    // A server that has said its last word may close hard.
    let _ = timeout(LONG, stream.read_to_end(&mut said)).await.unwrap();
    String::from_utf8_lossy(&said).into_owned()
}

fn request(method: &str, path: &str, fields: &str) -> Vec<u8> {
    format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{fields}\r\n").into()
}

pub async fn plain(both: &Both, bytes: &[u8]) -> String {
    exchange(TcpStream::connect(both.plain).await.unwrap(), bytes).await
}

#[tokio::test]
async fn the_protocol_a_client_asks_for_is_the_one_it_gets() {
    let campus = TestCampus::new();
    let both = serve_both(&campus, Limits::default()).await;
    let frames = greeted(&both.tls.host_port(), &client_tls(&campus, None)).await;
    status(&mut frames.unwrap()).await.unwrap();
    for offered in [vec![], vec![b"http/1.1".to_vec()]] {
        let mut config = raw_config(&campus);
        config.alpn_protocols = offered;
        let stream = raw_client(&both.tls, config).await;
        let said = exchange(stream, &request("GET", "/who", "")).await;
        assert!(said.starts_with("HTTP/1.1 200"), "{said}");
        assert!(said.ends_with("nobody"), "{said}");
    }
    let mut config = raw_config(&campus);
    config.alpn_protocols = vec![b"http/1.1".to_vec(), b"h2".to_vec()];
    let mut stream = raw_client(&both.tls, config).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    stream.write_all(preface).await.unwrap();
    let mut frame = [0; 9];
    stream.read_exact(&mut frame).await.unwrap();
    assert_eq!(frame[3], 4, "SETTINGS (RFC 9113, section 6.5)");
}

#[tokio::test]
async fn a_client_certificate_is_known_to_the_routes() {
    let campus = TestCampus::new();
    let both = serve_both(&campus, Limits::default()).await;
    let student = campus.student("1155000001");
    let (chain, key) = student.pair();
    let config = raw_builder(&campus)
        .with_client_auth_cert(chain.to_rustls(), key.to_pkcs8_der())
        .unwrap();
    let stream = raw_client(&both.tls, config).await;
    let said = exchange(stream, &request("GET", "/who", "")).await;
    assert!(said.ends_with("somebody"), "{said}");
}

#[tokio::test]
async fn without_routes_no_http_is_spoken() {
    let campus = TestCampus::new();
    let server = serve(cuhk_tls(&campus, ClientAuth::Optional)).await;
    let mut config = raw_config(&campus);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let socket = TcpStream::connect(server.address).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let refused = connector.connect("localhost".try_into().unwrap(), socket);
    let error = refused.await.unwrap_err().to_string();
    assert!(error.contains("NoApplicationProtocol"), "{error}");
}

#[tokio::test]
async fn heads_and_bodies_that_are_too_large_are_refused() {
    let campus = TestCampus::new();
    let both = serve_both(&campus, Limits::default()).await;
    let body = |size: usize| {
        let mut bytes = request("POST", "/count", &format!("content-length: {size}\r\n"));
        bytes.resize(bytes.len() + size, b'x');
        bytes
    };
    let taken = plain(&both, &body(MAX_BODY)).await;
    assert!(taken.ends_with(&MAX_BODY.to_string()), "{taken}");
    for size in [MAX_BODY + 1, 10 * MAX_BODY] {
        let refused = plain(&both, &body(size)).await;
        assert!(refused.starts_with("HTTP/1.1 413"), "{refused}");
    }
    let mut cut = TcpStream::connect(both.plain).await.unwrap();
    cut.write_all(&body(1000)[..500]).await.unwrap();
    cut.shutdown().await.unwrap();
    let mut said = Vec::new();
    let _ = timeout(LONG, cut.read_to_end(&mut said)).await.unwrap();
    assert!(!said.starts_with(b"HTTP/1.1 200"), "half a body is none");
    let long = format!("x-long: {}\r\n", "x".repeat(32 * 1024));
    let refused = plain(&both, &request("GET", "/who", &long)).await;
    assert!(refused.starts_with("HTTP/1.1 431"), "{refused}");
    let alive = plain(&both, &request("GET", "/who", "")).await;
    assert!(alive.ends_with("nobody"), "{alive}");
}

#[tokio::test]
async fn slow_heads_bodies_answers_and_readers_are_cut_by_total_deadlines() {
    let campus = TestCampus::new();
    let limits = Limits {
        message: Duration::from_millis(300),
        idle: Duration::from_millis(600),
        ..Limits::default()
    };
    let both = serve_both(&campus, limits).await;
    let body = request("POST", "/count", "content-length: 100000\r\n");
    for start in [&b""[..], b"GET /who HTTP/1.1\r\nx: ", &body] {
        let mut slow = TcpStream::connect(both.plain).await.unwrap();
        slow.write_all(start).await.unwrap();
        let started = Instant::now();
        while slow.write_u8(b'x').await.is_ok() {
            // A byte every 10 ms: a deadline per read would never pass.
            let mut said = [0; 1024];
            if timeout(Duration::from_millis(10), slow.read(&mut said))
                .await
                .is_ok()
            {
                break;
            }
            assert!(started.elapsed() < LONG, "still open");
        }
        assert!(started.elapsed() >= limits.message);
    }
    let late = plain(&both, &request("GET", "/never", "")).await;
    assert!(late.starts_with("HTTP/1.1 408"), "{late}");
    assert!(late.contains(r#""code":"timeout""#), "{late}");

    let mut deaf = TcpStream::connect(both.plain).await.unwrap();
    deaf.write_all(&request("GET", "/many", "")).await.unwrap();
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    let (mut read, mut said) = (0, vec![0; 64 * 1024]);
    while let Ok(Ok(some @ 1..)) = timeout(LONG, deaf.read(&mut said)).await {
        read += some;
        assert!(read < MANY, "sent whole to somebody who hardly reads");
        ticks.tick().await;
    }
}

#[tokio::test]
async fn places_are_shared_with_the_frames_and_a_full_server_says_so() {
    let campus = TestCampus::new();
    let limits = Limits {
        max_connections: 1,
        busy_retry: 3,
        ..Limits::default()
    };
    let both = serve_both(&campus, limits).await;
    let tls = client_tls(&campus, None);
    let first = greeted(&both.tls.host_port(), &tls).await.unwrap();
    let refused = plain(&both, &request("GET", "/who", "")).await;
    let mut config = raw_config(&campus);
    config.alpn_protocols = vec![];
    let stream = raw_client(&both.tls, config).await;
    let over_tls = exchange(stream, &request("GET", "/who", "")).await;
    for said in [refused, over_tls] {
        assert!(said.starts_with("HTTP/1.1 503"), "{said}");
        assert!(said.contains("retry-after: 3"), "{said}");
        assert!(said.contains(r#""code":"busy""#), "{said}");
    }
    first.close().await;
}

/// EST's `simplereenroll`, say: an alert would tell `curl` nothing that it can show.
#[tokio::test]
async fn without_lists_whoever_shows_a_certificate_is_told_so_in_http_and_is_nobody() {
    let campus = TestCampus::new();
    let both = serve_both(&campus, Limits::default()).await;
    let student = campus.student("1155000001");
    let config = |(chain, key): (scb_certs::Chain, scb_certs::SigningKey), offered: &[&[u8]]| {
        let mut config = raw_builder(&campus)
            .with_client_auth_cert(chain.to_rustls(), key.to_pkcs8_der())
            .unwrap();
        config.alpn_protocols = offered.iter().map(|one| one.to_vec()).collect();
        config
    };
    campus.clock().advance(Duration::from_secs(25 * 3600));
    for offered in [vec![], vec![&b"http/1.1"[..]]] {
        for path in ["/who", "/count", "/nothing"] {
            let stream = raw_client(&both.tls, config(student.pair(), &offered)).await;
            let said = exchange(stream, &request("GET", path, "")).await;
            assert!(said.starts_with("HTTP/1.1 503"), "{said}");
            assert!(said.contains("retry-after: 60"), "{said}");
            assert!(said.contains(r#""code":"status_unavailable""#), "{said}");
            assert!(!said.contains("somebody"), "{said}");
        }
    }
    // Whatever else was asked on the connection before it ends is told the same.
    let twice = [b"GET /who HTTP/1.1\r\nhost: x\r\n\r\n".repeat(2)].concat();
    let stream = raw_client(&both.tls, config(student.pair(), &[])).await;
    let said = exchange(stream, &twice).await;
    let answers = said.matches("HTTP/1.1 ").count();
    assert!((1..=2).contains(&answers), "{said}");
    assert_eq!(said.matches("HTTP/1.1 503").count(), answers, "{said}");
    // Whoever shows none is served as before.
    let mut anonymous = raw_config(&campus);
    anonymous.alpn_protocols = vec![];
    let stream = raw_client(&both.tls, anonymous).await;
    let said = exchange(stream, &request("GET", "/who", "")).await;
    assert!(said.ends_with("nobody"), "{said}");
    // In frames, and for what is wrong with a certificate itself, an alert ends the handshake.
    let tls = client_tls(&campus, Some(&student));
    let frames = greeted(&both.tls.host_port(), &tls).await;
    assert_eq!(frames.unwrap_err().code, Code::StatusUnavailable);
    let expired = campus.student_valid("1155000001", &campus.expired());
    let mut stream = raw_client(&both.tls, config(expired.pair(), &[])).await;
    let _ = stream.write_all(&request("GET", "/who", "")).await;
    let mut said = Vec::new();
    let alert = timeout(LONG, stream.read_to_end(&mut said)).await.unwrap();
    assert!(
        alert
            .unwrap_err()
            .to_string()
            .contains("CertificateExpired")
    );
    assert!(said.is_empty());
}

#[tokio::test]
async fn a_route_or_the_end_of_the_server_closes_after_the_answer() {
    let campus = TestCampus::new();
    let both = serve_both(&campus, Limits::default()).await;
    let stay = b"GET /leave HTTP/1.1\r\nhost: x\r\n\r\n";
    let said = plain(&both, stay).await;
    assert!(said.ends_with("bye"), "{said}");
    let mut idle = TcpStream::connect(both.plain).await.unwrap();
    idle.write_all(b"GET /who HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut said = [0; 15];
    idle.read_exact(&mut said).await.unwrap();
    both.tls.shutdown.trigger();
    let ended = timeout(LONG, idle.read_to_end(&mut Vec::new())).await;
    ended.unwrap().unwrap();
    timeout(LONG, both.tls.done).await.unwrap().unwrap();
}
