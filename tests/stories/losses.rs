//! A late version that would take the place of a better one: it is not handed in by mistake.

use std::path::PathBuf;

use serde_json::Value;

use crate::assignments::{HOUR, add, campus, student, teacher};
use crate::campus::{Campus, Ran, version};

pub(crate) const ALONE: &str = "1155000001";
const OTHER: &str = "1155000002";

/// Work is due for two hours; lateness has cost nothing so far, and costs something from now on.
/// The first version is in.
pub(crate) fn dearer_by_now(options: &str, ids: &str) -> Campus {
    let campus = campus();
    add(
        &campus,
        "Lab-1",
        -2 * HOUR,
        &format!("--late-rule mark {options}"),
    );
    submit(&campus, ids, &[]).succeeded();
    let dearer = "assignment change lab-1 --course CSCI3150 --late-rule 10%/day";
    teacher(&campus, dearer).succeeded();
    campus
}

/// Hands in something new.
fn submit(campus: &Campus, ids: &str, more: &[&str]) -> Ran {
    let report = version(campus.outside());
    campus.student(&[&["submit", "--ids", ids, &report], more].concat())
}

fn versions(campus: &Campus, sid: &str) -> Vec<Value> {
    let told = student(campus, &format!("history --ids {sid} --json"));
    let told = told.succeeded().json();
    told["versions"].as_array().unwrap().clone()
}

fn nothing_waits(campus: &Campus) {
    let pending: PathBuf = campus.path().join("student/pending");
    let left = std::fs::read_dir(pending).map_or(0, Iterator::count);
    assert_eq!(left, 0, "nothing was signed");
}

#[test]
fn what_costs_more_than_what_counts_is_refused_before_anything_is_signed() {
    let campus = dearer_by_now("", ALONE);
    let refused = submit(&campus, ALONE, &["--json"]).refused(3, "costs_more");
    let message = refused["message"].as_str().unwrap();
    for part in [
        "1155000001: S-000001 counts now (late by 2 h 0 min)",
        "this version would take its place (late by 2 h 0 min, which costs 10 %)",
        "nothing was sent",
    ] {
        assert!(message.contains(part), "{part} is missing: {message}");
    }
    let remedy = refused["remedy"].as_str().unwrap();
    assert!(remedy.contains("--even-if-late"), "{remedy}");
    nothing_waits(&campus);
    let chinese = submit(&campus, ALONE, &["--lang", "zh-Hant"]);
    assert!(chinese.stderr.contains("現以 S-000001 為準"), "{chinese:?}");
    assert_eq!(versions(&campus, ALONE).len(), 1);

    submit(&campus, ALONE, &["--even-if-late"]).succeeded();
    let versions = versions(&campus, ALONE);
    let costs = |number: usize| &versions[number]["standings"][0]["costs_percent"];
    assert_eq!((costs(0), costs(1)), (&Value::from(0), &Value::from(10)));
}

#[test]
fn what_is_only_proposed_is_refused_as_well() {
    let campus = dearer_by_now("--groups free", ALONE);
    student(&campus, &format!("enrol --ids {OTHER}")).succeeded();
    submit(&campus, ALONE, &["--with", OTHER, "--json"]).refused(3, "costs_more");
    nothing_waits(&campus);
    submit(&campus, ALONE, &["--with", OTHER, "--even-if-late"]).succeeded();
}

#[test]
fn one_member_who_would_lose_is_enough_and_he_alone_is_named() {
    let campus = dearer_by_now("--groups free", OTHER);
    let both = format!("{ALONE},{OTHER}");
    let refused = submit(&campus, &both, &["--json"]).refused(3, "costs_more");
    let message = refused["message"].as_str().unwrap();
    assert!(
        message.starts_with("1155000002: S-000001 counts now"),
        "{message}"
    );
    assert!(!message.contains(ALONE), "{message}");
}

#[test]
fn where_nothing_gets_dearer_nothing_is_asked() {
    // Nothing is handed in yet, and what comes later costs the same.
    let campus = campus();
    add(&campus, "Lab-1", -HOUR, "--late-rule 10%/day");
    submit(&campus, ALONE, &[]).succeeded();
    submit(&campus, ALONE, &[]).succeeded();
    assert_eq!(versions(&campus, ALONE).len(), 2);

    // The first version counts, whatever comes after it.
    let campus = dearer_by_now("--counts first", ALONE);
    submit(&campus, ALONE, &[]).succeeded();
}

#[test]
fn the_same_files_again_change_nothing_and_are_not_asked_about() {
    let campus = campus();
    add(&campus, "Lab-1", -2 * HOUR, "--late-rule mark");
    let report = version(campus.outside());
    let again = format!("submit --ids {ALONE} {report} --json");
    student(&campus, &again).succeeded();
    let dearer = "assignment change lab-1 --course CSCI3150 --late-rule 10%/day";
    teacher(&campus, dearer).succeeded();
    let told = student(&campus, &again).succeeded().json();
    assert_eq!(told["submission"], "S-000001");
    assert_eq!(versions(&campus, ALONE).len(), 1);
}
