//! Steps 3 to 6, as they should go.

use scb_certs::Fingerprint;
use scb_protocol::receipt::VerifiedReceipt;
use scb_protocol::server::Policy;
use scb_protocol::{Code, MAX_PAYLOAD, Step};
use scb_testkit::TestCampus;

use crate::support::{Group, Side, THREE};

#[test]
fn one_two_and_three_members_hand_in_and_get_a_receipt() {
    for count in 1..=3 {
        let campus = TestCampus::new();
        let group = Group::of(&campus, &THREE[..count]);
        let stored = group.run().go().unwrap();
        let again = VerifiedReceipt::verify(&stored.zip, &campus.root_fingerprint()).unwrap();
        for receipt in [&stored.receipt, &again] {
            let sids: Vec<String> = receipt
                .members()
                .iter()
                .map(|member| member.sid.to_string())
                .collect();
            assert_eq!(sids, THREE[..count]);
            assert_eq!(receipt.number().to_string(), "S-000001");
            assert_eq!(receipt.accepted_at(), campus.now());
            assert_eq!(
                receipt.statement_bytes(),
                stored.submission.statement_bytes()
            );
        }
    }
}

#[test]
fn refuses_a_group_without_members_and_one_with_too_many() {
    let campus = TestCampus::new();
    for sids in [&[][..], &[THREE[0], THREE[1], THREE[2], "1155000004"]] {
        let group = Group::of(&campus, sids);
        let refused = group.run().refused("member count");
        refused.is("here", Side::Client, Step::Three, Code::MemberCount);
    }
}

#[test]
fn the_receipt_knows_its_file_and_no_other() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let stored = group.run().go().unwrap();
    let file = stored.receipt.statement().files[0].clone();
    let verdict = stored.receipt.verify_file(file.size, file.sha256);
    assert_eq!(verdict, Ok(&file));
    for (size, sha256) in [
        (file.size + 1, file.sha256),
        (file.size, Fingerprint::of(b"another file")),
    ] {
        let refusal = stored.receipt.verify_file(size, sha256).unwrap_err();
        assert_eq!(refusal.code, Code::ContentAltered);
    }
}

#[test]
fn no_two_runs_of_one_group_share_a_challenge_a_key_or_a_nonce() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let mut questions = Vec::new();
    for _ in 0..2 {
        let run = group.run().cuhk(|question| {
            questions.push(question.nonce);
            group.answer(question)
        });
        run.go().unwrap();
    }
    assert_eq!(questions.len(), 4, "asked in step 3 and again in step 6");
    questions.sort();
    questions.dedup();
    assert_eq!(questions.len(), 4);
}

#[test]
fn eight_members_fit_into_the_frames() {
    let campus = TestCampus::new();
    let sids: Vec<String> = (1..=8).map(|n| format!("{n}{}", "x".repeat(31))).collect();
    let sids: Vec<&str> = sids.iter().map(String::as_str).collect();
    let mut group = Group::of(&campus, &sids);
    group.policy = Policy {
        max_members: 8,
        ..(*group.policy).clone()
    }
    .into();
    let mut largest = 0;
    let run = group.run().requests(|request| {
        largest = largest.max(serde_json::to_vec(request).unwrap().len());
    });
    assert_eq!(run.go().unwrap().receipt.members().len(), 8);
    assert!(
        largest < MAX_PAYLOAD * 9 / 10,
        "{largest} bytes are near the limit"
    );
}
