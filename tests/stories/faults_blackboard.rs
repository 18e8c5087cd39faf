//! What a teacher shows of Blackboard: the students' program refuses each fault on purpose for
//! its own reason, and keeps no receipt.

use std::thread;

use crate::campus::{Campus, FaultTable, KnownFault, Ran};

const GROUP: &str = "1155000001,1155000002";

/// A fault, and how `student submit` ends with it.
struct Row {
    fault: &'static str,
    exit: i32,
    code: &'static str,
    /// Part of what the person reads.
    reason: &'static str,
    /// How many hand-ins the honest part of it stores.
    stored: usize,
}

const FAULTS: [Row; 13] = [
    row("expired-certificate", "server_identity", "expired"),
    row("wrong-service", "server_identity", "library"),
    waits("silent"),
    row("huge-frame", "frame_too_large", ""),
    Row {
        stored: 1,
        ..row("replayed-verification", "share_invalid", "")
    },
    row("claimed-outage", "share_invalid", ""),
    row("swapped-shares", "share_invalid", ""),
    row("altered-share", "share_invalid", ""),
    row("wrong-confirmation", "confirmation_failed", ""),
    waits("never-proceeds"),
    row("back-dated", "commitment_invalid", "was told"),
    Row {
        stored: 1,
        ..row("altered-receipt", "receipt_invalid", "")
    },
    row("wrong-grade-proof", "server_misbehaved", "another entry"),
];

const fn row(fault: &'static str, code: &'static str, reason: &'static str) -> Row {
    Row {
        fault,
        exit: 3,
        code,
        reason,
        stored: 0,
    }
}

/// The program waits for as long as it ever does.
const fn waits(fault: &'static str) -> Row {
    Row {
        exit: 4,
        ..row(fault, "timeout", "")
    }
}

/// Each fault is committed on a version of its own.
fn hand_in(campus: &Campus, row: &Row) -> Ran {
    let report = campus.outside().join("report.txt");
    std::fs::write(&report, row.fault).unwrap();
    let report = report.to_str().unwrap();
    campus.student(&["submit", "--ids", GROUP, "--json", report])
}

/// A grade that CUHK has seen in the log, and that it may be seen.
fn grade(campus: &Campus) {
    let of = ["--course", "SANDBOX", "--assignment", "lab"];
    let teacher = |words: &[&str]| {
        let words = [words, &of].concat();
        campus.administer_blackboard(&words).succeeded();
    };
    let file = |name: &str| campus.outside().join(name).to_str().unwrap().to_owned();
    let book = file("gradebook.csv");
    std::fs::write(&book, "sid,grade,maximum\n1155000001,8,10\n").unwrap();
    teacher(&["grades", "import", &book, "--grader", "Dr Chan"]);
    teacher(&["grades", "release"]);
    // Waits for CUHK, to which Blackboard hands in what is new.
    teacher(&["submissions", "archive", &file("archive.zip"), "--replace"]);
}

/// What the fault is to spoil.
fn commit(campus: &Campus, row: &Row) -> Ran {
    match row.fault {
        "wrong-grade-proof" => campus.student(&["grades", "--ids", GROUP, "--json"]),
        _ => hand_in(campus, row),
    }
}

/// Commits the fault and hands in; the number of submissions grows by what is honest about it.
fn check(campus: &mut Campus, row: &Row) {
    let before = campus.submissions().len();
    let receipts = receipts(campus);
    if row.fault == "wrong-grade-proof" {
        grade(campus);
    }
    campus.restart_blackboard_with(row.fault);
    let mut honest = 0;
    if row.fault == "replayed-verification" {
        hand_in(campus, row).succeeded();
        honest = 1;
    }
    let ran = commit(campus, row);
    let both = format!("{}: {ran:#?}\n{}", row.fault, campus.blackboard.log());
    assert_eq!(ran.exit, Some(row.exit), "{both}");
    assert!(
        ran.stderr.contains(&format!("\"code\":\"{}\"", row.code)),
        "{both}"
    );
    assert!(ran.stderr.contains(row.reason), "{both}");
    assert_eq!(campus.submissions().len(), before + row.stored, "{both}");
    assert_eq!(self::receipts(campus), receipts + honest, "{both}");
}

fn receipts(campus: &Campus) -> usize {
    let Ok(kept) = std::fs::read_dir(campus.path().join("receipts")) else {
        return 0;
    };
    let names = kept.map(|entry| entry.unwrap().path());
    let is_receipt = |path: &std::path::PathBuf| path.extension() == Some("zip".as_ref());
    names.filter(is_receipt).count()
}

#[test]
fn every_fault_of_blackboard_is_refused_for_its_own_reason() {
    let waiting = |row: &&Row| row.exit == 4;
    thread::scope(|scope| {
        // Those that end by a deadline wait side by side.
        for row in FAULTS.iter().filter(waiting) {
            scope.spawn(move || {
                let mut campus = Campus::sandbox();
                campus.student(&["enrol", "--ids", GROUP]).succeeded();
                check(&mut campus, row);
            });
        }
        let mut campus = Campus::sandbox();
        campus.student(&["enrol", "--ids", GROUP]).succeeded();
        for row in FAULTS.iter().filter(|row| !waiting(row)) {
            check(&mut campus, row);
        }
        // An honest Blackboard on the same records: what was stored gets its receipt after all.
        let stored = campus.submissions().len();
        campus.restart_blackboard();
        hand_in(&campus, &row("altered-receipt", "", "")).succeeded();
        assert_eq!(campus.submissions().len(), stored, "the altered receipt's");
        hand_in(&campus, &row("none", "", "")).succeeded();
        assert_eq!(campus.submissions().len(), stored + 1);
    });
}

fn table() -> FaultTable {
    let known = FAULTS.iter().map(|row| KnownFault {
        name: row.fault,
        refused_by: "student",
        code: row.code,
    });
    FaultTable {
        program: "blackboard",
        heading: "### Blackboard",
        faults: known.collect(),
    }
}

#[test]
fn the_table_holds_every_fault_of_blackboard_and_help_lists_them() {
    table().is_what_help_lists();
    table().is_named_by_help_of_serve();
}

#[test]
fn blackboard_commits_no_fault_outside_a_sandbox_and_none_of_an_unknown_name() {
    table().is_for_sandboxes_and_known_names();
}

#[test]
fn the_handbook_has_a_row_for_every_fault_of_blackboard() {
    table().is_what_the_handbook_says();
}
