//! Steps 3 and 4: who presents himself, and what CUHK says of him.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use scb_certs::SpiffeId;
use scb_protocol::values::SessionPublicKey;
use scb_protocol::{Code, InactiveReason, Step};

use super::{code_of, presenting, refusal_of};
use crate::tests::campus::Campus;
use crate::tests::cuhk::Answer;
use crate::tests::group::{reply, token};
use crate::tests::proposals::entries;

#[tokio::test]
async fn too_many_members_or_none() {
    let campus = Campus::with(|config| config.max_members = std::num::NonZeroU8::MIN).await;
    let none = presenting(campus.group(&["1155000001"]), Vec::clear);
    assert_eq!(code_of(none).await, Code::MemberCount);
    let two = presenting(campus.group(&["1155000001"]), |members| {
        members.push(members[0].clone())
    });
    assert_eq!(code_of(two).await, Code::MemberCount);
}

#[tokio::test]
async fn the_same_student_twice() {
    let campus = Campus::open().await;
    let twice = presenting(campus.three(), |members| members[2] = members[1].clone());
    let refusal = refusal_of(twice).await;
    assert_eq!(refusal.code, Code::DuplicateMember);
    assert_eq!(refusal.sid.unwrap().as_str(), "1155000002");
}

#[tokio::test]
async fn a_connection_opened_by_somebody_else() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    let second = &group.members[1];
    group.client = Some((second.chain.clone(), second.key.clone()));
    assert_eq!(code_of(group).await, Code::FirstMember);
    let mut group = campus.three();
    group.client = Some(campus.certs.service("library").pair());
    assert_eq!(code_of(group).await, Code::FirstMember);
}

#[tokio::test]
async fn no_client_certificate() {
    let campus = Campus::open().await;
    let tls = scb_transport::ClientTls::with_clock(
        scb_transport::ServerTrust::Pinned(campus.certs.trust()),
        scb_certs::ServiceName::blackboard(),
        None,
        campus.clock(),
    );
    let address = campus.address.to_string();
    let wait = Duration::from_secs(10);
    let mut connection = scb_transport::connect(&address, &tls.unwrap(), Step::Three, wait)
        .await
        .unwrap();
    assert_eq!(
        reply(&mut connection).await.unwrap_err().code,
        Code::CertificateMissing
    );
}

#[tokio::test]
async fn a_member_certificate_that_is_not_in_force() {
    let campus = Campus::open().await;
    for (validity, code) in [
        (campus.certs.expired(), Code::CertificateExpired),
        (campus.certs.future(), Code::CertificateNotYetValid),
    ] {
        let mut group = campus.three();
        let identity = campus.certs.student_valid("1155000002", &validity);
        (group.members[1].chain, group.members[1].key) = identity.pair();
        let refusal = refusal_of(group).await;
        assert_eq!((refusal.code, refusal.step), (code, Step::Three));
        assert_eq!(refusal.sid.unwrap().as_str(), "1155000002");
    }
}

#[tokio::test]
async fn a_member_of_another_campus() {
    let campus = Campus::open().await;
    let other = scb_testkit::TestCampus::new().student("1155000002");
    let mut group = campus.three();
    (group.members[1].chain, group.members[1].key) = other.pair();
    assert_eq!(code_of(group).await, Code::CertificateIssuerNamesake);
}

#[tokio::test]
async fn a_service_as_a_member() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    (group.members[1].chain, group.members[1].key) = campus.certs.service("library").pair();
    assert_eq!(code_of(group).await, Code::CertificateWrongRole);
}

#[tokio::test]
async fn an_id_that_is_not_the_certificates() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    group.members[1].sid = "1155000009".parse().unwrap();
    assert_eq!(code_of(group).await, Code::CertificateWrongRole);
}

/// Whatever a token says of where keys may be had, nobody comes for them.
#[tokio::test]
async fn a_token_that_says_where_its_key_is_has_nothing_fetched() {
    let campus = Campus::open().await;
    let bait = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/keys", bait.local_addr().unwrap());
    for field in ["jku", "x5u"] {
        let mut group = campus.three();
        let right = group.members[1].token.clone();
        let [header, claims, _] = right.split('.').collect::<Vec<_>>()[..] else {
            panic!("three parts");
        };
        let header = String::from_utf8(BASE64URL_NOPAD.decode(header.as_bytes()).unwrap());
        let header = header
            .unwrap()
            .replacen('{', &format!("{{{field:?}:{url:?},"), 1);
        let input = format!("{}.{claims}", BASE64URL_NOPAD.encode(header.as_bytes()));
        let signature = campus.cuhk.token_signer().key.sign_raw(input.as_bytes());
        let signature = BASE64URL_NOPAD.encode(&signature.unwrap());
        group.members[1].token = format!("{input}.{signature}");
        assert_eq!(code_of(group).await, Code::TokenInvalid, "{field}");
    }
    let came = tokio::time::timeout(Duration::from_millis(50), bait.accept()).await;
    assert!(came.is_err(), "{came:?}");
}

#[tokio::test]
async fn a_token_for_another_service_student_or_time() {
    let campus = Campus::open().await;
    let library = "library".parse().unwrap();
    let library = SpiffeId::new_service(campus.service.trust_domain(), &library);
    let mut group = campus.three();
    group.members[1].token = token(&campus, group.members[1].chain.leaf(), &library);
    assert_eq!(code_of(group).await, Code::TokenAudience);

    let mut group = campus.three();
    group.members[1].token = group.members[0].token.clone();
    assert_eq!(code_of(group).await, Code::TokenMismatch);

    let group = campus.three();
    campus
        .certs
        .clock()
        .advance(Duration::from_secs(12 * 3600 + 120));
    assert_eq!(code_of(group).await, Code::TokenExpired);
}

#[tokio::test]
async fn an_altered_token() {
    let campus = Campus::open().await;
    let altered = presenting(campus.three(), |members| flip(&mut members[1].token));
    assert_eq!(code_of(altered).await, Code::TokenInvalid);
}

/// Changes one letter of a signature.
fn flip(text: &mut String) {
    let at = text.len() - 10;
    let other = if text.as_bytes()[at] == b'A' {
        "B"
    } else {
        "A"
    };
    text.replace_range(at..=at, other);
}

#[tokio::test]
async fn proofs_swapped_altered_or_by_another_key() {
    let campus = Campus::open().await;
    let swapped = presenting(campus.three(), |members| {
        let proof = members[1].proof.clone();
        members[1].proof = std::mem::replace(&mut members[2].proof, proof);
    });
    assert_eq!(code_of(swapped).await, Code::ProofInvalid);
    let altered = presenting(campus.three(), |members| flip(&mut members[0].proof));
    assert_eq!(code_of(altered).await, Code::ProofInvalid);
    let mut group = campus.three();
    group.members[2].key = group.members[1].key.clone();
    let refusal = refusal_of(group).await;
    assert_eq!(refusal.code, Code::ProofInvalid);
    assert_eq!(refusal.sid.unwrap().as_str(), "1155000003");
}

#[tokio::test]
async fn a_proof_of_another_connection() {
    let campus = Campus::open().await;
    let mut earlier = Vec::new();
    let mut group = presenting(campus.three(), |members| earlier = members.clone());
    let members = group.members.clone();
    group.open_session().await.unwrap();
    drop(group);
    let mut group = presenting(campus.three(), |members| members.clone_from(&earlier));
    group.members = members;
    assert_eq!(code_of(group).await, Code::ProofInvalid);
}

#[tokio::test]
async fn a_session_key_that_nobody_endorsed() {
    let campus = Campus::open().await;
    let other = SessionPublicKey::from_bytes([9; 32]);
    let changed = presenting(campus.three(), move |members| {
        members[1].session_key = other
    });
    assert_eq!(code_of(changed).await, Code::ProofInvalid);
}

#[tokio::test]
async fn a_member_left_out_or_in_another_order() {
    let campus = Campus::open().await;
    let fewer = presenting(campus.three(), |members| drop(members.pop()));
    assert_eq!(code_of(fewer).await, Code::ProofInvalid);
    let swapped = presenting(campus.three(), |members| members.swap(1, 2));
    assert_eq!(code_of(swapped).await, Code::ProofInvalid);
}

#[tokio::test]
async fn an_answer_of_cuhk_that_does_not_verify() {
    let campus = Campus::open().await;
    for answer in [
        Answer::AnotherNonce,
        Answer::OtherMembers,
        Answer::AnotherCertificate,
        Answer::FewerMembers,
        Answer::AnotherAsker,
        Answer::SignedByTheServiceKey,
        Answer::Garbage,
    ] {
        campus.cuhk.answer(answer.clone());
        let refusal = refusal_of(campus.three()).await;
        assert_eq!(refusal.code, Code::VerificationInvalid, "{answer:?}");
        assert_eq!(refusal.step, Step::Three);
    }
    campus.cuhk.answer(Answer::Honest);
    campus.three().hand_in().await.unwrap();
}

#[tokio::test]
async fn under_a_clock_that_is_not_cuhks_nothing_is_recorded() {
    let campus = Campus::open().await;
    let before = entries(&campus).len();
    for (ahead, told) in [
        (-61, ("seconds_ahead", "61")),
        (-3600, ("seconds_ahead", "3600")),
        (61, ("seconds_behind", "61")),
    ] {
        campus.cuhk.answer(Answer::Ahead(ahead));
        let refusal = campus.group(&["1155000001"]).commit().await.unwrap_err();
        assert_eq!(
            (refusal.code, refusal.step),
            (Code::PlatformClock, Step::Three)
        );
        assert_eq!(refusal.params[told.0], told.1);
        assert_eq!(entries(&campus).len(), before, "{ahead}: it was committed");
    }
    // What is let in is taken in to the end.
    for ahead in [-60, 60] {
        campus.cuhk.answer(Answer::Ahead(ahead));
        campus.three().hand_in().await.unwrap();
    }
}

#[tokio::test]
async fn an_answer_that_does_not_verify_at_the_last_look() {
    let campus = Campus::open().await;
    campus
        .cuhk
        .set(|state| state.later_answer = Some(Answer::AnotherNonce));
    let refusal = refusal_of(campus.three()).await;
    assert_eq!(
        (refusal.code, refusal.step),
        (Code::VerificationInvalid, Step::Six)
    );
}

#[tokio::test]
async fn a_student_of_whom_cuhk_says_no() {
    let campus = Campus::open().await;
    for reason in [
        InactiveReason::Unknown,
        InactiveReason::Revoked,
        InactiveReason::Suspended,
    ] {
        campus
            .cuhk
            .answer(Answer::Inactive("1155000003".to_owned(), reason));
        let refusal = refusal_of(campus.three()).await;
        assert_eq!(refusal.code, Code::StudentInactive);
        assert_eq!(refusal.sid.unwrap().as_str(), "1155000003");
        assert_eq!(refusal.params["reason"], reason.to_string());
    }
}
