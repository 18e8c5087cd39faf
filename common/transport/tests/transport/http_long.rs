//! Requests in HTTP/2 that are answered before all of their body has come: the answer is read, and the stream
//! ends in an orderly way (RFC 9113, section 8.1).

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use scb_testkit::TestCampus;
use scb_transport::{Limits, MAX_BODY};

use crate::http::serve_both;
use crate::http_bodies::{DATA, END_HEADERS, END_STREAM, Frames, HEADERS, POST, STATUS_200};

/// RFC 9113, section 6.4.
const RST_STREAM: u8 = 3;
const NO_ERROR: [u8; 4] = [0; 4];

/// A request that waits with so long a body until it is told to send it.
fn waiting(length: usize) -> Vec<u8> {
    let length = length.to_string();
    let field = |name: &str, value: &str| {
        let sized = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
        [vec![0], sized(name), sized(value)].concat()
    };
    [
        vec![POST, 0x87, 0x01, 9],
        b"localhost".to_vec(),
        [&[0x04, 6][..], b"/count"].concat(),
        field("expect", "100-continue"),
        field("content-length", &length),
    ]
    .concat()
}

/// With which code this stream is reset after its answer, which is whole and no success.
async fn reset_after_answer(client: &mut Frames, of: u32) -> Vec<u8> {
    let mut is_whole = false;
    loop {
        let (kind, flags, stream, payload) = client.next().await;
        match kind {
            _ if stream != of => continue,
            HEADERS => assert_ne!(payload[0], STATUS_200),
            RST_STREAM => {
                assert!(is_whole, "reset before the answer's end");
                return payload;
            }
            _ => {}
        }
        is_whole |= matches!(kind, HEADERS | DATA) && flags & END_STREAM != 0;
    }
}

#[tokio::test]
async fn who_waits_with_a_body_that_is_too_long_is_answered_and_only_then_its_stream_is_reset() {
    let campus = TestCampus::new();
    let limits = Limits {
        linger: Duration::from_millis(50),
        ..Limits::default()
    };
    let both = serve_both(&campus, limits).await;
    let mut client = Frames::to(&both, &campus).await;
    for stream in [1, 3] {
        let head = waiting(MAX_BODY + 1);
        client.send(HEADERS, END_HEADERS, stream, &head).await;
        let code = reset_after_answer(&mut client, stream).await;
        assert_eq!(code, NO_ERROR);
    }
}

#[tokio::test]
async fn whose_body_does_not_come_in_time_is_told_so() {
    let campus = TestCampus::new();
    let limits = Limits {
        // In which whoever goes on sends his head on a busy machine, too.
        message: Duration::from_secs(2),
        linger: Duration::from_millis(50),
        ..Limits::default()
    };
    let both = serve_both(&campus, limits).await;
    let mut client = Frames::to(&both, &campus).await;
    client.post(1, b"half", 0).await;
    let code = reset_after_answer(&mut client, 1).await;
    assert_eq!(code, NO_ERROR);
}

/// What curl prints of it, if there is one that speaks HTTP/2: the status, the version, and how it ended.
fn curl(url: &str, file: &Path, more: &[&str]) -> Option<String> {
    let version = Command::new("curl").arg("--version").output().ok()?;
    if !String::from_utf8_lossy(&version.stdout).contains("HTTP2") {
        return None;
    }
    let mut curl = Command::new("curl");
    curl.args([
        "-sk",
        "--http2",
        "-o",
        "-",
        "-w",
        " %{http_code} %{http_version} %{exitcode}",
    ]);
    curl.args(more)
        .arg("--data-binary")
        .arg(format!("@{}", file.display()));
    let ran = curl.arg(url).output().ok()?;
    Some(String::from_utf8_lossy(&ran.stdout).into_owned())
}

#[tokio::test]
async fn curl_is_told_over_http_2_that_a_body_is_too_long_however_long_it_is() {
    let campus = TestCampus::new();
    let both = serve_both(&campus, Limits::default()).await;
    let dir = tempfile::tempdir().unwrap();
    let waits = ["--expect100-timeout", "30", "-H", "Expect: 100-continue"];
    for (length, more, told) in [
        (MAX_BODY, &[][..], format!("{MAX_BODY} 200 2 0")),
        (MAX_BODY, &waits[2..], format!("{MAX_BODY} 200 2 0")),
        (MAX_BODY + 1, &[], " 413 2 0".to_owned()),
        (MAX_BODY + 1, &waits, " 413 2 0".to_owned()),
        (17 * MAX_BODY, &[], " 413 2 0".to_owned()),
        (17 * MAX_BODY, &waits, " 413 2 0".to_owned()),
        (800 * MAX_BODY, &[], " 413 2 0".to_owned()),
        (800 * MAX_BODY, &waits, " 413 2 0".to_owned()),
    ] {
        let file = dir.path().join("body");
        std::fs::write(&file, vec![b'x'; length]).unwrap();
        let url = format!("https://{}/count", both.tls.host_port());
        let more: Vec<_> = more.to_vec();
        let said = tokio::task::spawn_blocking(move || curl(&url, &file, &more));
        let Some(said) = said.await.unwrap() else {
            assert!(
                std::env::var_os("CI").is_none_or(|ci| ci != "true"),
                "CI needs curl with HTTP/2"
            );
            eprintln!("skipped: no curl with HTTP/2");
            return;
        };
        assert!(said.ends_with(&told), "{length} {said}");
    }
}
