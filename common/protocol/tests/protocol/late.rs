//! Receipts that were completed late: when CUHK cosigned, the revocation lists had ended that were
//! accepted with the submission, and those that were in force then follow them.

use std::time::Duration;

use scb_certs::Crl;
use scb_protocol::receipt::{LogProof, VerifiedReceipt, file};
use scb_testkit::TestCampus;

use crate::support::{Given, Group, THREE, Witnessing, part, pem, unpack, with_part};

const TWO_DAYS: Duration = Duration::from_secs(2 * 24 * 3600);

/// Lists of two days later, in which the second member has been revoked meanwhile, and then the
/// authority that had certified all members.
fn later(group: &Group<'_>) -> Vec<Crl> {
    group.campus.clock().advance(TWO_DAYS);
    let chain = group.members[1].chain.certificates();
    group.campus.crls(5, &[&chain[0], &chain[1]])
}

fn told(receipt: &VerifiedReceipt) -> String {
    let mut checks = receipt.checks().iter();
    let told = checks.find(|check| check.what == "lists");
    told.unwrap().found.to_string()
}

#[test]
fn has_the_lists_of_both_times_and_proves_what_it_would_have_proved_at_once() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let given = Given::to(&group);
    let right = Witnessing::of(&given);
    let lists = later(&group);
    let proof = right.late_proof(&lists);
    let root = campus.root_fingerprint();
    let (zip, _) = VerifiedReceipt::complete(&given.zip, &proof, &[root]).unwrap();
    assert!(
        zip == right.with(&proof),
        "the same files in the same order"
    );
    let crls = String::from_utf8(part(&unpack(&zip), file::CRLS)).unwrap();
    assert_eq!(crls, pem(group.trust.crls()) + &pem(&lists));
    // Ten years later nothing else comes of it.
    campus.clock().advance(1800 * TWO_DAYS);
    let receipt = given.verify(&zip).unwrap();
    assert!(!receipt.witnessed().unwrap().outlives_lists());
    assert!(told(&receipt).contains("past the time of CUHK's"));
    assert_eq!(receipt.members().len(), 3);
}

#[test]
fn without_the_later_lists_it_is_not_shown_that_the_keys_were_endorsed_then() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..2]);
    let given = Given::to(&group);
    let right = Witnessing::of(&given);
    later(&group);
    // By the key that CUHK had when the work was accepted, which the old lists still speak of.
    let receipt = given.verify(&right.with(&right.proof())).unwrap();
    assert!(receipt.witnessed().unwrap().outlives_lists());
    assert!(told(&receipt).contains("ONLY"));
    let reason = given.refuses("a key of later", &right.with(&right.late_proof(&[])));
    assert!(reason.contains("CUHK did not sign"), "{reason}");
}

#[test]
fn refuses_later_lists_that_are_not_the_issuers_of_that_time() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..2]);
    let given = Given::to(&group);
    let right = Witnessing::of(&given);
    let accepted = group.trust.crls().to_vec();
    let lists = later(&group);
    let others = TestCampus::with_clock(campus.clock().clone()).crls(5, &[]);
    let signer = campus.token_signer();
    let revoked = campus.crls(6, &[signer.chain.leaf()]);
    campus.clock().advance(TWO_DAYS);
    let future = campus.crls(7, &[]);
    let proof = LogProof {
        keys: right.keys_by(&signer),
        ..right.late_proof(&lists)
    };
    for (what, expected, lists) in [
        ("those that had ended", "not in force", pem(&accepted)),
        ("of yet later", "not in force", pem(&future)),
        ("of another CUHK", "not signed", pem(&others)),
        ("one missing", "CUHK did not sign", pem(&lists[1..])),
        (
            "something besides",
            "not only lists",
            pem(&lists) + "more\n",
        ),
        (
            "something before",
            "not only lists",
            "more\n".to_owned() + &pem(&lists),
        ),
        ("the signer was revoked", "revoked", pem(&revoked)),
    ] {
        let at = Witnessing::of(&given);
        let line = at.cosign(
            &at.witness,
            at.checkpoint(),
            -i64::try_from(TWO_DAYS.as_secs()).unwrap(),
        );
        let proof = LogProof {
            lists,
            keys: proof.keys.clone(),
            ..at.proof_of(&at.checkpoint().with(line))
        };
        let reason = given.refuses(what, &right.with(&proof));
        assert!(reason.contains(expected), "{what}: {reason}");
    }
}

#[test]
fn every_list_in_it_is_bound_and_none_is_added_to_what_is_pending() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let given = Given::to(&group);
    let right = Witnessing::of(&given);
    let alone = given.files();
    let mut with_later = part(&alone, file::CRLS);
    campus.clock().advance(TWO_DAYS);
    let lists = campus.crls(5, &[]);
    with_later.extend(pem(&lists).into_bytes());
    given.refuses(
        "pending",
        &with_part(&alone, file::CRLS, with_later.clone()),
    );
    let files = unpack(&right.with(&right.late_proof(&lists)));
    assert!(part(&files, file::CRLS) == with_later);
    for index in (0..with_later.len()).step_by(97) {
        let mut altered = with_later.clone();
        altered[index] ^= 1;
        given.refuses(
            &format!("byte {index}"),
            &with_part(&files, file::CRLS, altered),
        );
    }
}

#[test]
fn the_lists_of_the_cosignature_are_added_where_the_own_ones_had_ended() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let given = Given::to(&group);
    let right = Witnessing::of(&given);
    let (evidence, at_once) = (given.evidence(), campus.now());
    let added = |lists: &[Crl], seen| {
        let proof = right.proof().for_receipt(&evidence, (lists, seen));
        proof.unwrap().lists
    };
    let lists = later(&Group::of(&campus, &THREE));
    let others = TestCampus::with_clock(campus.clock().clone()).crls(5, &[]);
    assert_eq!(added(&lists, at_once), "", "its own tell");
    assert_eq!(added(&lists, campus.now()), pem(&lists));
    assert_eq!(added(&others, campus.now()), "", "nobody's in it");
    assert_eq!(
        added(group.trust.crls(), campus.now()),
        pem(&group.trust.crls()[..1])
    );
}
