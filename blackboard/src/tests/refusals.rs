//! What must be refused, with nothing stored.

use std::time::Duration;

use bytes::Bytes;
use scb_certs::SpiffeId;
use scb_protocol::message::Message;
use scb_protocol::message::blackboard::{Presented, Request};
use scb_protocol::values::{Mac, SessionPublicKey};
use scb_protocol::{Code, InactiveReason, Refusal, Step};
use scb_transport::Connection;
use serde_json::{Value, json};

use super::campus::Campus;
use super::cuhk::Answer;
use super::group::{Group, member, reply, token};

/// Hands in, which must be refused and leave nothing.
async fn refusal_of(mut group: Group<'_>) -> Refusal {
    let refusal = group.hand_in().await.expect_err("it was accepted");
    group.campus.assert_nothing_stored().await;
    refusal
}

async fn code_of(group: Group<'_>) -> Code {
    refusal_of(group).await.code
}

/// Changes what is presented.
fn presenting<'a>(
    group: Group<'a>,
    mut change: impl FnMut(&mut Vec<Presented>) + Send + 'a,
) -> Group<'a> {
    group.tampering(move |request| {
        if let Request::Present { members } = request {
            change(members);
        }
    })
}

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
    assert_eq!(code_of(group).await, Code::CertificateUnknownIssuer);
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
        Answer::AnHourOld,
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

#[tokio::test]
async fn a_confirmation_or_mac_that_is_wrong() {
    let campus = Campus::open().await;
    let zero = Mac::from_bytes([0; 32]);
    let group = campus.three().tampering(move |request| {
        if let Request::Confirm { mac } = request {
            *mac = zero;
        }
    });
    let refusal = refusal_of(group).await;
    assert_eq!(
        (refusal.code, refusal.step),
        (Code::ConfirmationFailed, Step::Five)
    );
    let group = campus.three().tampering(move |request| {
        if let Request::Submit { mac, .. } = request {
            *mac = zero;
        }
    });
    assert_eq!(code_of(group).await, Code::MacInvalid);
}

#[tokio::test]
async fn a_statement_changed_after_its_mac() {
    let campus = Campus::open().await;
    let group = campus.three().tampering(|request| {
        if let Request::Submit { statement, .. } = request {
            *statement = statement.replace("submission.txt", "submission.pdf");
        }
    });
    assert_eq!(code_of(group).await, Code::MacInvalid);
}

#[tokio::test]
async fn a_statement_about_others_or_another_assignment() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    let (connection, session) = group.open_session().await.unwrap();
    group.members.swap(1, 2);
    let refusal = group.submit(connection, session).await.unwrap_err();
    assert_eq!(refusal.code, Code::MemberMismatch);
    for assignment in [("CSCI3150", "lab"), ("SANDBOX", "exam")] {
        let mut group = campus.three();
        group.assignment = assignment;
        assert_eq!(code_of(group).await, Code::AssignmentUnknown);
    }
}

#[tokio::test]
async fn a_statement_signed_by_two_of_three_by_others_or_altered() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    group.signers = Some(group.members[..2].to_vec());
    let refusal = refusal_of(group).await;
    assert_eq!(refusal.code, Code::SignatureMissing);
    assert_eq!(refusal.sid.unwrap().as_str(), "1155000003");

    let mut group = campus.three();
    let stranger = member(&campus, "1155000004");
    group.signers = Some([group.members.as_slice(), &[stranger]].concat());
    assert_eq!(code_of(group).await, Code::SignatureInvalid);

    let group = campus.three().tampering(|request| {
        if let Request::Submit { signatures, .. } = request {
            let mut der = signatures.as_bytes().to_vec();
            *der.last_mut().unwrap() ^= 1;
            *signatures = scb_protocol::values::Der::new(der);
        }
    });
    assert_eq!(code_of(group).await, Code::SignatureInvalid);
}

#[tokio::test]
async fn content_that_is_shorter_longer_or_altered() {
    let campus = Campus::open().await;
    let report = campus.three().report;
    let mut altered = report.clone();
    altered[70_000] ^= 1;
    let longer = [report.as_slice(), b"!"].concat();
    for (sent, code) in [
        (report[..report.len() - 1].to_vec(), Code::ContentShort),
        (Vec::new(), Code::ContentShort),
        (longer, Code::ContentLong),
        (altered, Code::ContentAltered),
    ] {
        let mut group = campus.three();
        group.sent = Some(sent);
        assert_eq!(code_of(group).await, code);
    }
}

#[tokio::test]
async fn a_report_that_is_too_large() {
    let campus = Campus::with(|config| config.max_bytes = 1000).await;
    let mut group = campus.three();
    group.report = vec![b'x'; 1001];
    assert_eq!(code_of(group).await, Code::ContentTooLarge);
    let mut group = campus.three();
    group.report = vec![b'x'; 1000];
    group.hand_in().await.unwrap();
}

#[tokio::test]
async fn a_submission_id_used_for_something_else() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    group.hand_in().await.unwrap();
    group.report.push(b'!');
    assert_eq!(
        group.hand_in().await.unwrap_err().code,
        Code::SubmissionConflict
    );
    let mut others = campus.group(&["1155000007"]);
    others.submission = group.submission;
    assert_eq!(
        others.hand_in().await.unwrap_err().code,
        Code::SubmissionConflict
    );
    assert_eq!((campus.submissions().len(), campus.content_files()), (1, 1));
}

/// Any JSON, as a message.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
struct Raw(Value);

impl Message for Raw {
    const NAMES: &'static [&'static str] = &[];

    fn name(&self) -> &'static str {
        "raw"
    }
}

async fn greeted(campus: &Campus) -> Connection {
    let mut connection = campus.three().connect().await.unwrap();
    reply(&mut connection).await.unwrap();
    connection
}

#[tokio::test]
async fn messages_that_are_unknown_malformed_or_out_of_order() {
    let campus = Campus::open().await;
    let deep = (0..1000).fold(json!(1), |inner, _| json!([inner]));
    for (message, code) in [
        (json!({"type": "upload"}), Code::UnknownMessage),
        (
            json!({"type": "enrol", "sid": "1155000001"}),
            Code::UnknownMessage,
        ),
        (json!({"type": "end"}), Code::UnexpectedMessage),
        (
            json!({"type": "confirm", "mac": "00".repeat(32)}),
            Code::UnexpectedMessage,
        ),
        (
            json!({"type": "present", "members": [], "admin": true}),
            Code::MalformedMessage,
        ),
        (json!({"type": "present"}), Code::MalformedMessage),
        (
            json!({"type": "present", "members": "all"}),
            Code::MalformedMessage,
        ),
        (
            json!({"type": "present", "members": deep}),
            Code::MalformedMessage,
        ),
        (json!([]), Code::MalformedMessage),
    ] {
        let mut connection = greeted(&campus).await;
        connection.send(&Raw(message.clone())).await.unwrap();
        assert_eq!(
            reply(&mut connection).await.unwrap_err().code,
            code,
            "{message}"
        );
    }
    campus.assert_nothing_stored().await;
}

#[tokio::test]
async fn content_before_it_is_asked_for() {
    let campus = Campus::open().await;
    let mut connection = greeted(&campus).await;
    connection
        .send_chunk(Bytes::from_static(b"report"))
        .await
        .unwrap();
    assert_eq!(
        reply(&mut connection).await.unwrap_err().code,
        Code::UnexpectedMessage
    );
}

#[tokio::test]
async fn a_message_amid_the_content() {
    let campus = Campus::open().await;
    let group = campus.three().tampering(|request| {
        if let Request::End {} = request {
            *request = Request::Present {
                members: Vec::new(),
            };
        }
    });
    assert_eq!(code_of(group).await, Code::UnexpectedMessage);
}

#[tokio::test]
async fn a_client_that_says_nothing() {
    let campus = Campus::with(|config| {
        config.limits.idle = Duration::from_millis(100);
        config.limits.message = Duration::from_millis(100);
    })
    .await;
    let mut connection = greeted(&campus).await;
    let refusal = reply(&mut connection).await.unwrap_err();
    assert_eq!((refusal.code, refusal.step), (Code::Timeout, Step::Three));
    let (mut connection, _session) = campus.three().open_session().await.unwrap();
    let refusal = reply(&mut connection).await.unwrap_err();
    assert_eq!((refusal.code, refusal.step), (Code::Timeout, Step::Six));
    campus.assert_nothing_stored().await;
}

#[tokio::test]
async fn a_connection_cut_amid_the_content_leaves_nothing() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    let (mut connection, session) = group.open_session().await.unwrap();
    let statement = group.statement();
    let now = campus.certs.now();
    let signatures = scb_protocol::client::sign(&statement, &group.members, now).unwrap();
    let (_, request) = session.submit(&statement, signatures).unwrap();
    connection.send(&request).await.unwrap();
    reply(&mut connection).await.unwrap();
    connection
        .send_chunk(Bytes::from(vec![b'x'; 100_000]))
        .await
        .unwrap();
    drop(connection);
    campus.assert_nothing_stored().await;
    group.hand_in().await.unwrap();
}

#[tokio::test]
async fn one_connection_too_many() {
    let campus = Campus::with(|config| config.limits.max_connections = 1).await;
    let first = greeted(&campus).await;
    let mut second = campus.three().connect().await.unwrap();
    let refusal = reply(&mut second).await.unwrap_err();
    assert_eq!(refusal.code, Code::Busy);
    assert!(refusal.retry_after.is_some());
    drop(first);
}
