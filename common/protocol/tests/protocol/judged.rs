//! The rules by which lateness is judged, and extensions, in a complete receipt.

use scb_certs::Fingerprint;
use scb_protocol::from_seconds;
use scb_protocol::log_leaf::{Entry, Leaf, leaf_commitment};
use scb_protocol::receipt::{JudgedBy, LogProof, ProvedEntry, VerifiedReceipt, file};
use scb_protocol::rules::{Extended, Extension, Terms};
use scb_testkit::{TestCampus, TestLog};
use scb_tlog::{TlogProof, inclusion_proof};
use serde::Serialize;
use serde_json::json;

use crate::judges::{Unpacked, script};
use crate::support::{Given, Group, Judge, THREE, Witnessing, judge, part};

const HOUR: u64 = 3600;

/// Work is handed in so many seconds after the due time of these rules.
fn terms(group: &Group<'_>, after: u64) -> Terms {
    let mut terms = Terms::always_open("Lab".parse().unwrap(), "1..3".parse().unwrap(), 1 << 20);
    terms.due = Some(from_seconds(group.campus.now().as_secs() - after));
    (terms.grace, terms.late) = (60, "10%/day".parse().unwrap());
    terms
}

fn extension(group: &Group<'_>, member: usize, more: u64) -> Extended {
    let given = vec![Extension {
        sid: THREE[member].parse().unwrap(),
        due: from_seconds(group.campus.now().as_secs() + more),
        cutoff: None,
    }];
    Extended {
        given,
        taken_back: Vec::new(),
    }
}

fn contents(value: &impl Serialize) -> scb_protocol::log_leaf::Contents {
    let value = serde_json::to_value(value).unwrap();
    value.as_object().unwrap().clone()
}

/// A receipt that names rules and extensions, the first entries of its log.
struct Case<'a> {
    given: Given<'a>,
    entries: Vec<Vec<u8>>,
}

impl<'a> Case<'a> {
    fn of(group: &'a Group<'a>, terms: Terms, extensions: &[Extended]) -> Self {
        let mut given = Given::to(group);
        let log = given.verify(&given.zip).unwrap().entry().0.clone();
        let rules = Entry::Rules(contents(&terms.check().unwrap()));
        let own = extensions.iter().map(|one| Entry::Extension(contents(one)));
        let all = std::iter::once(rules).chain(own).enumerate();
        let made = |(index, entry)| {
            let leaf = Leaf::new(log.clone(), index as u64, group.campus.now(), entry);
            leaf.unwrap().to_bytes().unwrap()
        };
        let entries: Vec<_> = all.map(made).collect();
        let pins = entries.iter().enumerate();
        let pin = |(index, bytes): (usize, &Vec<u8>)| json!({"index": index, "leaf_sha256": Fingerprint::of(bytes)});
        let mut pins: Vec<_> = pins.map(pin).collect();
        given.zip = given.with_leaf(|leaf| {
            let accepted = leaf["entry"]["accepted"].as_object_mut().unwrap();
            accepted.insert("rules".to_owned(), pins.remove(0));
            if !pins.is_empty() {
                accepted.insert("extensions".to_owned(), pins.into());
            }
        });
        Self { given, entries }
    }

    fn witnessing(&self) -> Witnessing<'_> {
        let right = Witnessing::of(&self.given);
        let mut log = TestLog::of(right.log.key().name().as_str(), 0);
        for entry in &self.entries {
            log.push(leaf_commitment(entry));
        }
        log.grow(6 - self.entries.len() as u64);
        log.push(leaf_commitment(right.committed.as_ref().unwrap()));
        log.push(leaf_commitment(&part(&self.given.files(), file::LEAF)));
        log.grow(2);
        Witnessing { log, ..right }
    }

    /// The proof with these entries in it, the first the rules.
    fn proof(&self, shown: &[usize]) -> LogProof {
        let witnessing = self.witnessing();
        let checkpoint = witnessing.cosigned();
        let (tiles, size) = (witnessing.log.tiles(), checkpoint.head().size);
        let entry = |index: &usize| ProvedEntry {
            leaf: String::from_utf8(self.entries[*index].clone()).unwrap(),
            proof: TlogProof {
                index: *index as u64,
                inclusion: inclusion_proof(&tiles, *index as u64, size).unwrap(),
                checkpoint: checkpoint.to_string().parse().unwrap(),
                extra: None,
            }
            .to_string(),
        };
        let mut entries = shown.iter().map(entry);
        let judged = JudgedBy {
            rules: entries.next(),
            extensions: entries.collect(),
        };
        LogProof {
            judged,
            ..witnessing.proof()
        }
    }

    /// The complete receipt, whatever it is worth.
    fn zip(&self, proof: &LogProof) -> Vec<u8> {
        self.witnessing().with(proof)
    }

    /// What our program says of lateness; the script says the same, and the instructions find the rules.
    fn told(&self, shown: &[usize]) -> Vec<String> {
        let zip = self.zip(&self.proof(shown));
        let receipt = self.given.verify(&zip).unwrap();
        let lines = |receipt: &VerifiedReceipt| -> Vec<String> {
            let of = |what: &str| ["judged", "extension", "lateness"].contains(&what);
            let checks = receipt.checks().iter().filter(|check| of(check.what));
            let line = checks.map(|check| format!("{:<9}  {}", check.what, check.found));
            line.collect()
        };
        let told = lines(&receipt);
        if judge(Judge::Cryptography) && judge(Judge::Openssl) {
            let unpacked = Unpacked::from(&zip, self.given.group);
            let script = script(&unpacked, &[]);
            for line in &told {
                script.says(&format!("{line}\n"));
            }
            if !shown.is_empty() {
                unpacked.step(2).says("CMS Verification successful");
                let log = unpacked.step(8);
                log.says("the log holds the rules of then: True");
                for number in 1..shown.len() {
                    log.says(&format!("the log holds extension-{number} of then: True"));
                }
                let standings = standings(&told);
                if standings.is_empty() {
                    log.says("an extension is NOT in it: ");
                }
                for standing in standings {
                    let (sid, stands) = standing.split_once(" was ").unwrap();
                    let late = match stands.strip_prefix("late by ") {
                        Some(late) => format!(": late by {}\n", late.split_once(',').unwrap().0),
                        None if stands.starts_with("too late") => ": late by ".to_owned(),
                        None => ": not late\n".to_owned(),
                    };
                    let of_his = |line: &&str| line.starts_with(&format!("{sid}: due "));
                    let line = log.output.split_inclusive('\n').find(of_his).unwrap();
                    assert!(line.contains(&late), "{standing}: {line}");
                }
            }
        }
        told
    }

    /// Nobody takes this for a receipt.
    fn refused(&self, what: &str, proof: &LogProof) -> String {
        let zip = self.zip(proof);
        let reason = self.given.refuses(what, &zip);
        if judge(Judge::Cryptography) {
            script(&Unpacked::from(&zip, self.given.group), &[]).fails(what);
        }
        reason
    }
}

fn standings(told: &[String]) -> Vec<&str> {
    let of = told
        .iter()
        .filter_map(|line| line.strip_prefix("lateness   "));
    of.map(|line| line.strip_suffix(", by these rules").unwrap())
        .collect()
}

#[test]
fn lateness_follows_from_the_rules_in_it() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let late = |after: u64, rule: &str| {
        let mut terms = terms(&group, after);
        terms.late = rule.parse().unwrap();
        let case = Case::of(&group, terms, &[]);
        let told = case.told(&[0]);
        standings(&told)[0].to_owned()
    };
    for (after, rule, stands) in [
        (0, "10%/day", "1155000001 was on time"),
        (60, "10%/day", "1155000001 was within the time of grace"),
        (
            HOUR,
            "10%/day",
            "1155000001 was late by 3600 s, which costs 10 % of the full mark",
        ),
        (
            HOUR + 1,
            "40%/hour to 70%",
            "1155000001 was late by 3601 s, which costs 70 % of the full mark",
        ),
        (
            HOUR,
            "mark",
            "1155000001 was late by 3600 s, and is marked as late",
        ),
    ] {
        assert_eq!(late(after, rule), stands, "{after} {rule}");
    }
    assert!(late(HOUR, "none").starts_with("1155000001 was too late: closed since "));
    let open = Terms::always_open("Lab".parse().unwrap(), "1..3".parse().unwrap(), 1);
    let told = Case::of(&group, open, &[]).told(&[0]);
    assert_eq!(
        told[0],
        "judged     entry 0, in the same tree: nothing is ever due"
    );
    assert_eq!(standings(&told), ["1155000001 was on time"]);
}

#[test]
fn each_member_stands_by_his_own_extension() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..2]);
    let own = [extension(&group, 1, HOUR)];
    let case = Case::of(&group, terms(&group, HOUR), &own);
    let told = case.told(&[0, 1]);
    let late = "1155000001 was late by 3600 s, which costs 10 % of the full mark";
    assert_eq!(standings(&told), [late, "1155000002 was on time"]);
    assert!(
        told[1].starts_with("extension  1155000002 until "),
        "{told:?}"
    );
}

#[test]
fn without_them_it_says_that_it_does_not_show_lateness() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..2]);
    let own = [extension(&group, 1, HOUR)];
    let case = Case::of(&group, terms(&group, HOUR), &own);
    let told = case.told(&[]);
    assert!(
        told[0].contains("entry 0 is NOT in it, its hash alone is"),
        "{told:?}"
    );
    assert_eq!((told.len(), standings(&told).len()), (1, 0));
    let told = case.told(&[0]);
    assert!(told[1].contains("entry 1 is NOT in it"), "{told:?}");
    assert_eq!((told.len(), standings(&told).len()), (2, 0), "nobody's");
}

/// Whoever puts a later time into an extension makes nobody punctual by the page for `openssl` and Python either.
#[test]
fn by_what_the_log_does_not_hold_nobody_is_called_punctual() {
    if !judge(Judge::Cryptography) || !judge(Judge::Openssl) {
        return;
    }
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..2]);
    let own = [extension(&group, 1, HOUR)];
    let case = Case::of(&group, terms(&group, HOUR), &own);
    let unpacked = Unpacked::from(&case.zip(&case.proof(&[0, 1])), &group);
    let name = "extension-1.json";
    let text = String::from_utf8(unpacked.read(name)).unwrap();
    let later = text.replacen("\"due\":\"2", "\"due\":\"3", 1);
    assert_ne!(text, later);
    unpacked.write(name, later.as_bytes());
    unpacked.step(2).says("CMS Verification successful");
    let log = unpacked.step(8);
    log.says("the log holds the rules of then: True");
    log.says("the log holds extension-1 of then: False");
    log.says("who was late is NOT shown");
    assert!(!log.output.contains("not late"), "{}", log.output);
}

/// What an old backup took from Blackboard is missing in what it gives later of the same entry.
#[test]
fn what_lacks_rules_or_an_extension_does_not_show_all_of_what_has_them() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..2]);
    let own = [extension(&group, 0, HOUR)];
    let case = Case::of(&group, terms(&group, HOUR), &own);
    let whole = case.proof(&[0, 1]);
    let of = |shown: usize| {
        let mut proof = whole.clone();
        proof.judged.rules.take_if(|_| shown < 1);
        proof.judged.extensions.truncate(shown.saturating_sub(1));
        case.given.verify(&case.zip(&proof)).unwrap()
    };
    let all = [of(0), of(1), of(2)];
    for (place, one) in all.iter().enumerate() {
        for (other_place, other) in all.iter().enumerate() {
            assert!(one.is_of_the_entry_of(other));
            let shows_all = one.shows_all_of(other);
            let told = format!("{:?}\n{:?}", one.checks(), other.checks());
            assert_eq!(
                shows_all,
                place >= other_place,
                "{place} {other_place}: {told}"
            );
        }
    }
    // Of another entry, with as much in it.
    let other = Case::of(&group, terms(&group, 2 * HOUR), &own);
    let other = other.given.verify(&other.given.zip).unwrap();
    assert!(!all[2].shows_all_of(&other));
}

#[test]
fn refuses_rules_and_extensions_that_are_not_those_that_were_accepted() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..2]);
    let own = [extension(&group, 0, HOUR), extension(&group, 1, HOUR)];
    let case = Case::of(&group, terms(&group, HOUR), &own);
    let right = || case.proof(&[0, 1, 2]);
    let altered = |alter: &dyn Fn(&mut JudgedBy)| {
        let mut proof = right();
        alter(&mut proof.judged);
        proof
    };
    let text = |entry: &mut ProvedEntry, from: &str, to: &str| {
        let leaf = entry.leaf.replacen(from, to, 1);
        assert_ne!(leaf, entry.leaf);
        entry.leaf = leaf;
    };
    let is_other = "is not what was accepted";
    for (what, reason, proof) in [
        (
            "a milder rule",
            is_other,
            altered(&|it| text(it.rules.as_mut().unwrap(), "10%/day", "01%/day")),
        ),
        (
            "another due time",
            is_other,
            altered(&|it| text(&mut it.extensions[1], "T05:", "T06:")),
        ),
        (
            "an extension for rules",
            is_other,
            altered(&|it| it.rules = Some(it.extensions[0].clone())),
        ),
        (
            "one twice",
            is_other,
            altered(&|it| it.extensions[1] = it.extensions[0].clone()),
        ),
        (
            "rules for an extension",
            is_other,
            altered(&|it| it.extensions[0] = it.rules.clone().unwrap()),
        ),
        (
            "extensions alone",
            "is without rules.json",
            altered(&|it| it.rules = None),
        ),
        (
            "a proof of another",
            "another entry or tree",
            altered(&|it| {
                it.extensions[0].proof = it.extensions[1].proof.clone();
            }),
        ),
        ("the acceptance's proof", "another entry or tree", {
            let mut proof = right();
            proof.judged.rules.as_mut().unwrap().proof = proof.proof.clone();
            proof
        }),
    ] {
        let found = case.refused(what, &proof);
        assert!(found.contains(reason), "{what}: {found}");
    }
    // Nothing pins them.
    let given = Given::to(&group);
    let other = Witnessing::of(&given);
    let proof = LogProof {
        judged: right().judged,
        ..other.proof()
    };
    let found = given.refuses("not named", &other.with(&proof));
    assert!(found.contains("rules.json was not accepted"), "{found}");
}
