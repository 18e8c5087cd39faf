//! What was signed and whose files never came: told to its members, and given up by all of them.

use std::time::Duration;

use scb_protocol::client::History;
use scb_protocol::message::blackboard::ListedUnfinished;
use scb_protocol::message::proposal::{ProposalStanding, ProposalState, Said};
use scb_protocol::statement::SubmissionId;
use scb_protocol::{Code, Refusal, from_seconds, rfc3339};

use super::campus::Campus;
use super::closing::{close, due};
use super::group::{Group, reply};
use super::proposals::happened;
use super::uploads::{again, interrupted};
use crate::store::Store;
use crate::store::closing::Closing;

const HOUR: u64 = 3600;

pub(super) async fn give_up(
    group: &mut Group<'_>,
    submission: SubmissionId,
) -> Result<ProposalStanding, Refusal> {
    let (mut connection, session) = group.open_session().await?;
    let (expect, request) = session.end_proposal(submission, None);
    connection.send(&request).await?;
    expect.handle(reply(&mut connection).await?)
}

/// What these are told of what has not come.
async fn unfinished(campus: &Campus, sids: &[&str]) -> Vec<ListedUnfinished> {
    history(campus, sids).await.unfinished
}

pub(super) async fn history(campus: &Campus, sids: &[&str]) -> History {
    let (mut connection, session) = campus.group(sids).open_session().await.unwrap();
    let (expect, request) = session.ask_history((None, None), None);
    connection.send(&request).await.unwrap();
    let answer = reply(&mut connection).await.unwrap();
    expect.handle(answer).unwrap().1
}

#[tokio::test]
async fn what_all_of_them_give_up_keeps_no_assignment_open() {
    let campus = Campus::with(|config| config.unfinished_per_student = 1).await;
    let group = interrupted(&campus).await;
    let store = Store::open(&campus.home).unwrap();
    due(&campus, &store, HOUR);
    let waits = close(&campus, &store, 2 * HOUR);
    assert!(matches!(waits, Closing::UploadUntil(_)), "{waits:?}");

    let standing = give_up(&mut again(&group), group.submission).await.unwrap();
    assert_eq!(standing.state, ProposalState::Withdrawn);
    let said = standing.members.iter().map(|member| member.said);
    assert!(said.clone().all(|said| said == Said::Withdrawn) && said.count() == 3);
    let repeated = give_up(&mut again(&group), group.submission).await.unwrap();
    assert_eq!(repeated, standing, "the same again changes nothing");
    let mut alone = campus.group(&["1155000002"]);
    let told = give_up(&mut alone, group.submission).await.unwrap();
    assert_eq!(told, standing, "each of them is told what became of it");
    let mut other = campus.group(&["1155000009"]);
    let refused = give_up(&mut other, group.submission).await.unwrap_err();
    assert_eq!(refused.code, Code::SubmissionUnknown);
    assert_eq!(happened(&campus), ["committed", "withdrawn"]);
    let refused = again(&group).commit().await.unwrap_err();
    assert_eq!(refused.code, Code::ProposalEnded);
    // Its place in the backlog is free, and it comes to nothing when it is closed.
    campus.three().hand_in().await.unwrap();
    let closed = close(&campus, &store, 2 * HOUR);
    assert!(matches!(closed, Closing::Closed(_)), "{closed:?}");
}

#[tokio::test]
async fn one_member_does_not_give_up_what_all_have_signed() {
    let campus = Campus::open().await;
    let group = interrupted(&campus).await;
    let id = group.submission;
    for alone in ["1155000001", "1155000003"] {
        let refused = give_up(&mut campus.group(&[alone]), id).await.unwrap_err();
        assert_eq!(refused.code, Code::NotAllMembers);
    }
    // Others do not learn that it is there.
    let mut other = campus.group(&["1155000009"]);
    let refused = give_up(&mut other, id).await.unwrap_err();
    let unknown = SubmissionId::from_bytes([9; 16]);
    let nothing = give_up(&mut again(&other), unknown).await.unwrap_err();
    assert_eq!(refused, nothing);
    assert_eq!(refused.code, Code::SubmissionUnknown);
    assert_eq!(happened(&campus), ["committed"]);
}

#[tokio::test]
async fn what_is_handed_in_or_over_is_not_given_up() {
    let window = Duration::from_secs(HOUR);
    let campus = Campus::with(|config| config.upload_window = window).await;
    let mut group = campus.three();
    group.hand_in().await.unwrap();
    let refused = give_up(&mut again(&group), group.submission).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code, Code::ProposalEnded);
    assert_eq!(refused.params["state"], "accepted");
    let mut alone = campus.group(&["1155000002"]);
    assert_eq!(give_up(&mut alone, group.submission).await, Err(refused));
    let mut other = campus.group(&["1155000009"]);
    let unknown = give_up(&mut other, group.submission).await.unwrap_err();
    assert_eq!(unknown.code, Code::SubmissionUnknown);
    let group = interrupted(&campus).await;
    campus
        .certs
        .clock()
        .advance(window + Duration::from_secs(1));
    let refused = give_up(&mut again(&group), group.submission).await;
    assert_eq!(refused.unwrap_err().code, Code::UploadExpired);
}

#[tokio::test]
async fn members_are_told_what_they_have_signed_and_what_has_not_come() {
    let window = Duration::from_secs(HOUR);
    let campus = Campus::with(|config| config.upload_window = window).await;
    let group = interrupted(&campus).await;
    let now = campus.certs.now().as_secs();
    let [told] = &unfinished(&campus, &["1155000002"]).await[..] else {
        panic!("one is told");
    };
    assert_eq!(told.submission, group.submission);
    assert_eq!((told.committed_at, told.until), (now, now + HOUR));
    assert_eq!((told.members.len(), told.files.len()), (3, 1));
    assert_eq!(
        unfinished(&campus, &["1155000009"]).await,
        [],
        "it is others'"
    );
    assert_eq!(
        unfinished(&campus, &["1155000001", "1155000009"]).await,
        [],
        "not of both"
    );
    // It is still told when its time is over.
    campus
        .certs
        .clock()
        .advance(window + Duration::from_secs(1));
    assert_eq!(unfinished(&campus, &["1155000001"]).await.len(), 1);
    campus.three().hand_in().await.unwrap();
    assert_eq!(unfinished(&campus, &["1155000001"]).await, []);
}

#[tokio::test]
async fn of_very_much_that_has_not_come_it_is_told_how_much_more_there_is() {
    let window = Duration::from_secs(HOUR);
    let campus = Campus::with(|config| config.upload_window = window).await;
    for _ in 0..18 {
        campus.group(&["1155000001"]).commit().await.unwrap();
    }
    let told = history(&campus, &["1155000001"]).await;
    assert_eq!((told.unfinished.len(), told.more_unfinished), (16, 2));
    let told = history(&campus, &["1155000002"]).await;
    assert_eq!((told.unfinished.len(), told.more_unfinished), (0, 0));
}

#[tokio::test]
async fn who_gives_up_again_and_again_begins_nothing_more_for_a_while() {
    let window = Duration::from_secs(HOUR);
    let campus = Campus::with(|config| {
        (config.unfinished_per_student, config.upload_window) = (1, window);
    });
    let campus = campus.await;
    for _ in 0..4 {
        let group = interrupted(&campus).await;
        give_up(&mut again(&group), group.submission).await.unwrap();
    }
    let refused = campus.three().commit().await.unwrap_err();
    assert_eq!(refused.code, Code::TooManyUploads);
    assert_eq!(refused.params["given_up"], "4");
    let room = campus.certs.now().as_secs() + HOUR + 1;
    assert_eq!(refused.params["room_at"], rfc3339(from_seconds(room)));
    campus.group(&["1155000009"]).hand_in().await.unwrap();
    campus
        .certs
        .clock()
        .advance(window + Duration::from_secs(1));
    campus.three().hand_in().await.unwrap();
}
