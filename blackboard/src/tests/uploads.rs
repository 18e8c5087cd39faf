//! Statements are committed first; their files come when they come, in as many parts as it takes.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use scb_certs::Fingerprint;
use scb_protocol::client::Member;
use scb_protocol::message::blackboard::Request;
use scb_protocol::statement::SubmissionId;
use scb_protocol::{Code, Step};

use super::campus::Campus;
use super::eventually;
use super::group::{Group, reply};
use crate::store::Store;

const HOUR: Duration = Duration::from_secs(60 * 60);
/// How much comes before the connection breaks.
const PART: usize = 100_000;

/// The same members with the same submission, on another connection.
pub(super) fn again<'a>(group: &Group<'a>) -> Group<'a> {
    let mut again = group.campus.group(&[]);
    again.members = group.members.clone();
    again.submission = group.submission;
    again.report = group.report.clone();
    again.more = group.more.clone();
    again
}

/// What a group goes on with after its server has stopped.
pub(super) struct Begun {
    members: Vec<Member>,
    submission: SubmissionId,
    report: Vec<u8>,
}

impl Begun {
    pub(super) fn of(group: &Group<'_>) -> Self {
        Self {
            members: group.members.clone(),
            submission: group.submission,
            report: group.report.clone(),
        }
    }

    pub(super) fn again(self, campus: &Campus) -> Group<'_> {
        let mut again = campus.group(&[]);
        (again.members, again.submission, again.report) =
            (self.members, self.submission, self.report);
        again
    }
}

/// Where what came is kept.
pub(super) fn kept(campus: &Campus, submission: SubmissionId) -> PathBuf {
    let uploads = campus.home.path("content/uploads");
    uploads.join(submission.to_string())
}

/// A group whose connection breaks after a part of its report.
pub(super) async fn interrupted(campus: &Campus) -> Group<'_> {
    let mut group = campus.three();
    let (mut connection, committed) = group.commit().await.unwrap();
    let (_, upload) = committed.upload(&[]);
    connection.send(&upload).await.unwrap();
    let part = Bytes::copy_from_slice(&group.report[..PART]);
    connection.send_chunk(part).await.unwrap();
    drop(connection);
    let part = kept(campus, group.submission).join("0");
    let size = || fs::metadata(&part).map_or(0, |file| file.len());
    eventually("what came is kept", || size() == PART as u64).await;
    group
}

/// Goes on with it, and tells from where.
async fn go_on(group: &mut Group<'_>) -> (u64, Vec<u8>) {
    let (mut connection, committed) = group.commit().await.unwrap();
    let have = usize::try_from(committed.have()[0].received).unwrap();
    let (sending, upload) = committed.upload(&[Fingerprint::of(&group.report[..have])]);
    let from = sending.from()[0];
    connection.send(&upload).await.unwrap();
    let rest = &group.report[usize::try_from(from).unwrap()..];
    let rest = Bytes::copy_from_slice(rest);
    connection.send_chunk(rest).await.unwrap();
    let receipt = group.end(connection, sending).await.unwrap();
    (from, receipt)
}

#[tokio::test]
async fn what_came_before_the_connection_broke_is_not_sent_again() {
    let campus = Campus::open().await;
    let group = interrupted(&campus).await;
    assert_eq!(campus.submissions(), []);
    let mut group = again(&group);
    let (from, receipt) = go_on(&mut group).await;
    assert_eq!(from, PART as u64);
    group.verify(&receipt);
    assert_eq!((campus.submissions().len(), campus.content_files()), (1, 1));
    assert!(!kept(&campus, group.submission).exists(), "it is stored");
}

#[tokio::test]
async fn what_came_before_the_server_stopped_is_not_sent_again() {
    let mut campus = Campus::open().await;
    let begun = Begun::of(&interrupted(&campus).await);
    campus.stop().await;
    campus.start().await.unwrap();
    let mut group = begun.again(&campus);
    assert_eq!(go_on(&mut group).await.0, PART as u64);
}

#[tokio::test]
async fn what_is_altered_on_the_disk_is_sent_from_its_beginning() {
    let campus = Campus::open().await;
    let group = interrupted(&campus).await;
    let part = kept(&campus, group.submission).join("0");
    let mut bytes = fs::read(&part).unwrap();
    bytes[50_000] ^= 1;
    fs::write(&part, bytes).unwrap();
    let (from, receipt) = go_on(&mut again(&group)).await;
    assert_eq!(from, 0);
    group.verify(&receipt);
}

#[tokio::test]
async fn bytes_that_were_not_signed_are_no_beginning() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    let mut altered = group.report.clone();
    altered[70_000] ^= 1;
    group.sent = Some(altered);
    let refusal = group.hand_in().await.unwrap_err();
    assert_eq!(refusal.code, Code::ContentAltered);
    let (_, committed) = again(&group).commit().await.unwrap();
    assert_eq!(committed.have()[0].received, 0);
}

#[tokio::test]
async fn a_file_comes_from_its_beginning_or_from_where_it_stopped_and_nowhere_else() {
    let campus = Campus::open().await;
    let group = interrupted(&campus).await;
    for from in [vec![], vec![1], vec![PART as u64 - 1], vec![0, 0]] {
        let (mut connection, _) = again(&group).commit().await.unwrap();
        connection.send(&Request::Upload { from }).await.unwrap();
        let refusal = reply(&mut connection).await.unwrap_err();
        assert_eq!(
            (refusal.code, refusal.step),
            (Code::MalformedMessage, Step::Six)
        );
    }
    assert_eq!(go_on(&mut again(&group)).await.0, PART as u64);
}

#[tokio::test]
async fn the_time_of_the_first_commitment_stays() {
    let campus = Campus::open().await;
    let began = campus.certs.now().as_secs();
    let group = interrupted(&campus).await;
    campus.certs.clock().advance(HOUR);
    let mut later = again(&group);
    later.members = campus.three().members;
    // Their certificates are others now: it is another statement, under an ID that is taken.
    assert_eq!(
        later.commit().await.unwrap_err().code,
        Code::SubmissionConflict
    );
    let (_, committed) = again(&group).commit().await.unwrap();
    assert_eq!(committed.at().as_secs(), began);
    assert_eq!(committed.upload_until().as_secs(), began + 24 * 3600);
}

#[tokio::test]
async fn after_the_window_nothing_comes_any_more_and_what_came_is_removed() {
    let mut campus = Campus::with(|config| config.upload_window = 2 * HOUR).await;
    let submission = interrupted(&campus).await.submission;
    campus
        .certs
        .clock()
        .advance(2 * HOUR + Duration::from_secs(1));
    let mut late = campus.three();
    late.submission = submission;
    // Whoever comes after it needs fresh tokens, and the very statement of then.
    assert_eq!(
        late.commit().await.unwrap_err().code,
        Code::SubmissionConflict
    );
    let kept = kept(&campus, late.submission);
    assert!(kept.exists(), "who is sending has a little more");
    drop(late);
    campus.stop().await;
    campus.certs.clock().advance(HOUR);
    campus.start().await.unwrap();
    assert!(!kept.exists());
    let unfinished = Store::open(&campus.home).unwrap().unfinished().unwrap();
    assert_eq!(unfinished.len(), 1, "the teacher is told all the same");
    assert_eq!(unfinished[0].statement.submission, submission);
}

#[tokio::test]
async fn the_same_statement_after_the_window_is_told_so() {
    let campus = Campus::with(|config| config.upload_window = HOUR).await;
    let group = interrupted(&campus).await;
    campus.certs.clock().advance(HOUR);
    let (connection, _) = again(&group).commit().await.unwrap();
    drop(connection);
    campus.certs.clock().advance(Duration::from_secs(1));
    let refusal = again(&group).commit().await.unwrap_err();
    assert_eq!(refusal.code, Code::UploadExpired);
    campus.three().hand_in().await.unwrap();
}

#[tokio::test]
async fn several_files_with_folders_come_one_after_another() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    group.more = vec![
        ("src/main.c", b"int main(void) { return 0; }\n".to_vec()),
        ("src/empty.h", Vec::new()),
        ("src/same.c", b"int main(void) { return 0; }\n".to_vec()),
    ];
    let (mut connection, committed) = group.commit().await.unwrap();
    let (sending, upload) = committed.upload(&[]);
    connection.send(&upload).await.unwrap();
    let more = group.more.iter().map(|(_, content)| content.clone());
    for content in std::iter::once(group.report.clone()).chain(more) {
        if !content.is_empty() {
            connection.send_chunk(Bytes::from(content)).await.unwrap();
        }
    }
    let receipt = group.end(connection, sending).await.unwrap();
    let receipt = group.verify(&receipt);
    let files = &receipt.statement().files;
    let names: Vec<_> = files.iter().map(|file| file.name.to_string()).collect();
    let expected = ["submission.txt", "src/main.c", "src/empty.h", "src/same.c"];
    assert_eq!(names, expected);
    assert_eq!(campus.content_files(), 3, "two are the same");
    let stored = campus.submissions();
    assert_eq!(stored[0].statement.files, *files);
}

#[tokio::test]
async fn a_chunk_with_bytes_of_two_files_is_refused() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    group.report = b"first".to_vec();
    group.more = vec![("second", b"second".to_vec())];
    let (mut connection, committed) = group.commit().await.unwrap();
    connection.send(&committed.upload(&[]).1).await.unwrap();
    let both = Bytes::from_static(b"firstsecond");
    connection.send_chunk(both).await.unwrap();
    let refusal = reply(&mut connection).await.unwrap_err();
    assert_eq!(refusal.code, Code::ContentLong);
    assert_eq!(refusal.params["file"], "submission.txt");
}

#[tokio::test]
async fn nobody_is_told_what_others_have_handed_in() {
    let campus = Campus::open().await;
    let mut one = campus.three();
    one.hand_in().await.unwrap();
    let mut other = campus.group(&["1155000007"]);
    other.report = one.report.clone();
    let (_, committed) = other.commit().await.unwrap();
    assert_eq!(committed.have()[0].received, 0, "the same content");
}

#[tokio::test]
async fn two_members_in_the_same_second_are_two_versions() {
    let campus = Campus::open().await;
    let mut one = campus.three();
    let mut other = again(&one);
    other.submission = SubmissionId::random().unwrap();
    other.report.extend_from_slice(b"and one line more\n");
    let (first, second) = tokio::join!(one.hand_in(), other.hand_in());
    let numbers = [first, second].map(|receipt| one.verify(&receipt.unwrap()).number().get());
    assert_eq!(numbers.iter().sum::<u64>(), 3);
    assert_eq!((campus.submissions().len(), campus.content_files()), (2, 2));
}

/// The same members under another submission ID.
pub(super) fn anew<'a>(group: &Group<'a>) -> Group<'a> {
    let mut anew = again(group);
    anew.submission = SubmissionId::random().unwrap();
    anew
}

#[tokio::test]
async fn an_identical_version_changes_nothing() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    let first = group.hand_in().await.unwrap();
    let mut same = anew(&group);
    same.members.reverse();
    assert_eq!(same.hand_in().await.unwrap(), first, "in another order");
    assert_eq!((campus.submissions().len(), campus.content_files()), (1, 1));
    let unfinished = Store::open(&campus.home).unwrap().unfinished().unwrap();
    assert_eq!(unfinished, [], "nothing was committed");
}

#[tokio::test]
async fn whatever_differs_from_the_last_version_is_another_one() {
    let campus = Campus::open().await;
    let mut first = campus.three();
    first.hand_in().await.unwrap();
    let mut renamed = anew(&first);
    renamed.name = "final.txt";
    let mut altered = anew(&first);
    altered.report.push(b'!');
    let mut fewer = anew(&altered);
    fewer.members.pop();
    // What was handed in first, after others: it is the last version again.
    for (number, mut group) in (2..).zip([renamed, altered, fewer, anew(&first)]) {
        let receipt = group.hand_in().await.unwrap();
        assert_eq!(group.verify(&receipt).number().get(), number);
    }
}
