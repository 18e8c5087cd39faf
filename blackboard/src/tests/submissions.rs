//! `blackboard submissions`, beside a running server.

use std::fs;

use scb_certs::Fingerprint;
use scb_cli::Failure;

use super::campus::Campus;
use crate::arguments::{Output, Submissions};
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
async fn an_altered_report_is_not_exported_and_the_others_are() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    group.hand_in().await.unwrap();
    let mut other = campus.group(&["1155000009"]);
    other.report = b"mine".to_vec();
    other.hand_in().await.unwrap();
    let sha256 = Fingerprint::of(&group.report).to_string();
    let stored = campus.home.path("content").join(&sha256[..2]).join(&sha256);
    let mut report = group.report.clone();
    report[0] ^= 1;
    fs::write(&stored, report).unwrap();
    let dir = campus.dir.path().join("lab");
    let error = run_blocking(&campus, export(&dir)).await.unwrap_err();
    let failure = error.downcast_ref::<Failure>().unwrap();
    assert_eq!(failure.message, "not exported: S-000001");
    assert!(!dir.join("S-000001/submission.txt").exists());
    assert_eq!(
        fs::read(dir.join("S-000002/submission.txt")).unwrap(),
        b"mine"
    );
}

#[tokio::test]
async fn shows_one_by_its_number_and_refuses_what_is_not_there() {
    let campus = Campus::open().await;
    campus.three().hand_in().await.unwrap();
    for (number, found) in [
        ("S-000001", true),
        ("1", true),
        ("S-000002", false),
        ("x", false),
    ] {
        let command = Submissions::Show {
            number: number.to_owned(),
            output: PLAIN,
        };
        assert_eq!(
            run_blocking(&campus, command).await.is_ok(),
            found,
            "{number}"
        );
    }
}

fn list(json: bool) -> Submissions {
    Submissions::List {
        output: Output { json },
    }
}

fn show(number: &str) -> Submissions {
    Submissions::Show {
        number: number.to_owned(),
        output: PLAIN,
    }
}

#[tokio::test]
async fn what_was_altered_is_named_and_never_listed_shown_or_exported() {
    for change in [
        "statement = CAST(replace(CAST(statement AS TEXT), '1155000003', '1155000004') AS BLOB)",
        "statement = zeroblob(10)",
        "signatures = zeroblob(length(signatures))",
        "assurance = zeroblob(length(assurance))",
        "accepted_at = accepted_at - 1",
        "mode = 'tokens'",
        "acceptance_signature = zeroblob(length(acceptance_signature))",
    ] {
        let campus = Campus::open().await;
        campus.three().hand_in().await.unwrap();
        campus.group(&["1155000009"]).hand_in().await.unwrap();
        run_blocking(&campus, list(false)).await.unwrap();
        let database = campus.home.path("blackboard.db");
        let connection = rusqlite::Connection::open(database).unwrap();
        let change = format!("UPDATE submissions SET {change} WHERE number = 1");
        assert_eq!(connection.execute(&change, []).unwrap(), 1);
        for json in [false, true] {
            let error = run_blocking(&campus, list(json)).await.unwrap_err();
            let failure = error.downcast_ref::<Failure>().unwrap();
            assert_eq!(failure.message, "not listed: S-000001", "{change}");
        }
        run_blocking(&campus, show("1")).await.unwrap_err();
        run_blocking(&campus, show("2")).await.unwrap();
        let dir = campus.dir.path().join("lab");
        run_blocking(&campus, export(&dir)).await.unwrap_err();
        assert!(!dir.join("S-000001").exists(), "{change}");
        assert!(dir.join("S-000002/receipt.zip").exists(), "{change}");
    }
}
