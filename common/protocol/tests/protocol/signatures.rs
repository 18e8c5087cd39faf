//! Step 6: the members' signatures.

use scb_certs::{Chain, sign_detached};
use scb_protocol::client::Member;
use scb_protocol::message::blackboard::Request;
use scb_protocol::server::AcceptedStatement;
use scb_protocol::values::Der;
use scb_protocol::{Code, Refusal, Step};
use scb_testkit::TestCampus;

use crate::support::{Group, Side, THREE, merge, refused, refused_in, retain, submit, text};

/// What the server says to these signatures under the group's right statement and MAC.
fn signed(group: &Group<'_>, signatures: Vec<u8>) -> Result<AcceptedStatement, Refusal> {
    let statement = text(group);
    submit(group, |_, key| Request::Submit {
        mac: key.statement_mac(statement.as_bytes()),
        statement,
        signatures: Der::new(signatures),
    })
}

fn by(group: &Group<'_>, members: &[&Member], statement: &[u8]) -> Vec<u8> {
    let signers: Vec<_> = members
        .iter()
        .map(|member| (&member.key, &member.chain))
        .collect();
    sign_detached(statement, &signers, group.campus.now()).unwrap()
}

#[test]
fn accepts_signatures_in_any_order() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let [first, second, third] = &group.members[..] else {
        panic!("three members")
    };
    let statement = group.statement().to_bytes().unwrap();
    for order in [[first, second, third], [third, first, second]] {
        signed(&group, by(&group, &order, &statement)).unwrap();
    }
}

#[test]
fn refuses_a_statement_that_not_exactly_its_members_signed() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let [first, second, third] = &group.members[..] else {
        panic!("three members")
    };
    let outsider = group.outsider();
    let statement = group.statement().to_bytes().unwrap();
    let by = |members: &[&Member]| by(&group, members, &statement);
    let all = by(&[first, second, third]);

    let two = signed(&group, by(&[first, second]));
    let refusal = refused("two of three", two, Code::SignatureMissing);
    assert_eq!(refusal.sid, Some(THREE[2].parse().unwrap()));

    let renewed = group.campus.student(THREE[2]);
    let renewed = Member {
        chain: renewed.chain,
        key: renewed.key,
        ..third.clone()
    };
    let mut missing = vec![
        ("one cut off", retain(&all, 2)),
        ("one of three", by(&[second])),
        ("an outsider instead", by(&[first, second, &outsider])),
        (
            "another certificate of the third",
            by(&[first, second, &renewed]),
        ),
        ("only an outsider", by(&[&outsider])),
    ];
    let grader = campus.service("blackboard");
    let service = Member {
        chain: grader.chain,
        key: grader.key,
        ..third.clone()
    };
    missing.push(("a service instead", by(&[first, second, &service])));
    for (what, signatures) in missing {
        refused_in(
            Step::Six,
            what,
            signed(&group, signatures),
            Code::SignatureMissing,
        );
    }

    let invalid = [
        (
            "an outsider besides",
            by(&[first, second, third, &outsider]),
        ),
        ("one twice", merge(&all, &by(&[first]))),
        (
            "over another statement",
            crate::signatures::by(&group, &[first, second, third], b"{}"),
        ),
        ("nothing", Vec::new()),
        ("not CMS", statement.clone()),
        ("a byte more", [&all[..], &[0]].concat()),
        ("a byte less", all[..all.len() - 1].to_vec()),
        ("no signer", retain(&all, 0)),
    ];
    for (what, signatures) in invalid {
        refused_in(
            Step::Six,
            what,
            signed(&group, signatures),
            Code::SignatureInvalid,
        );
    }
    signed(&group, all).unwrap();
}

#[test]
fn names_the_first_member_whose_signature_fails() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let statement = group.statement().to_bytes().unwrap();
    let members: Vec<_> = group.members.iter().collect();
    let nobody = retain(&by(&group, &members, &statement), 0);
    let alone = |index: usize| by(&group, &members[index..=index], &statement);
    let altered = |index: usize| {
        let mut bytes = alone(index);
        *bytes.last_mut().unwrap() ^= 1;
        bytes
    };
    for wrong in [
        [true, false, false],
        [false, true, false],
        [false, true, true],
    ] {
        let of = |index: usize| {
            if wrong[index] {
                altered(index)
            } else {
                alone(index)
            }
        };
        let signatures = (0..3).fold(nobody.clone(), |merged, index| merge(&merged, &of(index)));
        let refusal = refused(
            "altered",
            signed(&group, signatures),
            Code::SignatureInvalid,
        );
        let first = wrong.iter().position(|wrong| *wrong).unwrap();
        assert_eq!(
            refusal.sid,
            Some(THREE[first].parse().unwrap()),
            "{wrong:?}"
        );
    }
    let outsider = group.outsider();
    let mut stranger = by(&group, &[&outsider], &statement);
    *stranger.last_mut().unwrap() ^= 1;
    let refusal = refused(
        "a stranger",
        signed(&group, stranger),
        Code::SignatureInvalid,
    );
    assert_eq!(refusal.sid, None, "nobody of the group is to blame");
}

#[test]
fn refuses_signatures_altered_in_any_byte_before_anything_is_stored() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..2]);
    let right = group.sign(&group.statement().to_bytes().unwrap());
    for index in (0..right.len()).step_by(13) {
        let mut run = group.run();
        let mut altered = right.clone();
        altered[index] ^= 0x10;
        run.signatures = Some(altered);
        let refused = run.refused(&format!("byte {index} of {}", right.len()));
        assert_eq!(
            refused.by,
            Side::Server,
            "byte {index}: {}",
            refused.refusal
        );
        let code = refused.refusal.code.as_str();
        let is_expected = code.starts_with("signature_") || code.starts_with("certificate_");
        assert!(is_expected, "byte {index}: {}", refused.refusal);
    }
}

#[test]
fn refuses_signatures_without_the_issuers_certificate() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let statement = group.statement().to_bytes().unwrap();
    let leaves: Vec<_> = group
        .members
        .iter()
        .map(|member| Chain::new(vec![member.chain.leaf().clone()]).unwrap())
        .collect();
    let signers = group.members.iter().map(|member| &member.key).zip(&leaves);
    let signers: Vec<_> = signers.collect();
    let mut run = group.run();
    run.signatures = Some(sign_detached(&statement, &signers, campus.now()).unwrap());
    // Its receipt could not be verified by anybody.
    let refused = run.refused("no issuer");
    let code = Code::CertificateUnknownIssuer;
    refused.is("no issuer", Side::Server, Step::Six, code);
}
