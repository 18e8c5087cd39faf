//! A full server, and a student's program that waits where one can see it.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::Duration;

use expectrl::session::Session;
use expectrl::{Eof, Expect};

use crate::campus::{Campus, SAMPLE, Server, program, serve, serve_at};

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

#[test]
fn a_full_server_is_waited_for_with_one_line_per_wait() {
    let (campus, idle) = full();
    let mut child = program("student")
        .arg("--sandbox")
        .arg(campus.path())
        .args(["submit", "--ids", SAMPLE])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    read_until(&mut stdout, "[busy]: trying again in ");
    drop(idle);
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert!(child.wait().unwrap().success(), "{rest}");
    assert!(rest.contains("S-000001.zip"), "{rest}");
    assert_eq!(campus.submissions().len(), 1);
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
    let address = campus.cuhk.address();
    campus.cuhk.kill();
    let mut child = program("student")
        .arg("--sandbox")
        .arg(campus.path())
        .args(["submit", "--ids", SAMPLE, "--wait", "100"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    read_until(&mut stdout, "[cuhk_unavailable]: trying again in ");
    campus.cuhk = Server::start("cuhk", &serve_at(&campus.path(), &address));
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert!(child.wait().unwrap().success(), "{rest}");
    assert_eq!(campus.submissions().len(), 1);
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
    terminal.set_expect_timeout(Some(Duration::from_secs(30)));
    terminal.expect("[busy]: trying again in ").unwrap();
    terminal.expect("trying again in 1 s").unwrap();
    drop(idle);
    terminal.expect("S-000001.zip").unwrap();
    terminal.expect(Eof).unwrap();
}
