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
        self.campus.until_an_upload_has_begun(&mut child);
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

#[test]
fn two_members_with_different_work_in_the_same_second_are_two_versions_and_one_counts() {
    let two = Two::new();
    // Both begin at once; a busy machine may need more than one attempt.
    let same_second = (1..=60).find_map(|attempt| {
        let name = |machine| format!("report-{attempt}-{machine}.bin");
        let started = [0, 1].map(|machine| {
            let report = two.report(&name(machine), 2 * attempt + machine as u64);
            two.start(machine, &report)
        });
        let told = started.map(told);
        assert_ne!(told[0]["submission"], told[1]["submission"]);
        (told[0]["committed_at"] == told[1]["committed_at"]).then_some(told)
    });
    let told = same_second.expect("none of 60 were committed in the same second");
    let of = |field: &str| {
        told.each_ref()
            .map(|one| one[field].as_str().unwrap().to_owned())
    };

    // Each has the receipt of its own work, which the other's file does not fit.
    let report = |place: usize| {
        let name = told[place]["files"][0]["name"].as_str().unwrap();
        two.campus.outside().join(name)
    };
    let mut recorded = Vec::new();
    for (place, receipt) in of("receipt").iter().enumerate() {
        let verify = |report: PathBuf| {
            let words = ["verify", receipt, report.to_str().unwrap(), "--json"];
            two.campus.student_elsewhere(&two.homes[place], &words)
        };
        let verified = verify(report(place)).succeeded().json();
        let entry = verified["committed_index"].as_u64().unwrap();
        recorded.push((entry, of("submission")[place].clone()));
        assert_eq!(verify(report(1 - place)).exit, Some(3));
    }

    // Of the two the one that was recorded last counts, whichever was stored first, and for everybody who looks.
    let (_, counting) = recorded.into_iter().max().unwrap();
    let overview = "submissions overview --course SANDBOX --assignment lab --json";
    let overview: Vec<_> = overview.split(' ').collect();
    let seen = two
        .campus
        .administer_blackboard(&overview)
        .succeeded()
        .json();
    for student in seen["students"].as_array().unwrap() {
        assert_eq!(student["number"], counting.as_str(), "{seen:#}");
    }
    for home in &two.homes {
        let history = ["history", "--ids", SAMPLE, "--json"];
        let history = two.campus.student_elsewhere(home, &history);
        let history = history.succeeded().json();
        let versions = history["versions"].as_array().unwrap();
        let counts = |one: &&Value| one["standings"][0]["counts"] == true;
        let counts: Vec<_> = versions.iter().filter(counts).collect();
        assert_eq!(counts.len(), 1, "{history:#}");
        assert_eq!(counts[0]["submission"], counting.as_str());
    }
    two.campus.administer_blackboard(&["fsck"]).succeeded();
}
