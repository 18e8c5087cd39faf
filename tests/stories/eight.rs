//! The largest group: eight students on four machines, with one extension for all of them.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::assignments::{DAY, HOUR, add, at, campus, student, teacher};
use crate::campus::{Campus, Ran, python, script, until_complete};

/// Who is at which machine.
const MACHINES: [&str; 4] = [
    "1155000001,1155000002,1155000003",
    "1155000004,1155000005,1155000006",
    "1155000007",
    "1155000008",
];

fn sids() -> Vec<&'static str> {
    MACHINES.iter().flat_map(|ids| ids.split(',')).collect()
}

fn home(campus: &Campus, machine: usize) -> PathBuf {
    campus.outside().join(format!("home-{machine}"))
}

fn on(campus: &Campus, machine: usize, words: &str) -> Ran {
    let words: Vec<_> = words.split(' ').collect();
    campus.student_elsewhere(&home(campus, machine), &words)
}

/// Everybody is certified, where his key stays.
fn enrol(campus: &Campus) {
    let codes = campus.path().join("codes.csv");
    for (machine, ids) in MACHINES.iter().enumerate() {
        let words = format!("enrol --ids {ids} --codes {}", codes.display());
        on(campus, machine, &words).succeeded();
    }
}

/// How each stands, in the order of the group.
fn states(of: &Value) -> Vec<&str> {
    let each = of.as_array().unwrap().iter();
    each.map(|one| one["state"].as_str().unwrap()).collect()
}

#[test]
fn eight_on_four_machines_hand_in_one_report_by_an_extension_of_their_group() {
    let campus = campus();
    add(&campus, "Project", -HOUR, "--group-size 1..8");
    enrol(&campus);
    let report = campus.report();
    let others = MACHINES[1..].join(",");
    let of = "--course CSCI3150 --assignment project";
    let submit = format!(
        "submit --ids {} --with {others} {report} {of} --json",
        MACHINES[0]
    );
    on(&campus, 0, &submit).refused(3, "assignment_closed");

    let extend = format!(
        "extension add project --course CSCI3150 --student {} --due {}",
        sids().join(","),
        at(DAY)
    );
    teacher(&campus, &extend).succeeded();
    let proposed = on(&campus, 0, &submit).succeeded().json();
    assert_eq!(proposed["members"].as_array().unwrap().len(), 8);
    let id = proposed["submission_id"].as_str().unwrap().to_owned();
    for (machine, ids) in MACHINES.iter().enumerate().skip(1) {
        let waits = campus.submissions();
        assert_eq!(
            waits,
            Vec::<Value>::new(),
            "machine {machine} has not signed"
        );
        let sign = format!("cosign --yes {id} --ids {ids}");
        on(&campus, machine, &sign).succeeded();
    }
    let listed = campus.submissions();
    assert_eq!(listed[0]["members"], Value::from(sids()));

    let receipt = home(&campus, 3).join("receipts/S-000001.zip");
    verifies(&campus, &receipt, &report);
    let again = on(&campus, 0, &submit).succeeded().json();
    assert_eq!(again["submission"], "S-000001");
    let overview = format!("submissions overview {of} --json");
    let told = teacher(&campus, &overview).succeeded().json();
    let students = told["students"].as_array().unwrap();
    let in_time = |one: &&Value| one["state"] == "handed_in" && one["standing"] == "on_time";
    assert_eq!(students.iter().filter(in_time).count(), 8, "{told:#}");
    assert_eq!(told["totals"]["late"], 0);
}

/// By our program and by the script: eight signed, and each of them was in time.
fn verifies(campus: &Campus, receipt: &Path, report: &str) {
    let path = receipt.to_str().unwrap();
    until_complete(
        |words| campus.student_elsewhere(&home(campus, 3), words),
        path,
    );
    let told = on(campus, 3, &format!("verify {path} {report} --json"));
    let told = told.succeeded().json();
    assert_eq!(states(&told["lateness"]), ["on_time"; 8], "{told:#}");
    let shown = on(campus, 3, &format!("verify {path}")).succeeded().stdout;
    let Some(_) = python() else { return };
    let theirs = script(campus, receipt).unwrap().succeeded().stdout;
    for text in [&shown, &theirs] {
        let signed = text.lines().filter(|line| line.starts_with("signed "));
        assert_eq!(signed.count(), 8, "{text}");
    }
    for sid in sids() {
        let in_time = format!("lateness   {sid} was on time, by these rules");
        assert!(theirs.contains(&in_time), "{sid}: {theirs}");
    }
}

#[test]
fn nine_are_no_group() {
    let campus = campus();
    let words = format!(
        "assignment add --course CSCI3150 --title Crowd --due {} --group-size 1..9",
        at(DAY)
    );
    assert_eq!(teacher(&campus, &words).exit, Some(2));
    add(&campus, "Project", DAY, "--group-size 1..8");
    let ids = [&sids()[..], &["1155000009"]].concat().join(",");
    let refused = student(&campus, &format!("submit --ids {ids} --json"));
    refused.refused(3, "member_count");
    assert_eq!(campus.submissions(), Vec::<Value>::new());
}
