//! What has not come whole is bounded, and nobody is late for it.

use std::time::Duration;

use bytes::Bytes;
use scb_protocol::Code;
use scb_protocol::client::SendingContent;
use scb_protocol::statement::SubmissionId;
use scb_transport::Connection;

use super::campus::Campus;
use super::group::Group;
use super::proposals::Machine;
use super::reading::history;
use crate::store::MOST_VERSIONS as MOST;

const MIB: usize = 1024 * 1024;
const ALICE: &str = "1155000001";
const BOB: &str = "1155000002";
const CAROL: &str = "1155000003";

/// A report of so many bytes, like no other.
fn work<'a>(campus: &'a Campus, sid: &str, bytes: usize) -> Group<'a> {
    let mut group = campus.group(&[sid]);
    let line = group.submission.to_string();
    group.report = line.into_bytes().into_iter().cycle().take(bytes).collect();
    group
}

/// It is recorded, and none of it has come yet.
async fn begun<'a>(
    campus: &'a Campus,
    sid: &str,
    bytes: usize,
) -> (Group<'a>, Connection, SendingContent) {
    let mut group = work(campus, sid, bytes);
    let (connection, committed) = group.commit().await.unwrap();
    let (sending, upload) = committed.upload(&[]);
    let mut connection = connection;
    connection.send(&upload).await.unwrap();
    (group, connection, sending)
}

/// The same submission from its beginning.
async fn finish(group: &mut Group<'_>, connection: Connection, sending: SendingContent) {
    let mut connection = connection;
    let report = Bytes::copy_from_slice(&group.report);
    connection.send_chunk(report).await.unwrap();
    group.end(connection, sending).await.unwrap();
}

#[tokio::test]
async fn nobody_begins_more_than_he_may_and_others_are_not_concerned() {
    let campus = Campus::with(|config| config.unfinished_per_student = 2).await;
    let (mut first, connection, sending) = begun(&campus, ALICE, MIB).await;
    let _second = begun(&campus, ALICE, MIB).await;
    let mut third = work(&campus, ALICE, 10);
    let refusal = third.commit().await.unwrap_err();
    assert_eq!(refusal.code, Code::TooManyUploads);
    assert_eq!(refusal.sid.unwrap().as_str(), ALICE);
    assert_eq!(refusal.params["unfinished"], "2");
    let mut together = campus.group(&[BOB, ALICE]);
    let refusal = together.commit().await.unwrap_err();
    assert_eq!(refusal.sid.unwrap().as_str(), ALICE);
    begun(&campus, BOB, MIB).await;
    finish(&mut first, connection, sending).await;
    third.hand_in().await.unwrap();
}

#[tokio::test]
async fn beyond_what_all_may_begin_only_first_hand_ins_are_taken() {
    let campus = Campus::with(|config| config.unfinished = 2).await;
    let (mut first, connection, sending) = begun(&campus, ALICE, MIB).await;
    let _other = begun(&campus, BOB, MIB).await;
    let refusal = work(&campus, ALICE, 10).commit().await.unwrap_err();
    assert_eq!(refusal.code, Code::TooManyUploads);
    assert_eq!(
        (&*refusal.params["in_all"], &*refusal.params["unfinished"]),
        ("2", "1")
    );
    work(&campus, CAROL, 10).hand_in().await.unwrap();
    finish(&mut first, connection, sending).await;
    work(&campus, ALICE, 10).hand_in().await.unwrap();
}

#[tokio::test]
async fn the_bytes_of_one_student_are_bounded_and_the_first_hand_in_is_taken() {
    let campus = Campus::with(|config| config.unfinished_bytes_per_student = 3 << 20).await;
    let _large = begun(&campus, ALICE, 4 * MIB).await;
    let refusal = work(&campus, ALICE, 1).commit().await.unwrap_err();
    assert_eq!(refusal.code, Code::TooManyUploads);
    let _one = begun(&campus, BOB, MIB).await;
    let _two = begun(&campus, BOB, 2 * MIB).await;
    work(&campus, BOB, 1).commit().await.unwrap_err();
}

#[tokio::test]
async fn what_is_proposed_counts_for_who_signed_it_and_for_nobody_else() {
    let campus = Campus::with(|config| config.unfinished_bytes_per_student = 3 << 20).await;
    let [mut alice, mut bob] = [ALICE, BOB].map(|sid| Machine::of(&campus, &[sid]));
    let report = |byte: u8, size: usize| vec![byte; size];
    let first = alice.work(&[ALICE, BOB], &report(1, 2 * MIB));
    alice.begin(&first).await.unwrap();
    let second = alice.work(&[ALICE, BOB], &report(2, MIB + 1));
    let refusal = alice.begin(&second).await.unwrap_err();
    assert_eq!(refusal.code, Code::TooManyUploads, "{refusal:?}");
    assert_eq!(refusal.sid.unwrap().as_str(), ALICE);
    assert_eq!(refusal.params["bytes"], (2 * MIB).to_string());
    let refusal = work(&campus, ALICE, MIB + 1).commit().await.unwrap_err();
    assert_eq!(refusal.code, Code::TooManyUploads, "{refusal:?}");
    // The same again goes on, and who was merely named may do what he likes.
    alice.begin(&first).await.unwrap();
    let own = bob.work(&[BOB, ALICE], &report(3, 3 * MIB));
    bob.begin(&own).await.unwrap();
    let _other = begun(&campus, CAROL, 3 * MIB).await;
    bob.end(own.submission(), None).await.unwrap();
    let _large = begun(&campus, BOB, 3 * MIB).await;
}

#[tokio::test]
async fn proposals_of_all_leave_room_for_first_hand_ins_only() {
    let campus = Campus::with(|config| config.unfinished = 2).await;
    for sid in [ALICE, BOB] {
        let mut machine = Machine::of(&campus, &[sid]);
        let work = machine.work(&[sid, CAROL], sid.as_bytes());
        machine.begin(&work).await.unwrap();
    }
    let refusal = work(&campus, ALICE, 10).commit().await.unwrap_err();
    assert_eq!(refusal.params["in_all"], "2", "{refusal:?}");
    work(&campus, CAROL, 10).hand_in().await.unwrap();
}

#[tokio::test]
async fn what_can_come_no_longer_does_not_count() {
    let hour = Duration::from_secs(60 * 60);
    let campus = Campus::with(|config| {
        (config.unfinished_per_student, config.upload_window) = (1, hour);
    });
    let campus = campus.await;
    begun(&campus, ALICE, MIB).await;
    work(&campus, ALICE, 1).commit().await.unwrap_err();
    campus.certs.clock().advance(hour + Duration::from_secs(1));
    work(&campus, ALICE, 1).hand_in().await.unwrap();
}

#[tokio::test]
async fn who_finds_no_room_is_in_time_and_goes_on_when_there_is_some() {
    let campus = Campus::with(|config| config.unfinished_bytes = 8 << 20).await;
    let (mut alice, connection, sending) = begun(&campus, ALICE, 5 * MIB).await;
    let mut bob = work(&campus, BOB, 4 * MIB);
    let began = campus.certs.now();
    let refusal = bob.commit().await.unwrap_err();
    assert_eq!(refusal.code, Code::StorageFull);
    assert!(refusal.params.contains_key("recorded"), "{refusal:?}");
    // What is small needs no room.
    work(&campus, CAROL, 1000).hand_in().await.unwrap();

    finish(&mut alice, connection, sending).await;
    campus.certs.clock().advance(Duration::from_secs(60));
    let (_, committed) = bob.commit().await.unwrap();
    assert_eq!(committed.at(), began, "the time of the first attempt stays");
}

#[tokio::test]
async fn the_last_room_is_for_those_who_have_nothing_else_unfinished() {
    let campus = Campus::with(|config| config.unfinished_bytes = 8 << 20).await;
    let _one = begun(&campus, ALICE, 4 * MIB).await;
    let mut more = work(&campus, ALICE, 3 * MIB);
    assert_eq!(more.commit().await.unwrap_err().code, Code::StorageFull);
    let _other = begun(&campus, BOB, 3 * MIB).await;
}

#[tokio::test]
async fn what_was_left_lying_counts_after_a_restart_as_well() {
    let mut campus = Campus::with(|config| config.unfinished_bytes = 4 << 20).await;
    let submission: SubmissionId = {
        let (group, mut connection, _) = begun(&campus, ALICE, 3 * MIB).await;
        let part = Bytes::copy_from_slice(&group.report[..2 * MIB]);
        connection.send_chunk(part).await.unwrap();
        group.submission
    };
    let part = campus
        .home
        .path("content/uploads")
        .join(submission.to_string())
        .join("0");
    let has_come = || std::fs::metadata(&part).is_ok_and(|part| part.len() == 2 << 20);
    super::eventually("what came is kept", has_come).await;
    campus.stop().await;
    campus.start().await.unwrap();
    let refusal = work(&campus, BOB, 2 * MIB + 1).commit().await.unwrap_err();
    assert_eq!(refusal.params["unfinished"], (2 << 20).to_string());
    work(&campus, CAROL, 2 * MIB).hand_in().await.unwrap();
}

#[tokio::test]
async fn the_same_members_hand_in_no_more_versions_than_are_taken_and_the_last_one_counts() {
    let campus = Campus::open().await;
    let mut last = work(&campus, ALICE, 10);
    let receipt = last.hand_in().await.unwrap();
    versions_before(&campus, ALICE, MOST - 1);
    let refusal = work(&campus, ALICE, 11).commit().await.unwrap_err();
    assert_eq!(refusal.code, Code::TooManyVersions);
    assert_eq!(refusal.params["limit"], MOST.to_string());

    // The same again changes nothing, and with others she has handed in less.
    last.submission = work(&campus, ALICE, 10).submission;
    assert_eq!(last.hand_in().await.unwrap(), receipt);
    assert!(history(&mut last).await[0].standings[0].counts);
    let mut together = campus.group(&[ALICE, BOB]);
    together.hand_in().await.unwrap();
    work(&campus, BOB, 12).hand_in().await.unwrap();

    // Until both of them have a part in as many.
    versions_before(&campus, BOB, MOST - 1);
    let mut again = campus.group(&[ALICE, BOB]);
    again.report = b"another report".to_vec();
    let refusal = again.commit().await.unwrap_err();
    assert_eq!(refusal.code, Code::TooManyVersions);
    let mut others = campus.group(&[BOB, CAROL]);
    others.hand_in().await.unwrap();
}

/// What a student has handed in before all that is here.
fn versions_before(campus: &Campus, sid: &str, how_many: usize) {
    let database = rusqlite::Connection::open(campus.home.path("blackboard.db")).unwrap();
    let nth = format!("SELECT 1 UNION ALL SELECT n + 1 FROM nth WHERE n < {how_many}");
    let sql = format!(
        "WITH RECURSIVE nth(n) AS ({nth}) INSERT INTO parts (course, assignment, sid, number) \
         SELECT 'SANDBOX', 'lab', ?, -n FROM nth"
    );
    database.execute(&sql, [sid]).unwrap();
}
