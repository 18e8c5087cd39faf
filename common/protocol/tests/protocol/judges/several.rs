//! Members who signed on several machines: the judges know who of them signed, and with what.

use scb_certs::{Fingerprint, sign_detached};
use scb_protocol::Question;
use scb_protocol::client::Member;
use scb_protocol::receipt::Evidence;
use scb_protocol::values::Nonce;
use scb_testkit::TestCampus;

use super::{Unpacked, Verdict, script};
use crate::support::{Given, Group, Judge, THREE, judge};

/// The first member signed here, the others elsewhere; with these signatures.
fn cosigned(given: &Given<'_>, signers: &[&Member]) -> Vec<u8> {
    let group = given.group;
    let mut statement = serde_json::to_value(group.statement()).unwrap();
    for member in &mut statement["members"].as_array_mut().unwrap()[1..] {
        member.as_object_mut().unwrap().remove("cert_sha256");
    }
    let statement = statement.to_string().into_bytes();
    let signers: Vec<_> = signers.iter().map(|one| (&one.key, &one.chain)).collect();
    let question = Question {
        nonce: Nonce::random().unwrap(),
        members: group.named(),
        statement_sha256: Some(Fingerprint::of(&statement)),
    };
    given.accepted(&Evidence {
        assurance: group.answer(&question),
        signatures: sign_detached(&statement, &signers, group.campus.now()).unwrap(),
        statement,
        ..given.evidence()
    })
}

/// Who signed it, by the commands of the instructions.
fn signers(receipt: &Unpacked) -> Verdict {
    receipt.step(2).says("CMS Verification successful");
    receipt.step(4).says("CMS Verification successful");
    receipt.step(5)
}

#[test]
fn others_judge_what_was_signed_on_several_machines() {
    if !judge(Judge::Openssl) || !judge(Judge::Cryptography) {
        return;
    }
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let given = Given::to(&group);
    let [a, b, c] = &group.members[..] else {
        panic!("three members");
    };
    let right = Unpacked::from(&cosigned(&given, &[a, b, c]), &group);
    script(&right, &["report.txt"]).says("it verifies, but is PENDING");
    signers(&right).says("signers are the members, by name: True");

    let (outsider, device) = (group.outsider(), Group::of(&campus, &THREE[2..]));
    for (what, by) in [
        ("one removed", vec![a, b]),
        ("another student", vec![a, b, &outsider]),
        ("one more", vec![a, b, c, &outsider]),
        ("one student twice", vec![a, b, c, &device.members[0]]),
    ] {
        let altered = Unpacked::from(&cosigned(&given, &by), &group);
        script(&altered, &[]).fails(what);
        signers(&altered).says("signers are the members, by name: False");
    }
    // Which certificate of that student it was, CUHK said.
    let by = [a, b, &device.members[0]];
    let exchanged = Unpacked::from(&cosigned(&given, &by), &group);
    script(&exchanged, &[]).fails("another device");
}
