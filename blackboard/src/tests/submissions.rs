//! `blackboard submissions`, beside a running server.

use std::fs;

use scb_certs::Fingerprint;
use scb_cli::exit;
use scb_testkit::TestCampus;

use super::campus::Campus;
use crate::arguments::{OfAny, Output, Submissions};
use crate::failure::failure;
use crate::store::{Own, Store};
use crate::submissions::run;

const PLAIN: Output = Output { json: false };

async fn run_blocking(campus: &Campus, command: Submissions) -> anyhow::Result<()> {
    let home = campus.home.dir().to_owned();
    tokio::task::spawn_blocking(move || run(&home, &command))
        .await
        .unwrap()
}

fn export(dir: &std::path::Path) -> Submissions {
    Submissions::Export {
        dir: dir.to_owned(),
        of: OfAny::default(),
        output: PLAIN,
    }
}

#[tokio::test]
async fn exports_reports_and_receipts_into_folders_by_number() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    group.name = "報告.pdf";
    let receipt = group.hand_in().await.unwrap();
    let mut other = campus.group(&["1155000009"]);
    other.name = "receipt.zip";
    other.report = b"not a receipt".to_vec();
    let other_receipt = other.hand_in().await.unwrap();
    let dir = campus.dir.path().join("lab");
    for _ in 0..2 {
        run_blocking(&campus, export(&dir)).await.unwrap();
    }
    assert_eq!(
        fs::read(dir.join("S-000001/報告.pdf")).unwrap(),
        group.report
    );
    assert_eq!(fs::read(dir.join("S-000001/receipt.zip")).unwrap(), receipt);
    assert_eq!(
        fs::read(dir.join("S-000002/report-receipt.zip")).unwrap(),
        b"not a receipt"
    );
    assert_eq!(
        fs::read(dir.join("S-000002/receipt.zip")).unwrap(),
        other_receipt
    );
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 2);
}

#[tokio::test]
async fn a_name_of_255_bytes_is_exported_whole() {
    let campus = Campus::open().await;
    let name: &'static str = String::leak("é".repeat(125) + "z.pdf");
    assert_eq!(name.len(), 255);
    let mut group = campus.three();
    group.name = name;
    group.hand_in().await.unwrap();
    let dir = campus.dir.path().join("lab");
    run_blocking(&campus, export(&dir)).await.unwrap();
    let exported = fs::read(dir.join("S-000001").join(name)).unwrap();
    assert_eq!(exported, group.report);
    assert_eq!(fs::read_dir(dir.join("S-000001")).unwrap().count(), 2);
}

#[tokio::test]
async fn a_target_that_cannot_be_written_is_named_and_nothing_is_left_there() {
    let campus = Campus::open().await;
    campus.three().hand_in().await.unwrap();
    campus.group(&["1155000009"]).hand_in().await.unwrap();
    let file = campus.dir.path().join("file");
    fs::write(&file, b"mine").unwrap();
    let error = run_blocking(&campus, export(&file)).await.unwrap_err();
    assert_eq!(failure(error).code, Some("target_not_directory"));
    assert_eq!(fs::read(&file).unwrap(), b"mine");
    // Somebody's directory has the report's name.
    let dir = campus.dir.path().join("lab");
    let taken = dir.join("S-000001/submission.txt");
    fs::create_dir_all(&taken).unwrap();
    let error = run_blocking(&campus, export(&dir)).await.unwrap_err();
    let failure = failure(error);
    assert_eq!(failure.code, Some("target_not_directory"));
    assert!(failure.message.starts_with("not exported: S-000001: "));
    let entries = fs::read_dir(dir.join("S-000001")).unwrap();
    assert_eq!(entries.count(), 1, "nothing half-written");
    assert!(taken.is_dir());
}

#[tokio::test]
async fn a_report_that_is_not_what_was_stored_leaves_no_folder() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    group.hand_in().await.unwrap();
    fs::write(stored(&campus, &group.report), b"other").unwrap();
    let dir = campus.dir.path().join("lab");
    let error = run_blocking(&campus, export(&dir)).await.unwrap_err();
    let failure = failure(error);
    assert_eq!(failure.code, Some("damaged"));
    assert!(failure.remedy.unwrap().contains("backup"));
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
}

fn stored(campus: &Campus, report: &[u8]) -> std::path::PathBuf {
    let sha256 = Fingerprint::of(report).to_string();
    campus.home.path("content").join(&sha256[..2]).join(sha256)
}

#[tokio::test]
async fn an_altered_report_is_not_exported_and_the_others_are() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    group.hand_in().await.unwrap();
    let mut other = campus.group(&["1155000009"]);
    other.report = b"mine".to_vec();
    other.hand_in().await.unwrap();
    let mut report = group.report.clone();
    report[0] ^= 1;
    fs::write(stored(&campus, &group.report), report).unwrap();
    let dir = campus.dir.path().join("lab");
    let error = run_blocking(&campus, export(&dir)).await.unwrap_err();
    let message = failure(error).message;
    assert!(message.starts_with("not exported: S-000001: "), "{message}");
    assert!(!dir.join("S-000001/submission.txt").exists());
    assert_eq!(
        fs::read(dir.join("S-000002/submission.txt")).unwrap(),
        b"mine"
    );
}

#[tokio::test]
async fn shows_one_by_its_number_and_says_what_is_wrong_with_another() {
    let campus = Campus::open().await;
    campus.three().hand_in().await.unwrap();
    for number in ["S-000001", "S-1", "1"] {
        run_blocking(&campus, show(number)).await.unwrap();
    }
    for (number, exit, code) in [
        ("S-999", exit::REFUSED, "no_submission"),
        ("2", exit::REFUSED, "no_submission"),
        ("x", exit::USAGE, "not_a_number"),
        ("S-", exit::USAGE, "not_a_number"),
        ("0", exit::USAGE, "not_a_number"),
        ("-1", exit::USAGE, "not_a_number"),
    ] {
        let failure = failure(run_blocking(&campus, show(number)).await.unwrap_err());
        assert_eq!((failure.exit, failure.code), (exit, Some(code)), "{number}");
        assert!(failure.remedy.unwrap().contains("submissions list"));
    }
}

#[tokio::test]
async fn a_teacher_of_one_assignment_exports_what_is_its_own() {
    let campus = Campus::open().await;
    campus.three().hand_in().await.unwrap();
    let desk = super::overview::desk(&campus, 0);
    let mut place = desk.place(&super::overview::which());
    let rules = desk.store.assignment(&place).unwrap().rules().clone();
    place.assignment = "lab-2".parse().unwrap();
    desk.store.add_assignment(place, rules, desk.now).unwrap();
    let mut other = campus.group(&["1155000009"]);
    other.assignment = ("SANDBOX", "lab-2");
    other.hand_in().await.unwrap();
    let of = |course: &str, assignment: Option<&str>| OfAny {
        course: Some(course.parse().unwrap()),
        assignment: assignment.map(|one| one.parse().unwrap()),
    };
    let exported = async |of: OfAny, name: &str| {
        let dir = campus.dir.path().join(name);
        let command = Submissions::Export {
            dir: dir.clone(),
            of,
            output: PLAIN,
        };
        let result = run_blocking(&campus, command).await.map_err(failure);
        let folders = fs::read_dir(&dir).into_iter().flatten();
        let names = folders.map(|one| one.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        result.map(|()| names)
    };
    let both = ["S-000001", "S-000002"];
    assert_eq!(exported(of("SANDBOX", None), "all").await.unwrap(), both);
    let second = of("SANDBOX", Some("lab-2"));
    assert_eq!(exported(second.clone(), "second").await.unwrap(), both[1..]);
    for (of, code) in [
        (of("CSCI9999", None), "course_unknown"),
        (of("SANDBOX", Some("lab-3")), "assignment_unknown"),
    ] {
        let refused = exported(of, "none").await.unwrap_err();
        assert_eq!((refused.exit, refused.code), (exit::REFUSED, Some(code)));
    }
    // Of one that was altered other rows say whose it is.
    let database = rusqlite::Connection::open(campus.home.path("blackboard.db")).unwrap();
    let alter = "UPDATE submissions SET statement = zeroblob(10) WHERE number = 1";
    database.execute(alter, []).unwrap();
    assert_eq!(exported(second.clone(), "again").await.unwrap(), both[1..]);
    let left_out = exported(of("SANDBOX", Some("lab")), "first")
        .await
        .unwrap_err();
    assert!(left_out.message.contains("S-000001"), "{left_out:?}");
    let list = |of| Submissions::List {
        of,
        verify: false,
        output: PLAIN,
    };
    run_blocking(&campus, list(second)).await.unwrap();
    run_blocking(&campus, list(of("SANDBOX", None)))
        .await
        .unwrap_err();
}

fn list(verify: bool, json: bool) -> Submissions {
    Submissions::List {
        of: OfAny::default(),
        verify,
        output: Output { json },
    }
}

fn show(number: &str) -> Submissions {
    Submissions::Show {
        number: number.to_owned(),
        output: PLAIN,
    }
}

/// An alteration of the first record; whether a plain list shows it, too.
const ALTERATIONS: [(&str, bool); 9] = [
    (
        "statement = CAST(replace(CAST(statement AS TEXT), '1155000003', '1155000004') AS BLOB)",
        true,
    ),
    ("statement = zeroblob(10)", true),
    ("accepted_at = accepted_at - 1", true),
    ("mode = 'tokens'", true),
    ("leaf = zeroblob(length(leaf))", true),
    // What is not listed is only verified.
    ("signatures = zeroblob(length(signatures))", false),
    ("assurance = zeroblob(length(assurance))", false),
    ("leaf_signature = zeroblob(length(leaf_signature))", false),
    ("crls = chains", false),
];

#[tokio::test]
async fn what_was_altered_is_named_and_never_listed_shown_or_exported() {
    for (change, is_listed) in ALTERATIONS {
        let campus = Campus::open().await;
        campus.three().hand_in().await.unwrap();
        campus.group(&["1155000009"]).hand_in().await.unwrap();
        run_blocking(&campus, list(false, false)).await.unwrap();
        run_blocking(&campus, list(true, false)).await.unwrap();
        alter(&campus, &format!("{change} WHERE number = 1"));
        for (verify, json) in [(true, false), (true, true), (false, false), (false, true)] {
            let listed = run_blocking(&campus, list(verify, json)).await;
            if verify || is_listed {
                let failure = failure(listed.unwrap_err());
                assert!(failure.message.starts_with("not listed: S-000001: "));
                assert_eq!(failure.code, Some("altered"), "{change}");
                assert!(failure.remedy.unwrap().contains("backup"), "{change}");
            } else {
                listed.unwrap();
            }
        }
        run_blocking(&campus, show("1")).await.unwrap_err();
        run_blocking(&campus, show("2")).await.unwrap();
        let dir = campus.dir.path().join("lab");
        run_blocking(&campus, export(&dir)).await.unwrap_err();
        assert!(!dir.join("S-000001").exists(), "{change}");
        assert!(dir.join("S-000002/receipt.zip").exists(), "{change}");
    }
}

/// Deletes the second record, as somebody who can write to the database does.
fn delete(campus: &Campus) {
    let connection = rusqlite::Connection::open(campus.home.path("blackboard.db")).unwrap();
    connection
        .pragma_update(None, "foreign_keys", false)
        .unwrap();
    let sql = "DELETE FROM submissions WHERE number = 2";
    assert_eq!(connection.execute(sql, []).unwrap(), 1);
}

#[tokio::test]
async fn what_the_log_has_accepted_and_is_not_here_is_named_by_lists_and_exports() {
    let campus = Campus::open().await;
    campus.three().hand_in().await.unwrap();
    campus.group(&["1155000009"]).hand_in().await.unwrap();
    delete(&campus);
    let dir = campus.dir.path().join("lab");
    for (command, done) in [
        (list(false, false), "listed"),
        (list(true, false), "listed"),
        (list(true, true), "listed"),
        (export(&dir), "exported"),
    ] {
        let failure = failure(run_blocking(&campus, command).await.unwrap_err());
        let told = format!("not {done}: S-000002: the log has accepted S-000002");
        assert!(failure.message.starts_with(&told), "{failure:?}");
        assert_eq!(
            (failure.exit, failure.code),
            (exit::FAULT, Some("record_missing"))
        );
        assert!(failure.remedy.unwrap().contains("backup"));
    }
    assert!(dir.join("S-000001/receipt.zip").exists());
    // Whoever asks about another assignment is told nothing of it.
    let desk = super::overview::desk(&campus, 0);
    let mut place = desk.place(&super::overview::which());
    let rules = desk.store.assignment(&place).unwrap().rules().clone();
    place.assignment = "lab-2".parse().unwrap();
    desk.store.add_assignment(place, rules, desk.now).unwrap();
    let of_other = Submissions::List {
        of: OfAny {
            course: Some("SANDBOX".parse().unwrap()),
            assignment: Some("lab-2".parse().unwrap()),
        },
        verify: true,
        output: PLAIN,
    };
    run_blocking(&campus, of_other).await.unwrap();
}

#[tokio::test]
async fn of_what_was_accepted_and_is_gone_its_members_are_not_told_that_files_are_to_come() {
    let campus = Campus::open().await;
    campus.three().hand_in().await.unwrap();
    campus.group(&["1155000009"]).hand_in().await.unwrap();
    let store = Store::open(&campus.home).unwrap();
    let unfinished = async || {
        let own = Own {
            sids: vec!["1155000009".parse().unwrap()],
            course: None,
            assignment: None,
        };
        store.history(own, None).await.unwrap().unfinished
    };
    assert!(unfinished().await.is_empty());
    delete(&campus);
    let told = unfinished().await;
    let damaged: Vec<_> = told.iter().map(|one| one.damaged).collect();
    assert_eq!(damaged, [true]);
}

fn alter(campus: &Campus, change: &str) {
    let database = campus.home.path("blackboard.db");
    let connection = rusqlite::Connection::open(database).unwrap();
    let change = format!("UPDATE submissions SET {change}");
    assert_eq!(connection.execute(&change, []).unwrap(), 1);
}

#[tokio::test]
async fn a_record_under_another_root_than_the_homes_does_not_count() {
    let campus = Campus::open().await;
    campus.three().hand_in().await.unwrap();
    // The record, its receipt and its root fit together; only the home's root is another.
    let other = TestCampus::new().root().certificate().to_pem();
    fs::write(campus.home.path("ca.pem"), other).unwrap();
    let dir = campus.dir.path().join("lab");
    for command in [list(true, false), show("1"), export(&dir)] {
        let failure = failure(run_blocking(&campus, command).await.unwrap_err());
        assert_eq!(failure.code, Some("other_root"));
        assert!(failure.remedy.unwrap().contains("ca.pem"));
    }
    assert!(!dir.join("S-000001").exists());
}
