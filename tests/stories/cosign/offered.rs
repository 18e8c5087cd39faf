//! What `student cosign` offers: nothing whose signature is bound to be refused, what is open first, and
//! of what strangers have begun and ended no more than how much it is.

use std::fs;

use super::{Machines, SIDS, id};
use crate::campus::Ran;

impl Machines {
    /// The teacher's command.
    fn teacher(&self, words: &str) -> Ran {
        let words: Vec<_> = words.split(' ').collect();
        self.campus.administer_blackboard(&words).succeeded()
    }

    /// The whole class of the course.
    fn class(&self, sids: &[&str]) {
        let list = self.campus.outside().join("class.csv");
        fs::write(&list, format!("sid\n{}\n", sids.join("\n"))).unwrap();
        let list = list.to_str().unwrap();
        self.teacher(&format!("course members SANDBOX --list {list}"));
    }

    fn text(&self, sid: &str, arguments: &[&str]) -> String {
        self.on(sid, arguments).succeeded().stdout
    }
}

#[test]
fn nobody_is_asked_for_a_signature_that_the_rules_would_refuse_and_all_are_told_why() {
    let machines = Machines::new();
    let id = id(&machines.propose("our report"));
    let to_sign = format!("student cosign --yes {id}");
    assert!(machines.text(SIDS[1], &["cosign"]).contains(&to_sign));
    machines.class(&[SIDS[0], SIDS[1]]);
    for sid in [SIDS[1], SIDS[2]] {
        let shown = machines.text(sid, &["cosign"]);
        let told = format!("{sid} would be refused: 1155000003: this student is not in the course");
        assert!(shown.contains(&told), "{shown}");
        assert!(!shown.contains(&to_sign), "{shown}");
        assert!(shown.contains("student cosign --refuse "), "{shown}");
    }
    let chinese = machines.text(SIDS[2], &["cosign", "--lang", "zh-Hant"]);
    let told =
        "1155000003 的簽署會被拒絕：1155000003：該學生不在此課程之內（作業：lab，課程：SANDBOX）";
    assert!(chinese.contains(told), "{chinese}");
    let listed = machines.listed(SIDS[1]);
    let one = &listed["proposals"][0];
    assert_eq!(one["to_sign"], serde_json::json!([]));
    assert_eq!(one["refused"][0]["code"], "not_course_member");
    assert_eq!(one["refused"][0]["about"], SIDS[2]);
    // Who insists is told the same by Blackboard, under its signature.
    let yes = ["cosign", "--yes", &id, "--json"];
    machines.on(SIDS[1], &yes).refused(3, "not_course_member");
    assert!(machines.home(SIDS[1]).join("receipts/refused").is_dir());

    machines.teacher("course members SANDBOX --anybody");
    machines.teacher("assignment change lab --course SANDBOX --group-size 1..2 --yes");
    let shown = machines.text(SIDS[1], &["cosign"]);
    let told = "would be refused: the assignment is for groups of another size (";
    assert!(shown.contains(told), "{shown}");
    machines.teacher("assignment change lab --course SANDBOX --group-size 1..3");
    let one = &machines.listed(SIDS[1])["proposals"][0];
    assert_eq!(one["to_sign"][0], SIDS[1]);
    assert_eq!(one["refused"], serde_json::json!([]));
    for sid in &SIDS[1..] {
        machines.on(sid, &["cosign", "--yes", &id]).succeeded();
    }
    assert_eq!(machines.campus.submissions().len(), 1);
}

#[test]
fn what_strangers_have_ended_is_counted_and_what_is_open_comes_first() {
    let machines = Machines::new();
    let first = id(&machines.propose("a first report"));
    machines.on(SIDS[0], &["withdraw", &first]).succeeded();
    let second = id(&machines.propose("a second report"));
    machines
        .on(SIDS[1], &["cosign", "--yes", &second])
        .succeeded();
    let last = id(&machines.propose("a third report"));
    machines.on(SIDS[0], &["withdraw", &last]).succeeded();
    machines.on(SIDS[0], &["withdraw", &second]).succeeded();
    let open = id(&machines.propose("the report"));

    // The second one has signed one of those that ended; the third one none.
    let shown = machines.text(SIDS[1], &["cosign"]);
    let place = |id: &str| shown.find(id);
    assert!(
        place(&open) < place(&second) && place(&open).is_some(),
        "{shown}"
    );
    assert!(place(&first).or(place(&last)).is_none(), "{shown}");
    let told = "2 more have ended, and nobody here had signed them: `student cosign --all`";
    assert!(shown.contains(told), "{shown}");
    let listed = machines.listed(SIDS[2]);
    let told = listed["proposals"].as_array().unwrap();
    assert_eq!((told.len(), &listed["not_shown"]), (1, &3.into()));
    assert_eq!(told[0]["submission_id"], open.as_str());
    let all = machines.on(SIDS[2], &["cosign", "--all", "--json"]);
    let all = all.succeeded().json();
    let told = all["proposals"].as_array().unwrap();
    assert_eq!((told.len(), &all["not_shown"]), (4, &0.into()));
    assert_eq!(told[0]["submission_id"], open.as_str());
    let chinese = machines.text(SIDS[2], &["cosign", "--lang", "zh-Hant"]);
    assert!(chinese.contains("另有 3 份提案已結束"), "{chinese}");
}

#[test]
fn a_history_has_a_line_for_what_waits_and_of_what_has_ended_for_who_had_signed() {
    let machines = Machines::new();
    let ended = id(&machines.propose("an early report"));
    machines.on(SIDS[0], &["withdraw", &ended]).succeeded();
    let nothing = machines.text(SIDS[1], &["history"]);
    assert!(
        nothing.starts_with("Nothing of these students"),
        "{nothing}"
    );
    let open = id(&machines.propose("our report"));
    for sid in SIDS {
        let shown = machines.text(sid, &["history"]);
        let lines = if sid == SIDS[0] { 3 } else { 1 };
        assert_eq!(shown.lines().count(), lines, "{shown}");
        for part in [
            "NOT handed in  2",
            "SANDBOX/lab  1155000001,1155000002,1155000003",
            "waits for 1155000002, 1155000003, until 2",
            "`student cosign`",
        ] {
            assert!(shown.contains(part), "{part} is missing:\n{shown}");
        }
    }
    let history = |with: &[&str]| {
        let arguments = [&["history", "--json"], with].concat();
        machines.on(SIDS[1], &arguments).succeeded().json()
    };
    let told = &history(&[])["proposals"];
    assert_eq!(told.as_array().unwrap().len(), 1);
    assert_eq!(told[0]["submission_id"], open.as_str());
    assert_eq!(told[0]["assignment"], "lab");
    let elsewhere = history(&["--course", "CSCI9999"]);
    assert_eq!(elsewhere["proposals"], serde_json::json!([]));
    let chinese = machines.text(SIDS[1], &["history", "--lang", "zh-Hant"]);
    assert!(
        chinese.contains("等待 1155000002, 1155000003 簽署，至 2"),
        "{chinese}"
    );
    for sid in &SIDS[1..] {
        machines.on(sid, &["cosign", "--yes", &open]).succeeded();
    }
    assert_eq!(history(&[])["proposals"], serde_json::json!([]));
    assert_eq!(history(&[])["versions"][0]["submission"], "S-000001");
}
