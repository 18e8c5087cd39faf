//! A teacher's week: who has handed in, who is late, and who is missing.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use scb_protocol::{from_seconds, rfc3339};
use serde_json::Value;

use crate::campus::{Campus, Ran, SAMPLE, version};

const HOUR: i64 = 3600;
const OF: &str = "--course CSCI3150 --assignment lab-1";

/// The time so many seconds from now, as it is typed.
fn at(seconds: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let moment = now.as_secs().checked_add_signed(seconds).unwrap();
    rfc3339(from_seconds(moment))
}

fn teacher(campus: &Campus, words: &str) -> Ran {
    campus.administer_blackboard(&words.split(' ').collect::<Vec<_>>())
}

/// A course with a class list of five, and an assignment that was due two hours ago; one of the
/// five has more time.
fn campus() -> Campus {
    let campus = Campus::sandbox();
    let list = campus.outside().join("class.csv");
    let sids: Vec<_> = (1..=5).map(|n| format!("115500000{n}\n")).collect();
    fs::write(&list, format!("sid\n{}", sids.concat())).unwrap();
    let list = list.to_str().unwrap();
    for words in [
        format!("course add CSCI3150 --title OS --list {list}"),
        format!(
            "assignment add --course CSCI3150 --title Lab-1 --due {} --late-rule 10%/day --groups free",
            at(-2 * HOUR)
        ),
        format!(
            "extension add lab-1 --course CSCI3150 --student 1155000002 --due {}",
            at(HOUR)
        ),
    ] {
        teacher(&campus, &words).succeeded();
    }
    campus
}

fn hand_in(campus: &Campus, sids: &str) {
    let report = version(campus.outside());
    let arguments = ["submit", "--ids", sids, "--course", "CSCI3150", &report];
    campus.student(&arguments).succeeded();
}

fn overview(campus: &Campus, form: &str) -> Ran {
    teacher(campus, &format!("submissions overview {OF} {form}"))
}

#[test]
fn the_overview_tells_who_is_missing_and_who_is_late_by_how_much() {
    let campus = campus();
    hand_in(&campus, SAMPLE);
    hand_in(&campus, "1155000001");
    let told = overview(&campus, "--json").succeeded().json();
    let students = told["students"].as_array().unwrap();
    let of = |field: &str| -> Vec<Value> {
        let values = students.iter().map(|one| one[field].clone());
        values.collect()
    };
    let (came, missing) = ("handed_in", "missing");
    assert_eq!(of("state"), [came, came, came, missing, missing]);
    assert_eq!(of("number")[..3], ["S-000002", "S-000001", "S-000001"]);
    assert_eq!(of("standing")[..3], ["late", "on_time", "late"]);
    assert_eq!(of("costs_percent")[..3], [10, 0, 10]);
    assert_eq!(of("versions"), [2, 1, 1, 0, 0]);
    let late = of("late_seconds")[0].as_i64().unwrap();
    assert!((2 * HOUR..3 * HOUR).contains(&late), "{late}");
    assert_eq!(told["totals"]["handed_in"], 3);
    assert_eq!(told["totals"]["late"], 2);
    assert_eq!(told["totals"]["missing"], 2);

    let shown = overview(&campus, "--log text").succeeded().stdout;
    for part in [
        "CSCI3150/lab-1  Lab-1  (open, late; due ",
        "1155000001  handed in  S-000002  2",
        "2 h 0 min",
        "with 1155000001 1155000003; extended to ",
        "1155000004  MISSING",
        "3 of 5 handed in, 2 late, 2 missing",
    ] {
        assert!(shown.contains(part), "{part} is missing:\n{shown}");
    }
    let csv = overview(&campus, "--csv").succeeded().stdout;
    let rows: Vec<_> = csv.lines().collect();
    assert!(rows[0].starts_with("sid,state,number,"), "{csv}");
    assert!(
        rows[2].contains("1155000001 1155000002 1155000003"),
        "{csv}"
    );
    assert_eq!(rows.len(), 6);
}

#[test]
fn the_overview_tells_who_was_refused_and_calls_nobody_absent_from_no_list() {
    let campus = campus();
    hand_in(&campus, "1155000001");
    teacher(&campus, "assignment close lab-1 --course CSCI3150 --yes").succeeded();
    let report = version(campus.outside());
    for sid in ["1155000001", "1155000004"] {
        let of = format!("submit --ids {sid} --course CSCI3150 --assignment lab-1");
        let of: Vec<_> = of.split(' ').chain([report.as_str()]).collect();
        assert_eq!(campus.student(&of).exit, Some(3), "{sid}");
    }
    let told = overview(&campus, "--json").succeeded().json();
    for (place, state) in [(0, "handed_in"), (3, "missing")] {
        let one = &told["students"][place];
        assert_eq!(
            (&one["state"], &one["setback"]["kind"]),
            (&state.into(), &"refused".into())
        );
        assert!(one["setback"]["code"].is_string(), "{one}");
    }
    assert_eq!(told["students"][4]["setback"], Value::Null);
    let shown = overview(&campus, "--log text").succeeded().stdout;
    assert_eq!(shown.matches("last REFUSED on ").count(), 2, "{shown}");

    campus
        .student(&["submit", "--ids", SAMPLE, "--course", "SANDBOX", &report])
        .succeeded();
    let without = "submissions overview --course SANDBOX --assignment lab";
    let shown = teacher(&campus, without).succeeded().stdout;
    assert!(shown.contains("3 of 3 handed in"), "{shown}");
    assert!(!shown.contains("not on the class list"), "{shown}");
    // Who has tried nothing is not known there, and that is said in every form.
    let told = "No class list: whoever has tried nothing is NOT in this overview";
    assert!(shown.contains(told), "{shown}");
    let csv = teacher(&campus, &format!("{without} --csv")).succeeded();
    assert!(csv.stderr.contains(told), "{csv:#?}");
    assert_eq!(csv.stdout.lines().count(), 4, "{csv:#?}");
    let json = teacher(&campus, &format!("{without} --json")).succeeded();
    assert_eq!(json.json()["class_list"], false);
    let listed = overview(&campus, "--json").succeeded().json();
    assert_eq!(listed["class_list"], true);
    let listed = overview(&campus, "--csv").succeeded();
    assert!(!listed.stderr.contains("No class list"), "{listed:#?}");
}

#[test]
fn class_lists_and_gradebooks_come_on_standard_input_as_well() {
    let campus = Campus::sandbox();
    let piped = |words: &str, text: &str| {
        let words: Vec<_> = words.split(' ').collect();
        Ran::fed(&mut campus.administering_blackboard(&words), text)
    };
    let add = "course add CSCI3150 --title OS --list -";
    let added = piped(add, "sid\n1155000001\n1155000002\n").succeeded();
    assert!(
        added.stdout.contains("added CSCI3150: 2 students"),
        "{added:#?}"
    );
    let members = "course members CSCI3150 --list -";
    let wrong = piped(members, "sid\n1155000001\n?\n");
    assert_eq!(wrong.exit, Some(2), "{wrong:#?}");
    assert!(
        wrong.stderr.contains("standard input: line 3: `?`"),
        "{wrong:#?}"
    );
    let changed = piped(members, "sid\n1155000001\n1155000003\n").succeeded();
    assert!(
        changed.stdout.contains("changed CSCI3150: 2"),
        "{changed:#?}"
    );

    let due = at(86_400);
    let add = format!("assignment add --course CSCI3150 --title Lab-1 --due {due}");
    teacher(&campus, &add).succeeded();
    let import = "grades import - --course CSCI3150 --assignment lab-1 --grader Chan --maximum 10";
    let imported = piped(&format!("{import} --json"), "sid,grade\n1155000001,8.5\n");
    assert_eq!(imported.succeeded().json()["changed"][0]["points"], "8.5");
    let export = "grades export --course CSCI3150 --assignment lab-1 --for canvas --template -";
    let template = "Student,ID,SIS User ID,Lab-1 (1)\r\nChan,1,1155000001,\r\n";
    let filled = piped(export, template).succeeded().stdout;
    assert_eq!(filled, template.replace("1155000001,", "1155000001,8.5"));
}

#[test]
fn an_overview_of_what_is_not_there_is_refused() {
    let campus = campus();
    for (of, code) in [
        ("--course CSCI3150 --assignment lab-9", "assignment_unknown"),
        ("--course CSCI9999 --assignment lab-1", "course_unknown"),
    ] {
        let words = format!("submissions overview {of} --json");
        teacher(&campus, &words).refused(3, code);
    }
    let both = overview(&campus, "--json --csv");
    assert_eq!(both.exit, Some(2), "{both:#?}");
}
