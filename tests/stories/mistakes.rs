//! A teacher's mistakes: explained, and taken back as long as nobody has handed in.

use serde_json::Value;

use crate::assignments::{DAY, HOUR, add, at, campus, student, teacher};

#[test]
fn a_teachers_mistakes_change_nothing_and_are_explained() {
    let campus = campus();
    add(&campus, "Lab-1", DAY, "");
    let day = at(DAY);
    for (words, exit, code) in [
        (
            "course add CSCI3150 --title Again".to_owned(),
            3,
            "course_exists",
        ),
        ("course members CSCI9999".to_owned(), 3, "course_unknown"),
        (
            format!("assignment add --course CSCI3150 --title Lab-1 --due {day}"),
            3,
            "assignment_exists",
        ),
        (
            format!("assignment add --course NOPE --title Lab-2 --due {day}"),
            3,
            "course_unknown",
        ),
        (
            format!("assignment add --course CSCI3150 --title 實驗 --due {day}"),
            2,
            "no_id",
        ),
        (
            format!("assignment add --course CSCI3150 --title X --due {day} --opens {day}"),
            3,
            "rules_invalid",
        ),
        (
            format!(
                "assignment add --course CSCI3150 --title X --due {day} --cutoff {}",
                at(2 * DAY)
            ),
            3,
            "rules_invalid",
        ),
        (
            format!("assignment add --course CSCI3150 --title X --due {day} --max-bytes 1000GiB"),
            3,
            "max_bytes",
        ),
        (
            format!("assignment change lab-9 --course CSCI3150 --due {day}"),
            3,
            "assignment_unknown",
        ),
        (
            format!(
                "assignment change lab-1 --course CSCI3150 --due {}",
                at(-HOUR)
            ),
            3,
            "rules_backdated",
        ),
        (
            format!(
                "extension add lab-1 --course CSCI3150 --student 1155000001 --due {}",
                at(HOUR)
            ),
            3,
            "rules_invalid",
        ),
        (
            "extension remove lab-1 --course CSCI3150 --student 1155000001".to_owned(),
            3,
            "no_extension",
        ),
    ] {
        let error = teacher(&campus, &format!("{words} --json")).refused(exit, code);
        assert!(!error["remedy"].as_str().unwrap().is_empty(), "{words}");
    }
    for typed in ["tomorrow", "2026-12-01", "2026-02-30 10:00"] {
        let arguments = [
            "assignment",
            "add",
            "--course",
            "CSCI3150",
            "--title",
            "X",
            "--due",
            typed,
        ];
        let ran = campus.administer_blackboard(&arguments);
        assert_eq!(ran.exit, Some(2), "{ran:#?}");
        assert!(ran.stderr.contains("not a time such as"), "{ran:#?}");
    }
    // What people type for "never", and an offset that no clock has.
    for (typed, told) in [
        ("9999-12-31 23:59:59", "from 2000 to 2199"),
        ("9999-12-31T23:59:59Z", "from 2000 to 2199"),
        ("2026-12-01 23:59 +25:00", "at most 14:00"),
    ] {
        let due = [
            "assignment",
            "add",
            "--course",
            "CSCI3150",
            "--title",
            "X",
            "--due",
            typed,
        ];
        let opens = [
            "assignment",
            "change",
            "lab-1",
            "--course",
            "CSCI3150",
            "--opens",
            typed,
        ];
        let extended = [
            "extension",
            "add",
            "lab-1",
            "--course",
            "CSCI3150",
            "--due",
            typed,
            "--student",
            "1155000001",
        ];
        for arguments in [&due[..], &opens, &extended] {
            let ran = campus.administer_blackboard(arguments);
            assert_eq!(ran.exit, Some(2), "{ran:#?}");
            assert!(ran.stderr.contains(told), "{ran:#?}");
        }
    }
    let list = teacher(&campus, "assignment list --json")
        .succeeded()
        .json();
    assert_eq!(list.as_array().unwrap().len(), 2);
    assert_eq!(list[0]["changes"], Value::Array(vec![]));
}

#[test]
fn what_was_added_by_mistake_is_withdrawn_unless_somebody_has_handed_in() {
    let campus = campus();
    add(&campus, "Lab-1", DAY, "");
    add(&campus, "Lab-2", DAY, "");
    let listed = || {
        let told = student(&campus, "assignments --ids 1155000001 --json");
        let told = told.succeeded().json()["assignments"].clone();
        let names = told.as_array().unwrap().iter();
        let names = names.filter(|one| one["course"] == "CSCI3150");
        let names = names.map(|one| one["assignment"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    student(&campus, "enrol --ids 1155000001").succeeded();
    assert_eq!(listed(), ["lab-1", "lab-2"]);
    teacher(&campus, "assignment withdraw lab-2 --course CSCI3150").succeeded();
    assert_eq!(listed(), ["lab-1"]);
    let of = |name: &str| {
        let words = "submit --ids 1155000001 --json --course CSCI3150 --assignment";
        student(&campus, &format!("{words} {name}"))
    };
    of("lab-2").refused(3, "assignment_unknown");
    let again = teacher(
        &campus,
        "assignment withdraw lab-2 --course CSCI3150 --json",
    );
    again.refused(3, "assignment_unknown");

    of("lab-1").succeeded();
    for words in [
        "assignment withdraw lab-1 --course CSCI3150 --json",
        "course withdraw CSCI3150 --json",
    ] {
        let error = teacher(&campus, words).refused(3, "assignment_in_use");
        let remedy = error["remedy"].as_str().unwrap();
        assert!(
            remedy.contains("assignment close lab-1 --course CSCI3150"),
            "{remedy}"
        );
    }
    assert_eq!(listed(), ["lab-1"], "what was handed in stays");

    // It is added again, and its history begins anew.
    add(&campus, "Lab-2", 2 * DAY, "");
    let shown = teacher(&campus, "assignment show lab-2 --course CSCI3150 --json");
    let shown = shown.succeeded().json();
    assert_eq!(shown["changes"], Value::Array(vec![]), "{shown:#}");
    assert_eq!(listed(), ["lab-1", "lab-2"]);
    let entries = "SELECT group_concat(kind) FROM (SELECT kind FROM log_entries \
                   JOIN logs ON log = logs.id WHERE origin LIKE '%/lab-2' ORDER BY number)";
    let database = rusqlite::Connection::open(campus.path().join("blackboard/blackboard.db"));
    let entries: String = database
        .unwrap()
        .query_row(entries, [], |row| row.get(0))
        .unwrap();
    assert_eq!(entries, "rules,removed,rules");
}

#[test]
fn a_course_without_submissions_is_withdrawn_whole() {
    let campus = campus();
    add(&campus, "Lab-1", DAY, "");
    let done = teacher(&campus, "course withdraw CSCI3150 --json")
        .succeeded()
        .json();
    assert_eq!(done["assignments"][0], "lab-1");
    teacher(&campus, "course members CSCI3150 --json").refused(3, "course_unknown");
    teacher(&campus, "course add CSCI3150 --title OS").succeeded();
    let listed = teacher(&campus, "assignment list --course CSCI3150 --json");
    assert_eq!(listed.succeeded().json(), Value::Array(vec![]));
}
