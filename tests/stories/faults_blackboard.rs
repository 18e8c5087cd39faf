//! What a teacher shows of Blackboard: the students' program refuses each fault on purpose for
//! its own reason, and keeps no receipt.

use std::ffi::OsString;
use std::thread;

use crate::campus::{Campus, Ran, Server, program, serve, serve_at};

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

const FAULTS: [Row; 11] = [
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
    Row {
        stored: 1,
        ..row("altered-receipt", "receipt_invalid", "")
    },
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

fn restart(campus: &mut Campus, fault: Option<&str>) {
    campus.blackboard.stop();
    let mut arguments = serve_at(&campus.path(), &campus.blackboard.address());
    if let Some(fault) = fault {
        arguments.extend([OsString::from("--fault"), fault.into()]);
    }
    campus.blackboard = Server::start("blackboard", &arguments);
}

fn hand_in(campus: &Campus) -> Ran {
    campus.student(&["submit", "--ids", GROUP, "--json"])
}

/// Commits the fault and hands in; the number of submissions grows by what is honest about it.
fn check(campus: &mut Campus, row: &Row) {
    let before = campus.submissions().len();
    let receipts = receipts(campus);
    restart(campus, Some(row.fault));
    let line = format!("FAULT {}: ", row.fault);
    let said = campus.blackboard.said();
    assert!(said.contains(&line), "{said}");
    let mut honest = 0;
    if row.fault == "replayed-verification" {
        hand_in(campus).succeeded();
        honest = 1;
    }
    let ran = hand_in(campus);
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
    let kept = std::fs::read_dir(campus.path().join("receipts"));
    kept.map_or(0, Iterator::count)
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
        restart(&mut campus, None);
        hand_in(&campus).succeeded();
        assert_eq!(campus.submissions().len(), stored, "the altered receipt's");
        hand_in(&campus).succeeded();
        assert_eq!(campus.submissions().len(), stored + 1);
    });
}

#[test]
fn the_table_holds_every_fault_of_blackboard_and_help_lists_them() {
    let listed = Ran::of(program("blackboard").args(["serve", "--fault", "help"])).succeeded();
    let lines = listed.stdout.lines().filter(|line| !line.starts_with(' '));
    let known: Vec<_> = FAULTS
        .iter()
        .map(|row| format!("{} [{}]", row.fault, row.code))
        .collect();
    assert_eq!(lines.collect::<Vec<_>>(), known);
    let help = Ran::of(program("blackboard").args(["serve", "--help"])).succeeded();
    for row in &FAULTS {
        assert!(help.stdout.contains(row.fault), "{}", help.stdout);
    }
}

#[test]
fn blackboard_commits_no_fault_outside_a_sandbox_and_none_of_an_unknown_name() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("blackboard");
    let outside = Ran::of(
        program("blackboard")
            .arg("--home")
            .arg(&home)
            .args(["serve", "--fault", "silent"]),
    );
    assert_eq!(outside.exit, Some(2), "{outside:#?}");
    assert!(outside.stderr.contains("--sandbox"), "{outside:#?}");
    assert!(!home.exists());
    let mut arguments = serve(&dir.path().join("sandbox"));
    arguments.extend(["--fault".into(), "no-such-fault".into()]);
    let unknown = Ran::of(program("blackboard").args(arguments));
    assert_eq!(unknown.exit, Some(2), "{unknown:#?}");
    assert!(unknown.stderr.contains("--fault help"), "{unknown:#?}");
}

#[test]
fn the_handbook_has_a_row_for_every_fault_of_blackboard() {
    let handbook = include_str!("../../docs/TEACHING.md");
    let section = handbook.split("### Blackboard\n").nth(1).unwrap();
    let section = section.split("\n### ").next().unwrap();
    let section = section.split("\n## ").next().unwrap();
    for row in &FAULTS {
        let line = section
            .lines()
            .find(|line| line.starts_with(&format!("| `{}` |", row.fault)));
        let line = line.unwrap_or_else(|| panic!("no row for {}", row.fault));
        assert!(line.ends_with(&format!("| `{}` |", row.code)), "{line}");
    }
    assert_eq!(section.matches("\n| `").count(), FAULTS.len());
}
