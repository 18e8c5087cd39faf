//! Files come within their time or not at all, and nothing is accepted once the log says that nothing can come.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use rusqlite::Connection as Database;
use scb_certs::Fingerprint;
use scb_protocol::Code;
use scb_protocol::message::proposal::ProposalState;
use scb_protocol::statement::SubmissionId;
use tokio::time::sleep;

use super::campus::Campus;
use super::closing::{close, due, place};
use super::eventually;
use super::group::{Group, reply};
use super::proposals::{A, B, Machine, Work, entries, happened};
use super::uploads::{Begun, again, interrupted, kept};
use crate::store::closing::Closing;
use crate::store::{Place, Store};

const HOUR: u64 = 3600;
/// For so long what came in time is stored.
const STORES: u64 = 600;

async fn campus() -> (Campus, Store, Place) {
    let hour = Duration::from_secs(HOUR);
    let campus = Campus::with(move |config| config.upload_window = hour).await;
    let store = Store::open(&campus.home).unwrap();
    due(&campus, &store, 1);
    let place = place(&campus);
    (campus, store, place)
}

fn advance(campus: &Campus, seconds: u64) {
    campus.certs.clock().advance(Duration::from_secs(seconds));
}

fn logged(campus: &Campus) -> Vec<&'static str> {
    let leaves = entries(campus);
    leaves.iter().map(|leaf| leaf.entry.name()).collect()
}

/// CUHK thinks for so long about the next question; what closing the log comes to when it answers.
fn closing_meanwhile(campus: &Campus, place: &Place, seconds: u64) -> Arc<Mutex<Vec<Closing>>> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (noted, place) = (Arc::clone(&seen), place.clone());
    let (store, certs) = (
        Store::open(&campus.home).unwrap(),
        Arc::clone(&campus.certs),
    );
    campus.cuhk.set(|state| {
        state.thinks = Duration::from_secs(seconds);
        state.thinks_of_all = true;
        state.meanwhile = Some(Box::new(move || {
            let closing = store.close_assignment(&place, certs.now()).unwrap();
            noted.lock().unwrap().push(closing);
        }));
    });
    seen
}

fn at_once(campus: &Campus) {
    campus.cuhk.set(|state| {
        state.thinks = Duration::ZERO;
        state.thinks_of_all = false;
        state.meanwhile = None;
    });
}

#[tokio::test]
async fn bytes_of_after_the_window_are_refused_on_a_connection_of_before() {
    let (campus, store, _) = campus().await;
    let mut group = campus.three();
    let (mut connection, committed) = group.commit().await.unwrap();
    let (sending, upload) = committed.upload(&[]);
    connection.send(&upload).await.unwrap();
    let (first, last) = group.report.split_at(group.report.len() - 1);
    let chunk = |bytes: &[u8]| Bytes::copy_from_slice(bytes);
    connection.send_chunk(chunk(first)).await.unwrap();
    advance(&campus, HOUR + 1);
    let until = |closing| matches!(closing, Closing::Storing(_));
    assert!(until(close(&campus, &store, 0)), "something may be stored");
    let _ = connection.send_chunk(chunk(last)).await;
    let refused = group.end(connection, sending).await.unwrap_err();
    assert_eq!(refused.code, Code::UploadExpired);
    assert_eq!(campus.submissions(), []);
    assert!(until(close(&campus, &store, STORES - 1)));
    let closed = close(&campus, &store, STORES);
    assert!(matches!(closed, Closing::Closed(_)), "{closed:?}");
    let refused = again(&group).commit().await.unwrap_err();
    assert_eq!(refused.code, Code::UploadExpired, "nor on another one");
}

#[tokio::test]
async fn whoever_sends_is_told_when_the_window_ends_and_not_after_the_last_byte() {
    let (campus, ..) = campus().await;
    let mut group = campus.three();
    let (mut connection, committed) = group.commit().await.unwrap();
    advance(&campus, HOUR);
    let (_, upload) = committed.upload(&[]);
    connection.send(&upload).await.unwrap();
    let part = Bytes::copy_from_slice(&group.report[..1000]);
    connection.send_chunk(part).await.unwrap();
    sleep(Duration::from_millis(300)).await;
    advance(&campus, 1);
    let refused = reply(&mut connection).await.unwrap_err();
    assert_eq!(refused.code, Code::UploadExpired);
}

#[tokio::test]
async fn what_came_in_time_is_stored_though_cuhk_takes_longer_and_nothing_is_closed_meanwhile() {
    let (campus, store, place) = campus().await;
    let mut group = campus.three();
    let begun = group.commit().await.unwrap();
    advance(&campus, HOUR);
    let seen = closing_meanwhile(&campus, &place, 3);
    let receipt = group.bring(begun).await.unwrap();
    group.verify(&receipt);
    at_once(&campus);
    let seen = seen.lock().unwrap();
    assert!(matches!(seen[..], [Closing::Storing(_)]), "{seen:?}");
    let closed = close(&campus, &store, 0);
    assert!(matches!(closed, Closing::Closed(_)), "{closed:?}");
    assert_eq!(logged(&campus)[2..], ["committed", "accepted", "closed"]);
}

#[tokio::test]
async fn nothing_is_accepted_after_the_log_was_closed_until_it_is_opened_again() {
    let (campus, store, place) = campus().await;
    let mut group = campus.three();
    let begun = group.commit().await.unwrap();
    // All came in time, and is not stored when nobody waits for it any longer.
    let seen = closing_meanwhile(&campus, &place, HOUR + STORES + 1);
    let refused = group.bring(begun).await.unwrap_err();
    assert_eq!(refused.code, Code::LogClosed, "it is not his fault");
    assert!(refused.rejection.is_some(), "he can show that");
    at_once(&campus);
    {
        let seen = seen.lock().unwrap();
        assert!(matches!(seen[..], [Closing::Closed(_)]), "{seen:?}");
    }
    assert_eq!(campus.submissions(), []);
    let said = ["committed", "closed", "refused"];
    assert_eq!(logged(&campus)[2..], said);
    due(&campus, &store, HOUR);
    campus.three().hand_in().await.unwrap();
    let expected = [&said[..], &["rules", "committed", "accepted"]].concat();
    assert_eq!(logged(&campus)[2..], expected);
}

#[tokio::test]
async fn a_proposal_whose_files_come_after_their_time_is_none() {
    let (campus, store, _) = campus().await;
    let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[A, B], b"the report");
    a.begin(&work).await.unwrap();
    let standing = b.sign(&work).await.unwrap().waits();
    assert_eq!(standing.state, ProposalState::Signed);
    let (connection, session) = a.0.open_session().await.unwrap();
    let (mut connection, sending) = a.sending((connection, session), &work).await.unwrap();
    advance(&campus, HOUR + 1);
    let report = Bytes::copy_from_slice(&work.report);
    let _ = connection.send_chunk(report).await;
    let (_, end) = sending.end();
    let _ = connection.send(&end).await;
    let refused = reply(&mut connection).await.unwrap_err();
    assert_eq!(refused.code, Code::UploadExpired);
    assert_eq!(campus.submissions(), []);
    let closed = close(&campus, &store, STORES);
    assert!(matches!(closed, Closing::Closed(_)), "{closed:?}");
}

#[tokio::test]
async fn files_on_their_way_when_the_last_one_signs_are_refused_at_once_after_their_time() {
    let (campus, ..) = campus().await;
    let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[A, B], b"the report");
    let opened = a.0.open_session().await.unwrap();
    let (mut connection, _) = a.sending(opened, &work).await.unwrap();
    let (first, next) = work.report.split_at(3);
    connection
        .send_chunk(Bytes::copy_from_slice(first))
        .await
        .unwrap();
    let standing = b.sign(&work).await.unwrap().waits();
    assert_eq!(standing.state, ProposalState::Signed);
    advance(&campus, HOUR + 1);
    // Not the last byte, and nobody says that they are all.
    let _ = connection
        .send_chunk(Bytes::copy_from_slice(&next[..1]))
        .await;
    let refused = reply(&mut connection).await.unwrap_err();
    assert_eq!(refused.code, Code::UploadExpired);
    assert_eq!(campus.submissions(), []);
}

#[tokio::test]
async fn and_in_their_time_they_are_taken() {
    let (campus, ..) = campus().await;
    let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[A, B], b"the report");
    let opened = a.0.open_session().await.unwrap();
    let (mut connection, sending) = a.sending(opened, &work).await.unwrap();
    b.sign(&work).await.unwrap().waits();
    advance(&campus, HOUR - 1);
    let report = Bytes::copy_from_slice(&work.report);
    connection.send_chunk(report).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    advance(&campus, 3);
    connection.send(&sending.end().1).await.unwrap();
    reply(&mut connection).await.unwrap();
    assert_eq!(campus.submissions().len(), 1);
}

#[tokio::test]
async fn what_was_interrupted_by_a_crash_is_not_accepted_after_its_time() {
    let (mut campus, store, _) = campus().await;
    let begun = Begun::of(&interrupted(&campus).await);
    campus.stop().await;
    advance(&campus, HOUR + STORES + 1);
    let closed = close(&campus, &store, 0);
    assert!(matches!(closed, Closing::Closed(_)), "{closed:?}");
    campus.start().await.unwrap();
    let refused = begun.again(&campus).commit().await.unwrap_err();
    assert_eq!(refused.code, Code::UploadExpired);
    assert!(!logged(&campus).contains(&"accepted"));
    assert_eq!(close(&campus, &store, 0), closed, "it is final");
}

/// All of it has come, and nobody has said so.
async fn all_came(campus: &Campus, submission: SubmissionId, report: &[u8]) {
    let part = kept(campus, submission).join("0");
    let came = || std::fs::metadata(&part).is_ok_and(|file| file.len() == report.len() as u64);
    eventually("all of it is kept", came).await;
}

/// All bytes of a group have come in time, and its connection broke before it said so.
async fn sent(campus: &Campus) -> (Group<'_>, Bytes) {
    let mut group = campus.three();
    let (mut connection, committed) = group.commit().await.unwrap();
    connection.send(&committed.upload(&[]).1).await.unwrap();
    let report = Bytes::copy_from_slice(&group.report);
    connection.send_chunk(report.clone()).await.unwrap();
    drop(connection);
    all_came(campus, group.submission, &group.report).await;
    (again(&group), report)
}

/// Both have signed, and all bytes come in time, on a connection on which nothing ends them.
async fn signed_and_sent<'a>(campus: &'a Campus) -> (Machine<'a>, Work) {
    let [mut a, mut b] = [A, B].map(|sid| Machine::of(campus, &[sid]));
    let work = a.work(&[A, B], b"the report");
    a.begin(&work).await.unwrap();
    b.sign(&work).await.unwrap().waits();
    let opened = a.0.open_session().await.unwrap();
    let (mut connection, _) = a.sending(opened, &work).await.unwrap();
    let report = Bytes::copy_from_slice(&work.report);
    connection.send_chunk(report).await.unwrap();
    drop(connection);
    all_came(campus, work.submission(), &work.report).await;
    (a, work)
}

#[tokio::test]
async fn whose_bytes_all_came_in_time_may_say_so_later() {
    let (campus, ..) = campus().await;
    let mut group = campus.three();
    let (mut connection, committed) = group.commit().await.unwrap();
    let (sending, upload) = committed.upload(&[]);
    connection.send(&upload).await.unwrap();
    let report = Bytes::copy_from_slice(&group.report);
    connection.send_chunk(report).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    advance(&campus, HOUR + 2);
    let receipt = group.end(connection, sending).await.unwrap();
    group.verify(&receipt);
}

#[tokio::test]
async fn and_so_may_whose_connection_broke_and_who_reads_them_back_beyond_the_end() {
    let (campus, ..) = campus().await;
    let (mut group, report) = sent(&campus).await;
    advance(&campus, HOUR);
    let (mut connection, committed) = group.commit().await.unwrap();
    assert_eq!(committed.have()[0].received, report.len() as u64);
    advance(&campus, 2);
    let (sending, upload) = committed.upload(&[Fingerprint::of(&report)]);
    connection.send(&upload).await.unwrap();
    let receipt = group.end(connection, sending).await.unwrap();
    group.verify(&receipt);
}

#[tokio::test]
async fn what_is_sent_once_more_comes_in_time_though_it_is_here() {
    let (campus, ..) = campus().await;
    let (mut group, report) = sent(&campus).await;
    advance(&campus, HOUR);
    let (mut connection, committed) = group.commit().await.unwrap();
    advance(&campus, 2);
    let (sending, upload) = committed.upload(&[]);
    connection.send(&upload).await.unwrap();
    let _ = connection.send_chunk(report).await;
    let refused = group.end(connection, sending).await.unwrap_err();
    assert_eq!(refused.code, Code::UploadExpired);
}

#[tokio::test]
async fn a_proposal_whose_bytes_all_came_in_time_is_handed_in() {
    let (campus, ..) = campus().await;
    let (mut a, work) = signed_and_sent(&campus).await;
    advance(&campus, HOUR);
    let opened = a.0.open_session().await.unwrap();
    let (mut connection, proposed) = a.begin_over(opened, &work).await.unwrap();
    advance(&campus, 2);
    let (sending, upload) = proposed.upload(&[Fingerprint::of(&work.report)]);
    connection.send(&upload).await.unwrap();
    connection.send(&sending.end().1).await.unwrap();
    reply(&mut connection).await.unwrap();
    assert_eq!(campus.submissions().len(), 1);
}

#[tokio::test]
async fn also_where_its_end_is_told_later_on_the_same_connection() {
    let (campus, ..) = campus().await;
    let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[A, B], b"the report");
    a.begin(&work).await.unwrap();
    b.sign(&work).await.unwrap().waits();
    let opened = a.0.open_session().await.unwrap();
    let (mut connection, sending) = a.sending(opened, &work).await.unwrap();
    let report = Bytes::copy_from_slice(&work.report);
    connection.send_chunk(report).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    advance(&campus, HOUR + 2);
    connection.send(&sending.end().1).await.unwrap();
    reply(&mut connection).await.unwrap();
    assert_eq!(campus.submissions().len(), 1);
}

#[tokio::test]
async fn a_clock_that_was_set_back_gives_the_time_again() {
    let (campus, ..) = campus().await;
    let mut group = campus.three();
    let (mut connection, committed) = group.commit().await.unwrap();
    advance(&campus, HOUR);
    let (sending, upload) = committed.upload(&[]);
    connection.send(&upload).await.unwrap();
    let (first, last) = group.report.split_at(1000);
    let chunk = |bytes: &[u8]| Bytes::copy_from_slice(bytes);
    connection.send_chunk(chunk(first)).await.unwrap();
    // By every other clock its last second is over.
    sleep(Duration::from_millis(1500)).await;
    connection.send_chunk(chunk(last)).await.unwrap();
    let receipt = group.end(connection, sending).await.unwrap();
    group.verify(&receipt);
}

#[tokio::test]
async fn a_proposal_that_is_stored_by_nothing_after_the_log_was_closed_lapses() {
    let (mut campus, store, _) = campus().await;
    let (_, work) = signed_and_sent(&campus).await;
    advance(&campus, HOUR + STORES + 1);
    let closed = close(&campus, &store, 0);
    assert!(matches!(closed, Closing::Closed(_)), "{closed:?}");
    campus.stop().await;
    let database = Database::open(campus.home.path("blackboard.db")).unwrap();
    let sql = "UPDATE proposals SET files_at = signed_at";
    assert_eq!(database.execute(sql, []).unwrap(), 1);
    drop(database);
    assert_eq!(close(&campus, &store, 0), Closing::Completing);
    campus.start().await.unwrap();
    let lapsed = || happened(&campus).last() == Some(&"lapsed");
    eventually("nobody waits for it for ever", lapsed).await;
    assert_eq!(campus.submissions(), []);
    let tried = store.signed_proposals().await.unwrap();
    assert!(!tried.iter().any(|(one, _)| *one == work.submission()));
    assert_eq!(close(&campus, &store, 0), closed, "it is final");
}
