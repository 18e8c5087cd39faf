//! Receipts that Blackboard should not have given: its own signature does not save them.

use std::time::Duration;

use scb_certs::{Fingerprint, sign_detached};
use scb_protocol::client::Member;
use scb_protocol::receipt::Evidence;
use scb_protocol::values::Nonce;
use scb_protocol::{InactiveReason, Question};
use scb_testkit::TestCampus;
use serde_json::{Value, json};

use crate::support::{Given, Group, THREE, merge, name, pem, retain};

/// The group's statement after `alter`, rightly signed by all of its own members.
fn restated(group: &Group<'_>, alter: impl FnOnce(&mut Value)) -> (Vec<u8>, Vec<u8>) {
    let mut statement = serde_json::to_value(group.statement()).unwrap();
    alter(&mut statement);
    let bytes = statement.to_string().into_bytes();
    let signatures = group.sign(&bytes);
    (bytes, signatures)
}

#[test]
fn refuses_evidence_that_blackboard_should_not_have_accepted() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let given = Given::to(&group);
    let right = given.evidence();
    let outsider = group.outsider();
    let all: Vec<_> = group.members.iter().chain([&outsider]).collect();
    let sign = |members: &[&Member]| {
        let signers: Vec<_> = members.iter().map(|m| (&m.key, &m.chain)).collect();
        sign_detached(&right.statement, &signers, campus.now()).unwrap()
    };
    let signatures = |signatures: Vec<u8>| Evidence {
        signatures,
        ..right.clone()
    };
    let restate = |alter: &dyn Fn(&mut Value)| {
        let (statement, signatures) = restated(&group, alter);
        Evidence {
            statement,
            signatures,
            ..right.clone()
        }
    };
    let verification = |assurance: String| Evidence {
        assurance,
        ..right.clone()
    };
    let question = |members: usize| Question {
        nonce: given.submission.assurance().verification().unwrap().nonce(),
        members: group.named()[..members].to_vec(),
        statement_sha256: None,
    };
    let suspended = group.answer_with(&question(3), |sid| {
        (sid.as_str() == THREE[2]).then_some(InactiveReason::Suspended)
    });
    let cases = [
        (
            "a signature removed",
            "not every member",
            signatures(retain(&right.signatures, 2)),
        ),
        ("two sign", "not every member", signatures(sign(&all[..2]))),
        ("an outsider signs", "not a member", signatures(sign(&all))),
        (
            "one signs twice",
            "signed twice",
            signatures(merge(&right.signatures, &sign(&all[..1]))),
        ),
        (
            "members swapped",
            "other members",
            restate(&|s| list(s).swap(0, 1)),
        ),
        (
            "IDs swapped",
            "another role",
            restate(&|s| {
                let first = s["members"][0]["sid"].clone();
                s["members"][0]["sid"] = s["members"][1]["sid"].clone();
                s["members"][1]["sid"] = first;
            }),
        ),
        (
            "a member fewer",
            "not a member",
            restate(&|s| drop(list(s).pop())),
        ),
        ("nobody", "not a member", restate(&|s| list(s).clear())),
        (
            "one twice",
            "a member twice",
            restate(&|s| {
                let first = list(s)[0].clone();
                list(s).push(first);
            }),
        ),
        (
            "another service",
            "another service than",
            restate(&|s| s["service"] = json!(name("service/grader"))),
        ),
        (
            "not a statement",
            "type or version",
            restate(&|s| s["v"] = json!(2)),
        ),
        (
            "CUHK confirmed two",
            "other members",
            verification(group.answer(&question(2))),
        ),
        ("one is inactive", "suspended", verification(suspended)),
        (
            "no verification",
            "not a signed token",
            verification(String::new()),
        ),
    ];
    for (what, expected, evidence) in cases {
        let reason = given.refuses(what, &given.accepted(&evidence));
        assert!(reason.contains(expected), "{what}: {reason}");
    }
    given.verify(&given.accepted(&right)).unwrap();
}

/// The second and the third member signed elsewhere: the statement does not say with which
/// certificates.
fn elsewhere(statement: &mut Value) {
    for member in &mut list(statement)[1..] {
        member.as_object_mut().unwrap().remove("cert_sha256");
    }
}

#[test]
fn of_members_who_signed_elsewhere_any_certificate_of_their_own_counts() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let given = Given::to(&group);
    let (statement, signatures) = restated(&group, elsewhere);
    let question = Question {
        nonce: Nonce::from_bytes([1; 16]),
        members: group.named(),
        statement_sha256: Some(Fingerprint::of(&statement)),
    };
    let evidence = Evidence {
        statement,
        signatures,
        assurance: group.answer(&question),
        ..given.evidence()
    };
    let receipt = given.verify(&given.accepted(&evidence)).unwrap();
    let signed: Vec<_> = receipt
        .members()
        .iter()
        .map(|one| one.cert_sha256)
        .collect();
    let own = group.named();
    let own: Vec<_> = own.iter().map(|member| member.cert_sha256).collect();
    assert_eq!(signed, own);
}

#[test]
fn refuses_signatures_removed_added_or_exchanged_of_members_who_signed_elsewhere() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let given = Given::to(&group);
    let (statement, right) = restated(&group, elsewhere);
    let outsider = group.outsider();
    let [a, b, c] = &group.members[..] else {
        panic!("three members");
    };
    let device = Group::of(&campus, &THREE[2..]);
    let other_device = &device.members[0];
    let sign = |members: &[&Member]| {
        let signers: Vec<_> = members.iter().map(|m| (&m.key, &m.chain)).collect();
        sign_detached(&statement, &signers, campus.now()).unwrap()
    };
    for (what, expected, signatures) in [
        ("one removed", "not every member", retain(&right, 2)),
        (
            "another student's",
            "not every member",
            sign(&[a, b, &outsider]),
        ),
        ("one more", "not a member", sign(&[a, b, c, &outsider])),
        (
            "one student twice",
            "not a member",
            sign(&[a, b, c, other_device]),
        ),
        (
            "another device",
            "other members",
            sign(&[a, b, other_device]),
        ),
    ] {
        let evidence = Evidence {
            statement: statement.clone(),
            signatures,
            ..given.evidence()
        };
        let reason = given.refuses(what, &given.accepted(&evidence));
        assert!(reason.contains(expected), "{what}: {reason}");
    }
}

fn list(statement: &mut Value) -> &mut Vec<Value> {
    statement["members"].as_array_mut().unwrap()
}

#[test]
fn refuses_revocation_lists_that_are_missing_stale_later_or_anothers() {
    let (campus, impostor) = (TestCampus::new(), TestCampus::new());
    let group = Group::of(&campus, &THREE[..1]);
    let given = Given::to(&group);
    let right = campus.crls(1, &[]);
    let later = {
        campus.clock().advance(Duration::from_secs(3600));
        let later = campus.crls(2, &[]);
        campus.clock().rewind(Duration::from_secs(3600));
        later
    };
    let stale = {
        campus.clock().rewind(Duration::from_secs(25 * 3600));
        let stale = campus.crls(1, &[]);
        campus.clock().advance(Duration::from_secs(25 * 3600));
        stale
    };
    for (what, crls) in [
        ("none", String::new()),
        ("no PEM", "-----BEGIN X509 CRL-----".to_owned()),
        ("none of the root", pem(&right[1..])),
        (
            "none of students",
            pem(&[right[0].clone(), right[2].clone()]),
        ),
        ("none of services", pem(&right[..2])),
        ("later", pem(&later)),
        ("one later", pem(&[&right[..2], &later[2..]].concat())),
        ("stale", pem(&stale)),
        ("an impostor's", pem(&impostor.crls(1, &[]))),
    ] {
        let evidence = Evidence {
            crls,
            ..given.evidence()
        };
        given.refuses(what, &given.accepted(&evidence));
    }
}

#[test]
fn refuses_who_was_revoked_at_the_time() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let given = Given::to(&group);
    let member = group.members[2].chain.leaf();
    let issuer = &group.members[2].chain.certificates()[1];
    for (what, revoked) in [
        ("a member", member),
        ("Blackboard", group.blackboard.leaf()),
        ("CUHK's token signer", group.cuhk.leaf()),
        ("the students' issuer", issuer),
    ] {
        let evidence = Evidence {
            crls: pem(&campus.crls(1, &[revoked])),
            ..given.evidence()
        };
        let reason = given.refuses(what, &given.accepted(&evidence));
        let told = ["revoked", "withdrawn"]
            .iter()
            .any(|word| reason.contains(word));
        assert!(told, "{what}: {reason}");
    }
}
