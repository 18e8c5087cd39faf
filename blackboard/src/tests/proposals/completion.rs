//! What everybody has signed and cannot be completed at once is completed without anybody asking.

use std::time::Duration;

use scb_protocol::message::proposal::ProposalState;
use scb_protocol::{Code, InactiveReason};

use super::super::campus::Campus;
use super::super::cuhk::Answer;
use super::super::eventually;
use super::super::overview::{desk, which};
use super::{A, B, Machine, Work, happened};
use crate::store::Store;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Two have signed, and CUHK gives this answer when it is asked for the last time.
pub(super) async fn signed_while(
    campus: &Campus,
    answer: Answer,
) -> (Work, Result<ProposalState, Code>) {
    let [mut a, mut b] = [A, B].map(|sid| Machine::of(campus, &[sid]));
    let work = a.work(&[A, B], b"our report");
    a.propose(&work).await.unwrap().waits();
    // One for the connection, one about all who have signed.
    let before = campus.cuhk.questions().len() + 2;
    campus.cuhk.set(|state| {
        state.later_answer = Some(answer);
        state.later_from = before;
    });
    let came = b.sign(&work).await;
    let came = came.map(|came| came.waits().state);
    (work, came.map_err(|refusal| refusal.code))
}

pub(super) fn completed(campus: &Campus) -> bool {
    campus.submissions().len() == 1
}

#[tokio::test]
async fn with_the_time_of_the_last_signature_once_cuhk_is_back() {
    let campus = Campus::open().await;
    let signed_at = campus.certs.now();
    let (work, state) = signed_while(&campus, Answer::Silent).await;
    assert_eq!(
        state,
        Ok(ProposalState::Signed),
        "the signature is recorded"
    );
    assert!(!completed(&campus));
    campus.certs.clock().advance(Duration::from_secs(30));
    campus.cuhk.set(|state| state.later_answer = None);
    eventually("it completes by itself", || completed(&campus)).await;

    let mut a = Machine::of(&campus, &[A]);
    let receipt = a.fetch(&work).await.unwrap();
    let receipt = a.verify(&receipt);
    assert_eq!(receipt.committed_at(), signed_at);
    assert!(receipt.accepted_at() > signed_at);
    let expected = ["proposed", "signed", "signed", "accepted"];
    assert_eq!(happened(&campus), expected);
    assert_eq!(
        campus.content_files(),
        1,
        "and nothing is left of the upload"
    );
}

#[tokio::test]
async fn also_after_a_restart() {
    let mut campus = Campus::open().await;
    let (_, state) = signed_while(&campus, Answer::Silent).await;
    assert_eq!(state, Ok(ProposalState::Signed));
    campus.stop().await;
    assert!(!completed(&campus));
    campus.cuhk.set(|state| state.later_answer = None);
    campus.start().await.unwrap();
    eventually("it completes by itself", || completed(&campus)).await;
}

#[tokio::test]
async fn also_when_the_files_come_last() {
    let campus = Campus::open().await;
    let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[A, B], b"our report");
    a.begin(&work).await.unwrap();
    b.sign(&work).await.unwrap().waits();
    let before = campus.cuhk.questions().len() + 1;
    campus.cuhk.set(|state| {
        state.later_answer = Some(Answer::Silent);
        state.later_from = before;
    });
    let standing = a.propose(&work).await.unwrap().waits();
    assert_eq!(standing.state, ProposalState::Signed);
    assert!(standing.files_at.is_some());
    campus.cuhk.set(|state| state.later_answer = None);
    eventually("it completes by itself", || completed(&campus)).await;
}

#[tokio::test]
async fn but_not_with_a_member_of_whom_cuhk_says_no() {
    let campus = Campus::open().await;
    let suspended = Answer::Inactive(A.to_owned(), InactiveReason::Suspended);
    let (work, refused) = signed_while(&campus, suspended).await;
    assert_eq!(refused, Err(Code::StudentInactive), "that is told");
    // About both at once: for whoever signed last, and once more.
    let about_both = || {
        campus
            .cuhk
            .questions()
            .into_iter()
            .filter(|asked| *asked == 2)
    };
    let again = || about_both().count() > 1;
    eventually("it is tried again by itself", again).await;
    assert!(!completed(&campus));
    let mut b = Machine::of(&campus, &[B]);
    assert_eq!(
        b.fetch(&work).await.unwrap_err().code,
        Code::SubmissionUnknown
    );
}

/// Nothing waits for longer than an hour.
async fn impatient() -> Campus {
    Campus::with(|config| (config.upload_window, config.cosign_window) = (HOUR, HOUR)).await
}

#[tokio::test]
async fn also_when_cuhk_is_away_for_longer_than_anything_else_waits() {
    let mut campus = impatient().await;
    let signed_at = campus.certs.now();
    let (work, state) = signed_while(&campus, Answer::Silent).await;
    assert_eq!(state, Ok(ProposalState::Signed));
    campus.certs.clock().advance(2 * HOUR);
    campus.stop().await;
    campus.start().await.unwrap();
    let place = desk(&campus, 0).place(&which());
    let store = Store::open(&campus.home).unwrap();
    let asking = vec![A.parse().unwrap()];
    let proposal = store.proposal(work.submission(), asking, campus.certs.now());
    let standing = proposal.await.unwrap().unwrap().standing;
    assert_eq!(standing.state, ProposalState::Signed);
    let uploads = store.uploads(&place).unwrap();
    assert!(
        uploads
            .values()
            .all(|upload| upload.is_coming(campus.certs.now()))
    );
    campus.cuhk.set(|state| state.later_answer = None);
    eventually("it completes by itself", || completed(&campus)).await;
    let mut a = Machine::of(&campus, &[A]);
    let receipt = a.fetch(&work).await.unwrap();
    assert_eq!(a.verify(&receipt).committed_at(), signed_at);
}

#[tokio::test]
async fn what_cuhk_says_no_to_lapses_when_its_time_is_over() {
    let mut campus = impatient().await;
    let suspended = Answer::Inactive(A.to_owned(), InactiveReason::Suspended);
    signed_while(&campus, suspended).await.1.unwrap_err();
    campus.stop().await;
    assert!(!happened(&campus).contains(&"lapsed"));
    campus.certs.clock().advance(2 * HOUR);
    campus.start().await.unwrap();
    let lapsed = || happened(&campus).contains(&"lapsed");
    eventually("it is given up", lapsed).await;
    assert!(!completed(&campus));
}
