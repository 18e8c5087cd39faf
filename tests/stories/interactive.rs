//! The student's program on a terminal, driven through a pseudo-terminal.

use std::process::Command;
use std::time::Duration;

use expectrl::session::{OsSession, Session};
use expectrl::{Eof, Expect};

use crate::campus::{Campus, program};

/// A terminal on which the student's program runs.
fn terminal(command: Command) -> OsSession {
    let mut session = Session::spawn(command).unwrap();
    session.set_expect_timeout(Some(Duration::from_secs(30)));
    session
}

fn sandboxed(campus: &Campus) -> Command {
    let mut command = program("student");
    command.arg("--sandbox").arg(campus.path());
    command
}

#[test]
fn enter_three_times_hands_in_for_the_sample_students() {
    let campus = Campus::sandbox();
    let mut terminal = terminal(sandboxed(&campus));
    for question in [
        "Student ID 1 [1155000001]:",
        "Student ID 2 [1155000002]:",
        "Student ID 3 [1155000003]:",
    ] {
        terminal.expect(question).unwrap();
        terminal.send_line("").unwrap();
    }
    for line in [
        "3 keys made here",
        "1155000003 sign finished",
        "session key confirmed",
        "S-000001.zip",
    ] {
        terminal.expect(line).unwrap();
    }
    terminal.expect(Eof).unwrap();
    assert_eq!(campus.submissions().len(), 1);
}

#[test]
fn a_bad_or_repeated_id_is_asked_for_again() {
    let campus = Campus::sandbox();
    let mut terminal = terminal(sandboxed(&campus));
    terminal.expect("Student ID 1").unwrap();
    terminal.send_line("../etc").unwrap();
    terminal.expect("Student ID 1").unwrap();
    terminal.send_line("1155000007").unwrap();
    terminal.expect("Student ID 2").unwrap();
    terminal.send_line("1155000007").unwrap();
    terminal.expect("Student ID 2").unwrap();
    terminal.send_line("1155000008").unwrap();
    terminal.expect("Student ID 3").unwrap();
    terminal.send_line("1155000009").unwrap();
    terminal.expect("S-000001.zip").unwrap();
    terminal.expect(Eof).unwrap();
    let members = &campus.submissions()[0]["members"];
    assert_eq!(
        *members,
        serde_json::json!(["1155000007", "1155000008", "1155000009"])
    );
}

#[test]
fn a_student_on_a_new_machine_is_asked_for_everything_once() {
    let campus = Campus::sandbox();
    let home = campus.outside().join("home");
    let codes = std::fs::read_to_string(campus.path().join("codes.csv")).unwrap();
    let code = |sid: &str| {
        let row = codes.lines().find(|row| row.starts_with(sid)).unwrap();
        row.split(',')
            .find(|cell| cell.len() == 29)
            .unwrap()
            .to_owned()
    };
    let mut command = program("student");
    command.arg("--home").arg(&home);
    command.arg("--blackboard").arg(campus.blackboard.address());
    let mut terminal = terminal(command);
    terminal.expect("CUHK's address").unwrap();
    terminal.send_line(campus.cuhk.address()).unwrap();
    terminal.expect("SHA-256 of CUHK's root").unwrap();
    let root = std::fs::read_to_string(campus.path().join("ca.pem")).unwrap();
    terminal.send_line(fingerprint(&root)).unwrap();
    terminal.expect("Student ID 1").unwrap();
    terminal.send_line("1155000010").unwrap();
    terminal.expect("Student ID 2").unwrap();
    terminal.send_line("").unwrap();
    terminal.expect("Q quit").unwrap();
    terminal.send_line("1").unwrap();
    terminal.expect("Enrolment code of 1155000010").unwrap();
    terminal.send_line("00000-00000-00000-00000-00000").unwrap();
    terminal
        .expect("Refused [enrolment_refused]: step 2: 1155000010:")
        .unwrap();
    terminal.expect("Q quit").unwrap();
    terminal.send_line("1").unwrap();
    terminal.expect("Enrolment code of 1155000010").unwrap();
    terminal.send_line(code("1155000010")).unwrap();
    terminal.expect("1155000010 sign finished").unwrap();
    terminal.expect("Q quit").unwrap();
    terminal.send_line("2").unwrap();
    terminal.expect("Report file").unwrap();
    terminal.send_line("").unwrap();
    terminal.expect("S-000001.zip").unwrap();
    terminal.expect("Q quit").unwrap();
    terminal.send_line("q").unwrap();
    terminal.expect(Eof).unwrap();
}

#[test]
fn a_key_gets_a_passphrase_and_a_wrong_one_is_asked_for_again() {
    let campus = Campus::sandbox();
    let sid = "1155000004";
    let mut command = sandboxed(&campus);
    command.args(["enrol", "--protect", "--ids", sid]);
    let mut enrolling = terminal(command);
    enrolling
        .expect("New passphrase for 1155000004's key:")
        .unwrap();
    enrolling.send_line("correct horse").unwrap();
    enrolling.expect("gain").unwrap();
    enrolling.send_line("correct horse").unwrap();
    enrolling.expect("1155000004 sign finished").unwrap();
    enrolling.expect(Eof).unwrap();

    let mut command = sandboxed(&campus);
    command.args(["submit", "--ids", sid]);
    let mut handing_in = terminal(command);
    handing_in
        .expect("Passphrase of 1155000004's key:")
        .unwrap();
    handing_in.send_line("wrong horse").unwrap();
    handing_in.expect("That does not open it.").unwrap();
    handing_in.send_line("correct horse").unwrap();
    handing_in.expect("S-000001.zip").unwrap();
    handing_in.expect(Eof).unwrap();

    let mut command = sandboxed(&campus);
    command.args(["submit", "--ids", sid]);
    let mut guessing = terminal(command);
    for _ in 0..3 {
        guessing.expect("assphrase of 1155000004's key:").unwrap();
        guessing.send_line("a guess").unwrap();
    }
    guessing.expect("wrong_passphrase").unwrap();
    guessing.expect(Eof).unwrap();
    assert_eq!(campus.submissions().len(), 1);
}

/// SHA-256 of a certificate, from its PEM.
fn fingerprint(pem: &str) -> String {
    scb_certs::Certificate::from_pem(pem)
        .unwrap()
        .fingerprint()
        .to_string()
}
