//! What other members have proposed, signed or refused from the menu.

use std::path::PathBuf;

use crate::campus::Campus;

use super::{Eof, Expect, SEEN, answer, terminal};

const PROPOSER: &str = "1155000001";
const ASKED: &str = "1155000002";

/// Two machines; on one of them a report was proposed.
struct Proposed {
    campus: Campus,
    home: PathBuf,
}

impl Proposed {
    fn new() -> Self {
        let campus = Campus::sandbox();
        let codes = campus.path().join("codes.csv");
        let codes = codes.to_str().unwrap();
        let homes = [PROPOSER, ASKED].map(|sid| (sid, campus.outside().join(sid)));
        for (sid, home) in &homes {
            let enrol = ["enrol", "--ids", sid, "--codes", codes];
            campus.student_elsewhere(home, &enrol).succeeded();
        }
        let report = campus.outside().join("report.pdf");
        std::fs::write(&report, "our report").unwrap();
        let report = report.to_str().unwrap();
        let propose = ["submit", "--ids", PROPOSER, "--with", ASKED, report];
        let [(_, proposer), (_, home)] = homes;
        campus.student_elsewhere(&proposer, &propose).succeeded();
        Self { campus, home }
    }

    /// What is shown and answered on the other machine.
    fn dialogue(&self, arguments: &[&str], dialogue: &[(&str, &str)]) {
        let mut terminal = terminal(self.campus.command_elsewhere(&self.home, arguments));
        answer(&mut terminal, dialogue);
        terminal.expect(Eof).unwrap();
    }
}

#[test]
fn what_waits_is_shown_asked_about_and_signed() {
    let proposed = Proposed::new();
    let dialogue = [
        ("With a certificate here: 1155000002", SEEN),
        ("Student ID 1 [1155000002]", ""),
        ("Student ID 2", ""),
        ("4 Sign what others have proposed", "4"),
        ("report.pdf, 10 bytes", SEEN),
        ("sign it as 1155000002? (y)es, (r)efuse", ""),
        ("Not now: nothing was signed.", SEEN),
        ("Q quit", "4"),
        ("sign it as 1155000002?", "y"),
        ("S-000001.zip", SEEN),
        ("Q quit", "4"),
        ("handed in as S-000001", SEEN),
        ("Q quit", "q"),
    ];
    proposed.dialogue(&[], &dialogue);
    assert_eq!(proposed.campus.submissions().len(), 1);
}

#[test]
fn nobody_is_asked_to_sign_what_the_rules_would_refuse() {
    let proposed = Proposed::new();
    let alone = "assignment change lab --course SANDBOX --group-size 1 --yes";
    let alone: Vec<_> = alone.split(' ').collect();
    proposed.campus.administer_blackboard(&alone).succeeded();
    let dialogue = [
        ("Student ID 1 [1155000002]", ""),
        ("Student ID 2", ""),
        ("4 Sign what others have proposed", "4"),
        ("1155000002 would be refused: ", SEEN),
        ("to refuse", SEEN),
        // The menu again: nothing was asked, and this answers no question.
        ("Q quit", "q"),
    ];
    proposed.dialogue(&[], &dialogue);
}

#[test]
fn it_is_refused_in_chinese_as_well_and_not_by_who_has_no_certificate() {
    let proposed = Proposed::new();
    let dialogue = [
        ("學生編號 1", ASKED),
        ("學生編號 2", "1155000003"),
        ("學生編號 3", ""),
        ("4 簽署組員的提案", "4"),
        ("1155000003 需先領取證書", SEEN),
        ("以 1155000002 簽署？", "r"),
        ("已被拒絕：沒有提交", SEEN),
        ("Q 離開", "q"),
    ];
    proposed.dialogue(&["--lang", "zh-Hant"], &dialogue);
    assert_eq!(proposed.campus.submissions().len(), 0);
}

#[test]
fn q_quits_before_the_menu_and_a_choice_of_the_menu_is_no_student() {
    let proposed = Proposed::new();
    let dialogue = [
        ("Student ID 1 [1155000002]", "2"),
        ("The menu comes after the student IDs", SEEN),
        ("Student ID 1", "1155000002,1155000003"),
        ("One student ID at a time", SEEN),
        ("Student ID 1", "Q"),
    ];
    proposed.dialogue(&[], &dialogue);
    let mut new = terminal({
        let mut command = crate::campus::program("student");
        command
            .arg("--home")
            .arg(proposed.campus.outside().join("new"));
        command
    });
    answer(&mut new, &[("CUHK's address", "q")]);
    new.expect(Eof).unwrap();
}

#[test]
fn who_is_named_and_not_enrolled_here_is_said_before_a_code_is_asked_for() {
    let proposed = Proposed::new();
    let submit = ["submit", "--ids", "1155000022", &proposed.campus.report()];
    let mut terminal = terminal(proposed.campus.command_elsewhere(&proposed.home, &submit));
    let told = "Not enrolled here: 1155000022; enrolled here: 1155000002. If an ID is mistyped";
    let dialogue = [(told, SEEN), ("Enrolment code of 1155000022", "\u{3}")];
    answer(&mut terminal, &dialogue);
    terminal.expect(Eof).unwrap();
}
