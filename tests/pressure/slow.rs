//! Clients that send a byte at a time: each is cut off by the total deadline of the phase it
//! is in, and nobody waits for them.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::campus::{Campus, Ran, judge};
use crate::class::Class;
use crate::limits::set_limits;
use crate::process::descriptors;
use crate::proxy::{Fault, Proxy, Way};

/// The servers' deadlines here, in seconds; the defaults are 10 to 600. An honest student keeps them on a
/// busy machine, too.
const DEADLINE: f64 = 3.0;
/// Between two bytes: each single read is far within the deadline.
const PAUSE: Duration = Duration::from_millis(100);
/// What the end of a connection may take beyond the deadline, on a busy machine. By bytes alone the
/// shortest phase here would take a minute.
const BEYOND: Duration = Duration::from_secs(20);
/// Bytes that may pass at that pace: those of three deadlines.
const MOST: usize = 90;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_clients_are_cut_off_by_the_total_deadline() {
    let mut campus = Campus::sandbox();
    let deadlines = ["handshake", "message", "idle", "content"].map(|key| (key, DEADLINE));
    set_limits(&campus.path().join("blackboard"), &deadlines);
    campus.restart_blackboard();
    let class = Class::of(&campus, 3);
    let home = campus.outside().join("home");
    let ids = class.next_ids(2);
    let report = campus.outside().join("report.bin");
    let submit = |blackboard: &str| {
        // Another version each time: the same again would need no content.
        let content = format!("{blackboard:<40000}");
        std::fs::write(&report, content).unwrap();
        let mut command = class.student(home.clone(), &["submit", "--ids", &ids, "--json"]);
        command
            .args(["--wait", "0", "--blackboard", blackboard, "--report"])
            .arg(&report);
        tokio::task::block_in_place(|| Ran::of(&mut command))
    };
    let recorder = Proxy::before(&class.blackboard, Fault::None).await;
    submit(&recorder.address).succeeded();
    let up = recorder.passed(Way::Up);
    let before = descriptors(&campus.blackboard);

    // In the ClientHello, in the client's certificate, in what the members present, in the
    // report.
    for after in [1, 600, 6_000, up - 20_000] {
        let proxy = Proxy::before(&class.blackboard, Fault::Slow(after, PAUSE)).await;
        let begun = Instant::now();
        let ran = submit(&proxy.address);
        let took = begun.elapsed();
        let passed = proxy.passed(Way::Up);
        println!("slow after {after} of {up} bytes: ended after {took:.1?}, {passed} bytes passed");
        assert_eq!(ran.exit, Some(4), "{after}: {ran:#?}");
        assert!(
            took >= Duration::from_secs_f64(DEADLINE),
            "{after}: {took:?}"
        );
        assert!(
            took < Duration::from_secs_f64(DEADLINE) + BEYOND,
            "{after}: {took:?}"
        );
        assert!(passed < after + MOST, "{after}: {passed} bytes passed");
    }
    crate::process::until("their descriptors return", BEYOND, || {
        descriptors(&campus.blackboard) <= before
    });
    assert_eq!(campus.submissions().len(), 1);
    submit(&class.blackboard).succeeded();
}

#[test]
fn openssl_sees_a_silent_connection_refused_and_closed() {
    let Some(mut openssl) = judge("openssl") else {
        return;
    };
    let mut campus = Campus::sandbox();
    set_limits(&campus.path().join("cuhk"), &[("message", DEADLINE)]);
    campus.restart_cuhk();
    let ca = campus.path().join("ca.pem");
    openssl.args([
        "s_client",
        "-quiet",
        "-verify_return_error",
        "-alpn",
        "scb/1",
    ]);
    openssl.args(["-connect", &campus.cuhk.address(), "-CAfile"]);
    openssl.arg(ca).stdin(Stdio::piped());
    let begun = Instant::now();
    let silent = openssl.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut silent = silent.spawn().unwrap();
    // Held open: it is the server that ends the conversation.
    let stdin = silent.stdin.take();
    let said = silent.wait_with_output().unwrap();
    let took = begun.elapsed();
    drop(stdin);
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains(r#""type":"greeting""#), "{said:?}");
    assert!(said.contains(r#""code":"timeout""#), "{said:?}");
    let deadline = Duration::from_secs_f64(DEADLINE);
    assert!(took >= deadline && took < deadline + BEYOND, "{took:?}");
    campus.student(&["submit"]).succeeded();
}
