//! A receipt that was completed late: its `crl.pem` has lists of two times, and each judge takes those
//! of the right one.

use std::time::Duration;

use scb_certs::Crl;
use scb_protocol::receipt::{LogProof, file};
use scb_testkit::TestCampus;

use super::{Unpacked, openssl_confirms_all_but_the_log, script};
use crate::support::{Given, Group, Judge, THREE, Witnessing, judge, pem};

const TWO_DAYS: Duration = Duration::from_secs(2 * 24 * 3600);

/// Completed after two days, in which the second member was revoked and the authority that had
/// certified all members; with these of the lists then.
fn late(given: &Given<'_>, lists: impl FnOnce(Vec<Crl>) -> Vec<Crl>) -> Unpacked {
    let group = given.group;
    let witnessing = Witnessing::of(given);
    group.campus.clock().advance(TWO_DAYS);
    let chain = group.members[1].chain.certificates();
    let then = group.campus.crls(5, &[&chain[0], &chain[1]]);
    let proof = witnessing.late_proof(&lists(then));
    Unpacked::from(&witnessing.with(&proof), group)
}

#[test]
fn openssl_takes_the_lists_of_each_time() {
    if !judge(Judge::Openssl) {
        return;
    }
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let given = Given::to(&group);
    let receipt = late(&given, |lists| lists);
    openssl_confirms_all_but_the_log(&receipt, 3);
    let log = receipt.step(8);
    log.says("CMS Verification successful");
    log.says("Wed Mar  4 04:00:02");
    log.says("the log holds the entry: True");
    // The lists of then say who has been revoked since.
    receipt
        .step_at(4, "2026-03-04T04:00:02Z")
        .fails("revoked since");
    let without = late(&given, |_| Vec::new());
    without.step(2).says("CMS Verification successful");
    without.step(8).refuses_log("no lists of then");
    let without = late(&given, |lists| lists[..2].to_vec());
    without.step(2).says("CMS Verification successful");
    without.step(8).refuses_log("no list of the services");
}

#[test]
fn the_script_takes_the_lists_of_each_time() {
    if !judge(Judge::Cryptography) {
        return;
    }
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let given = Given::to(&group);
    let verdict = script(&late(&given, |lists| lists), &["report.txt"]);
    verdict.says("witnessed  by campus.test/witness/cuhk at 2026-03-04T04:00:02Z");
    verdict.says(
        "lists      in force until 2026-03-05T04:00:00Z, past the time of CUHK's cosignature",
    );
    verdict.says("complete at 2026-03-02T04:00:00Z\n");
}

#[test]
fn the_script_says_where_lists_are_missing_and_refuses_others() {
    if !judge(Judge::Cryptography) {
        return;
    }
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let given = Given::to(&group);
    let right = Witnessing::of(&given);
    let accepted = group.trust.crls().to_vec();
    campus.clock().advance(TWO_DAYS);
    let lists = campus.crls(5, &[]);
    let others = TestCampus::with_clock(campus.clock().clone()).crls(5, &[]);
    let signer = campus.token_signer();
    let revoking = campus.crls(6, &[signer.chain.leaf()]);
    let with = |keys, lists: String| {
        let proof = LogProof {
            keys,
            lists,
            ..right.proof()
        };
        script(&Unpacked::from(&right.with(&proof), &group), &[])
    };
    let old = with(right.keys(), String::new());
    old.says("lists      in force until 2026-03-03T04:00:00Z ONLY");
    old.says("; its revocation lists ended BEFORE a witness saw it in the log\n");
    let keys = || right.keys_by(&signer);
    with(keys(), pem(&lists)).says("past the time of CUHK's cosignature");
    for (what, lists) in [
        ("none, and a key of later", String::new()),
        ("those that had ended", pem(&accepted)),
        ("of another CUHK", pem(&others)),
        ("one missing", pem(&lists[1..])),
        ("something besides", pem(&lists) + "more\n"),
        ("the signer was revoked", pem(&revoking)),
    ] {
        with(keys(), lists).fails(what);
    }
    let waits = Unpacked::from(&given.zip, &group);
    let both = [waits.read(file::CRLS), pem(&lists).into_bytes()].concat();
    waits.write(file::CRLS, &both);
    script(&waits, &[]).fails("lists of later in what is pending");
}
