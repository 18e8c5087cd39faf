//! A student is suspended and restored while everything runs.

use std::time::{Duration, Instant};

use crate::campus::{Campus, LONG, Ran, SAMPLE};

/// What must hold this long after the command at the latest.
const SOON: Duration = Duration::from_secs(5);

/// Hands in again and again until it ends as it should, or it is too late.
fn until(campus: &Campus, ids: &str, (exit, limit): (i32, Duration)) -> Ran {
    let began = Instant::now();
    loop {
        let ran = campus.student(&["submit", "--ids", ids, "--json"]);
        if ran.exit == Some(exit) {
            return ran;
        }
        assert!(began.elapsed() < limit, "{ran:#?}");
    }
}

#[test]
fn a_suspended_student_is_refused_within_five_seconds_and_works_again_when_restored() {
    let campus = Campus::sandbox();
    campus.student(&["submit", "--ids", SAMPLE]).succeeded();
    let suspended = campus
        .administer_cuhk(&["roster", "suspend", "1155000001", "--json"])
        .succeeded()
        .json();
    assert_eq!(suspended[0]["outcome"], "suspended");
    assert_eq!(suspended[0]["certificates"], 1);
    let stored = campus.submissions().len();
    // As the first member, whose certificate opens the connection, and alone: by CUHK's answer or
    // in TLS, once the lists are there. Neither says that the certificate is lost.
    for ids in [SAMPLE, "1155000001"] {
        let refused = until(&campus, ids, (3, SOON));
        let inactive = refused.stderr.contains("student_inactive");
        let in_tls = refused.stderr.contains("certificate_on_hold");
        assert!(inactive || in_tls, "{refused:#?}");
        assert!(!refused.stderr.contains("revoked"), "{refused:#?}");
    }
    let refused = campus.student(&["submit", "--ids", "1155000002,1155000001", "--json"]);
    assert_eq!(refused.exit, Some(3), "{refused:#?}");
    assert!(refused.stderr.contains("1155000001"), "{refused:#?}");
    assert_eq!(campus.submissions().len(), stored);
    campus
        .student(&["submit", "--ids", "1155000002,1155000003"])
        .succeeded();

    let restored = campus
        .administer_cuhk(&["roster", "restore", "1155000001", "--json"])
        .succeeded()
        .json();
    assert_eq!(restored[0]["outcome"], "restored");
    until(&campus, SAMPLE, (0, LONG));
}

#[test]
fn who_is_suspended_before_enrolling_gets_nothing_until_restored() {
    let campus = Campus::sandbox();
    campus
        .administer_cuhk(&["roster", "suspend", "1155000004"])
        .succeeded();
    campus
        .student(&["enrol", "--ids", "1155000004", "--json"])
        .refused(3, "student_inactive");
    let code = campus.administer_cuhk(&["code", "issue", "1155000004"]);
    assert_eq!(code.exit, Some(3), "{code:#?}");
    assert!(code.stderr.contains("cuhk roster restore"), "{code:#?}");
    campus
        .administer_cuhk(&["roster", "restore", "1155000004"])
        .succeeded();
    campus
        .student(&["enrol", "--ids", "1155000004"])
        .succeeded();
}

#[test]
fn each_student_is_told_of_and_the_second_time_nothing_changes() {
    let campus = Campus::sandbox();
    let suspend = [
        "roster",
        "suspend",
        "1155000005",
        "1155009999",
        "1155000006",
    ];
    let first = campus.administer_cuhk(&suspend);
    assert_eq!(first.exit, Some(3), "{first:#?}");
    let lines: Vec<_> = first.stdout.lines().collect();
    assert_eq!(
        lines,
        [
            "1155000005   suspended, 0 certificates",
            "1155009999   not on the roster",
            "1155000006   suspended, 0 certificates"
        ]
    );
    let listed = campus.administer_cuhk(&["roster", "list"]).succeeded();
    assert_eq!(listed.stdout.matches("suspended").count(), 2);
    let again = ["roster", "suspend", "1155000005", "1155000006", "--json"];
    let second = campus.administer_cuhk(&again).succeeded().json();
    for row in second.as_array().unwrap() {
        assert_eq!(row["outcome"], "unchanged");
    }
    campus
        .administer_cuhk(&["roster", "restore", "1155009999", "--json"])
        .refused(3, "student_unknown");
}

#[test]
fn one_device_is_revoked_by_its_serial_number_and_for_good() {
    let campus = Campus::sandbox();
    campus
        .student(&["enrol", "--ids", "1155000007"])
        .succeeded();
    let listed = campus.administer_cuhk(&["certs", "list", "--json"]);
    let listed = listed.succeeded().json();
    let of_student = |row: &&serde_json::Value| row["subject"] == "1155000007";
    let row = listed.as_array().unwrap().iter().find(of_student).unwrap();
    let serial = row["serial"].as_str().unwrap();
    assert_eq!(row["live_devices"], 1);
    let listed = campus.administer_cuhk(&["certs", "list"]).succeeded();
    assert!(
        line_of(&listed.stdout, "1155000007").contains("1 of 3"),
        "{}",
        listed.stdout
    );
    let revoked = campus
        .administer_cuhk(&["revoke", serial, "--reason", "superseded", "--json"])
        .succeeded()
        .json();
    assert_eq!(revoked["certificates"], 1);
    campus
        .administer_cuhk(&["revoke", serial, "--json"])
        .refused(3, "nothing_to_revoke");
    for change in ["suspend", "restore"] {
        campus
            .administer_cuhk(&["roster", change, "1155000007"])
            .succeeded();
    }
    let listed = campus.administer_cuhk(&["certs", "list"]).succeeded();
    let line = listed.stdout.lines().find(|line| line.contains(serial));
    assert!(line.unwrap().contains("revoked"), "{}", listed.stdout);
    assert!(
        line_of(&listed.stdout, "1155000007").contains("0 of 3"),
        "{}",
        listed.stdout
    );
    let hold = ["revoke", "1155000007", "--reason", "certificate_hold"];
    let hold = campus.administer_cuhk(&hold);
    assert_eq!(hold.exit, Some(2), "{hold:#?}");
    assert!(hold.stderr.contains("cuhk roster suspend"), "{hold:#?}");
}

/// The line of a listing that ends with this student.
fn line_of<'a>(listed: &'a str, sid: &str) -> &'a str {
    let mut lines = listed.lines();
    lines.find(|line| line.ends_with(sid)).unwrap()
}
