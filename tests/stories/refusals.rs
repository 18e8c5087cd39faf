//! Refusals that need processes: each names its code, and nothing has changed.

use std::fs;
use std::time::{Duration, Instant};

use crate::campus::{Campus, LONG, Ran, SAMPLE, Server, program, serve};

#[test]
fn an_unknown_id_and_a_wrong_code_get_the_same_reply() {
    let campus = Campus::sandbox();
    let home = campus.outside().join("home");
    let codes = campus.outside().join("codes.csv");
    let sheet = |sid: &str| {
        let row = format!("sid,code\n{sid},00000-00000-00000-00000-00000\n");
        fs::write(&codes, row).unwrap();
        let arguments = [
            "enrol",
            "--ids",
            sid,
            "--json",
            "--codes",
            codes.to_str().unwrap(),
        ];
        let error = campus
            .student_elsewhere(&home, &arguments)
            .refused(3, "enrolment_refused");
        error["message"].as_str().unwrap().replace(sid, "SID")
    };
    assert_eq!(sheet("9999999999"), sheet("1155000001"));
    let listed = campus
        .administer_cuhk(&["certs", "list"])
        .succeeded()
        .stdout;
    assert!(!listed.contains("1155000001"), "{listed}");
}

#[test]
fn a_code_is_good_for_one_key() {
    let campus = Campus::sandbox();
    campus
        .student(&["enrol", "--ids", "1155000001"])
        .succeeded();
    let codes = campus.path().join("codes.csv");
    let arguments = [
        "enrol",
        "--ids",
        "1155000001",
        "--json",
        "--codes",
        codes.to_str().unwrap(),
    ];
    let home = campus.outside().join("home");
    campus
        .student_elsewhere(&home, &arguments)
        .refused(3, "code_used");
}

#[test]
fn the_same_id_twice_is_refused_before_anything_is_sent() {
    let campus = Campus::sandbox();
    let ran = campus.student(&["submit", "--ids", "1155000001,1155000001", "--json"]);
    assert!(matches!(ran.exit, Some(2 | 3)), "{ran:#?}");
    assert!(ran.stderr.contains("1155000001"), "{ran:#?}");
    assert!(campus.submissions().is_empty());
}

#[test]
fn a_revoked_student_is_refused_and_the_others_are_not() {
    let campus = Campus::sandbox();
    campus.student(&["enrol", "--ids", SAMPLE]).succeeded();
    campus
        .administer_cuhk(&["revoke", "1155000002"])
        .succeeded();
    let ran = campus.student(&["submit", "--ids", SAMPLE, "--json"]);
    assert_eq!(ran.exit, Some(3), "{ran:#?}");
    assert!(ran.stderr.contains("1155000002"), "{ran:#?}");
    assert!(
        ran.stderr.contains("student_inactive") || ran.stderr.contains("certificate_revoked"),
        "{ran:#?}"
    );
    assert!(campus.submissions().is_empty());
    campus
        .student(&["submit", "--ids", "1155000001,1155000003"])
        .succeeded();
}

#[test]
fn cuhk_away_is_told_within_three_seconds_and_heals_by_itself() {
    let mut campus = Campus::sandbox();
    campus.student(&["enrol", "--ids", SAMPLE]).succeeded();
    let address = campus.cuhk.address();
    campus.cuhk.kill();
    let began = Instant::now();
    let ran = campus.student(&["submit", "--ids", SAMPLE, "--json"]);
    let error = ran.refused(4, "cuhk_unavailable");
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    assert!(error["remedy"].is_string());
    assert!(campus.submissions().is_empty());

    let mut arguments = serve(&campus.path());
    *arguments.last_mut().unwrap() = address.into();
    campus.cuhk = Server::start("cuhk", &arguments);
    let deadline = Instant::now() + LONG;
    loop {
        let ran = campus.student(&["submit", "--ids", SAMPLE, "--json"]);
        if ran.exit == Some(0) {
            break;
        }
        assert!(Instant::now() < deadline, "{ran:#?}");
    }
}

#[test]
fn another_root_is_refused_before_a_code_is_sent() {
    let campus = Campus::sandbox();
    let other = Campus::sandbox();
    let sheet = fs::read_to_string(campus.path().join("codes.csv")).unwrap();
    let code = sheet.split(',').find(|cell| cell.len() == 29).unwrap();
    let codes = campus.outside().join("codes.csv");
    fs::write(&codes, format!("sid,code\n1155000001,{code}\n")).unwrap();
    let ran = Ran::of(
        program("student")
            .args(["--json", "--home"])
            .arg(campus.outside().join("home"))
            .args(["--cuhk", &campus.cuhk.address(), "--ca"])
            .arg(other.path().join("ca.pem"))
            .args(["enrol", "--ids", "1155000001", "--codes"])
            .arg(codes),
    );
    ran.refused(3, "server_identity");
    campus
        .student(&["enrol", "--ids", "1155000001"])
        .succeeded();
}

#[test]
fn a_home_of_another_role_is_refused() {
    let campus = Campus::sandbox();
    let home = campus.path().join("cuhk");
    let ran = Ran::of(program("student").arg("--home").arg(home).arg("status"));
    assert_ne!(ran.exit, Some(0));
    assert!(ran.stderr.contains("cuhk"), "{ran:#?}");
}

#[test]
fn without_a_terminal_nothing_is_asked() {
    let campus = Campus::sandbox();
    let home = campus.outside().join("home");
    let ran = campus.student_elsewhere(
        &home,
        &["submit", &campus.report(), "--ids", SAMPLE, "--json"],
    );
    assert_eq!(ran.exit, Some(2), "{ran:#?}");
    assert!(ran.stderr.contains("--codes"), "{ran:#?}");
}

#[cfg(unix)]
#[test]
fn a_code_sheet_that_others_can_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt;
    let campus = Campus::sandbox();
    let sheet = campus.outside().join("codes.csv");
    fs::copy(campus.path().join("codes.csv"), &sheet).unwrap();
    let enrol = |sid: &str, mode| {
        fs::set_permissions(&sheet, fs::Permissions::from_mode(mode)).unwrap();
        let sheet = sheet.to_str().unwrap();
        campus
            .student(&["enrol", "--ids", sid, "--codes", sheet])
            .succeeded()
    };
    let warned = enrol("1155000001", 0o644).stderr;
    let remedy = format!(
        "(mode 644); keep them to yourself: chmod 600 {}",
        sheet.display()
    );
    assert!(
        warned.starts_with("warning: ") && warned.contains(&remedy),
        "{warned}"
    );
    assert_eq!(enrol("1155000002", 0o600).stderr, "");
}

#[test]
fn the_same_mistake_has_the_same_exit_code_in_every_command() {
    let campus = Campus::sandbox();
    for arguments in [
        ["submit", "--report", "/none/such"],
        ["submit", "--codes", "/none/such"],
        ["enrol", "--codes", "/none/such"],
        ["verify", "/none/such", "--json"],
    ] {
        let ran = campus.student(&arguments);
        assert_eq!(ran.exit, Some(5), "{arguments:?}: {ran:#?}");
    }
    for command in ["enrol", "submit"] {
        let twice = [command, "--ids", "1155000001, 1155000001", "--json"];
        campus.student(&twice).refused(2, "duplicate_member");
    }
    assert!(campus.submissions().is_empty());
}
