//! Who hands in within the grace is told everywhere that he is not late; who comes after it is, or is refused.

use serde_json::{Value, json};

use crate::assignments::{HOUR, add, campus, student, teacher};
use crate::campus::{Campus, Ran, python, script, until_complete};

const ID: &str = "1155000001";
/// What a person reads.
const WITHIN: &str = "within the grace: not late";

fn submit(campus: &Campus, assignment: &str, form: &str) -> Ran {
    let words = format!("submit --ids {ID} --course CSCI3150 --assignment {assignment} {form}");
    student(campus, words.trim_end())
}

/// State and cost of the one member.
fn standing(of: &Value) -> (Value, bool, Value) {
    let late = of["late_seconds"].as_i64().unwrap_or(0);
    let costs = of["costs_percent"].as_i64().unwrap_or(0);
    (of["state"].clone(), late >= HOUR, costs.into())
}

/// The teacher's line about him.
fn overview(campus: &Campus, assignment: &str) -> Value {
    let of = format!("--course CSCI3150 --assignment {assignment}");
    let told = teacher(campus, &format!("submissions overview {of} --json"));
    let told = told.succeeded().json();
    let mut students = told["students"].as_array().unwrap().iter();
    let own = students.find(|one| one["sid"] == ID).unwrap();
    json!([
        own["standing"],
        own["costs_percent"],
        told["totals"]["late"]
    ])
}

#[test]
fn within_the_grace_nobody_is_late_wherever_it_is_told_and_after_it_he_is() {
    let campus = campus();
    // Due an hour ago: for one of them the grace lasts, for the other it has just ended.
    add(&campus, "Within", -HOUR, "--grace 2h --late-rule 10%/day");
    add(&campus, "After", -HOUR, "--grace 59min --late-rule 10%/day");
    student(&campus, &format!("enrol --ids {ID}")).succeeded();

    let told = submit(&campus, "within", "").succeeded().stdout;
    assert!(told.contains(&format!("lateness {WITHIN}")), "{told}");
    assert!(!told.contains("LATE"), "{told}");
    let told = submit(&campus, "within", "--json").succeeded().json();
    let not_late = (json!("within_grace"), false, json!(0));
    assert_eq!(standing(&told["standings"][0]), not_late);
    let within = told["receipt"].as_str().unwrap().to_owned();

    let told = submit(&campus, "after", "").succeeded().stdout;
    let costs = "late by 1 h 0 min, which costs 10 %";
    assert!(told.contains(costs) && told.contains("LATE"), "{told}");
    let told = submit(&campus, "after", "--json").succeeded().json();
    let late = (json!("late"), true, json!(10));
    assert_eq!(standing(&told["standings"][0]), late);
    let after = told["receipt"].as_str().unwrap().to_owned();

    for (receipt, expected, words) in [
        (
            &within,
            &not_late,
            "was within the time of grace, by these rules",
        ),
        (&after, &late, "was late by 3"),
    ] {
        until_complete(|words| campus.student(words), receipt);
        let told = campus.student(&["verify", receipt, "--json"]);
        let told = told.succeeded().json();
        assert_eq!(standing(&told["lateness"][0]), *expected, "{told:#}");
        let shown = campus.student(&["verify", receipt]).succeeded().stdout;
        assert!(shown.contains(words), "{words}: {shown}");
        if python().is_some() {
            let said = script(&campus, receipt.as_ref()).unwrap().succeeded();
            let is_late = said.stdout.contains(&format!("{ID} was late by "));
            assert_eq!(is_late, expected == &late, "{said:#?}");
        }
    }

    let history = |form: &str| student(&campus, format!("history --ids {ID} {form}").trim_end());
    let versions = history("--json").succeeded().json()["versions"].clone();
    let told = |place: usize| standing(&versions[place]["standings"][0]);
    assert_eq!((told(0), told(1)), (not_late, late));
    let shown = history("").succeeded().stdout;
    assert_eq!(shown.matches("late by ").count(), 1, "{shown}");
    assert!(shown.contains(&format!("counts; {WITHIN}\n")), "{shown}");
    assert_eq!(overview(&campus, "within"), json!(["within_grace", 0, 0]));
    assert_eq!(overview(&campus, "after"), json!(["late", 10, 1]));
}

#[test]
fn where_late_work_is_not_taken_the_grace_is_and_nothing_after_it() {
    let campus = campus();
    add(&campus, "Within", -HOUR, "--grace 2h");
    add(&campus, "After", -HOUR, "--grace 59min");
    submit(&campus, "after", "--json").refused(3, "assignment_closed");
    assert_eq!(campus.submissions(), Vec::<Value>::new());
    let told = submit(&campus, "within", "--json").succeeded().json();
    assert_eq!(told["standings"][0]["state"], "within_grace");
    assert_eq!(overview(&campus, "within"), json!(["within_grace", 0, 0]));
}
