//! A private key among the files is asked about before it goes out.

use std::fs;

use crate::campus::Campus;

use super::{Eof, Expect, answer, sandboxed, terminal};

const ID: &str = "1155000001";

#[test]
fn whoever_would_give_a_key_away_is_asked_and_enter_keeps_it() {
    let campus = Campus::sandbox();
    let enrol = ["enrol", "--ids", ID];
    campus.student(&enrol).succeeded();
    let copy = campus.outside().join("exercise.txt");
    let line = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg";
    let made = format!("-----BEGIN PRIVATE KEY-----\n{line}\n-----END PRIVATE KEY-----\n");
    fs::write(&copy, made).unwrap();
    for (said, end) in [("", "cancelled"), ("n", "cancelled"), ("y", "S-000001.zip")] {
        let mut command = sandboxed(&campus);
        command.args(["submit", "--ids", ID]).arg(&copy);
        let mut terminal = terminal(command);
        let question = "Hand it in all the same?";
        answer(
            &mut terminal,
            &[
                ("exercise.txt holds a private key", super::SEEN),
                (question, said),
            ],
        );
        let rest = terminal.expect(Eof).unwrap();
        let rest = String::from_utf8_lossy(rest.as_bytes()).into_owned();
        assert!(rest.contains(end), "{rest}");
        let versions = usize::from(said == "y");
        assert_eq!(campus.submissions().len(), versions, "{said}");
    }
}
