//! Requests to somebody who is no part of the campus: what comes back is taken as it is, in bounds, or
//! nobody answered.

use std::net::SocketAddr;
use std::time::Duration;

use scb_transport::{HttpAnswer, HttpClient, HttpError, HttpUrl};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const PATIENCE: Duration = Duration::from_secs(20);
const LIMIT: usize = 100;

/// Somebody who reads one request to its end and says this, byte by byte. Tells what was asked.
async fn somebody(says: Vec<u8>) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answering = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut asked = Vec::new();
        while !asked.ends_with(b"the body") {
            assert_ne!(socket.read_buf(&mut asked).await.unwrap(), 0);
        }
        // Whoever has heard enough may hang up before the end.
        let _ = socket.write_all(&says).await;
        String::from_utf8(asked).unwrap()
    });
    (address, answering)
}

fn client(address: SocketAddr) -> HttpClient {
    let url: HttpUrl = format!("http://{address}/below/").parse().unwrap();
    HttpClient::new(url, b"").unwrap()
}

async fn post(address: SocketAddr, patience: Duration) -> Result<HttpAnswer, HttpError> {
    let body = "the body".to_owned();
    client(address)
        .post("question", body, LIMIT, patience)
        .await
}

/// What becomes of this answer.
async fn answered(says: impl Into<Vec<u8>>) -> Result<HttpAnswer, HttpError> {
    let (address, _) = somebody(says.into()).await;
    post(address, PATIENCE).await
}

#[tokio::test]
async fn asks_below_the_address_and_takes_the_answer_as_it_is() {
    let says = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nyes\n";
    let (address, asked) = somebody(says.into()).await;
    let answer = post(address, PATIENCE).await.unwrap();
    let expected = HttpAnswer {
        status: 200,
        content_type: Some("text/plain".to_owned()),
        body: b"yes\n".to_vec(),
    };
    assert_eq!(answer, expected);
    let asked = asked.await.unwrap();
    assert!(
        asked.starts_with("POST /below/question HTTP/1.1\r\n"),
        "{asked}"
    );
    assert!(asked.contains(&format!("host: {address}\r\n")), "{asked}");
}

#[tokio::test]
async fn every_status_is_an_answer_and_none_is_followed() {
    for status in [204, 302, 403, 404, 409, 422, 429, 500, 503] {
        let says = format!(
            "HTTP/1.1 {status} So\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
        );
        let answer = answered(says).await.unwrap();
        assert_eq!((answer.status, answer.body.len()), (status, 0));
        assert_eq!(answer.content_type, None);
    }
}

#[tokio::test]
async fn takes_as_many_bytes_as_were_asked_for_and_not_one_more() {
    let whole = |size: usize| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n");
        [head.into_bytes(), vec![b'x'; size]].concat()
    };
    let chunked = |size: usize| {
        let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        let chunks = b"1\r\nx\r\n".repeat(size);
        [head, chunks, b"0\r\n\r\n".to_vec()].concat()
    };
    for exact in [whole(LIMIT), chunked(LIMIT)] {
        assert_eq!(answered(exact).await.unwrap().body.len(), LIMIT);
    }
    for longer in [whole(LIMIT + 1), chunked(LIMIT + 1)] {
        let refused = answered(longer).await.unwrap_err();
        assert!(matches!(refused, HttpError::TooLong(LIMIT)), "{refused:?}");
        assert!(!refused.is_away());
    }
}

#[tokio::test]
async fn what_is_not_http_or_breaks_off_is_no_answer() {
    let many = "A: b\r\n".repeat(65);
    let long = format!("A: {}\r\n", "b".repeat(17 * 1024));
    for (what, says) in [
        ("nothing", String::new()),
        ("another protocol", "SSH-2.0-OpenSSH_9.6\r\n".to_owned()),
        (
            "a head that breaks off",
            "HTTP/1.1 200 OK\r\nContent".to_owned(),
        ),
        (
            "a body that breaks off",
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx".to_owned(),
        ),
        ("too many fields", format!("HTTP/1.1 200 OK\r\n{many}\r\n")),
        (
            "a head that is too long",
            format!("HTTP/1.1 200 OK\r\n{long}\r\n"),
        ),
    ] {
        let refused = answered(says).await.unwrap_err();
        assert!(
            matches!(refused, HttpError::Broken(_)),
            "{what}: {refused:?}"
        );
        assert!(!refused.is_away(), "{what}");
    }
}

#[tokio::test]
async fn who_does_not_answer_in_time_or_is_not_there_is_away() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let soon = Duration::from_millis(50);
    let silent = post(address, soon).await.unwrap_err();
    assert!(matches!(silent, HttpError::Timeout(_)), "{silent:?}");
    drop(listener);
    let gone = post(address, PATIENCE).await.unwrap_err();
    assert!(matches!(gone, HttpError::Unreachable(_)), "{gone:?}");
    assert!(silent.is_away() && gone.is_away());
}

#[test]
fn refuses_addresses_that_are_not_to_be_spoken_to() {
    for right in [
        "https://library.example/witness",
        "http://127.0.0.1:80",
        "http://[::1]:80/x",
    ] {
        assert_eq!(
            right.parse::<HttpUrl>().unwrap().is_secure(),
            right.starts_with("https")
        );
    }
    for wrong in [
        "http://library.example/",
        "http://localhost/",
        "https://user@library.example/",
        "https://library.example/?a=b",
        "https://library.example/#a",
        "ftp://library.example/",
        "library.example",
        "https:///path",
    ] {
        assert!(wrong.parse::<HttpUrl>().is_err(), "{wrong}");
    }
    let url: HttpUrl = "https://library.example".parse().unwrap();
    for authorities in [
        &b""[..],
        b"no certificate",
        b"-----BEGIN CERTIFICATE-----\n",
    ] {
        let refused = HttpClient::new(url.clone(), authorities).unwrap_err();
        assert!(matches!(refused, HttpError::Authorities));
    }
}
