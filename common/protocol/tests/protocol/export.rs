//! What an archive's judges, ours and the script in `docs/`, make of the entries of a log and of
//! the names of files: they come to the same.

use std::process::Command;

use rustls_pki_types::UnixTime;
use scb_certs::Fingerprint;
use scb_protocol::export::{AcceptedAfter, LogLine, Reading, safe_paths};
use scb_protocol::log_leaf::{
    Accepted, Closed, Committed, Detached, Ended, Entry, Lapsed, Leaf, LogName, Proposed, Restored,
    RulesEntry, Signed, leaf_commitment,
};
use scb_protocol::statement::{FileEntry, Files, SubmissionId};
use scb_protocol::{Mode, from_seconds};
use serde_json::{Value, json};

use crate::support::{Judge, judge};

const MOMENT: u64 = 1_795_262_401;

/// What the script makes of some JSON, by an expression over it.
fn script(expression: &str, input: &Value) -> Option<(bool, String)> {
    if !judge(Judge::Cryptography) {
        return None;
    }
    let program = format!(
        "import json, sys; sys.path.insert(0, sys.argv[1]); import verify_export as judge\n\
         given = json.loads(sys.argv[2]); print(json.dumps({expression}))"
    );
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs");
    let mut python = Command::new("python3");
    python.env("PYTHONDONTWRITEBYTECODE", "1");
    python.args(["-c", &program, docs, &input.to_string()]);
    let output = python.output().unwrap();
    let said = [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap());
    Some((output.status.success(), said.concat().trim().to_owned()))
}

fn log() -> LogName {
    "cuhk.example/blackboard/CSCI-3150/asg1".parse().unwrap()
}

fn at(second: u64) -> UnixTime {
    from_seconds(MOMENT + second)
}

fn submission(number: u8) -> SubmissionId {
    SubmissionId::from_bytes([number; 16])
}

fn hash(number: u8) -> Fingerprint {
    Fingerprint::from_bytes([number; 32])
}

fn committed(number: u8) -> Entry {
    Entry::Committed(Committed {
        submission: submission(number),
        statement_sha256: hash(number),
        p7s_sha256: hash(20),
        mode: Mode::Verified,
        verification_sha256: hash(21),
        members: vec!["1155000001".parse().unwrap()],
    })
}

fn proposed(number: u8) -> Entry {
    Entry::Proposed(Proposed {
        submission: submission(number),
        statement_sha256: hash(number),
        members: vec!["1155000001".parse().unwrap()],
        waits_until: at(60),
    })
}

/// What ends a proposal, or gives up what was committed.
fn ended(number: u8) -> Ended {
    Ended {
        submission: submission(number),
        members: vec!["1155000001".parse().unwrap()],
        connection: hash(22),
        reason: None,
    }
}

fn signed(number: u8) -> Entry {
    Entry::Signed(Signed {
        submission: submission(number),
        members: vec!["1155000001".parse().unwrap()],
        connection: hash(22),
        p7s_sha256: hash(20),
        mode: Mode::Verified,
        verification_sha256: hash(21),
    })
}

/// Submission `number`, committed in that second by that entry.
fn accepted(number: u8, (second, index): (u64, Option<u64>)) -> Entry {
    Entry::Accepted(Accepted {
        number: format!("S-{number:06}").parse().unwrap(),
        submission: submission(number),
        committed_index: index,
        committed_at: at(second),
        rules: None,
        extensions: Vec::new(),
        mode: Mode::Verified,
        files: [("statement.json".to_owned(), hash(number))].into(),
    })
}

/// The lines of a log; an entry is made in the second of its number. Nothing: a lost one.
fn lines(entries: Vec<Option<Entry>>) -> Vec<LogLine> {
    let line = |(index, entry): (usize, Option<Entry>)| {
        let leaf = |entry| Leaf::new(log(), index as u64, at(index as u64), entry);
        LogLine::new(
            &[7; 32],
            entry.map(|entry| leaf(entry).unwrap().to_bytes().unwrap()),
        )
    };
    entries.into_iter().enumerate().map(line).collect()
}

fn ours(lines: &[LogLine]) -> Result<(), String> {
    let mut reading = Reading::of(log());
    lines.iter().try_for_each(|line| reading.line(line))
}

fn theirs(lines: &[LogLine]) -> Option<(bool, String)> {
    of_entries(lines, "[3].told()")
}

/// This part of what the script makes of the entries.
fn of_entries(lines: &[LogLine], part: &str) -> Option<(bool, String)> {
    let lines: Vec<_> = lines
        .iter()
        .map(|line| str::from_utf8(&line.0).unwrap())
        .collect();
    let given = json!({ "log": log(), "lines": lines });
    let entries = "judge.entries([(l + '\\n').encode() for l in given['lines']], given['log'])";
    script(&format!("{entries}{part}"), &given)
}

#[track_caller]
fn both_take(entries: Vec<Option<Entry>>) -> Option<String> {
    let lines = lines(entries);
    ours(&lines).unwrap();
    let (taken, said) = theirs(&lines)?;
    assert!(taken, "{said}");
    Some(said)
}

#[track_caller]
fn both_refuse(entries: Vec<Option<Entry>>, reason: &str) {
    let lines = lines(entries);
    let ours = ours(&lines).unwrap_err();
    assert!(ours.contains(reason), "{ours}");
    let Some((taken, said)) = theirs(&lines) else {
        return;
    };
    assert!(!taken && said.contains(reason), "{said}");
}

#[test]
fn the_moment_that_counts_is_that_of_the_entry_which_is_named() {
    both_take(vec![
        Some(committed(1)),
        Some(proposed(2)),
        Some(signed(2)),
        Some(signed(2)),
        Some(accepted(2, (3, Some(3)))),
        Some(accepted(1, (0, Some(0)))),
    ]);
    let said = both_take(vec![None, Some(accepted(1, (0, Some(0))))]);
    assert!(said.is_none_or(|said| said.contains("but for 1, whose entry is lost")));
    both_take(vec![None, Some(signed(2)), Some(accepted(2, (1, Some(1))))]);
}

#[test]
fn another_moment_than_that_of_the_entry_is_refused() {
    let only = |entries: [Entry; 2]| entries.into_iter().map(Some).collect();
    for (second, reason) in [(1, "not at"), (9, "not at")] {
        let accepted = accepted(1, (second, Some(0)));
        both_refuse(only([committed(1), accepted]), reason);
    }
    let back_dated = accepted(1, (0, None));
    both_refuse(only([committed(1), back_dated]), "no entry shows when");
    both_refuse(
        only([committed(2), accepted(1, (0, Some(0)))]),
        "another statement",
    );
    both_refuse(
        only([proposed(1), accepted(1, (0, Some(0)))]),
        "commits to nothing",
    );
    both_refuse(
        only([committed(1), accepted(1, (7, Some(7)))]),
        "commits to nothing",
    );
    both_refuse(only([committed(1), signed(2)]), "nobody had proposed");
    let Entry::Accepted(mut other) = accepted(1, (0, Some(0))) else {
        panic!("accepted");
    };
    other.files.insert("statement.json".to_owned(), hash(9));
    both_refuse(
        only([committed(1), Entry::Accepted(other)]),
        "another statement",
    );
}

#[test]
fn both_tell_the_first_entry_whose_time_goes_back() {
    let of_times = |times: &[u64]| {
        let line = |(index, second): (usize, &u64)| {
            let entry = committed(u8::try_from(index).unwrap());
            let leaf = Leaf::new(log(), index as u64, at(*second), entry).unwrap();
            LogLine::new(&[7; 32], Some(leaf.to_bytes().unwrap()))
        };
        times.iter().enumerate().map(line).collect::<Vec<_>>()
    };
    let told = |times: &[u64]| {
        let lines = of_times(times);
        let mut reading = Reading::of(log());
        lines.iter().for_each(|line| reading.line(line).unwrap());
        let back = reading.went_back();
        if let Some((taken, said)) = of_entries(&lines, "[4]") {
            assert!(taken, "{said}");
            let said: Option<String> = serde_json::from_str(&said).unwrap();
            let named = back.map(|back| format!("entry {} is of ", back.index));
            match (&said, named) {
                (None, None) => {}
                (Some(said), Some(named)) => assert!(said.starts_with(&named), "{said}"),
                (_, named) => panic!("{said:?} instead of {named:?}"),
            }
        }
        back.map(|back| (back.index, back.at, back.before))
    };
    assert_eq!(told(&[10, 10, 5, 20]), None, "clocks are set by a little");
    assert_eq!(
        told(&[10, 9, 3, 0]),
        Some((2, at(3), at(10))),
        "step by step"
    );
    assert_eq!(told(&[10, 1000, 20, 30]), Some((2, at(20), at(1000))));
}

#[test]
fn both_tell_what_was_accepted_after_the_log_was_closed_and_believe_no_end_of_it() {
    let closed = |accepted| Entry::Closed(Closed { accepted });
    let rules = || Entry::Rules(Default::default());
    let told = |entries: Vec<Option<Entry>>| {
        let lines = lines(entries);
        let mut reading = Reading::of(log());
        lines.iter().for_each(|line| reading.line(line).unwrap());
        let after = reading.accepted_after();
        if let Some((taken, said)) = of_entries(&lines, "[2::4]") {
            assert!(taken, "{said}");
            let (end, said): (Option<u64>, Option<String>) = serde_json::from_str(&said).unwrap();
            assert_eq!(end, reading.closed());
            let ((_, named), ends) = (of_entries(&lines, "[7]").unwrap(), [0, 1, 2, 3, 4]);
            let named: Option<u64> = serde_json::from_str(&named).unwrap();
            for may_end in ends.map(Some).into_iter().chain([None]) {
                let theirs = [end, named].contains(&may_end);
                assert_eq!(reading.may_name_as_end(may_end), theirs, "{may_end:?}");
            }
            let named = after.map(|one| {
                let AcceptedAfter {
                    index,
                    number,
                    closed,
                } = one;
                format!(
                    "entry {index} accepted {number}, though entry {closed} had closed the log and nothing had opened \
                     it again"
                )
            });
            assert_eq!(said, named);
        }
        (after.map(|one| (one.index, one.closed)), reading.closed())
    };
    let one = || Some(committed(1));
    let late = || Some(accepted(1, (0, Some(0))));
    let before = vec![one(), late(), Some(closed(1))];
    assert_eq!(told(before), (None, Some(2)));
    let after = vec![one(), Some(closed(0)), late(), Some(closed(1))];
    assert_eq!(told(after), (Some((2, 1)), None), "nor the later one");
    // It may be named, as builds of before did, and what is no end at all may not.
    let after = vec![one(), Some(closed(0)), late()];
    assert_eq!(told(after), (Some((2, 1)), None));
    for opened in [Some(rules()), Some(committed(2)), None] {
        let known = opened.is_some();
        let entries = vec![one(), Some(closed(0)), opened, late(), Some(closed(1))];
        assert_eq!(told(entries), (None, Some(4)), "{known}");
    }
}

#[test]
fn what_has_ended_is_followed_by_nothing_about_it() {
    let submission = submission(2);
    for end in [
        Entry::Declined(ended(2)),
        Entry::Withdrawn(ended(2)),
        Entry::Lapsed(Lapsed { submission }),
    ] {
        let how = format!("{submission}, which ended as {} by entry 2", end.name());
        let before = [proposed(2), signed(2), end.clone()];
        let with = |last: Entry| before.iter().cloned().chain([last]).map(Some).collect();
        for last in [signed(2), accepted(2, (1, Some(1))), proposed(2), end] {
            both_refuse(with(last.clone()), &how);
        }
        both_take(with(committed(1)));
    }
    let given_up = [committed(1), Entry::Withdrawn(ended(1))];
    let with = |last: Entry| given_up.iter().cloned().chain([last]).map(Some).collect();
    both_refuse(
        with(accepted(1, (0, Some(0)))),
        "ended as withdrawn by entry 1",
    );
    both_take(with(committed(2)));
}

#[test]
fn what_was_accepted_is_not_accepted_again_nor_given_up() {
    let before = [committed(1), accepted(1, (0, Some(0)))];
    let with = |last: Entry| before.iter().cloned().chain([last]).map(Some).collect();
    let Entry::Accepted(mut again) = accepted(1, (0, Some(0))) else {
        panic!("accepted");
    };
    again.number = "S-000009".parse().unwrap();
    for last in [Entry::Accepted(again), Entry::Withdrawn(ended(1))] {
        both_refuse(with(last), "ended as accepted by entry 1");
    }
    both_take(with(committed(2)));
}

#[test]
fn an_ending_that_is_lost_ends_nothing() {
    both_take(vec![
        Some(committed(1)),
        None,
        Some(accepted(1, (0, Some(0)))),
    ]);
}

/// A log of which the first two entries are lost, what restores the second, and how that is changed.
fn restored(entry: Entry, change: impl FnOnce(&mut Restored)) -> Vec<LogLine> {
    let written = |index: u64, entry: Entry| {
        let leaf = Leaf::new(log(), index, at(index), entry).unwrap();
        leaf.to_bytes().unwrap()
    };
    let lost = [written(0, committed(1)), written(1, entry)];
    let text = |leaf: &Vec<u8>| String::from_utf8(leaf.clone()).unwrap();
    let mut restored = Restored {
        number: "S-000001".parse().unwrap(),
        submission: submission(1),
        index: 1,
        leaf: text(&lost[1]),
        committed: Some(text(&lost[0])),
        receipt_sha256: hash(9),
    };
    change(&mut restored);
    let mut lines: Vec<_> = lost
        .iter()
        .map(|leaf| LogLine::new(&leaf_commitment(leaf), None))
        .collect();
    let again = [Entry::Restored(restored), committed(2)];
    for (entry, index) in again.into_iter().zip(2..) {
        lines.push(LogLine::new(&[7; 32], Some(written(index, entry))));
    }
    lines
}

#[track_caller]
fn both_say(lines: &[LogLine], reason: Option<&str>) {
    let ours = ours(lines);
    let Some((taken, said)) = theirs(lines) else {
        return;
    };
    match reason {
        None => assert!(ours.is_ok() && taken, "{ours:?} {said}"),
        Some(reason) => {
            assert!(!taken && said.contains(reason), "{said}");
            assert!(ours.unwrap_err().contains(reason), "{reason}");
        }
    }
}

#[test]
fn what_a_lost_entry_said_is_known_again_by_the_leaf_that_leads_to_it() {
    let whole = |change: fn(&mut Restored)| restored(accepted(1, (0, Some(0))), change);
    both_say(&whole(|_| ()), None);
    both_say(&whole(|one| one.committed = None), None);
    let not_lost = "which is not that or not lost";
    let other = |one: &mut Restored| one.leaf = one.leaf.replacen("verified", "tokens", 1);
    both_say(&whole(other), Some(not_lost));
    let earlier = |one: &mut Restored| {
        let committed = one.committed.as_mut().unwrap();
        *committed = committed.replacen("verified", "tokens", 1);
    };
    both_say(&whole(earlier), Some(not_lost));
    let another = |one: &mut Restored| one.number = "S-000002".parse().unwrap();
    both_say(&whole(another), Some("another submission"));
    let elsewhere = |one: &mut Restored| one.index = 0;
    both_say(&whole(elsewhere), Some("another place"));
    // It says what the entry of the moment that counts does not say.
    let late = accepted(1, (1, Some(0)));
    both_say(&restored(late, |_| ()), Some("not at"));
    let Entry::Accepted(mut pinned) = accepted(1, (0, Some(0))) else {
        panic!("accepted");
    };
    pinned.rules = Some(RulesEntry {
        index: 0,
        leaf_sha256: hash(5),
    });
    let pinned = restored(Entry::Accepted(pinned), |_| ());
    both_say(&pinned, Some("rules that were not in force"));

    let mut lines = whole(|_| ());
    let twice = lines[2].clone();
    lines.truncate(3);
    lines.push(twice);
    assert!(ours(&lines).is_err(), "once is enough");
}

#[test]
fn nobody_is_taken_out_of_what_was_never_accepted() {
    let out = |number: &str| Detached {
        number: number.parse().unwrap(),
        members: vec!["1155000001".parse().unwrap()],
        reason: "mixed up".parse().unwrap(),
    };
    let before = [committed(1), accepted(1, (0, Some(0)))];
    let with = |last: Entry| before.iter().cloned().chain([last]).map(Some).collect();
    for entry in [Entry::Detached, Entry::Attached] {
        both_take(with(entry(out("S-000001"))));
        both_refuse(
            with(entry(out("S-000002"))),
            "S-000002, which was never accepted",
        );
        both_take(vec![Some(committed(1)), None, Some(entry(out("S-000002")))]);
    }
}

#[test]
fn both_find_a_file_under_the_same_name() {
    for names in [
        vec!["_pkg/__init__.py", "報告/最終 (2).pdf", "Ünïcode – “x”.md"],
        vec!["..x", "-rf", "~a", " b", "receipt.zip", "RECEIPT.z", "x. ."],
        vec!["x\u{200d}y", "\u{200c}z", "e\u{301}", "\u{e0100}", "a$b`c"],
        vec!["a;b", "A|b", "c/d"],
        vec!["a;/x", "a_"],
        vec!["ﬁ\u{200d}.txt", "[1]#2@3=4~5.c"],
    ] {
        let file = |name: &&str| FileEntry {
            name: name.parse().unwrap(),
            size: 1,
            sha256: hash(1),
        };
        let long = format!(".{}", "報".repeat(84));
        let files = names.iter().chain([&long.as_str()]).map(file).collect();
        let files = Files::new(files).unwrap();
        let ours = json!(safe_paths(&files));
        let names: Vec<_> = files.iter().map(|file| file.name.to_string()).collect();
        let Some((_, theirs)) = script("judge.safe_paths(given)", &json!(names)) else {
            return;
        };
        let theirs: Value = serde_json::from_str(&theirs).unwrap();
        assert_eq!(theirs, ours, "{names:?}");
    }
}
