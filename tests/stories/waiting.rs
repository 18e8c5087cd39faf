//! A full server, and a student's program that waits where one can see it.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::process::Stdio;

use expectrl::session::Session;
use expectrl::{Eof, Expect};

use crate::campus::{Campus, LONG, SAMPLE, Server, program, serve, serve_at};

/// A Blackboard with one place, which somebody idle has taken.
fn full() -> (Campus, TcpStream) {
    let mut campus = Campus::sandbox();
    campus.student(&["enrol", "--ids", SAMPLE]).succeeded();
    campus.blackboard.stop();
    let mut arguments = serve(&campus.path());
    arguments.extend(["--max-connections".into(), "1".into()]);
    campus.blackboard = Server::start("blackboard", &arguments);
    let idle = TcpStream::connect(campus.blackboard.address()).unwrap();
    (campus, idle)
}

/// What the program says from when it waits for this reason on; meanwhile that ends.
fn waits<T>(
    campus: &Campus,
    arguments: &[&str],
    reason: &str,
    meanwhile: impl FnOnce() -> T,
) -> (String, T) {
    let mut child = program("student")
        .arg("--sandbox")
        .arg(campus.path())
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    read_until(&mut stdout, &format!("[{reason}]: trying again in "));
    let done = meanwhile();
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert!(child.wait().unwrap().success(), "{arguments:?}: {rest}");
    (rest, done)
}

/// Waits for CUHK, which is away, and comes back meanwhile.
fn waits_for_cuhk(campus: &mut Campus, arguments: &[&str]) -> String {
    let address = campus.cuhk.address();
    campus.cuhk.kill();
    let start = || Server::start("cuhk", &serve_at(&campus.path(), &address));
    let (said, cuhk) = waits(campus, arguments, "cuhk_unavailable", start);
    campus.cuhk = cuhk;
    said
}

#[test]
fn a_full_server_is_waited_for_with_one_line_per_wait() {
    let (campus, idle) = full();
    let submit = ["submit", "--ids", SAMPLE];
    let (said, ()) = waits(&campus, &submit, "busy", || drop(idle));
    assert!(said.contains("S-000001.zip"), "{said}");
    assert_eq!(campus.submissions().len(), 1);
}

#[test]
fn whatever_is_asked_of_a_full_server_waits_for_it() {
    for (arguments, says) in [
        (&["assignments"][..], "SANDBOX / lab"),
        (&["cosign"], "Nothing waits"),
        (&["history"], ""),
    ] {
        let (campus, idle) = full();
        let now = [arguments, &["--wait", "0", "--json"]].concat();
        campus.student(&now).refused(4, "busy");
        let (said, ()) = waits(&campus, arguments, "busy", || drop(idle));
        assert!(said.contains(says), "{said}");
    }
}

#[test]
fn who_does_not_want_to_wait_is_told_to_retry_later() {
    let (campus, _idle) = full();
    let arguments = ["submit", "--ids", SAMPLE, "--wait", "0", "--json"];
    campus.student(&arguments).refused(4, "busy");
    assert!(campus.submissions().is_empty());
}

#[test]
fn who_wants_to_wait_sees_cuhk_come_back() {
    let mut campus = Campus::sandbox();
    campus.student(&["enrol", "--ids", SAMPLE]).succeeded();
    let submit = ["submit", "--ids", SAMPLE, "--wait", "100"];
    waits_for_cuhk(&mut campus, &submit);
    assert_eq!(campus.submissions().len(), 1);
}

#[test]
fn who_signs_or_takes_it_back_waits_as_well() {
    let mut campus = Campus::sandbox();
    campus.student(&["enrol", "--ids", SAMPLE]).succeeded();
    let propose = |text: &str| {
        let report = campus.outside().join("report.txt");
        std::fs::write(&report, text).unwrap();
        let mut submit = vec!["submit", "--ids", "1155000001", "--with", "1155000002"];
        submit.extend(["--json", report.to_str().unwrap()]);
        let told = campus.student(&submit).succeeded().json();
        told["submission_id"].as_str().unwrap().to_owned()
    };
    let (signed, taken_back) = (propose("one"), propose("another"));
    let said = waits_for_cuhk(&mut campus, &["withdraw", &taken_back, "--wait", "100"]);
    assert!(said.contains("taken back: not handed in"), "{said}");
    let said = waits_for_cuhk(&mut campus, &["cosign", "--yes", &signed, "--wait", "100"]);
    assert!(said.contains("S-000001.zip"), "{said}");
    campus.cuhk.kill();
    let now = ["cosign", "--json", "--wait", "0"];
    campus.student(&now).refused(4, "cuhk_unavailable");
}

/// Reads lines until one has this in it.
fn read_until(stdout: &mut impl BufRead, text: &str) {
    let mut line = String::new();
    while !line.contains(text) {
        line.clear();
        assert_ne!(stdout.read_line(&mut line).unwrap(), 0, "no {text:?}");
    }
}

#[test]
fn on_a_terminal_the_seconds_count_down() {
    let (campus, idle) = full();
    let mut command = program("student");
    command.arg("--sandbox").arg(campus.path());
    command.args(["submit", "--ids", SAMPLE]);
    let mut terminal = Session::spawn(command).unwrap();
    terminal.set_expect_timeout(Some(LONG));
    terminal.expect("[busy]: trying again in ").unwrap();
    terminal.expect("trying again in 1 s").unwrap();
    drop(idle);
    terminal.expect("S-000001.zip").unwrap();
    terminal.expect(Eof).unwrap();
}
