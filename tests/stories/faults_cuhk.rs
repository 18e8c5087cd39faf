//! What a teacher shows of CUHK: each fault on purpose is refused for its own reason, and nothing
//! is stored.

use std::ffi::OsString;
use std::time::{Duration, Instant};

use crate::campus::{Campus, Ran, Server, program, serve, serve_at};

/// A fault, the command that meets it, and how that ends.
struct Row {
    fault: &'static str,
    command: Command,
    refused_by: &'static str,
    exit: i32,
    code: &'static str,
    /// Part of what the person reads.
    reason: &'static str,
}

/// `student enrol` or `student submit`, by a student of its own where it is the first.
enum Command {
    Enrol(&'static str),
    Submit,
}

const ENROLLED: &str = "1155000001,1155000002";

const FAULTS: [Row; 13] = [
    enrol("wrong-root", "1155000003", "server_identity", "root"),
    enrol(
        "expired-server-certificate",
        "1155000004",
        "server_identity",
        "its certificate has expired",
    ),
    token("expired-token", "1155000005", "token has expired"),
    token(
        "token-for-another-service",
        "1155000006",
        "for another service",
    ),
    token(
        "token-of-another-certificate",
        "1155000007",
        "belongs to another certificate",
    ),
    token("altered-token", "1155000008", "not one that CUHK signed"),
    token("token-alg-none", "1155000009", "not one that CUHK signed"),
    submit("replayed-verification", 4, "verification_invalid", "nonce"),
    submit(
        "verification-for-another-nonce",
        4,
        "verification_invalid",
        "nonce",
    ),
    submit(
        "verification-of-other-members",
        4,
        "verification_invalid",
        "other members or certificates",
    ),
    submit("all-inactive", 3, "student_inactive", "suspended"),
    submit("silent", 4, "cuhk_unavailable", "timeout"),
    submit(
        "stale-crl",
        4,
        "cuhk_unavailable",
        "reason: cuhk_unavailable",
    ),
];

const fn enrol(
    fault: &'static str,
    sid: &'static str,
    code: &'static str,
    reason: &'static str,
) -> Row {
    Row {
        fault,
        command: Command::Enrol(sid),
        refused_by: "student",
        exit: 3,
        code,
        reason,
    }
}

/// The students' program judges a token before it keeps it.
const fn token(fault: &'static str, sid: &'static str, reason: &'static str) -> Row {
    enrol(fault, sid, "server_misbehaved", reason)
}

const fn submit(fault: &'static str, exit: i32, code: &'static str, reason: &'static str) -> Row {
    Row {
        fault,
        command: Command::Submit,
        refused_by: "blackboard",
        exit,
        code,
        reason,
    }
}

impl Row {
    /// Tries until Blackboard has found the new CUHK; meanwhile it says `cuhk_unavailable`, and
    /// that no connection could be made.
    fn try_on(&self, campus: &Campus) -> Ran {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let ran = match self.command {
                Command::Enrol(sid) => campus.student(&["enrol", "--ids", sid, "--json"]),
                Command::Submit => campus.student(&["submit", "--ids", ENROLLED, "--json"]),
            };
            let waits = ran.stderr.contains("cuhk_unavailable");
            let met =
                waits == (self.code == "cuhk_unavailable") && ran.stderr.contains(self.reason);
            if !waits || met || Instant::now() > deadline {
                return ran;
            }
        }
    }
}

fn restart_with(campus: &mut Campus, fault: &str) {
    campus.cuhk.stop();
    let mut arguments = serve_at(&campus.path(), &campus.cuhk.address());
    arguments.extend([OsString::from("--fault"), fault.into()]);
    campus.cuhk = Server::start("cuhk", &arguments);
}

#[test]
fn every_fault_of_cuhk_is_refused_for_its_own_reason_and_nothing_is_stored() {
    let mut campus = Campus::sandbox();
    campus.student(&["enrol", "--ids", ENROLLED]).succeeded();
    for row in &FAULTS {
        restart_with(&mut campus, row.fault);
        let line = format!("FAULT {}: ", row.fault);
        assert!(campus.cuhk.said().contains(&line), "{}", campus.cuhk.said());
        let ran = row.try_on(&campus);
        let both = format!(
            "{}: {ran:#?}\ncuhk: {}\nblackboard: {}",
            row.fault,
            campus.cuhk.log(),
            campus.blackboard.log()
        );
        assert_eq!(ran.exit, Some(row.exit), "{both}");
        let code = format!("\"code\":\"{}\"", row.code);
        assert!(ran.stderr.contains(&code), "{both}");
        assert!(ran.stderr.contains(row.reason), "{both}");
        if row.refused_by == "blackboard" {
            let log = campus.blackboard.log();
            assert!(log.contains(row.code), "{}: {log}", row.fault);
        }
        assert!(campus.submissions().is_empty(), "{}", row.fault);
    }
    // An honest CUHK on the same records, and all is well.
    campus.restart_cuhk();
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let honest = campus.student(&["submit", "--ids", ENROLLED, "--json"]);
        if honest.exit == Some(0) {
            assert_eq!(honest.json()["submission"], "S-000001");
            break;
        }
        assert!(Instant::now() < deadline, "{honest:#?}");
    }
}

#[test]
fn the_table_holds_every_fault_of_cuhk_and_help_lists_them() {
    let listed = Ran::of(program("cuhk").args(["serve", "--fault", "help"])).succeeded();
    let lines = listed.stdout.lines().filter(|line| !line.starts_with(' '));
    let known: Vec<_> = FAULTS
        .iter()
        .map(|row| format!("{} [{}]", row.fault, row.code))
        .collect();
    assert_eq!(lines.collect::<Vec<_>>(), known);
    let help = Ran::of(program("cuhk").args(["serve", "--help"])).succeeded();
    for row in &FAULTS {
        assert!(help.stdout.contains(row.fault), "{}", help.stdout);
        let by = format!("refused by {}: ", row.refused_by);
        let of = listed.stdout.split(row.fault).nth(1).unwrap();
        assert!(of.lines().nth(2).unwrap().contains(&by), "{of}");
    }
}

#[test]
fn outside_a_sandbox_or_of_an_unknown_name_there_is_no_fault() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("cuhk");
    let outside = Ran::of(
        program("cuhk")
            .arg("--home")
            .arg(&home)
            .args(["serve", "--fault", "silent"]),
    );
    assert_eq!(outside.exit, Some(2), "{outside:#?}");
    assert!(outside.stderr.contains("--sandbox"), "{outside:#?}");
    assert!(!home.exists());
    let mut arguments = serve(&dir.path().join("sandbox"));
    arguments.extend(["--fault".into(), "no-such-fault".into()]);
    let unknown = Ran::of(program("cuhk").args(arguments));
    assert_eq!(unknown.exit, Some(2), "{unknown:#?}");
    assert!(unknown.stderr.contains("--fault help"), "{unknown:#?}");
}

#[test]
fn the_handbook_has_a_row_for_every_fault_of_cuhk() {
    let handbook = include_str!("../../docs/TEACHING.md");
    let section = handbook.split("### CUHK\n").nth(1).unwrap();
    let section = section.split("\n### ").next().unwrap();
    for row in &FAULTS {
        let line = section
            .lines()
            .find(|line| line.starts_with(&format!("| `{}` |", row.fault)));
        let line = line.unwrap_or_else(|| panic!("no row for {}", row.fault));
        assert!(line.ends_with(&format!("| `{}` |", row.code)), "{line}");
        assert!(line.contains(&format!("| {} |", row.refused_by)), "{line}");
    }
    assert_eq!(section.matches("\n| `").count(), FAULTS.len());
}
