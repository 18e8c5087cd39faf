//! A disk that gives back other bytes than it was given: nothing of that is acknowledged.

use std::fs;

use crate::campus::{Campus, Server, program, serve_at};
use crate::disk::submit_with;
use crate::fsync::{MEANT, shim};
use crate::ledger::Ledger;

/// One bit is another of whatever is read from these.
const SHIM: &str = r#"
ssize_t read(int fd, void *buffer, size_t count) {
    ssize_t n = REAL(read)(fd, buffer, count);
    if (n > 0 && is_meant(fd)) ((char *)buffer)[n / 2] ^= 1;
    return n;
}
"#;

#[test]
fn what_the_disk_gives_back_altered_gets_no_receipt_and_the_same_command_hands_it_in() {
    let dir = tempfile::tempdir().unwrap();
    let Some(shim) = shim(dir.path(), &[MEANT, SHIM].concat()) else {
        return;
    };
    let mut campus = Campus::sandbox();
    campus.student(&["enrol"]).succeeded();
    campus.blackboard.stop();
    let trigger = dir.path().join("trigger");
    let mut altering = program("blackboard");
    altering.args(serve_at(&campus.path(), &campus.blackboard.address()));
    altering.env("LD_PRELOAD", &shim);
    altering.env("FAULT_PATH", "/content/uploads/");
    altering.env("FAULT_TRIGGER", &trigger);
    campus.blackboard = Server::start_command(&mut altering);
    let mut ledger = Ledger::default();
    ledger.note(&submit_with(&campus, "before", &[]).succeeded());

    fs::write(&trigger, "").unwrap();
    let refused = submit_with(&campus, "amid", &["--wait", "0"]).refused(5, "storage_faulty");
    let message = refused["message"].as_str().unwrap();
    let remedy = refused["remedy"].as_str().unwrap();
    for (part, of) in [
        ("what was signed is recorded at 2", message),
        ("no receipt was given: run the same `submit` again", remedy),
        ("whoever runs Blackboard was told", remedy),
        ("again sends what is missing", remedy),
    ] {
        assert!(of.contains(part), "{part}: {refused:#}");
    }
    let log = campus.blackboard.log();
    assert!(!log.contains("the store failed"), "{log}");
    ledger.is_all_of(&campus);
    let kept = fs::read_dir(campus.path().join("receipts")).unwrap();
    let kept = kept.filter_map(|file| file.ok()?.path().extension().map(|end| end == "zip"));
    assert_eq!(kept.filter(|is_receipt| *is_receipt).count(), 1);

    fs::remove_file(&trigger).unwrap();
    let handed_in = submit_with(&campus, "amid", &[]).succeeded();
    ledger.note(&handed_in);
    let submission = handed_in.json()["submission_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let told = format!(
        "step 6: the disk of Blackboard gave back other bytes than came (file: report.txt, \
         submission: {submission})"
    );
    assert!(message.starts_with(&told), "{told}: {message}");
    let to_operator = format!("{told}: SHA-256 ");
    assert_eq!(log.matches(&to_operator).count(), 1, "{log}");
    ledger.is_all_of(&campus);
    campus.administer_blackboard(&["fsck"]).succeeded();
}
