//! Two members hand in the very same at once, each on a machine with the keys of all.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::campus::{Campus, Ran, SAMPLE, copy};

/// So large that it is on its way for a while.
const SIZE: u64 = 96 << 20;

/// A campus and two machines of the same group.
struct Two {
    campus: Campus,
    homes: [PathBuf; 2],
}

impl Two {
    fn new() -> Self {
        let campus = Campus::sandbox();
        let homes = ["one", "other"].map(|name| campus.outside().join(name));
        let codes = campus.path().join("codes.csv");
        let codes = codes.to_str().unwrap();
        let enrol = ["enrol", "--ids", SAMPLE, "--codes", codes];
        campus.student_elsewhere(&homes[0], &enrol).succeeded();
        copy(&homes[0], &homes[1]);
        Self { campus, homes }
    }

    fn report(&self, name: &str, size: u64) -> PathBuf {
        let report = self.campus.outside().join(name);
        let file = File::create(&report).unwrap();
        file.set_len(size).unwrap();
        report
    }

    fn submit(&self, machine: usize, report: &Path) -> Command {
        let report = report.to_str().unwrap();
        let submit = ["submit", "--ids", SAMPLE, report, "--json"];
        let mut command = self.campus.command_elsewhere(&self.homes[machine], &submit);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(Stdio::piped());
        command
    }

    fn start(&self, machine: usize, report: &Path) -> Child {
        self.submit(machine, report).spawn().unwrap()
    }

    /// Hand-ins that were committed and have no receipt yet.
    fn on_their_way(&self) -> usize {
        let list = ["submissions", "uploads", "--json"];
        let listed = self.campus.administer_blackboard(&list).succeeded();
        listed.json().as_array().unwrap().len()
    }

    /// A program that stands still amid its files; its statement is committed.
    fn halted(&self, machine: usize, report: &Path) -> Child {
        let mut child = self.start(machine, report);
        while self.on_their_way() == 0 {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "it was too quick");
        }
        signal(&child, "STOP");
        assert_eq!(self.on_their_way(), 1, "it was too quick");
        child
    }

    /// Both have this receipt, and there is one version.
    fn end_with_one(&self, told: [Value; 2], number: &str) {
        for told in &told {
            assert_eq!(told["submission"], number, "{told:#}");
        }
        let receipts = self.homes.each_ref().map(|home| {
            let receipts = home.join("receipts");
            fs::read(receipts.join(format!("{number}.zip"))).unwrap()
        });
        assert!(receipts[0] == receipts[1], "it is the same receipt");
        for home in &self.homes {
            let pending = fs::read_dir(home.join("pending"));
            assert_eq!(pending.unwrap().count(), 0, "nothing is to be done again");
        }
        assert_eq!(self.on_their_way(), 0);
    }
}

fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    let sent = Command::new("kill").args(["-s", name, &id]).status();
    assert!(sent.unwrap().success());
}

fn told(child: Child) -> Value {
    let ran = Ran::from(child.wait_with_output().unwrap());
    ran.succeeded().json()
}

#[test]
fn the_same_from_two_machines_at_once_is_one_version() {
    let two = Two::new();
    for round in 1..=3 {
        let report = two.report(&format!("report-{round}.bin"), round << 20);
        let started = [0, 1].map(|machine| two.start(machine, &report));
        let told = started.map(told);
        two.end_with_one(told, &format!("S-00000{round}"));
        assert_eq!(two.campus.submissions().len() as u64, round);
    }
}

#[test]
fn who_was_committed_first_and_comes_last_gets_the_same_receipt() {
    let two = Two::new();
    let report = two.report("report.bin", SIZE);
    let first = two.halted(0, &report);
    let second = Ran::of(&mut two.submit(1, &report)).succeeded().json();
    signal(&first, "CONT");
    two.end_with_one([told(first), second], "S-000001");
    assert_eq!(two.campus.submissions().len(), 1);
}

#[test]
fn who_was_killed_amid_the_same_gets_the_same_receipt() {
    let two = Two::new();
    let report = two.report("report.bin", SIZE);
    let mut first = two.halted(0, &report);
    first.kill().unwrap();
    first.wait().unwrap();
    let second = Ran::of(&mut two.submit(1, &report)).succeeded().json();
    let again = Ran::of(&mut two.submit(0, &report)).succeeded().json();
    two.end_with_one([again, second], "S-000001");
    assert_eq!(two.campus.submissions().len(), 1);
}
