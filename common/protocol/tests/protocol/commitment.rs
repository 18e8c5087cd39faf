//! What Blackboard signs when it has recorded a statement, as a client takes it before it sends a byte,
//! keeps it, and holds the receipt against it.

use std::cell::RefCell;
use std::time::Duration;

use scb_certs::Fingerprint;
use scb_protocol::client::sign;
use scb_protocol::commitment::{Followed, Stated, VerifiedCommitment, is_commitment};
use scb_protocol::log_leaf::{Committed, Entry, Leaf, LogName, Refused, Signed};
use scb_protocol::message::blackboard::Reply;
use scb_protocol::receipt::{SignedEntry, file};
use scb_protocol::rejection::is_rejection;
use scb_protocol::{Code, Mode, Refusal, Step, from_seconds};
use scb_testkit::{TestCampus, TestIdentity};

use crate::committed::with_entry;
use crate::support::{
    Given, Group, Run, Side, THREE, completed, other_fingerprint, part, refused, repack, unpack,
    with_part,
};

/// The leaf that a signed entry carries.
fn leaf_of(entry: &SignedEntry) -> Leaf {
    let json = serde_json::to_value(entry).unwrap();
    Leaf::parse(json["leaf"].as_str().unwrap().as_bytes()).unwrap()
}

/// The entry as this service would have signed it, had it been another one.
fn signed_by(by: &TestIdentity, leaf: &Leaf, campus: &TestCampus) -> SignedEntry {
    let by = (&by.key, &by.chain);
    SignedEntry::sign(leaf.to_bytes().unwrap(), by, campus.now()).unwrap()
}

/// The same by Blackboard.
pub(crate) fn resigned(
    group: &Group<'_>,
    entry: &SignedEntry,
    alter: impl FnOnce(&mut Leaf),
) -> SignedEntry {
    let mut leaf = leaf_of(entry);
    alter(&mut leaf);
    signed_by(&group.blackboard, &leaf, group.campus)
}

/// A run in which `committed` is altered in this way.
fn with_entry_altered<'a>(
    group: &'a Group<'a>,
    alter: impl Fn(&mut u64, &mut SignedEntry) + 'a,
) -> Run<'a> {
    group.run().replies(move |reply| {
        if let Reply::Committed {
            committed_at,
            entry,
            ..
        } = reply
        {
            alter(committed_at, entry);
        }
    })
}

fn committed(leaf: &mut Leaf) -> &mut Committed {
    match &mut leaf.entry {
        Entry::Committed(committed) => committed,
        other => panic!("{other:?}"),
    }
}

fn verify(zip: &[u8], campus: &TestCampus) -> Result<VerifiedCommitment, Refusal> {
    VerifiedCommitment::verify(zip, &[campus.root_fingerprint()])
}

#[test]
fn what_is_recorded_is_signed_before_a_byte_is_sent_and_verifies_offline() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let (zip, taken) = group.run().recorded().unwrap();
    assert!(is_commitment(&zip) && !is_rejection(&zip));
    assert!(!is_commitment(&Given::to(&group).zip), "a receipt is none");
    let now = campus.now();
    campus
        .clock()
        .advance(Duration::from_secs(5 * 365 * 86_400));
    let kept = verify(&zip, &campus).unwrap();
    for commitment in [&taken, &kept] {
        assert_eq!(commitment.committed_at(), now);
        assert_eq!(commitment.entry().1, 6);
        assert_eq!(*commitment.statement(), group.statement());
        assert!(commitment.members().map(AsRef::<str>::as_ref).eq(THREE));
        let leaf = part(&unpack(&zip), file::LEAF);
        assert_eq!(commitment.leaf_sha256(), Fingerprint::of(&leaf));
    }
    let told: Vec<_> = kept.checks().iter().map(|check| check.what).collect();
    let expected = [
        "root",
        "recorded",
        "statement",
        "signed",
        "signed",
        "signed",
        "file",
        "unproved",
    ];
    assert_eq!(told, expected);
}

#[test]
fn nothing_is_sent_for_a_word_that_is_not_about_this_statement() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    type Alter = fn(&mut Leaf);
    let wrong: [(&str, Alter); 7] = [
        ("another submission", |leaf| {
            committed(leaf).submission = "0c".repeat(16).parse().unwrap();
        }),
        ("another statement", |leaf| {
            committed(leaf).statement_sha256 = other_fingerprint();
        }),
        ("other signatures", |leaf| {
            committed(leaf).p7s_sha256 = other_fingerprint();
        }),
        ("fewer members", |leaf| {
            committed(leaf).members.pop();
        }),
        ("members in another order", |leaf| {
            committed(leaf).members.reverse();
        }),
        ("another log", |leaf| {
            leaf.log = "campus.test/blackboard/SANDBOX/lab-2".parse().unwrap();
        }),
        ("a refusal", |leaf| {
            let members = committed(leaf).members.clone();
            leaf.entry = Entry::Refused(Refused {
                code: Code::GroupSize,
                members,
                statement_sha256: None,
            });
        }),
    ];
    for (what, alter) in wrong {
        let run = with_entry_altered(&group, |_, entry| *entry = resigned(&group, entry, alter));
        let refused = run.recorded().err().unwrap();
        refused.is(what, Side::Client, Step::Six, Code::CommitmentInvalid);
    }
}

#[test]
fn nor_for_one_that_somebody_else_signed() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let other = TestCampus::new();
    let signers = [
        ("CUHK", group.cuhk.clone()),
        ("another service", campus.service("library")),
        ("a member", campus.student(THREE[0])),
        ("another campus", other.service("blackboard")),
    ];
    for (what, signer) in signers {
        let run = with_entry_altered(&group, |_, entry| {
            *entry = signed_by(&signer, &leaf_of(entry), &campus);
        });
        let refused = run.recorded().err().unwrap();
        refused.is(what, Side::Client, Step::Six, Code::CommitmentInvalid);
    }
    // One bit of what it signed.
    let run = with_entry_altered(&group, |_, entry| {
        let mut json = serde_json::to_value(&*entry).unwrap();
        let leaf = json["leaf"]
            .as_str()
            .unwrap()
            .replace("\"index\":6", "\"index\":7");
        json["leaf"] = leaf.into();
        *entry = serde_json::from_value(json).unwrap();
    });
    let refused = run.recorded().err().unwrap();
    let code = Code::CommitmentInvalid;
    refused.is("an altered entry", Side::Client, Step::Six, code);
}

#[test]
fn its_time_is_the_one_that_is_told_and_none_that_it_cannot_be() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let at = |by: i64| campus.now().as_secs().saturating_add_signed(by);
    let cases = [
        ("now", at(0), true),
        ("a clock a little behind", at(-120), true),
        ("a clock a little ahead", at(120), true),
        ("before it was signed", at(-121), false),
        ("to come", at(121), false),
        ("1970", 0, false),
        ("the end of days", u64::MAX / 2, false),
    ];
    for (what, time, good) in cases {
        let run = with_entry_altered(&group, |told, entry| {
            *told = time;
            *entry = resigned(&group, entry, |leaf| leaf.at = from_seconds(time));
        });
        match run.recorded() {
            Ok((_, taken)) => assert!(good && taken.committed_at() == from_seconds(time), "{what}"),
            Err(refused) => {
                assert!(!good, "{what}: {refused:?}");
                refused.is(what, Side::Client, Step::Six, Code::CommitmentInvalid);
            }
        }
    }
    let refused = with_entry_altered(&group, |told, _| *told -= 1).recorded();
    let refused = refused.err().unwrap();
    let code = Code::CommitmentInvalid;
    refused.is("another than was told", Side::Client, Step::Six, code);
}

#[test]
fn an_altered_file_of_it_does_not_verify() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let (zip, _) = group.run().recorded().unwrap();
    let files = unpack(&zip);
    for name in [
        file::STATEMENT,
        file::SIGNATURES,
        file::LEAF,
        file::LEAF_SIGNATURE,
    ] {
        let mut bytes = part(&files, name);
        let last = bytes.len() - 2;
        bytes[last] ^= 1;
        let altered = with_part(&files, name, bytes);
        refused(name, verify(&altered, &campus), Code::ReceiptInvalid);
    }
    let without = repack(&files[..files.len() - 1].to_vec());
    let mut more = files.clone();
    more.push(("more".to_owned(), Vec::new()));
    for (what, zip) in [("one missing", without), ("one more", repack(&more))] {
        refused(what, verify(&zip, &campus), Code::ReceiptInvalid);
    }
    let other = TestCampus::new();
    refused("another root", verify(&zip, &other), Code::ReceiptInvalid);
}

/// A receipt, and what Blackboard had signed before it on the same connection.
fn followed<'a>(group: &'a Group<'a>) -> (Given<'a>, VerifiedCommitment, Vec<u8>) {
    let seen = RefCell::new(None);
    let run = with_entry_altered(group, |told, entry| {
        seen.replace(Some((from_seconds(*told), entry.clone())));
    });
    let stored = run.go().unwrap();
    let given = Given {
        group,
        submission: stored.submission,
        zip: stored.zip,
    };
    let (told, entry) = seen.into_inner().unwrap();
    let files = given.files();
    let (statement, signatures) = (
        part(&files, file::STATEMENT),
        part(&files, file::SIGNATURES),
    );
    let sent = Stated {
        statement: &statement,
        signatures: &signatures,
    };
    let by = (&*group.campus.trust_without_crls(), group.campus.now());
    let (zip, commitment) = VerifiedCommitment::of(&entry, told, sent, by).unwrap();
    (given, commitment, part(&unpack(&zip), file::LEAF))
}

#[test]
fn the_receipt_names_the_same_entry_and_its_proof_shows_it() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let (given, commitment, leaf) = followed(&group);
    let pending = given.verify(&given.zip).unwrap();
    assert_eq!(commitment.followed_by(&pending), Ok(Followed::Named));
    let log = with_entry(&given, &Leaf::parse(&leaf).unwrap());
    let complete = given
        .verify(&completed(&given.files(), &log.proof()))
        .unwrap();
    assert_eq!(commitment.followed_by(&complete), Ok(Followed::Proved));
    // Of somebody else.
    let others = Group::of(&campus, &["1155000011"]);
    let other = Given::to(&others);
    let other = other.verify(&other.zip).unwrap();
    assert_eq!(commitment.followed_by(&other), Ok(Followed::Not));
}

#[test]
fn a_receipt_that_says_something_else_contradicts_it() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let (given, commitment, leaf) = followed(&group);
    type Alter = fn(&mut serde_json::Value);
    let cases: [(&str, Alter); 3] = [
        ("another entry", |leaf| {
            leaf["entry"]["accepted"]["committed_index"] = 5.into();
        }),
        ("no entry", |leaf| {
            let accepted = leaf["entry"]["accepted"].as_object_mut().unwrap();
            accepted.remove("committed_index");
        }),
        ("another time", |leaf| {
            leaf["entry"]["accepted"]["committed_at"] = "2026-01-02T03:04:05Z".into();
        }),
    ];
    for (what, alter) in cases {
        let receipt = given.with_leaf(alter);
        let receipt = given.verify(&receipt);
        let told = commitment.followed_by(&receipt.unwrap());
        let refusal = refused(what, told, Code::CommitmentBroken);
        assert_eq!(refusal.params["entry"], "6", "{what}");
    }
    // The same number and time, and another entry there.
    let mut other = Leaf::parse(&leaf).unwrap();
    committed(&mut other).p7s_sha256 = other_fingerprint();
    let log = with_entry(&given, &other);
    let receipt = given
        .verify(&completed(&given.files(), &log.proof()))
        .unwrap();
    let told = commitment.followed_by(&receipt);
    refused("another leaf", told, Code::CommitmentBroken);
}

#[test]
fn the_last_signatures_are_recorded_and_nothing_else_is_taken_for_that() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let now = campus.now();
    let statement = group.statement();
    let bytes = statement.to_bytes().unwrap();
    let signatures = sign(&bytes, &group.members[2..], now).unwrap();
    let last = |alter: &dyn Fn(&mut Leaf)| {
        let entry = Entry::Signed(Signed {
            submission: statement.submission,
            members: vec![THREE[2].parse().unwrap()],
            connection: other_fingerprint(),
            p7s_sha256: Fingerprint::of(&signatures),
            mode: Mode::Verified,
            verification_sha256: other_fingerprint(),
        });
        let mut leaf = Leaf::new(LogName::of(&statement).unwrap(), 7, now, entry).unwrap();
        alter(&mut leaf);
        leaf
    };
    let sent = Stated {
        statement: &bytes,
        signatures: &signatures,
    };
    let trust = group.campus.trust_without_crls();
    let take = |leaf: &Leaf, by: &TestIdentity| {
        let entry = signed_by(by, leaf, &campus);
        VerifiedCommitment::of_signatures(&entry, sent, (&trust, now))
    };
    let right = last(&|_| {});
    let (zip, taken) = take(&right, &group.blackboard).unwrap();
    assert!(is_commitment(&zip) && taken.is_of_signatures());
    let kept = verify(&zip, &campus).unwrap();
    assert_eq!(kept.committed_at(), now);
    assert!(kept.signed_by().eq([&THREE[2].parse().unwrap()]));
    // It is no word that all of them signed at once.
    let entry = signed_by(&group.blackboard, &right, &campus);
    let as_committed = VerifiedCommitment::of(&entry, now, sent, (&trust, now));
    refused("of all", as_committed, Code::CommitmentInvalid);
    let other = |alter: fn(&mut Signed)| {
        last(&|leaf| match &mut leaf.entry {
            Entry::Signed(signed) => alter(signed),
            other => panic!("{other:?}"),
        })
    };
    let submission = |signed: &mut Signed| signed.submission = "0b".repeat(16).parse().unwrap();
    for (what, leaf) in [
        ("another submission", other(submission)),
        (
            "other signatures",
            other(|signed| signed.p7s_sha256 = other_fingerprint()),
        ),
        (
            "another member",
            other(|signed| signed.members[0] = THREE[1].parse().unwrap()),
        ),
        (
            "no member",
            other(|signed| signed.members[0] = "1155000099".parse().unwrap()),
        ),
        (
            "long before",
            last(&|leaf| leaf.at = from_seconds(now.as_secs() - 121)),
        ),
        (
            "to come",
            last(&|leaf| leaf.at = from_seconds(now.as_secs() + 121)),
        ),
        (
            "another log",
            last(&|leaf| leaf.log = "campus.test/blackboard/SANDBOX/other".parse().unwrap()),
        ),
    ] {
        refused(
            what,
            take(&leaf, &group.blackboard),
            Code::CommitmentInvalid,
        );
    }
    let others = campus.service("library");
    refused(
        "another service",
        take(&right, &others),
        Code::CommitmentInvalid,
    );
}
