//! Canary secrets: no enrolment code, key or token in a log or a process list.

use std::fs;

use crate::campus::{Campus, Ran, SAMPLE, program};

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

/// Arguments stand in the list of processes, where everybody reads them.
#[test]
fn no_program_takes_a_secret_as_an_argument() {
    let pages = tempfile::tempdir().unwrap();
    let mut flags = std::collections::BTreeSet::new();
    for name in ["student", "cuhk", "blackboard"] {
        let mut manual = program(name);
        Ran::of(manual.args(["generate", "man"]).arg(pages.path())).succeeded();
    }
    for page in fs::read_dir(pages.path()).unwrap() {
        let page = fs::read_to_string(page.unwrap().path()).unwrap();
        let page = page.replace('\\', "");
        let words = page.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
        flags.extend(words.filter_map(|word| Some(word.strip_prefix("--")?.to_owned())));
    }
    let harmless = [
        "codes",
        "codes-out",
        "replace-codes",
        "code-out",
        "code-file",
        "same-key",
    ];
    let secret = |flag: &&String| {
        let names = |what| flag.split('-').any(|word| word == what);
        let secrets = [
            "code",
            "codes",
            "passphrase",
            "password",
            "key",
            "secret",
            "pin",
        ];
        secrets.into_iter().any(names)
            && !flag.ends_with("passphrase-file")
            && !harmless.contains(&flag.as_str())
    };
    assert_eq!(flags.iter().find(secret), None);
    for expected in [
        "passphrase-file",
        "new-passphrase-file",
        "codes",
        "code-file",
    ] {
        assert!(flags.contains(expected), "{expected}: {flags:?}");
    }
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
