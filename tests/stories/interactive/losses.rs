//! A late version is asked about before it takes the place of a better one.

use crate::campus::version;
use crate::losses::{ALONE, dearer_by_now};

use super::{Eof, Expect, SEEN, answer, sandboxed, terminal};

#[test]
fn whoever_would_lose_is_asked_and_enter_leaves_it_as_it_is() {
    let campus = dearer_by_now("", ALONE);
    let report = version(campus.outside());
    let submit = || {
        let mut command = sandboxed(&campus);
        command.args(["submit", "--ids", ALONE, &report]);
        terminal(command)
    };
    let shown = "S-000001 counts now (late by 2 h 0 min); this version would take its place";
    for (said, end) in [("", "cancelled"), ("n", "cancelled"), ("y", "S-000002.zip")] {
        let mut terminal = submit();
        let dialogue = [(shown, SEEN), ("Hand it in all the same?", said)];
        answer(&mut terminal, &dialogue);
        let rest = terminal.expect(Eof).unwrap();
        let rest = String::from_utf8_lossy(rest.as_bytes()).into_owned();
        assert!(rest.contains(end), "{rest}");
        assert!(!rest.contains("session key"), "not shown twice: {rest}");
        let versions = if said == "y" { 2 } else { 1 };
        assert_eq!(campus.submissions().len(), versions, "{said}");
    }
}
