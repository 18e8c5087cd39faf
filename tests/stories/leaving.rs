//! A partner leaves the course, or is suspended: who stays hands in without him.

use std::fs;
use std::time::Instant;

use crate::assignments::{DAY, at};
use crate::campus::{Campus, PROMISED, Ran, usual, version};

const PAIR: &str = "1155000001,1155000002";
const OTHERS: &str = "1155000001,1155000003";

fn teacher(campus: &Campus, words: &str) -> Ran {
    campus.administer_blackboard(&words.split(' ').collect::<Vec<_>>())
}

/// A course with these on its class list.
fn list(campus: &Campus, words: &str, last: &[u8]) {
    let list = campus.outside().join("class.csv");
    let sids: Vec<_> = last.iter().map(|n| format!("115500000{n}\n")).collect();
    fs::write(&list, format!("sid\n{}", sids.concat())).unwrap();
    let words = format!("course {words} --list {}", list.display());
    teacher(campus, &words).succeeded();
}

fn hand_in(campus: &Campus, sids: &str) -> Ran {
    let report = version(campus.outside());
    let of = ["--course", "CSCI3150", "--assignment", "lab-1", "--json"];
    campus.student(&[&["submit", "--ids", sids, &report][..], &of].concat())
}

/// A campus on which two have handed in together, where groups are kept.
fn campus() -> Campus {
    let campus = Campus::sandbox();
    list(&campus, "add CSCI3150 --title OS", &[1, 2, 3]);
    let due = at(DAY);
    let add = format!("assignment add --course CSCI3150 --title Lab-1 --due {due}");
    teacher(&campus, &add).succeeded();
    hand_in(&campus, PAIR).succeeded();
    hand_in(&campus, OTHERS).refused(3, "other_group");
    campus
}

#[test]
fn who_stays_in_the_course_hands_in_without_the_one_who_left() {
    let campus = campus();
    list(&campus, "members CSCI3150", &[1, 3]);
    hand_in(&campus, PAIR).refused(3, "not_course_member");
    hand_in(&campus, "1155000001").succeeded();
    hand_in(&campus, OTHERS).succeeded();
    // Who comes back finds his own work as it was, and takes nobody out of a group.
    list(&campus, "members CSCI3150", &[1, 2, 3]);
    let refused = hand_in(&campus, PAIR).refused(3, "other_group");
    let told = refused["message"].as_str().unwrap();
    assert!(told.contains("with: 1155000003"), "{told}");
    hand_in(&campus, "1155000002").succeeded();
    let of = "--course CSCI3150 --assignment lab-1 --json";
    let told = teacher(&campus, &format!("submissions overview {of}")).succeeded();
    let told = told.json();
    let counts = |sid: &str| {
        let mut students = told["students"].as_array().unwrap().iter();
        let one = students.find(|one| one["sid"] == sid).unwrap();
        one["number"].clone()
    };
    assert_eq!(counts("1155000001"), counts("1155000003"), "{told}");
    assert_ne!(counts("1155000001"), counts("1155000002"), "{told}");
}

#[test]
fn who_left_is_in_no_total_of_the_class_and_gets_no_grade_of_the_group() {
    let campus = campus();
    list(&campus, "members CSCI3150", &[1, 3]);
    let of = "--course CSCI3150 --assignment lab-1";
    let shown = teacher(&campus, &format!("submissions overview {of}")).succeeded();
    let told = "1 of 2 handed in, 1 with nothing yet; 1 more is not on the class list";
    assert!(shown.stdout.contains(told), "{shown:#?}");

    let book = campus.outside().join("book.csv");
    fs::write(&book, "sid,grade\n1155000001,8\n").unwrap();
    let import = |more: &str| {
        let file = book.display();
        let line = format!("grades import {file} {of} --maximum 10 --groups --grader Chan{more}");
        teacher(&campus, &line).succeeded()
    };
    let told = import(" --dry-run").stdout;
    assert!(told.contains("1155000001  was none, is 8 of 10"), "{told}");
    assert!(
        told.contains("1155000002  gets nothing from the group's grade for S-000001"),
        "{told}"
    );
    let told = import(" --json").json();
    assert_eq!(told["changed"].as_array().unwrap().len(), 1, "{told}");
    assert_eq!(told["left_out"][0]["sid"], "1155000002", "{told}");
    let told = import(" --not-listed-yet --json").json();
    assert_eq!(told["changed"][0]["sid"], "1155000002", "{told}");
}

#[test]
fn who_is_suspended_keeps_nobody_from_handing_in() {
    let campus = campus();
    let roster = |what: &str| {
        campus
            .administer_cuhk(&["roster", what, "1155000002"])
            .succeeded()
    };
    let usual = usual(|| hand_in(&campus, PAIR).succeeded());
    roster("suspend");
    let suspended = Instant::now();
    loop {
        let ran = hand_in(&campus, OTHERS);
        if ran.exit == Some(0) {
            break;
        }
        let since = suspended.elapsed();
        assert!(since < PROMISED + usual, "{since:?}, {usual:?}: {ran:#?}");
    }
    roster("restore");
    hand_in(&campus, "1155000001").refused(3, "other_group");
}

#[test]
fn in_groups_of_exactly_two_who_stays_goes_on_alone_and_the_teacher_is_told() {
    let campus = Campus::sandbox();
    list(&campus, "add CSCI3150 --title OS", &[1, 2, 3]);
    let due = at(DAY);
    let add = format!("assignment add --course CSCI3150 --title Lab-1 --due {due} --group-size 2");
    teacher(&campus, &add).succeeded();
    hand_in(&campus, PAIR).succeeded();
    let refused = hand_in(&campus, "1155000003").refused(3, "group_size");
    let told = refused["message"].as_str().unwrap();
    assert!(
        told.contains("expected: 2") && told.contains("got: 1"),
        "{told}"
    );
    let remedy = refused["remedy"].as_str().unwrap();
    assert!(remedy.contains("ask your teacher"), "{remedy}");

    list(&campus, "members CSCI3150", &[1, 3]);
    hand_in(&campus, "1155000001").succeeded();
    hand_in(&campus, "1155000001").succeeded();
    hand_in(&campus, "1155000003").refused(3, "group_size");
    let of = "submissions overview --course CSCI3150 --assignment lab-1";
    let table = teacher(&campus, of).succeeded().stdout;
    assert!(
        table.contains("FEWER than the 2 of a group"),
        "the teacher sees who is alone: {table}"
    );
    let told = teacher(&campus, &format!("{of} --json")).succeeded().json();
    let mut students = told["students"].as_array().unwrap().iter();
    let alone = students.find(|one| one["sid"] == "1155000001").unwrap();
    assert_eq!(alone["fewer_than"], 2, "{told}");
    // Whom nobody has handed in with is the teacher's to let in.
    let change = "assignment change lab-1 --course CSCI3150 --group-size 1..2";
    teacher(&campus, change).succeeded();
    hand_in(&campus, "1155000003").succeeded();
}
