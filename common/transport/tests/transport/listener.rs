//! Limits, panics, shutdown and replacement of the configuration.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::ServerName;
use scb_protocol::message::cuhk::{Reply, Request};
use scb_protocol::{Code, Step};
use scb_testkit::TestCampus;
use scb_transport::{ClientAuth, ClientTls, Connection, Error, Limits, Listener, connect};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

use crate::harness::{
    LONG, answer, client_tls, cuhk_tls, greeted, greeting, raw_client, raw_config, serve,
    serve_with, status,
};

/// Connects as soon as there is a place: places are given back a moment after the end.
async fn greeted_when_free(address: &str, tls: &ClientTls) -> Connection {
    let trying = async {
        loop {
            match greeted(address, tls).await {
                Err(refusal) if refusal.code == Code::Busy => tokio::task::yield_now().await,
                result => break result.unwrap(),
            }
        }
    };
    timeout(LONG, trying).await.unwrap()
}

#[tokio::test]
async fn names_the_port_that_is_taken() {
    let first = Listener::bind("127.0.0.1:0".parse().unwrap())
        .await
        .unwrap();
    let error = Listener::bind(first.local_addr()).await.unwrap_err();
    assert!(matches!(error, Error::AddressInUse(address) if address == first.local_addr()));
    assert!(error.to_string().contains("choose another"), "{error}");
    let elsewhere = Listener::bind("192.0.2.1:0".parse().unwrap())
        .await
        .unwrap_err();
    assert!(matches!(elsewhere, Error::Bind { .. }), "{elsewhere}");
}

#[tokio::test]
async fn serves_many_at_once_while_others_are_idle() {
    let campus = TestCampus::new();
    let server = serve(cuhk_tls(&campus, ClientAuth::Optional)).await;
    let tls = client_tls(&campus, None);
    let mut idle = Vec::new();
    for _ in 0..100 {
        idle.push(TcpStream::connect(server.address).await.unwrap());
    }
    let mut open = Vec::new();
    for _ in 0..50 {
        open.push(greeted(&server.host_port(), &tls).await.unwrap());
    }
    let mut numbers = std::collections::BTreeSet::new();
    for connection in &mut open {
        let Reply::Status { epoch } = status(connection).await.unwrap() else {
            panic!("not a status");
        };
        numbers.insert(epoch);
    }
    assert_eq!(
        numbers.len(),
        open.len(),
        "every connection has its own number"
    );
    drop(idle);
}

#[tokio::test]
async fn one_connection_too_many_is_told_busy_and_may_come_later() {
    let campus = TestCampus::new();
    let limits = Limits {
        max_connections: 1,
        busy_retry: 3,
        ..Limits::default()
    };
    let server = serve_with(cuhk_tls(&campus, ClientAuth::Optional), limits, answer).await;
    let tls = client_tls(&campus, None);
    let mut first = greeted(&server.host_port(), &tls).await.unwrap();
    let refusal = greeted(&server.host_port(), &tls).await.unwrap_err();
    assert_eq!((refusal.code, refusal.retry_after), (Code::Busy, Some(3)));
    status(&mut first).await.unwrap();
    first.close().await;
    greeted_when_free(&server.host_port(), &tls).await;
}

#[tokio::test]
async fn a_slow_handshake_is_cut_by_the_total_deadline() {
    let campus = TestCampus::new();
    let limits = Limits {
        handshake: Duration::from_millis(200),
        ..Limits::default()
    };
    let server = serve_with(cuhk_tls(&campus, ClientAuth::Optional), limits, answer).await;
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    let started = Instant::now();
    let hello = [22, 3, 1, 2, 0].into_iter().chain(std::iter::repeat(0));
    for byte in hello {
        let _ = slow.write_u8(byte).await;
        // A byte every 10 ms: a deadline per read would never pass.
        if timeout(Duration::from_millis(10), slow.read_u8())
            .await
            .is_ok()
        {
            break;
        }
        assert!(started.elapsed() < LONG, "still open");
    }
    assert!(started.elapsed() >= limits.handshake);
}

#[tokio::test]
async fn a_connection_after_the_handshake_is_not_cut_by_its_deadline() {
    let campus = TestCampus::new();
    let limits = Limits {
        // In which a handshake ends on a busy machine, too.
        handshake: Duration::from_secs(2),
        ..Limits::default()
    };
    let server = serve_with(cuhk_tls(&campus, ClientAuth::Optional), limits, answer).await;
    let tls = client_tls(&campus, None);
    let mut open = greeted(&server.host_port(), &tls).await.unwrap();
    let silence = open
        .receive::<Reply>(Step::Three, limits.handshake * 11 / 10)
        .await;
    assert_eq!(silence.unwrap_err().code, Code::Timeout);
    status(&mut open).await.unwrap();
}

#[tokio::test]
async fn wrong_lengths_are_refused_over_tls_and_the_server_lives() {
    let campus = TestCampus::new();
    let server = serve(cuhk_tls(&campus, ClientAuth::Optional)).await;
    for (length, code) in [
        (0, "frame_empty"),
        (1 << 31, "frame_too_large"),
        (u32::MAX, "frame_too_large"),
    ] {
        let mut stream = raw_client(&server, raw_config(&campus)).await;
        stream.write_all(&u32::to_be_bytes(length)).await.unwrap();
        let mut said = Vec::new();
        timeout(LONG, stream.read_to_end(&mut said))
            .await
            .unwrap()
            .unwrap();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(said.contains(code), "{said}");
    }
    greeted(&server.host_port(), &client_tls(&campus, None))
        .await
        .unwrap();
}

#[tokio::test]
async fn what_is_no_tls_is_dropped_and_the_server_lives() {
    let campus = TestCampus::new();
    let server = serve(cuhk_tls(&campus, ClientAuth::Optional)).await;
    let mut http = TcpStream::connect(server.address).await.unwrap();
    http.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    http.shutdown().await.unwrap();
    let mut said = Vec::new();
    timeout(LONG, http.read_to_end(&mut said))
        .await
        .unwrap()
        .unwrap();
    assert!(said.len() < 16, "at most an alert: {said:?}");
    greeted(&server.host_port(), &client_tls(&campus, None))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_refusal_reaches_a_client_that_is_still_sending() {
    let campus = TestCampus::new();
    let server = serve(cuhk_tls(&campus, ClientAuth::Optional)).await;
    let mut client = greeted(&server.host_port(), &client_tls(&campus, None))
        .await
        .unwrap();
    let content = bytes::Bytes::from(vec![0; 32 << 20]);
    let refusal = match client.send_chunk(content).await {
        Err(refusal) => refusal,
        Ok(()) => client
            .receive_reply::<Reply>(Step::Six, LONG)
            .await
            .unwrap_err(),
    };
    assert_eq!(refusal.code, Code::UnexpectedMessage);
}

#[tokio::test]
async fn a_panicking_handler_harms_no_other() {
    let campus = TestCampus::new();
    let limits = Limits {
        max_connections: 2,
        ..Limits::default()
    };
    let tls = cuhk_tls(&campus, ClientAuth::Optional);
    let server = serve_with(tls, limits, |mut connection| async move {
        connection.send(&greeting()).await.unwrap();
        match connection.receive::<Request>(Step::Three, LONG).await {
            Ok(Request::Crls {}) => panic!("as the test wants"),
            Ok(_) => connection.send(&Reply::Status { epoch: 1 }).await.unwrap(),
            Err(_) => {}
        }
    })
    .await;
    let tls = client_tls(&campus, None);
    let mut other = greeted(&server.host_port(), &tls).await.unwrap();
    for _ in 0..3 {
        let mut victim = greeted_when_free(&server.host_port(), &tls).await;
        victim.send(&Request::Crls {}).await.unwrap();
        let refusal = victim
            .receive_reply::<Reply>(Step::Three, LONG)
            .await
            .unwrap_err();
        assert_eq!(refusal.code, Code::ConnectionLost);
    }
    status(&mut other).await.unwrap();
}

#[tokio::test]
async fn shutdown_lets_handlers_finish_and_accepts_nobody_else() {
    let campus = TestCampus::new();
    let (begun, finish) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let handler = {
        let (begun, finish) = (Arc::clone(&begun), Arc::clone(&finish));
        move |mut connection: Connection| {
            let (begun, finish) = (Arc::clone(&begun), Arc::clone(&finish));
            async move {
                begun.notify_one();
                finish.notified().await;
                connection.send(&greeting()).await.unwrap();
                connection.close().await;
            }
        }
    };
    let tls = cuhk_tls(&campus, ClientAuth::Optional);
    let server = serve_with(tls, Limits::default(), handler).await;
    let tls = client_tls(&campus, None);
    let mut client = connect(&server.host_port(), &tls, Step::One, LONG)
        .await
        .unwrap();
    begun.notified().await;
    server.shutdown.trigger();
    let nobody = async { while TcpStream::connect(server.address).await.is_ok() {} };
    timeout(LONG, nobody).await.expect("the port is closed");
    assert!(!server.done.is_finished(), "it waits for its handler");
    finish.notify_one();
    client
        .receive_reply::<Reply>(Step::One, LONG)
        .await
        .unwrap();
    client.close().await;
    timeout(LONG, server.done).await.unwrap().unwrap();
}

#[tokio::test]
async fn shutdown_cancels_handlers_that_do_not_finish_and_handshakes_at_once() {
    let campus = TestCampus::new();
    let limits = Limits {
        drain: Duration::from_millis(100),
        ..Limits::default()
    };
    let tls = cuhk_tls(&campus, ClientAuth::Optional);
    let server = serve_with(tls, limits, |mut connection| async move {
        connection.send(&greeting()).await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let _in_handshake = TcpStream::connect(server.address).await.unwrap();
    let tls = client_tls(&campus, None);
    let mut client = greeted(&server.host_port(), &tls).await.unwrap();
    server.shutdown.trigger();
    timeout(LONG, server.done).await.unwrap().unwrap();
    let refusal = client
        .receive_reply::<Reply>(Step::One, LONG)
        .await
        .unwrap_err();
    assert_eq!(refusal.code, Code::ConnectionLost);
}

/// What a server says to a client of plain rustls that comes from this address and only listens.
async fn said_to(source: &str, address: std::net::SocketAddr, campus: &TestCampus) -> String {
    let socket = TcpSocket::new_v4().unwrap();
    socket
        .bind((source.parse::<IpAddr>().unwrap(), 0).into())
        .unwrap();
    let stream = socket.connect(address).await.unwrap();
    let connector = TlsConnector::from(Arc::new(raw_config(campus)));
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = connector.connect(name, stream).await.unwrap();
    let mut buffer = vec![0; 4096];
    let count = timeout(LONG, stream.read(&mut buffer))
        .await
        .unwrap()
        .unwrap();
    String::from_utf8_lossy(&buffer[..count]).into_owned()
}

#[tokio::test]
async fn an_address_that_holds_too_many_is_told_busy_and_others_are_served() {
    let campus = TestCampus::new();
    let limits = Limits {
        count_loopback: true,
        per_address: 2,
        ..Limits::default()
    };
    let server = serve_with(cuhk_tls(&campus, ClientAuth::Optional), limits, answer).await;
    let (address, tls) = (server.host_port(), client_tls(&campus, None));
    let first = greeted(&address, &tls).await.unwrap();
    let _second = greeted(&address, &tls).await.unwrap();
    let refusal = greeted(&address, &tls).await.unwrap_err();
    assert_eq!(refusal.code, Code::Busy);
    assert_eq!(refusal.params["limit_per_address"], "2");
    let other = said_to("127.0.0.2", server.address, &campus).await;
    assert!(other.contains("greeting"), "{other}");
    drop(first);
    greeted_when_free(&address, &tls).await;
}

#[tokio::test]
async fn an_address_that_comes_too_often_is_told_busy_and_comes_back_later() {
    let campus = TestCampus::new();
    let limits = Limits {
        count_loopback: true,
        address_burst: 2,
        address_rate: 1,
        busy_retry: 1,
        ..Limits::default()
    };
    let server = serve_with(cuhk_tls(&campus, ClientAuth::Optional), limits, answer).await;
    let (address, tls) = (server.host_port(), client_tls(&campus, None));
    let refusal = loop {
        // Each has gone before the next one comes.
        if let Err(refusal) = greeted(&address, &tls).await {
            break refusal;
        }
    };
    assert_eq!((refusal.code, refusal.retry_after), (Code::Busy, Some(1)));
    let other = said_to("127.0.0.2", server.address, &campus).await;
    assert!(other.contains("greeting"), "{other}");
    greeted_when_free(&address, &tls).await;
}

#[tokio::test]
async fn this_machines_own_addresses_are_not_counted_unless_that_is_wanted() {
    let campus = TestCampus::new();
    let limits = Limits {
        per_address: 1,
        address_burst: 1,
        address_rate: 1,
        ..Limits::default()
    };
    let server = serve_with(cuhk_tls(&campus, ClientAuth::Optional), limits, answer).await;
    let tls = client_tls(&campus, None);
    let mut held = Vec::new();
    for _ in 0..5 {
        held.push(greeted(&server.host_port(), &tls).await.unwrap());
    }
}
