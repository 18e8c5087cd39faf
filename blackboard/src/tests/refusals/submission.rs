//! Steps 5 and 6: confirmation, statement, signatures and content.

use scb_protocol::message::blackboard::Request;
use scb_protocol::values::Mac;
use scb_protocol::{Code, Step};

use super::{code_of, refusal_of};
use crate::tests::campus::Campus;
use crate::tests::group::member;

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
    for (assignment, code) in [
        (("CSCI3150", "lab"), Code::CourseUnknown),
        (("SANDBOX", "exam"), Code::AssignmentUnknown),
    ] {
        let mut group = campus.three();
        group.assignment = assignment;
        assert_eq!(code_of(group).await, code);
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
