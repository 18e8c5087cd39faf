//! Canary secrets: no enrolment code, key or token in a log or a process list.

use std::fs;

use crate::campus::{Campus, SAMPLE};

#[test]
fn no_secret_reaches_a_log_or_an_output() {
    let campus = Campus::sandbox();
    let codes = fs::read_to_string(campus.path().join("codes.csv")).unwrap();
    let told = campus.student(&["submit", "--ids", SAMPLE]).succeeded();
    // A refusal with the code in the request as well.
    let home = campus.outside().join("home");
    let sheet = campus.path().join("codes.csv");
    let again = [
        "enrol",
        "--ids",
        "1155000001",
        "--codes",
        sheet.to_str().unwrap(),
    ];
    let refused = campus.student_elsewhere(&home, &again);
    let said = [
        campus.cuhk.log(),
        campus.blackboard.log(),
        told.stdout,
        told.stderr,
        refused.stdout,
        refused.stderr,
    ]
    .concat();
    for secret in secrets(&campus, &codes) {
        assert!(
            !said.contains(&secret),
            "a secret of {} characters leaked",
            secret.len()
        );
    }
    assert!(said.contains("1155000001"), "nothing was said at all");
}

/// Codes, tokens and the lines of private keys.
pub(crate) fn secrets(campus: &Campus, codes: &str) -> Vec<String> {
    let cells = codes.lines().flat_map(|row| row.split(','));
    let mut secrets: Vec<String> = cells
        .filter(|cell| cell.len() == 29)
        .map(str::to_owned)
        .collect();
    assert_eq!(secrets.len(), 12);
    for sid in SAMPLE.split(',') {
        let own = campus.path().join("student/students").join(sid);
        let key = fs::read_to_string(own.join("key.pem")).unwrap();
        secrets.push(key.lines().nth(1).unwrap().to_owned());
        let token = fs::read_to_string(own.join("token.jwt")).unwrap();
        secrets.push(token.trim().rsplit('.').next().unwrap().to_owned());
    }
    secrets
}
