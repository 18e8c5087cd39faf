//! Receipts: what Blackboard gives verifies for ever; what anybody alters does not.

use std::time::Duration;

use scb_certs::Fingerprint;
use scb_protocol::Code;
use scb_protocol::receipt::{MAX_RECEIPT, SignedLeaf, VerifiedReceipt, build, file};
use scb_testkit::TestCampus;

use crate::support::{Given, Group, THREE, name, part, refused, repack, with_part};

#[test]
fn has_its_files_and_the_same_parts_give_the_same_bytes() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let given = Given::to(&group);
    let names: Vec<String> = given.files().into_iter().map(|(name, _)| name).collect();
    let expected = [
        "statement.json",
        "statement.p7s",
        "verification.jwt",
        "chains.pem",
        "crl.pem",
        "cuhk-ca.pem",
        "leaf.json",
        "leaf.p7s",
        "pending.json",
        "VERIFY.md",
    ];
    assert_eq!(names, expected);
    let leaf = SignedLeaf {
        leaf: part(&given.files(), file::LEAF),
        signature: part(&given.files(), file::LEAF_SIGNATURE),
    };
    assert_eq!(build(&given.evidence(), &leaf, None).unwrap(), given.zip);
    given.verify(&repack(&given.files())).unwrap();
}

#[test]
fn says_line_by_line_what_it_proves() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..2]);
    let receipt = Given::to(&group);
    let receipt = receipt.verify(&receipt.zip).unwrap();
    let said: Vec<_> = receipt.checks().iter().map(|check| check.what).collect();
    let expected = [
        "root",
        "committed",
        "accepted",
        "signed",
        "signed",
        "confirmed",
        "file",
        "pending",
        "entered",
    ];
    assert_eq!(said, expected);
    let missing = receipt.checks()[8].found.to_string();
    assert!(missing.contains("is not in it yet"), "{missing}");
    for (check, student) in receipt.checks()[3..5].iter().zip(THREE) {
        let found = check.found.to_string();
        assert!(found.starts_with(student), "{found}");
    }
    assert_eq!(*receipt.service(), name("service/blackboard"));
    for (member, named) in receipt.members().iter().zip(group.named()) {
        assert_eq!(member.sid, named.sid);
        assert_eq!(member.cert_sha256, named.cert_sha256);
        assert_eq!(member.claimed_time, campus.now());
    }
}

#[test]
fn refuses_every_file_altered_in_any_byte() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let given = Given::to(&group);
    let files = given.files();
    for (name, bytes) in &files {
        // The instructions are for people and are no evidence.
        if name == file::INSTRUCTIONS {
            continue;
        }
        let step = (bytes.len() / 25).max(1);
        for index in (0..bytes.len()).step_by(step) {
            let mut altered = bytes.clone();
            altered[index] ^= 1;
            let what = format!("byte {index} of {name}");
            given.refuses(&what, &with_part(&files, name, altered));
        }
        for (what, other) in [
            ("cut", bytes[..bytes.len() - 1].to_vec()),
            ("longer", [&bytes[..], b"\n"].concat()),
            ("empty", Vec::new()),
        ] {
            let what = format!("{name} {what}");
            given.refuses(&what, &with_part(&files, name, other));
        }
    }
    given.verify(&repack(&files)).unwrap();
}

#[test]
fn refuses_a_file_removed_added_renamed_or_twice() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let given = Given::to(&group);
    let files = given.files();
    for index in 0..files.len() {
        let mut fewer = files.clone();
        let (name, bytes) = fewer.remove(index);
        given.refuses(&format!("no {name}"), &repack(&fewer));
        let mut renamed = fewer.clone();
        renamed.push((format!("x{name}"), bytes.clone()));
        given.refuses(&format!("{name} renamed"), &repack(&renamed));
        let mut moved = fewer;
        moved.push((format!("folder/{name}"), bytes));
        given.refuses(&format!("{name} in a folder"), &repack(&moved));
    }
    let mut more = files.clone();
    more.push(("note.txt".to_owned(), b"x".to_vec()));
    given.refuses("one more", &repack(&more));
}

#[test]
fn refuses_an_archive_that_programs_read_differently() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let given = Given::to(&group);
    let mut files = given.files();
    let statement = part(&files, file::STATEMENT);
    for (what, everywhere) in [("two of one name", true), ("two names for one", false)] {
        // As many files with the instructions, or one more with a second statement.
        let (index, real) = if everywhere {
            files.push(("statement.jsoX".to_owned(), statement.clone()));
            (files.len() - 1, file::STATEMENT)
        } else {
            files.pop();
            files[0].0 = "statement.jsoX".to_owned();
            (0, file::STATEMENT)
        };
        assert_eq!(files[index].0.len(), real.len());
        let zip = rename(&repack(&files), &files[index].0, real, everywhere);
        given.refuses(what, &zip);
    }
}

/// Renames a file in the archive's directory and, if so wished, before its bytes as well.
fn rename(zip: &[u8], from: &str, to: &str, everywhere: bool) -> Vec<u8> {
    let mut zip = zip.to_vec();
    let places: Vec<usize> = zip
        .windows(from.len())
        .enumerate()
        .filter(|(_, window)| *window == from.as_bytes())
        .map(|(place, _)| place)
        .collect();
    assert_eq!(
        places.len(),
        2,
        "once before the bytes, once in the directory"
    );
    let skipped = usize::from(!everywhere);
    for place in &places[skipped..] {
        zip[*place..place + to.len()].copy_from_slice(to.as_bytes());
    }
    zip
}

#[test]
fn refuses_what_is_no_receipt() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let given = Given::to(&group);
    let cases = [
        ("nothing", Vec::new()),
        ("no ZIP", b"receipt".to_vec()),
        ("cut", given.zip[..given.zip.len() / 2].to_vec()),
    ];
    for (what, zip) in cases {
        given.refuses(what, &zip);
    }
}

#[test]
fn refuses_a_receipt_over_its_limit_whatever_fills_it() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let given = Given::to(&group);
    // The instructions are no evidence, so that nothing else is wrong with these.
    let padded = |size| with_part(&given.files(), file::INSTRUCTIONS, vec![b' '; size]);
    given.verify(&padded(MAX_RECEIPT / 2)).unwrap();
    let reason = given.refuses("too large", &padded(MAX_RECEIPT));
    assert!(reason.contains("larger"), "{reason}");
}

#[test]
fn refuses_another_root() {
    let (campus, impostor) = (TestCampus::new(), TestCampus::new());
    let group = Group::of(&campus, &THREE);
    let given = Given::to(&group);
    for other in [impostor.root_fingerprint(), Fingerprint::of(b"")] {
        let verdict = VerifiedReceipt::verify(&given.zip, &other);
        refused("another root", verdict, Code::ReceiptInvalid);
    }
    let root = impostor.root().certificate().to_pem().into_bytes();
    let swapped = with_part(&given.files(), file::ROOT, root);
    given.refuses("root swapped", &swapped);
    let verdict = VerifiedReceipt::verify(&swapped, &impostor.root_fingerprint());
    refused("root swapped", verdict, Code::ReceiptInvalid);
}

#[test]
fn refuses_evidence_of_another_submission() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let others = Group::of(&campus, &THREE[..2]);
    let (mine, theirs) = (Given::to(&group), Given::to(&others));
    for (name, bytes) in theirs.files() {
        let mixed = with_part(&mine.files(), &name, bytes.clone());
        if bytes == part(&mine.files(), &name) {
            mine.verify(&mixed).unwrap();
        } else {
            mine.refuses(&name, &mixed);
        }
    }
}

#[test]
fn still_verifies_when_all_have_expired_or_been_revoked_since() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let given = Given::to(&group);
    let ten_years = Duration::from_secs(10 * 365 * 24 * 3600);
    campus.clock().advance(ten_years);
    let leaves = group.members.iter().map(|member| member.chain.leaf());
    let now = campus.trust_revoking(&leaves.collect::<Vec<_>>());
    let chain = &group.members[0].chain;
    assert!(now.verify_student(chain, campus.now()).is_err());
    given.verify(&given.zip).unwrap();
}

/// The same with headers that say that every file was compressed (APPNOTE.TXT, 4.3.7 and 4.3.12).
fn said_to_be_compressed(zip: &[u8]) -> Vec<u8> {
    let mut zip = zip.to_vec();
    for place in 0..zip.len() - 4 {
        match &zip[place..place + 4] {
            b"PK\x03\x04" => zip[place + 8] = 8,
            b"PK\x01\x02" => zip[place + 10] = 8,
            _ => {}
        }
    }
    zip
}

#[test]
fn a_receipt_that_was_packed_anew_with_compression_is_refused() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let given = Given::to(&group);
    given.verify(&given.zip).unwrap();
    let refused = given.verify(&said_to_be_compressed(&given.zip));
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("packed anew"), "{refused}");
}
