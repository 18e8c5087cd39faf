//! The entry of the moment that counts for lateness, in a complete receipt.

use scb_certs::Fingerprint;
use scb_protocol::log_leaf::{Contents, Entry, Leaf, Signed, leaf_commitment};
use scb_protocol::receipt::{CommittedEntry, LogProof, VerifiedReceipt, file};
use scb_protocol::{Mode, from_seconds};
use scb_testkit::{TestCampus, TestLog};

use crate::judges::{Unpacked, script};
use crate::support::{Given, Group, Judge, THREE, Witnessing, judge, other_fingerprint, part};

fn told(receipt: &VerifiedReceipt) -> String {
    told_of(receipt, "entered")
}

pub(crate) fn told_of(receipt: &VerifiedReceipt, what: &str) -> String {
    let mut checks = receipt.checks().iter();
    let told = checks.find(|check| check.what == what);
    told.unwrap().found.to_string()
}

/// Our program, the instructions and the script say that it is in the log.
fn all_confirm(given: &Given<'_>, zip: &[u8], found: &str) {
    assert_eq!(told(&given.verify(zip).unwrap()), found);
    if !judge(Judge::Cryptography) || !judge(Judge::Openssl) {
        return;
    }
    let receipt = Unpacked::from(zip, given.group);
    script(&receipt, &[]).says(&format!("entered    {found}\n"));
    receipt.step(2).says("CMS Verification successful");
    let log = receipt.step(8);
    log.says("the log holds when it was committed: True");
}

/// All of them refuse it, ours for this reason.
#[track_caller]
fn all_refuse(given: &Given<'_>, (what, zip): (&str, &[u8]), reason: &str) {
    let found = given.refuses(what, zip);
    assert!(found.contains(reason), "{what}: {found}");
    if !judge(Judge::Cryptography) || !judge(Judge::Openssl) {
        return;
    }
    let receipt = Unpacked::from(zip, given.group);
    script(&receipt, &[]).fails(what);
    receipt.step(2).says("CMS Verification successful");
    let log = receipt.step(8);
    log.has_said("the log holds the entry: True");
    log.lacks("the log holds when it was committed: True", what);
}

/// The log of this receipt, which has another entry 6.
pub(crate) fn with_entry<'a>(given: &'a Given<'a>, leaf: &Leaf) -> Witnessing<'a> {
    let mut right = Witnessing::of(given);
    // What CUHK said then comes with the entry that names it, and with no other.
    right.said = right.said.filter(|said| names(leaf, said));
    let leaf = leaf.to_bytes().unwrap();
    let mut log = TestLog::of(right.log.key().name().as_str(), 6);
    log.push(leaf_commitment(&leaf));
    log.push(leaf_commitment(&part(&given.files(), file::LEAF)));
    log.grow(2);
    Witnessing {
        log,
        committed: Some(leaf),
        ..right
    }
}

fn names(leaf: &Leaf, said: &str) -> bool {
    let sha256 = match &leaf.entry {
        Entry::Committed(committed) => committed.verification_sha256,
        Entry::Signed(signed) => signed.verification_sha256,
        _ => return false,
    };
    sha256 == Fingerprint::of(said.as_bytes())
}

/// What entry 6 of it says.
pub(crate) fn entry(given: &Given<'_>) -> Leaf {
    let committed = Witnessing::of(given).committed.unwrap();
    Leaf::parse(&committed).unwrap()
}

fn signed(given: &Given<'_>) -> Entry {
    let (statement, said) = (given.group.statement(), given.evidence().assurance);
    Entry::Signed(Signed {
        submission: statement.submission,
        members: vec![statement.members[0].sid.clone()],
        connection: other_fingerprint(),
        p7s_sha256: other_fingerprint(),
        mode: Mode::Verified,
        verification_sha256: Fingerprint::of(said.as_bytes()),
    })
}

#[test]
fn the_log_held_it_when_witnesses_saw_the_acceptance() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let given = Given::to(&group);
    let found = "entry 6, committed at 2026-03-02T04:00:00Z, in the same tree";
    all_confirm(&given, &Witnessing::of(&given).zip(), found);
    // Of a group on several machines it is the one of the last signature.
    let mut leaf = entry(&given);
    leaf.entry = signed(&given);
    let found = found.replace("committed", "signed");
    all_confirm(&given, &with_entry(&given, &leaf).zip(), &found);
}

#[test]
fn without_it_the_time_is_blackboards_word_and_is_called_that() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let given = Given::to(&group);
    let right = Witnessing::of(&given);
    let proof = LogProof {
        committed: None,
        ..right.proof()
    };
    let receipt = given.verify(&right.with(&proof)).unwrap();
    assert!(told(&receipt).contains("entry 6 is NOT in it"));
}

#[test]
fn refuses_an_entry_that_says_something_else() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..2]);
    let given = Given::to(&group);
    let of = |alter: &dyn Fn(&mut Leaf)| {
        let mut leaf = entry(&given);
        alter(&mut leaf);
        leaf
    };
    for (what, leaf) in [
        (
            "another time",
            of(&|leaf| leaf.at = from_seconds(leaf.at.as_secs() - 3600)),
        ),
        ("another number", of(&|leaf| leaf.index = 5)),
        (
            "another log",
            of(&|leaf| leaf.log = "campus.test/blackboard/SANDBOX/other".parse().unwrap()),
        ),
        (
            "another statement",
            of(&|leaf| {
                if let Entry::Committed(committed) = &mut leaf.entry {
                    committed.statement_sha256 = other_fingerprint();
                }
            }),
        ),
        (
            "another submission",
            of(&|leaf| {
                if let Entry::Committed(committed) = &mut leaf.entry {
                    committed.submission = "0b".repeat(16).parse().unwrap();
                }
            }),
        ),
        (
            "of something else",
            of(&|leaf| leaf.entry = Entry::Rules(Contents::new())),
        ),
    ] {
        let other = with_entry(&given, &leaf);
        let zip = other.with(&other.proof());
        all_refuse(&given, (what, &zip), "is not what was accepted");
    }
}

#[test]
fn refuses_a_proof_of_another_entry_or_in_another_tree() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..2]);
    let given = Given::to(&group);
    let right = Witnessing::of(&given);
    let committed = right.proof().committed.unwrap();
    let smaller = {
        let checkpoint = right.log.checkpoint(9);
        let line = right.cosign(&right.witness, checkpoint.clone(), 2);
        right.proof_of(&checkpoint.with(line)).committed.unwrap()
    };
    let acceptance = right.proof().proof;
    for (what, expected, proof) in [
        ("of a smaller tree", "another entry or tree", smaller.proof),
        ("of the acceptance", "another entry or tree", acceptance),
        (
            "with extra data",
            "another entry or tree",
            committed.proof.replacen("index", "extra AAAA\nindex", 1),
        ),
        (
            "of another number",
            "another entry or tree",
            committed.proof.replacen("index 6", "index 5", 1),
        ),
    ] {
        let leaf = committed.leaf.clone();
        let altered = LogProof {
            committed: Some(CommittedEntry {
                leaf,
                proof,
                assurance: right.said.clone(),
            }),
            ..right.proof()
        };
        all_refuse(&given, (what, &right.with(&altered)), expected);
    }
    // The same entry with another salt, which the log does not hold.
    let salted = Witnessing::of(&given).proof().committed.unwrap();
    let proof = LogProof {
        committed: Some(CommittedEntry {
            leaf: salted.leaf,
            proof: committed.proof,
            assurance: right.said.clone(),
        }),
        ..right.proof()
    };
    all_refuse(&given, ("another salt", &right.with(&proof)), "not proved");
}

#[test]
fn refuses_one_that_the_acceptance_does_not_name() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let mut given = Given::to(&group);
    given.zip = given.with_leaf(|leaf| {
        let accepted = leaf["entry"]["accepted"].as_object_mut().unwrap();
        accepted.remove("committed_index").unwrap();
    });
    let right = Witnessing::of(&given);
    let without = LogProof {
        committed: None,
        ..right.proof()
    };
    let receipt = given.verify(&right.with(&without)).unwrap();
    assert!(receipt.checks().iter().all(|check| check.what != "entered"));
    let zip = right.with(&right.proof());
    all_refuse(&given, ("not named", &zip), "is not what was accepted");
}
