//! One student, several machines; and hands that are careless on the student's side.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::campus::{Campus, Ran, Server, program, serve_at, write_secret};

const SID: &str = "1155000001";

/// A further code for the student, as a sheet.
fn code(campus: &Campus, name: &str) -> PathBuf {
    let file = campus.outside().join(name);
    let out = file.to_str().unwrap();
    campus
        .administer_cuhk(&["code", "issue", SID, "--out", out])
        .succeeded();
    file
}

fn enrol(campus: &Campus, home: &Path, codes: &Path) -> Ran {
    let codes = codes.to_str().unwrap();
    let arguments = [
        "enrol",
        "--ids",
        SID,
        "--new-device",
        "--codes",
        codes,
        "--json",
    ];
    campus.student_elsewhere(home, &arguments)
}

#[test]
fn three_machines_have_a_certificate_each_and_a_fourth_has_none() {
    let campus = Campus::sandbox();
    campus.student(&["enrol", "--ids", SID]).succeeded();
    let home = |name: &str| campus.outside().join(name);

    // The code of the first machine is of no use on the second.
    let used = enrol(&campus, &home("second"), &campus.path().join("codes.csv"));
    let error = used.refused(3, "code_used");
    let remedy = error["remedy"].as_str().unwrap();
    assert!(remedy.contains("cuhk code issue 1155000001"), "{remedy}");
    assert!(
        remedy.contains("student enrol --ids 1155000001 --new-device"),
        "{remedy}"
    );

    for machine in ["second", "third"] {
        let codes = code(&campus, &format!("{machine}.csv"));
        enrol(&campus, &home(machine), &codes).succeeded();
        let submit = ["submit", "--ids", SID, "--json", &campus.report()];
        campus
            .student_elsewhere(&home(machine), &submit)
            .succeeded();
    }
    campus.student(&["submit", "--ids", SID]).succeeded();

    let codes = code(&campus, "fourth.csv");
    let error = enrol(&campus, &home("fourth"), &codes).refused(3, "too_many_devices");
    let remedy = error["remedy"].as_str().unwrap();
    assert!(remedy.contains("cuhk revoke SERIAL"), "{remedy}");
    assert!(remedy.contains("--replace"), "{remedy}");

    // One is given up: the same command with the same code goes through.
    let listed = campus.administer_cuhk(&["certs", "list", "--json"]);
    let listed = listed.succeeded().json();
    let mut certificates = listed.as_array().unwrap().iter();
    let of_student = certificates.find(|row| row.to_string().contains(SID));
    let serial = of_student.unwrap()["serial"].as_str().unwrap();
    campus.administer_cuhk(&["revoke", serial]).succeeded();
    enrol(&campus, &home("fourth"), &codes).succeeded();
}

#[test]
fn a_further_certificate_is_told_about() {
    let campus = Campus::sandbox();
    let both = ["enrol", "--ids", SID, "--new-device", "--replace"];
    assert_eq!(campus.student(&both).exit, Some(2));
    let ran = campus.student(&["enrol", "--ids", SID, "--new-device"]);
    assert!(ran.succeeded().stdout.contains("other machines stay good"));
}

#[test]
fn keys_have_a_passphrase_or_status_says_that_they_have_none() {
    let campus = Campus::sandbox();
    let passphrase = campus.outside().join("passphrase");
    write_secret(&passphrase, "correct horse battery\n");
    let file = passphrase.to_str().unwrap();
    campus.student(&["enrol", "--ids", SID]).succeeded();
    let protect = ["enrol", "--ids", "1155000002", "--protect"];
    campus
        .student(&[&protect[..], &["--passphrase-file", file]].concat())
        .succeeded();
    let status = campus.student(&["status"]).succeeded().stdout;
    assert!(
        status.contains("no passphrase: whoever gets at the key file of 1155000001 can sign"),
        "{status}"
    );
    let status = campus.student(&["status", "--json"]).succeeded().json();
    assert_eq!(status["students"][0]["passphrase"], false);
    assert_eq!(status["students"][1]["passphrase"], true);

    let submit = ["submit", "--ids", "1155000002", "--json"];
    let none = campus.student(&submit);
    assert_eq!(none.exit, Some(2), "{none:#?}");
    assert!(none.stderr.contains("--passphrase-file"), "{none:#?}");
    let wrong = campus.outside().join("wrong");
    write_secret(&wrong, "wrong horse\n");
    let with = |file: &str| campus.student(&[&submit[..], &["--passphrase-file", file]].concat());
    let error = with(wrong.to_str().unwrap()).refused(2, "wrong_passphrase");
    let remedy = error["remedy"].as_str().unwrap();
    assert!(remedy.contains("--replace --protect"), "{remedy}");
    with(file).succeeded();
}

#[test]
fn a_key_that_others_can_read_is_not_used_until_it_is_mended() {
    let campus = Campus::sandbox();
    campus.student(&["enrol", "--ids", SID]).succeeded();
    let key = campus.path().join("student/students").join(SID);
    let key = key.join("key.pem");
    let mode = |mode| fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o644);
    let submit = ["submit", "--ids", SID, "--json"];
    let error = campus.student(&submit).refused(5, "key_file_readable");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains(&format!("chmod 600 {}", key.display())),
        "{message}"
    );
    assert!(campus.submissions().is_empty());
    mode(0o600);
    campus.student(&submit).succeeded();
}

#[test]
fn another_service_in_the_place_of_one_is_named() {
    let campus = Campus::sandbox();
    campus.student(&["enrol", "--ids", SID]).succeeded();
    let (cuhk, blackboard) = (campus.cuhk.address(), campus.blackboard.address());
    let cases = [
        (
            ["enrol", "--replace", "--cuhk", &blackboard],
            "expected: cuhk, found: blackboard",
        ),
        (
            ["submit", "--json", "--blackboard", &cuhk],
            "expected: blackboard, found: cuhk",
        ),
    ];
    for (arguments, names) in cases {
        let arguments = [&arguments[..], &["--ids", SID]].concat();
        let ran = campus.student(&arguments);
        assert_eq!(ran.exit, Some(3), "{ran:#?}");
        assert!(ran.stderr.contains("server_identity"), "{ran:#?}");
        assert!(ran.stderr.contains(names), "{ran:#?}");
    }
    assert!(campus.submissions().is_empty());
}

#[test]
fn an_address_that_the_certificate_does_not_cover_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = dir.path().join("sandbox");
    let cuhk = Server::start("cuhk", &serve_at(&sandbox, "127.0.0.2:0"));
    let mut command = program("student");
    command.arg("--sandbox").arg(&sandbox);
    let ran = Ran::of(command.args(["enrol", "--ids", SID, "--json"]));
    let error = ran.refused(3, "server_identity");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("expected: 127.0.0.2"), "{message}");
    assert!(message.contains("localhost, 127.0.0.1"), "{message}");
    drop(cuhk);
}
