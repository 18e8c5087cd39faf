//! A teacher of one assignment, at a Blackboard that others have as well: nobody else's work is in his lists, and
//! whom or what these cannot show is named.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rusqlite::Connection;

use crate::acknowledged;
use crate::campus::{Campus, Ran, SAMPLE, version};

const OTHER: &str = "1155000004";

fn teacher(campus: &Campus, words: &str) -> Ran {
    campus.administer_blackboard(&words.split(' ').collect::<Vec<_>>())
}

/// Two courses, one with two assignments, and something handed in to each of the three.
fn campus() -> Campus {
    let campus = Campus::sandbox();
    for words in [
        "course add CSCI3150 --title OS",
        "course add ENGG1110 --title Problems",
        "assignment add --course CSCI3150 --title Lab-1 --due 2099-12-01T12:00:00Z",
        "assignment add --course CSCI3150 --title Lab-2 --due 2099-12-01T12:00:00Z",
        "assignment add --course ENGG1110 --title Lab-1 --due 2099-12-01T12:00:00Z",
    ] {
        teacher(&campus, words).succeeded();
    }
    for (course, assignment, sids) in [
        ("CSCI3150", "lab-1", SAMPLE),
        ("CSCI3150", "lab-2", "1155000001"),
        ("ENGG1110", "lab-1", OTHER),
    ] {
        let report = version(campus.outside());
        let submit = ["submit", "--ids", sids, &report, "--course", course];
        let submit = [&submit[..], &["--assignment", assignment]].concat();
        campus.student(&submit).succeeded();
    }
    campus
}

/// What there is in a folder.
fn names(dir: &Path) -> BTreeSet<String> {
    let found = fs::read_dir(dir).unwrap();
    let names = found.map(|one| one.unwrap().file_name().into_string().unwrap());
    names.collect()
}

#[test]
fn lists_and_exports_of_one_course_or_assignment_have_nobody_elses_work() {
    let campus = campus();
    for (of, numbers) in [
        ("", &["S-000001", "S-000002", "S-000003"][..]),
        (" --course CSCI3150", &["S-000001", "S-000002"]),
        (" --course CSCI3150 --assignment lab-1", &["S-000001"]),
        (" --course CSCI3150 --assignment lab-2", &["S-000002"]),
        (" --course ENGG1110", &["S-000003"]),
        (" --course ENGG1110 --assignment lab-1", &["S-000003"]),
    ] {
        let listed = teacher(&campus, &format!("submissions list --json{of}"));
        let listed = listed.succeeded().json();
        let rows = listed.as_array().unwrap().iter();
        let told: Vec<_> = rows.map(|row| row["number"].as_str().unwrap()).collect();
        assert_eq!(told, numbers, "{of}");

        let shown = teacher(&campus, &format!("submissions list{of}"));
        let shown = shown.succeeded().stdout;
        assert_eq!(
            shown.contains(OTHER),
            numbers.contains(&"S-000003"),
            "{of}: {shown}"
        );
        let verified = teacher(&campus, &format!("submissions list --verify --json{of}"));
        let verified = verified.succeeded().json();
        assert_eq!(verified.as_array().unwrap().len(), numbers.len(), "{of}");

        let out = tempfile::tempdir_in(campus.outside()).unwrap();
        let into = out.path().to_str().unwrap();
        let export = format!("submissions export {into} --json{of}");
        let told = teacher(&campus, &export).succeeded().json();
        assert_eq!(told.as_array().unwrap().len(), numbers.len(), "{of}");
        let expected: BTreeSet<_> = numbers.iter().map(|one| (*one).to_owned()).collect();
        assert_eq!(names(out.path()), expected, "{of}");
    }
}

#[test]
fn a_course_or_an_assignment_that_there_is_not_is_told_and_nothing_is_made() {
    let campus = campus();
    let out = campus.outside().join("out");
    let export = format!("export {}", out.to_str().unwrap());
    for what in ["list", &export] {
        for (of, code) in [
            ("--course CSCI9999", "course_unknown"),
            ("--course CSCI9999 --assignment lab-1", "course_unknown"),
            ("--course CSCI3150 --assignment lab-9", "assignment_unknown"),
            // Another course has it.
            ("--course ENGG1110 --assignment lab-2", "assignment_unknown"),
        ] {
            let words = format!("submissions {what} {of} --json");
            teacher(&campus, &words).refused(3, code);
        }
        let alone = teacher(&campus, &format!("submissions {what} --assignment lab-1"));
        assert_eq!(alone.exit, Some(2), "{alone:#?}");
        assert!(alone.stderr.contains("--course"), "{alone:#?}");
    }
    assert!(!out.exists(), "nothing is exported");
}

fn alter(campus: &Campus, sql: &str) {
    let database = campus.path().join("blackboard/blackboard.db");
    let database = Connection::open(database).unwrap();
    assert!(database.execute(sql, []).unwrap() > 0, "{sql}");
}

#[test]
fn an_overview_says_that_there_is_somebody_whose_id_cannot_be_read_and_shows_the_others() {
    let campus = campus();
    let of = "submissions overview --course CSCI3150 --assignment lab-1";
    let whole = teacher(&campus, &format!("{of} --json")).succeeded().json();
    assert_eq!(whole["unreadable_ids"], 0);
    alter(
        &campus,
        "UPDATE parts SET sid = 'no body' WHERE sid = '1155000002' AND assignment = 'lab-1'",
    );
    for form in ["", " --csv", " --json"] {
        let told = teacher(&campus, &format!("{of}{form}"));
        assert_eq!(told.exit, Some(5), "{form}: {told:#?}");
        for sid in ["1155000001", "1155000003"] {
            assert!(told.stdout.contains(sid), "{form}: {told:#?}");
        }
        for part in ["has 1 ID that cannot be read", "blackboard fsck"] {
            assert!(told.stderr.contains(part), "{part}: {told:#?}");
        }
        if form == " --json" {
            assert_eq!(told.json()["unreadable_ids"], 1);
            let error = told.stderr.lines().last().unwrap();
            assert!(
                error.starts_with("{\"error\":{\"code\":\"altered\","),
                "{error}"
            );
        }
    }
    // Where to look is where it is found.
    let fsck = teacher(&campus, "fsck --assignment CSCI3150/lab-1 --json");
    assert_eq!(fsck.exit, Some(5), "{fsck:#?}");
    // Of another assignment all is known.
    let other = of.replace("lab-1", "lab-2");
    teacher(&campus, &other).succeeded();
}

#[test]
fn an_archive_names_what_keeps_it_open_and_is_not_what_the_log_says() {
    let (campus, report) = acknowledged::campus();
    acknowledged::killed(&campus, &report);
    teacher(&campus, "assignment close lab --course SANDBOX --yes").succeeded();
    let uploads = teacher(&campus, "submissions uploads --json").succeeded();
    let id = uploads.json()[0]["submission"].as_str().unwrap().to_owned();
    let file = campus.outside().join("lab.zip");
    let archive = format!(
        "submissions archive {} --course SANDBOX --assignment lab --replace",
        file.to_str().unwrap()
    );
    let waits = "NOT final: files of signed statements may come until";
    let told = teacher(&campus, &archive).succeeded().stdout;
    assert!(told.contains(waits), "{told}");
    assert!(!told.contains("keeps it open"), "{told}");

    for table in ["commitments", "backlog"] {
        alter(&campus, &format!("DELETE FROM {table}"));
    }
    let told = teacher(&campus, &archive).succeeded().stdout;
    assert!(told.contains(waits), "{told}");
    let hint = format!("{id} keeps it open: what is stored of it is not what the log says");
    assert!(told.contains(&hint), "{hint}: {told}");
    assert!(told.contains("a backup of blackboard.db"), "{told}");
    // For a program there is nothing beside the answer.
    let json = teacher(&campus, &format!("{archive} --json")).succeeded();
    assert_eq!(json.json()["final"], false);
    assert_eq!(json.stderr, "");
}
