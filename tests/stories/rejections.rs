//! What a refused group can show later: Blackboard signed that it refused.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::campus::{Campus, LONG, Ran, SAMPLE, judge, refuses_altered, script, version};

/// A campus whose assignment takes nothing any more.
fn closed() -> Campus {
    let campus = Campus::sandbox();
    campus
        .administer_blackboard(&["assignment", "close", "lab", "--course", "SANDBOX", "--yes"])
        .succeeded();
    campus
}

fn submit(campus: &Campus, more: &[&str]) -> Ran {
    let of = ["--course", "SANDBOX", "--assignment", "lab"];
    let report = version(campus.outside());
    campus.student(&[&["submit", "--ids", SAMPLE, &report][..], &of, more].concat())
}

/// The one file in which the refusal is kept.
fn kept(campus: &Campus) -> PathBuf {
    let files = fs::read_dir(campus.path().join("receipts/refused")).unwrap();
    let files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    let [file] = &files[..] else {
        panic!("{files:?}");
    };
    file.clone()
}

fn verify(campus: &Campus, file: &Path, more: &[&str]) -> Ran {
    campus.student(&[&["verify", file.to_str().unwrap()][..], more].concat())
}

#[test]
fn a_refusal_is_signed_kept_and_judged_without_the_server() {
    let mut campus = closed();
    let ran = submit(&campus, &[]);
    assert_eq!(ran.exit, Some(3), "{ran:#?}");
    let file = kept(&campus);
    let said = format!(
        "refused; Blackboard signed that, kept in {}",
        file.display()
    );
    assert!(ran.stdout.contains(&said), "{ran:#?}");
    campus.blackboard.stop();
    campus.cuhk.stop();

    let verdict = verify(&campus, &file, &[]).succeeded().stdout;
    for told in [
        "verdict    it verifies: ",
        "[assignment_closed]",
        "SANDBOX/lab because",
    ] {
        assert!(verdict.contains(told), "{told}: {verdict}");
    }
    let chinese = verify(&campus, &file, &["--lang", "zh-Hant"])
        .succeeded()
        .stdout;
    for told in [
        "[assignment_closed]",
        "\n拒絕       ",
        "\n組員       1155000001、",
    ] {
        assert!(chinese.contains(told), "{told}: {chinese}");
    }
    let json = verify(&campus, &file, &["--json"]).succeeded().json();
    assert_eq!(json["refused"], "assignment_closed");
    assert_eq!(json["members"].as_array().unwrap().len(), 3);

    let mut bytes = fs::read(&file).unwrap();
    let place = bytes.windows(17).position(|at| at == b"assignment_closed");
    bytes[place.unwrap()] ^= 1;
    let altered = campus.outside().join("altered.zip");
    fs::write(&altered, &bytes).unwrap();
    verify(&campus, &altered, &["--json"]).refused(3, "receipt_invalid");
    by_openssl(&campus, &file);
    by_script(
        &campus,
        &file,
        "; PENDING: no cosignature of the log had come yet\n",
    );
}

/// The script comes to the same verdict, and refuses whatever is altered.
fn by_script(campus: &Campus, file: &Path, ends: &str) {
    let Some(theirs) = script(campus, file) else {
        return;
    };
    let theirs = theirs.succeeded().stdout;
    let verdict = format!(
        "verdict    it verifies: {} refused at 2",
        SAMPLE.replace(',', ", ")
    );
    assert!(theirs.contains(&verdict), "{theirs}");
    let ends = format!(" for SANDBOX/lab [assignment_closed]{ends}");
    assert!(theirs.ends_with(&ends), "{ends}: {theirs}");
    let ours = verify(campus, file, &[]).succeeded().stdout;
    for what in [
        "root ",
        "refused ",
        "members ",
        "logged ",
        "witnessed ",
        "lists ",
    ] {
        let lines = |text: &str| text.lines().filter(|line| line.starts_with(what)).count();
        assert_eq!(lines(&theirs), lines(&ours), "{what}: {ours}{theirs}");
    }
    let parts = [
        "assignment_closed",
        "\"index\":",
        "-----BEGIN",
        "1155000002",
    ];
    refuses_altered(campus, file, &parts);
}

/// `openssl` comes to the same verdict on the signature, and refuses an entry that was altered.
fn by_openssl(campus: &Campus, file: &Path) {
    let (Some(mut openssl), Some(mut python)) = (judge("openssl"), judge("python3")) else {
        return;
    };
    let dir = campus.outside().join("unpacked");
    let unpack = ["-m", "zipfile", "-e", file.to_str().unwrap()];
    let unpacked = python.args(unpack).arg(&dir).status().unwrap();
    assert!(unpacked.success());
    let verify = "cms -verify -binary -purpose any -inform DER -in leaf.p7s -content leaf.json \
                  -CAfile cuhk-ca.pem -out out";
    let judged = |openssl: &mut Command| {
        let openssl = openssl.args(verify.split_whitespace()).current_dir(&dir);
        openssl.output().unwrap().status.success()
    };
    assert!(judged(&mut openssl));
    let leaf = fs::read_to_string(dir.join("leaf.json")).unwrap();
    let leaf = leaf.replace("assignment_closed", "group_size");
    fs::write(dir.join("leaf.json"), leaf).unwrap();
    assert!(!judged(&mut judge("openssl").unwrap()));
}

#[test]
fn its_proof_comes_with_the_next_look_at_the_receipts() {
    let campus = closed();
    submit(&campus, &[]);
    let (began, file) = (Instant::now(), kept(&campus));
    let line = loop {
        let listed = campus.student(&["receipts"]).succeeded().stdout;
        let is_it = |line: &&str| line.starts_with("refused/");
        let line = listed.lines().find(is_it).unwrap().to_owned();
        assert!(line.contains("refused: assignment_closed"), "{line}");
        if !line.contains("pending") {
            break line;
        }
        assert!(began.elapsed() < LONG, "{line}");
    };
    let name = file.file_name().unwrap().to_string_lossy();
    assert!(line.contains(&*name), "{line}");
    let verdict = verify(&campus, &file, &[]).succeeded().stdout;
    assert!(verdict.contains("\nwitnessed  by "), "{verdict}");
    assert!(!verdict.contains("PENDING"), "{verdict}");
    // With it came the lists by which CUHK's endorsement is judged.
    assert!(
        verdict.contains("\nlists      in force until "),
        "{verdict}"
    );
    assert!(!verdict.contains("ONLY"), "{verdict}");
    let json = verify(&campus, &file, &["--json"]).succeeded().json();
    assert_eq!(json["lists_ended_before_witness"], false);
    by_script(&campus, &file, "\n");
    let json = campus.student(&["receipts", "--json"]).succeeded().json();
    assert_eq!(json["refusals"][0]["pending"], false);
}

#[test]
fn who_was_not_verified_is_given_nothing() {
    let campus = closed();
    campus.student(&["enrol", "--ids", SAMPLE]).succeeded();
    campus
        .administer_cuhk(&["revoke", "1155000002"])
        .succeeded();
    let ran = submit(&campus, &[]);
    assert_eq!(ran.exit, Some(3), "{ran:#?}");
    assert!(!campus.path().join("receipts/refused").exists());
}
