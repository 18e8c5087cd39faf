//! What a teacher shows of CUHK: each fault on purpose is refused for its own reason, and nothing
//! is stored.

use std::time::{Duration, Instant};

use crate::campus::{Campus, FaultTable, KnownFault, Ran};

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

#[test]
fn every_fault_of_cuhk_is_refused_for_its_own_reason_and_nothing_is_stored() {
    let mut campus = Campus::sandbox();
    campus.student(&["enrol", "--ids", ENROLLED]).succeeded();
    for row in &FAULTS {
        campus.restart_cuhk_with(row.fault);
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

fn table() -> FaultTable {
    let known = FAULTS.iter().map(|row| KnownFault {
        name: row.fault,
        refused_by: row.refused_by,
        code: row.code,
    });
    FaultTable {
        program: "cuhk",
        heading: "### CUHK",
        faults: known.collect(),
    }
}

#[test]
fn the_table_holds_every_fault_of_cuhk_and_help_lists_them() {
    table().is_what_help_lists();
    table().is_named_by_help_of_serve();
}

#[test]
fn outside_a_sandbox_or_of_an_unknown_name_there_is_no_fault() {
    table().is_for_sandboxes_and_known_names();
}

#[test]
fn the_handbook_has_a_row_for_every_fault_of_cuhk() {
    table().is_what_the_handbook_says();
}
