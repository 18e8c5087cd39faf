//! A line end or a space after any text of a receipt: the commands of its instructions, the script and
//! our program come to one verdict.

use scb_protocol::receipt::{VerifiedReceipt, file};
use scb_testkit::TestCampus;

use super::{Unpacked, script};
use crate::support::{Given, Group, Judge, THREE, Witnessing, judge, repack, unpack};

const ENDS: [&str; 3] = ["\n", "\r\n", " "];
/// Every text of a complete receipt that something binds, and the step of the instructions that does.
const TEXTS: [(&str, usize); 13] = [
    (file::STATEMENT, 4),
    (file::VERIFICATION, 3),
    (file::CHAINS, 3),
    (file::CRLS, 3),
    (file::ROOT, 3),
    (file::LEAF, 2),
    (file::PROOF, 8),
    (file::LOG_KEY, 8),
    (file::WITNESS_KEY, 8),
    (file::KEYS, 8),
    (file::COMMITTED, 8),
    (file::COMMITTED_PROOF, 8),
    (file::COMMITTED_ASSURANCE, 9),
];

/// The receipt with something after one of its files.
fn longer(zip: &[u8], name: &str, end: &str) -> Vec<u8> {
    let mut files = unpack(zip);
    let (_, bytes) = files.iter_mut().find(|(found, _)| found == name).unwrap();
    bytes.extend_from_slice(end.as_bytes());
    repack(&files)
}

/// Our program says so; and so does the script, if it can be run.
#[track_caller]
fn both_say(zip: &[u8], group: &Group<'_>, is_good: bool, what: &str) {
    let roots = [group.campus.root_fingerprint()];
    let ours = VerifiedReceipt::verify_under(zip, &roots);
    assert_eq!(ours.is_ok(), is_good, "{what}: {:?}", ours.err());
    if judge(Judge::Cryptography) {
        let theirs = script(&Unpacked::from(zip, group), &[]);
        assert_eq!(theirs.succeeded, is_good, "{what}: {}", theirs.output);
    }
}

#[test]
fn our_program_and_the_script_refuse_what_something_was_put_after() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let given = Given::to(&group);
    let complete = Witnessing::of(&given).zip();
    both_say(&complete, &group, true, "complete");
    both_say(&given.zip, &group, true, "pending");
    for end in ENDS {
        let instructions = longer(&complete, file::INSTRUCTIONS, end);
        both_say(&instructions, &group, true, "nothing binds these");
        let pending = longer(&given.zip, file::PENDING, end);
        both_say(&pending, &group, false, file::PENDING);
        for (name, _) in TEXTS {
            let what = format!("{name} with {end:?}");
            both_say(&longer(&complete, name, end), &group, false, &what);
        }
    }
}

/// Whether the commands of a step find everything in order.
fn is_content(receipt: &Unpacked, step: usize, time: &str) -> bool {
    // It makes what later ones need.
    receipt.step_at(2, time);
    let verdict = receipt.step_at(step, time);
    let said = |text: &str| verdict.output.contains(text);
    let is_right = match step {
        3 => hashes(receipt).iter().all(|hash| said(hash)),
        8 => said("the log holds the entry: True") && said("when it was committed: True"),
        9 => said("the entry has its hash: True") && said("Verified OK"),
        _ => said("CMS Verification successful"),
    };
    verdict.succeeded && is_right
}

/// Those that the accepted entry names.
fn hashes(receipt: &Unpacked) -> Vec<String> {
    let leaf = receipt.json(file::LEAF);
    let files = leaf["entry"]["accepted"]["files"].as_object().unwrap();
    let hashes = files.values().map(|hash| hash.as_str().unwrap().to_owned());
    hashes.collect()
}

#[test]
fn the_instructions_find_what_something_was_put_after() {
    if !judge(Judge::Openssl) {
        return;
    }
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let complete = Witnessing::of(&Given::to(&group)).zip();
    let right = Unpacked::from(&complete, &group);
    let time = right.json(file::LEAF)["at"].as_str().unwrap().to_owned();
    for step in [2, 3, 4, 8, 9] {
        assert!(is_content(&right, step, &time), "step {step}");
    }
    for end in ENDS {
        for (name, step) in TEXTS {
            let receipt = Unpacked::from(&longer(&complete, name, end), &group);
            assert!(
                !is_content(&receipt, step, &time),
                "{name} with {end:?} in step {step}"
            );
        }
    }
}
