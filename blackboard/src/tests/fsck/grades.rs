//! Grades, and which of them students see.

use scb_protocol::grade::{Given, Grade, SignedGrade};
use scb_protocol::receipt::SignedLeaf;

use super::super::campus::Campus;
use super::Copy;
use crate::store::{Place, Store};

fn place(campus: &Campus) -> Place {
    Place {
        domain: campus.service.trust_domain().clone(),
        course: "SANDBOX".parse().unwrap(),
        assignment: "lab".parse().unwrap(),
    }
}

/// Grades a student, as an import does.
fn grade(campus: &Campus, sid: &str) {
    let identity = campus.certs.service("blackboard");
    let place = place(campus);
    let given = Given {
        sid: sid.parse().unwrap(),
        points: "8".parse().unwrap(),
        maximum: "10".parse().unwrap(),
        group: None,
        lateness: None,
        submission: None,
        comment: None,
        grader: "Dr Chan".parse().unwrap(),
    };
    let names = (place.course.clone(), place.assignment.clone());
    let grade = Grade::new(campus.service.clone(), names, given, campus.certs.now()).unwrap();
    let signed = SignedGrade::sign(&grade, (&identity.key, &identity.chain)).unwrap();
    let store = Store::open(&campus.home).unwrap();
    let altered = store.compared_grades(&place).unwrap().altered;
    store
        .put_grades(&place, vec![(grade, signed)], altered)
        .unwrap();
}

#[tokio::test]
async fn grades_that_are_not_what_was_entered_are_found() {
    let mut campus = Campus::open().await;
    for sid in ["1155000001", "1155000001", "1155000009"] {
        grade(&campus, sid);
    }
    campus.stop().await;
    assert_eq!(Copy::of(&campus).codes(), [""; 0]);
    for statement in [
        "UPDATE grades SET grade = CAST(replace(CAST(grade AS TEXT), '\"8\"', '\"9\"') AS BLOB)",
        "DELETE FROM grades WHERE sid = '1155000009'",
        "UPDATE grades SET signature = x'00' WHERE sid = '1155000009'",
        "UPDATE grades SET signature = (SELECT signature FROM grades WHERE sid = '1155000001') \
         WHERE sid = '1155000009'",
        "UPDATE grades SET sid = '1155000002' WHERE sid = '1155000009'",
    ] {
        let home = Copy::of(&campus);
        home.sql(statement);
        assert_eq!(home.codes(), ["grade_altered"], "{statement}");
    }
}

#[tokio::test]
async fn a_grade_that_is_not_what_was_entered_is_given_anew_and_nothing_is_found_any_more() {
    const OF_ONE: &str = "WHERE sid = '1155000001'";
    for change in [
        "UPDATE grades SET grade = CAST(replace(CAST(grade AS TEXT), '\"8\"', '\"9\"') AS BLOB)",
        "UPDATE grades SET grade = x'00'",
        "UPDATE grades SET signature = x'00'",
        "UPDATE grades SET signature = (SELECT signature FROM grades WHERE sid = '1155000009')",
        "UPDATE grades SET log_index = log_index - 1",
        "DELETE FROM grades",
    ] {
        let mut campus = Campus::open().await;
        grade(&campus, "1155000001");
        grade(&campus, "1155000001");
        release(&campus);
        grade(&campus, "1155000009");
        let store = Store::open(&campus.home).unwrap();
        let compared = || store.compared_grades(&place(&campus)).unwrap();
        assert_eq!((compared().entered.len(), compared().altered.len()), (2, 0));
        let connection = rusqlite::Connection::open(campus.home.path("blackboard.db")).unwrap();
        let changed = connection.execute(&format!("{change} {OF_ONE}"), []);
        assert_eq!(changed.unwrap(), 1, "{change}");
        let altered: Vec<_> = compared().altered.iter().map(ToString::to_string).collect();
        assert_eq!(altered, ["1155000001"], "{change}");
        grade(&campus, "1155000001");
        assert_eq!((compared().entered.len(), compared().altered.len()), (2, 0));
        drop((connection, store));
        campus.stop().await;
        assert_eq!(Copy::of(&campus).codes(), [""; 0], "{change}");
    }
}

#[tokio::test]
async fn grades_that_are_shown_otherwise_than_was_entered_are_found() {
    let mut campus = Campus::open().await;
    grade(&campus, "1155000001");
    release(&campus);
    grade(&campus, "1155000009");
    campus.stop().await;
    assert_eq!(Copy::of(&campus).codes(), [""; 0]);
    for statement in [
        "UPDATE grades SET released_at = released_at - 60 WHERE sid = '1155000001'",
        "UPDATE grades SET released_at = NULL, release_index = NULL",
        "UPDATE grades SET released_at = 1, release_index = 2 WHERE sid = '1155000009'",
        "DELETE FROM releases",
        "UPDATE releases SET signature = x'00'",
        "UPDATE releases SET signature = (SELECT signature FROM grades WHERE sid = '1155000001')",
    ] {
        let home = Copy::of(&campus);
        home.sql(statement);
        assert_eq!(home.codes(), ["release_altered"], "{statement}");
    }
}

#[tokio::test]
async fn grades_that_could_be_seen_before_and_are_not_what_was_entered_are_found() {
    let mut campus = Campus::open().await;
    grade(&campus, "1155000001");
    release(&campus);
    grade(&campus, "1155000001");
    release(&campus);
    grade(&campus, "1155000001");
    campus.stop().await;
    assert_eq!(Copy::of(&campus).codes(), [""; 0]);
    for (statement, code) in [
        (
            "UPDATE former_grades SET grade = CAST(replace(CAST(grade AS TEXT), '\"8\"', '\"9\"') \
             AS BLOB) WHERE log_index = (SELECT min(log_index) FROM former_grades)",
            "grade_altered",
        ),
        (
            "UPDATE former_grades SET signature = x'00'",
            "grade_altered",
        ),
        (
            "UPDATE former_grades SET sid = '1155000002'",
            "grade_altered",
        ),
        (
            "UPDATE former_grades SET released_at = released_at - 60",
            "release_altered",
        ),
        (
            "UPDATE former_grades SET release_index = (SELECT max(release_index) FROM former_grades)",
            "release_altered",
        ),
    ] {
        let home = Copy::of(&campus);
        home.sql(statement);
        assert_eq!(home.codes(), [code], "{statement}");
    }
}

/// Lets students see what is graded so far.
fn release(campus: &Campus) {
    let identity = campus.certs.service("blackboard");
    let now = campus.certs.now();
    let place = place(campus);
    let sign = move |leaf| SignedLeaf::sign(leaf, (&identity.key, &identity.chain), now);
    let store = Store::open(&campus.home).unwrap();
    assert_eq!(store.release_grades(&place, now, sign).unwrap(), 1);
}
