//! The scripted commands as a whole, without a terminal.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use scb_cli::{Failure, Term};
use scb_student::{Error, execute};

use crate::campus::{Campus, THREE, hand_in};

fn run(campus: &Campus, arguments: &str) -> Result<(), Error> {
    execute(&campus.line(arguments), Term::plain())
}

fn failure(campus: &Campus, arguments: &str) -> Failure {
    run(campus, arguments).unwrap_err().into()
}

fn receipt(campus: &Campus) -> PathBuf {
    let kept = hand_in(&mut campus.enrolled(&THREE), &THREE, None)
        .0
        .unwrap();
    kept.path
}

fn has_openssl() -> bool {
    let present = Command::new("openssl").arg("version").output().is_ok();
    assert!(
        present || std::env::var_os("CI").is_none(),
        "CI needs openssl"
    );
    present
}

#[test]
fn never_asks_without_a_terminal() {
    let campus = Campus::new();
    for arguments in [
        "",
        "--ca CA enrol --ids 1155000001",
        "--ca CA submit --ids 1155000001",
        "submit",
        "enrol --ids 1155000001",
    ] {
        assert_eq!(failure(&campus, arguments).exit, 2, "{arguments}");
    }
}

#[test]
fn an_audit_renews_what_is_due_as_every_command_does_that_talks_to_cuhk() {
    let campus = Campus::new();
    let audit = |sid: &str| {
        // This CUHK has no log to show; a renewal comes before the look at it.
        run(&campus, &format!("audit --ids {sid}")).unwrap_err();
        campus.desk.renewed.lock().unwrap().len()
    };
    campus.enrolled(&THREE[..1]);
    assert_eq!(audit(THREE[0]), 0, "there is time");
    // They begin ten minutes before they are issued: two thirds are over at once.
    *campus.desk.lifetime.lock().unwrap() = Duration::from_secs(120);
    campus.enrolled(&THREE[1..2]);
    assert_eq!(audit(THREE[1]), 1);
}

#[test]
fn enrols_and_submits_with_a_code_sheet() {
    let campus = Campus::new();
    let sheet = campus.path("codes.csv");
    let rows = THREE.map(|id| format!("{id},{}\n", *campus.desk.code(id).reveal()));
    std::fs::write(&sheet, format!("sid,code\n{}", rows.concat())).unwrap();
    let ids = THREE.join(",");
    let report = campus.path("report.txt");
    std::fs::write(&report, "what is handed in").unwrap();
    let (sheet, report) = (sheet.display(), report.display());
    run(
        &campus,
        &format!("--ca CA submit --ids {ids} --codes {sheet} {report}"),
    )
    .unwrap();
    run(&campus, &format!("submit --ids {ids} --json {report}")).unwrap();
    run(&campus, "receipts").unwrap();
    run(&campus, "receipts --json").unwrap();
    run(&campus, "status").unwrap();
    run(&campus, "status --json").unwrap();
    assert_eq!(campus.desk.stored_count(), 2);
}

#[test]
fn a_code_that_the_sheet_does_not_have_is_a_usage_error() {
    let campus = Campus::new();
    let sheet = campus.path("codes.csv");
    std::fs::write(&sheet, "sid,code\n").unwrap();
    let arguments = format!("--ca CA enrol --ids A --codes {}", sheet.display());
    let failure = failure(&campus, &arguments);
    assert_eq!((failure.exit, failure.code), (2, Some("no_code")));
}

#[test]
fn verifies_a_receipt_and_its_file() {
    let campus = Campus::new();
    let receipt = receipt(&campus).display().to_string();
    let file = campus.path("submission.txt");
    let lines = THREE.map(|id| format!("This is submission from {id}\n").repeat(10));
    std::fs::write(&file, lines.concat()).unwrap();
    run(&campus, &format!("verify {receipt}")).unwrap();
    run(&campus, &format!("verify {receipt} {}", file.display())).unwrap();
    run(&campus, &format!("verify {receipt} --json")).unwrap();
    std::fs::write(&file, "another report").unwrap();
    let failure = failure(&campus, &format!("verify {receipt} {}", file.display()));
    assert_eq!((failure.exit, failure.code), (3, Some("content_altered")));
}

#[test]
fn refuses_an_altered_receipt_and_one_under_another_root() {
    let campus = Campus::new();
    let receipt = receipt(&campus);
    let other = scb_testkit::TestCampus::new().root_fingerprint();
    let line = format!("verify {} --ca-fingerprint {other}", receipt.display());
    let failed = failure(&campus, &line);
    assert_eq!((failed.exit, failed.code), (3, Some("receipt_invalid")));
    // Which root it is, and no word that it proves nothing: by that root it verifies.
    assert!(failed.message.contains(&other.to_string()), "{failed}");
    assert!(!failed.message.contains("proves nothing"), "{failed}");
    let remedy = failed.remedy.unwrap();
    let typed = &remedy[remedy.find("--ca-fingerprint").unwrap()..];
    let (typed, _) = typed.split_once(';').unwrap();
    run(&campus, &format!("verify {} {typed}", receipt.display())).unwrap();
    let mut altered = std::fs::read(&receipt).unwrap();
    let middle = altered.len() / 4;
    altered[middle] ^= 1;
    std::fs::write(&receipt, altered).unwrap();
    let failed = failure(&campus, &format!("verify {}", receipt.display()));
    assert_eq!((failed.exit, failed.code), (3, Some("receipt_invalid")));
}

#[test]
fn a_file_that_cannot_be_read_is_no_fault_of_the_receipt() {
    let campus = Campus::new();
    let receipt = receipt(&campus).display().to_string();
    let file = campus.path("missing");
    let failed = failure(&campus, &format!("verify {receipt} {}", file.display()));
    assert_eq!((failed.exit, failed.code), (5, Some("file")), "{failed}");
}

#[test]
fn the_list_of_receipts_fails_if_one_of_them_does() {
    let campus = Campus::new();
    let receipt = receipt(&campus);
    run(&campus, "receipts").unwrap();
    let second = receipt.with_file_name("S-000002.zip");
    std::fs::create_dir(&second).unwrap();
    let unread = failure(&campus, "receipts --json");
    assert_eq!((unread.exit, unread.code), (5, Some("file")), "{unread}");
    std::fs::remove_dir(&second).unwrap();
    std::fs::write(&second, "no receipt").unwrap();
    for arguments in ["receipts", "receipts --json"] {
        let refused = failure(&campus, arguments);
        assert_eq!((refused.exit, refused.code), (3, Some("receipt_invalid")));
        assert!(refused.message.starts_with("2 receipts"), "{refused}");
    }
}

#[test]
fn verifying_needs_a_root_and_makes_no_home() {
    let campus = Campus::new();
    let receipt = receipt(&campus).display().to_string();
    let nowhere = campus.path("nowhere");
    let without = format!("--home {} verify {receipt}", nowhere.display());
    assert_eq!(failure_of(&without).code, Some("no_root"));
    let ca = campus.path("ca.pem");
    let with = format!("{without} --ca {}", ca.display());
    execute(&parse(&with), Term::plain()).unwrap();
    assert!(!nowhere.exists());
}

fn parse(arguments: &str) -> scb_student::Cli {
    use clap::Parser;
    scb_student::Cli::try_parse_from(format!("student {arguments}").split(' ')).unwrap()
}

fn failure_of(arguments: &str) -> Failure {
    execute(&parse(arguments), Term::plain())
        .unwrap_err()
        .into()
}

#[test]
fn openssl_agrees() {
    if !has_openssl() {
        eprintln!("skipped: no openssl");
        return;
    }
    let campus = Campus::new();
    let receipt = receipt(&campus).display().to_string();
    run(&campus, &format!("verify {receipt} --openssl")).unwrap();
    run(&campus, &format!("verify {receipt} --openssl --json")).unwrap();
}
