//! What must work.

use std::collections::HashSet;

use futures_util::future::join_all;
use scb_protocol::message::blackboard::Request;
use scb_protocol::receipt::VerifiedReceipt;

use super::campus::Campus;
use super::cuhk::Answer;

#[tokio::test]
async fn three_students_hand_in_and_get_a_receipt() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    let receipt = group.hand_in().await.unwrap();
    let receipt = group.verify(&receipt);
    assert_eq!(receipt.number().to_string(), "S-000001");
    let sids: Vec<_> = receipt
        .members()
        .iter()
        .map(|member| member.sid.as_str())
        .collect();
    assert_eq!(sids, ["1155000001", "1155000002", "1155000003"]);
    assert_eq!(receipt.accepted_at(), campus.certs.now());
    assert_eq!((campus.submissions().len(), campus.content_files()), (1, 1));
}

#[tokio::test]
async fn one_student_can_hand_in_alone() {
    let campus = Campus::open().await;
    let mut group = campus.group(&["1155000001"]);
    let receipt = group.hand_in().await.unwrap();
    group.verify(&receipt);
}

#[tokio::test]
async fn asks_cuhk_about_all_members_at_once_and_again_when_it_is_recorded_and_before_storing() {
    let campus = Campus::open().await;
    campus.three().hand_in().await.unwrap();
    assert_eq!(campus.cuhk.questions(), [3, 3, 3]);
}

#[tokio::test]
async fn the_same_submission_gives_the_same_receipt_without_its_content() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    let first = group.hand_in().await.unwrap();
    let mut messages = Vec::new();
    let mut group = campus_group_again(&group).tampering(|request| {
        messages.push(matches!(request, Request::End {}));
    });
    let second = group.hand_in().await.unwrap();
    drop(group);
    assert_eq!(first, second);
    assert!(!messages.contains(&true), "content was asked for again");
    assert_eq!(campus.submissions().len(), 1);
}

/// The same members with the same submission.
fn campus_group_again<'a>(group: &super::group::Group<'a>) -> super::group::Group<'a> {
    let mut again = group.campus.group(&[]);
    again.members = group.members.clone();
    again.submission = group.submission;
    again.report = group.report.clone();
    again
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_submission_thirty_times_at_once_is_stored_once() {
    let campus = Campus::open().await;
    let group = campus.three();
    let mut same: Vec<_> = (0..30).map(|_| campus_group_again(&group)).collect();
    let receipts = join_all(same.iter_mut().map(|group| group.hand_in())).await;
    let different: HashSet<_> = receipts.into_iter().map(Result::unwrap).collect();
    assert_eq!(different.len(), 1);
    assert_eq!((campus.submissions().len(), campus.content_files()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_groups_at_once_get_twenty_numbers() {
    let campus = Campus::open().await;
    let group = |n: usize| {
        let sids: Vec<_> = (0..3).map(|m| format!("11550{n:02}{m}")).collect();
        let sids: Vec<_> = sids.iter().map(String::as_str).collect();
        let mut group = campus.group(&sids);
        group.report.extend(n.to_be_bytes());
        group
    };
    let mut groups: Vec<_> = (0..20).map(group).collect();
    let receipts = join_all(groups.iter_mut().map(|group| group.hand_in())).await;
    let root = campus.certs.root_fingerprint();
    let numbers: HashSet<_> = receipts
        .into_iter()
        .map(|receipt| {
            VerifiedReceipt::verify(&receipt.unwrap(), &root)
                .unwrap()
                .number()
        })
        .collect();
    assert_eq!(numbers.len(), 20);
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let mut campus = Campus::open().await;
    let first = campus.three().hand_in().await.unwrap();
    campus.stop().await;
    campus.start().await.unwrap();
    let root = campus.certs.root_fingerprint();
    let second = campus.three().hand_in().await.unwrap();
    let number = |receipt: &[u8]| {
        VerifiedReceipt::verify(receipt, &root)
            .unwrap()
            .number()
            .get()
    };
    assert_eq!((number(&first), number(&second)), (1, 2));
}

#[tokio::test]
async fn a_second_server_on_the_same_home_is_refused() {
    let campus = Campus::open().await;
    let refused = scb_storage::HomeLock::acquire(campus.home.dir(), "blackboard").unwrap_err();
    assert!(refused.to_string().contains("in use"), "{refused}");
}

#[tokio::test]
async fn a_member_suspended_before_the_last_look_is_refused() {
    let campus = Campus::open().await;
    let reason = scb_protocol::InactiveReason::Suspended;
    let later = Answer::Inactive("1155000002".to_owned(), reason);
    campus.cuhk.set(|state| state.later_answer = Some(later));
    let refusal = campus.three().hand_in().await.unwrap_err();
    assert_eq!(refusal.code, scb_protocol::Code::StudentInactive);
    assert_eq!(refusal.step, scb_protocol::Step::Six);
    campus.assert_nothing_stored().await;
}
