//! A deadline that is brought forward.

use serde_json::Value;

use super::assignments::{DAY, HOUR, add, at, campus, teacher};
use crate::campus::version;

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
