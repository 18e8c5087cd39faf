//! Which of several assignments is meant.

use super::{Eof, Expect, Newcomer, SEEN, answer, sandboxed, terminal};
use crate::campus::Campus;

fn add_lab_2(campus: &Campus) {
    let words = "assignment add --course SANDBOX --title Lab-2 --due 2099-12-01T12:00:00Z";
    let added = campus.administer_blackboard(&words.split(' ').collect::<Vec<_>>());
    added.succeeded();
}

#[test]
fn which_of_several_assignments_is_meant_is_asked() {
    let newcomer = Newcomer::new();
    let campus = &newcomer.campus;
    add_lab_2(campus);
    let (cuhk, blackboard) = (campus.cuhk.address(), campus.blackboard.address());
    let mut terminal = terminal(newcomer.command(&[]));
    answer(
        &mut terminal,
        &[
            ("CUHK's address", &cuhk),
            ("SHA-256 of CUHK's root", &newcomer.root),
            ("Student ID 1", "1155000010"),
            ("Student ID 2", ""),
            ("Q quit", "2"),
            ("Blackboard's address", &blackboard),
            ("File or folder", &newcomer.campus.report()),
            ("Enrolment code", &newcomer.code("1155000010")),
            ("New passphrase for 1155000010's key", ""),
            ("1  SANDBOX / lab  ", SEEN),
            ("(open, no deadline)", SEEN),
            ("2  SANDBOX / lab-2  Lab-2  (due 2099-12-0", SEEN),
            ("; open, ", SEEN),
            (" left)", SEEN),
            ("Which one?", "3"),
            ("Type a number from 1 to 2.", SEEN),
            ("Which one?", "2"),
            ("S-000001.zip", SEEN),
            ("Q quit", "q"),
        ],
    );
    terminal.expect(Eof).unwrap();
    assert_eq!(newcomer.campus.submissions()[0]["assignment"], "lab-2");
}

#[test]
fn in_a_sandbox_too_which_of_several_assignments_is_meant_is_asked() {
    let campus = Campus::sandbox();
    add_lab_2(&campus);
    // Where nobody can answer, it is refused with the list.
    let refused = campus.student(&["--json"]).refused(2, "several_open");
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains("SANDBOX/lab, SANDBOX/lab-2"), "{message}");
    let mut terminal = terminal(sandboxed(&campus));
    answer(
        &mut terminal,
        &[
            ("Student ID 1", ""),
            ("Student ID 2", ""),
            ("Student ID 3", ""),
            ("1  SANDBOX / lab  ", SEEN),
            ("(open, no deadline)", SEEN),
            ("2  SANDBOX / lab-2  Lab-2  (due 2099-12-0", SEEN),
            ("; open, ", SEEN),
            (" left)", SEEN),
            ("Which one?", "2"),
            ("S-000001.zip", SEEN),
        ],
    );
    terminal.expect(Eof).unwrap();
    assert_eq!(campus.submissions()[0]["assignment"], "lab-2");
}

#[test]
fn what_is_held_back_is_said_beside_what_is_open_and_nothing_is_taken_unasked() {
    let campus = Campus::sandbox();
    add_lab_2(&campus);
    let database = campus.path().join("blackboard/blackboard.db");
    let sql = "UPDATE rules SET rules = json_set(rules, '$.due', '2026-01-01T00:00:00Z') \
               WHERE assignment = 'lab-2'";
    let database = rusqlite::Connection::open(database).unwrap();
    assert_eq!(database.execute(sql, []).unwrap(), 1);
    let mut terminal = terminal(sandboxed(&campus));
    answer(
        &mut terminal,
        &[
            ("Student ID 1", ""),
            ("Student ID 2", ""),
            ("Student ID 3", ""),
            ("1  SANDBOX / lab  ", SEEN),
            ("-  NOT SHOWN: the rules that Blackboard has stored", SEEN),
            ("assignment: SANDBOX/lab-2", SEEN),
            ("another may be meant. Which one?", "1"),
            ("S-000001.zip", SEEN),
        ],
    );
    terminal.expect(Eof).unwrap();
    assert_eq!(campus.submissions()[0]["assignment"], "lab");
}
