//! A deadline that is brought forward, an extension that ends, an assignment that is closed: somebody at a
//! terminal is asked, and nothing else takes time from students in silence.

use serde_json::Value;

use super::assignments::{DAY, HOUR, add, asked, at, campus, teacher};
use crate::campus::{Campus, version};

#[test]
fn a_deadline_is_brought_forward_to_less_than_a_day_only_if_that_is_said() {
    let campus = campus();
    add(&campus, "Lab-1", 9 * DAY, "");
    let report = version(campus.outside());
    let submit = [
        "submit",
        "--ids",
        "1155000001",
        "--course",
        "CSCI3150",
        &report,
    ];
    campus.student(&submit).succeeded();
    let change = |words: &str| {
        let words = format!("assignment change lab-1 --course CSCI3150 {words}");
        teacher(&campus, &words)
    };
    let told = change(&format!("--due {}", at(5 * DAY))).succeeded();
    let remark = "CHECK THE DATE: due is brought forward from ";
    assert!(told.stderr.starts_with(remark), "{}", told.stderr);
    assert!(
        told.stderr.contains("handed in: 1 student;"),
        "{}",
        told.stderr
    );

    let soon = at(HOUR);
    let refused = change(&format!("--due {soon} --json")).refused(3, "short_notice");
    assert!(
        refused["remedy"].as_str().unwrap().contains("--yes"),
        "{refused}"
    );
    let shown = teacher(&campus, "assignment show lab-1 --course CSCI3150 --json");
    let due = shown.succeeded().json()["rules"]["due"].clone();
    assert_ne!(due, soon.as_str(), "nothing was changed");
    let told = change(&format!("--due {soon} --yes --json"))
        .succeeded()
        .json();
    let forward = &told["brought_forward"];
    assert_eq!(forward["moved"][0]["is"], soon.as_str());
    assert_eq!(
        (&forward["handed_in"], &forward["begun"]),
        (&1.into(), &0.into())
    );
    // So is what would shut out whoever is at work.
    for narrower in [
        format!("--opens {}", at(HOUR / 2)),
        "--max-bytes 1".to_owned(),
        "--accept pdf".to_owned(),
        "--group-size 3".to_owned(),
    ] {
        let refused = change(&format!("{narrower} --json")).refused(3, "short_notice");
        let message = refused["message"].as_str().unwrap();
        assert!(message.contains("handed in: 1 student"), "{message}");
    }
    let told = change("--accept pdf,txt --yes --json").succeeded().json();
    assert_eq!(
        told["brought_forward"]["narrowed"],
        serde_json::json!(["no files but pdf, txt are taken"])
    );
    let wider = change("--accept-all --json").succeeded().json();
    assert_eq!(wider["brought_forward"], Value::Null);
    // Later again needs nothing.
    let later = change(&format!("--due {} --json", at(2 * HOUR))).succeeded();
    assert_eq!(later.json()["brought_forward"], Value::Null);
    let rest = change("--late-rule 10%/day").succeeded();
    assert_eq!(rest.stderr, "");
    let refused = change(&format!("--cutoff {}", at(3 * HOUR)));
    assert_eq!(refused.exit, Some(3), "{refused:#?}");
    assert!(
        refused
            .stderr
            .contains("cutoff is brought forward from never to")
    );
}

fn rules(campus: &Campus) -> Value {
    let shown = teacher(campus, "assignment show lab-1 --course CSCI3150 --json");
    shown.succeeded().json()["rules"].clone()
}

/// Only `yes` is agreement: what is done then, and not before.
fn only_by_yes(campus: &Campus, words: &str, question: &str, done: impl Fn() -> bool) {
    let words: Vec<_> = words.split(' ').collect();
    assert!(!done());
    for (answer, is_done) in [("y", false), ("yes", true)] {
        let told = asked(campus, &words, question, answer);
        assert_eq!(done(), is_done, "{answer}: {told}");
        assert_eq!(told.contains("nothing was changed"), !is_done, "{told}");
    }
}

#[test]
fn a_teacher_at_a_terminal_is_asked_before_a_deadline_is_near() {
    let campus = campus();
    add(&campus, "Lab-1", 9 * DAY, "");
    let soon = at(HOUR);
    let words = format!("assignment change lab-1 --course CSCI3150 --due {soon}");
    let done = || rules(&campus)["due"] == soon.as_str();
    only_by_yes(&campus, &words, "due is brought forward from ", done);
}

#[test]
fn an_assignment_is_closed_only_if_that_is_agreed_to() {
    let campus = campus();
    add(&campus, "Lab-1", 9 * DAY, "--late-rule mark");
    let words = "assignment close lab-1 --course CSCI3150";
    let refused = teacher(&campus, &format!("{words} --json")).refused(2, "not_confirmed");
    let message = refused["message"].as_str().unwrap();
    for part in [
        "CSCI3150/lab-1 takes nothing from now on",
        "handed in: 0 students",
    ] {
        assert!(message.contains(part), "{message}");
    }
    let done = || rules(&campus)["cutoff"] != Value::Null;
    only_by_yes(&campus, words, "takes nothing from now on", done);
    // It is closed: nothing more is taken away.
    teacher(&campus, words).succeeded();
}

#[test]
fn time_that_was_given_is_taken_back_only_if_that_is_agreed_to() {
    let campus = campus();
    add(&campus, "Lab-1", DAY, "");
    let given = |due: i64, more: &str| {
        let due = at(due);
        let words = "extension add lab-1 --course CSCI3150 --student 1155000001,1155000002";
        teacher(
            &campus,
            &format!("{words} --not-listed-yet --due {due}{more}"),
        )
    };
    // More time, or the same for one who has none, takes nothing from anybody.
    given(4 * DAY, "").succeeded();
    given(5 * DAY, "").succeeded();
    let refused = given(3 * DAY, " --json").refused(2, "not_confirmed");
    let message = refused["message"].as_str().unwrap();
    assert!(
        message.contains("1155000002 has less time: due is brought forward from "),
        "{message}"
    );
    given(3 * DAY, " --yes").succeeded();
    let words = "extension remove lab-1 --course CSCI3150 --student 1155000001";
    teacher(&campus, &format!("{words} --json")).refused(2, "not_confirmed");
    let done = || {
        let told = teacher(&campus, "extension list lab-1 --course CSCI3150 --json");
        let told = told.succeeded().json();
        told["extensions"].as_array().unwrap().len() == 1
    };
    only_by_yes(&campus, words, "1155000001 has less time", done);
    // Of an extension that gives nothing any more nothing is taken.
    let later = at(9 * DAY);
    let words = format!("assignment change lab-1 --course CSCI3150 --due {later}");
    teacher(&campus, &words).succeeded();
    let words = "extension remove lab-1 --course CSCI3150 --student 1155000002";
    teacher(&campus, words).succeeded();
}
