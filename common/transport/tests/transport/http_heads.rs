//! What HTTP itself asks of a request: that it names its host, and that nobody is told to send a body that
//! is too long.

use std::process::Command;

use scb_testkit::TestCampus;
use scb_transport::{Limits, MAX_BODY};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::{LONG, raw_client, raw_config};
use crate::http::{Both, exchange, serve_both};

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A connection to each of the two ports.
async fn streams(both: &Both, campus: &TestCampus) -> [Box<dyn Stream>; 2] {
    let mut config = raw_config(campus);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    [
        Box::new(TcpStream::connect(both.plain).await.unwrap()),
        Box::new(raw_client(&both.tls, config).await),
    ]
}

#[tokio::test]
async fn a_request_in_http_1_1_names_its_host_once() {
    let campus = TestCampus::new();
    let both = serve_both(&campus, Limits::default()).await;
    for (request, status) in [
        ("GET /who HTTP/1.1\r\n", "400"),
        ("GET http://x/who HTTP/1.1\r\n", "400"),
        ("GET /who HTTP/1.1\r\nhost: x\r\nHost: y\r\n", "400"),
        ("GET /who HTTP/1.1\r\nhost: x\r\n", "200"),
        ("GET /who HTTP/1.1\r\nhost:\r\n", "200"),
        ("GET /who HTTP/1.0\r\n", "200"),
    ] {
        for stream in streams(&both, &campus).await {
            let bytes = format!("{request}connection: close\r\n\r\n");
            let said = exchange(stream, bytes.as_bytes()).await;
            assert!(said.starts_with("HTTP/1."), "{request}: {said}");
            assert_eq!(&said[9..12], status, "{request}: {said}");
            let refused = said.contains(r#""code":"malformed_message""#);
            assert_eq!(refused, status == "400", "{request}: {said}");
        }
    }
    // What follows on the connection is not read as another request.
    let twice = b"GET /who HTTP/1.1\r\n\r\nGET /who HTTP/1.1\r\nhost: x\r\n\r\n";
    for stream in streams(&both, &campus).await {
        let said = exchange(stream, twice).await;
        assert!(said.starts_with("HTTP/1.1 400"), "{said}");
        assert!(!said.contains("HTTP/1.1 200"), "{said}");
    }
}

fn waiting(length: usize) -> Vec<u8> {
    let head = "POST /count HTTP/1.1\r\nhost: x\r\nexpect: 100-Continue\r\n";
    format!("{head}content-length: {length}\r\n\r\n").into()
}

#[tokio::test]
async fn nobody_is_told_to_go_on_with_a_body_that_is_too_long() {
    let campus = TestCampus::new();
    let both = serve_both(&campus, Limits::default()).await;
    for length in [MAX_BODY + 1, 100 * MAX_BODY] {
        for stream in streams(&both, &campus).await {
            let said = exchange(stream, &waiting(length)).await;
            assert!(said.starts_with("HTTP/1.1 413"), "{said}");
            assert_eq!(said.matches("HTTP/1.1 ").count(), 1, "{said}");
        }
    }
    for mut stream in streams(&both, &campus).await {
        stream.write_all(&waiting(MAX_BODY)).await.unwrap();
        let mut said = [0; 12];
        timeout(LONG, stream.read_exact(&mut said))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(&said, b"HTTP/1.1 100");
        stream.write_all(&vec![b'x'; MAX_BODY]).await.unwrap();
        let mut rest = Vec::new();
        while !rest.ends_with(MAX_BODY.to_string().as_bytes()) {
            let mut some = [0; 1024];
            let read = timeout(LONG, stream.read(&mut some))
                .await
                .unwrap()
                .unwrap();
            assert_ne!(read, 0, "{}", String::from_utf8_lossy(&rest));
            rest.extend_from_slice(&some[..read]);
        }
    }
}

/// How `curl` sees it, if it is here: what it sent of a body, and what it was told.
fn curl(url: &str, file: &std::path::Path) -> Option<String> {
    let mut curl = Command::new("curl");
    curl.args([
        "-sk",
        "--http1.1",
        "-o",
        "-",
        "-w",
        " %{http_code} %{size_upload}",
    ]);
    curl.args(["--expect100-timeout", "30", "-H", "Expect: 100-continue"]);
    curl.arg("--data-binary")
        .arg(format!("@{}", file.display()));
    let ran = curl.arg(url).output().ok()?;
    Some(String::from_utf8_lossy(&ran.stdout).into_owned())
}

#[tokio::test]
async fn curl_sends_nothing_of_a_body_that_is_too_long() {
    let campus = TestCampus::new();
    let both = serve_both(&campus, Limits::default()).await;
    let dir = tempfile::tempdir().unwrap();
    for (length, told) in [
        (MAX_BODY, format!("{MAX_BODY} 200 {MAX_BODY}")),
        (2 * MAX_BODY, " 413 0".to_owned()),
    ] {
        let file = dir.path().join("body");
        std::fs::write(&file, vec![b'x'; length]).unwrap();
        for url in [
            format!("http://{}/count", both.plain),
            format!("https://{}/count", both.tls.host_port()),
        ] {
            let (url, file) = (url.clone(), file.clone());
            let said = tokio::task::spawn_blocking(move || curl(&url, &file));
            if let Some(said) = said.await.unwrap() {
                assert!(said.ends_with(&told), "{said}");
            }
        }
    }
}
