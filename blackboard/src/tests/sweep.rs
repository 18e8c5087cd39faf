//! Content that a crash left without a record goes at a start, and nothing else ever does.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use rusqlite::Connection;
use scb_certs::Fingerprint;
use scb_protocol::statement::SubmissionNumber;
use scb_storage::ContentStore;

use super::campus::Campus;
use crate::store::{Register, Store};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn path_of(campus: &Campus, content: &[u8]) -> PathBuf {
    let name = Fingerprint::of(content).to_string();
    campus.home.path("content").join(&name[..2]).join(name)
}

fn make_older(path: &PathBuf) {
    let file = File::options().append(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - 2 * DAY).unwrap();
}

/// Content whose record was never made, stored two days ago.
fn forgotten(campus: &Campus) -> PathBuf {
    let path = path_of(campus, b"forgotten");
    fs::write(&path, b"forgotten").unwrap();
    make_older(&path);
    path
}

/// Two reports were handed in long ago; the server is not running.
async fn stopped() -> Campus {
    let mut campus = Campus::open().await;
    let mut reports = Vec::new();
    for text in ["one", "two"] {
        let mut group = campus.three();
        group.report = text.as_bytes().to_vec();
        group.hand_in().await.unwrap();
        reports.push(path_of(&campus, text.as_bytes()));
    }
    campus.stop().await;
    reports.iter().for_each(make_older);
    campus
}

fn sql(campus: &Campus, statement: &str) {
    let connection = Connection::open(campus.home.path("blackboard.db")).unwrap();
    assert_eq!(connection.execute(statement, []).unwrap(), 1);
}

#[tokio::test]
async fn what_no_record_names_goes_after_a_day() {
    let mut campus = stopped().await;
    let forgotten = forgotten(&campus);
    let young = path_of(&campus, b"young");
    fs::write(&young, b"young").unwrap();
    campus.start().await.unwrap();
    assert!(!forgotten.exists());
    assert!(young.exists());
    for text in ["one", "two"] {
        assert!(path_of(&campus, text.as_bytes()).exists(), "{text}");
    }
}

#[tokio::test]
async fn nothing_goes_while_a_number_has_no_record() {
    let mut campus = stopped().await;
    let forgotten = forgotten(&campus);
    // As after an old backup of the database was put back.
    sql(&campus, "DELETE FROM submissions WHERE number = 2");
    campus.start().await.unwrap();
    assert!(forgotten.exists());
    assert!(path_of(&campus, b"two").exists());
}

#[tokio::test]
async fn nothing_goes_while_a_record_cannot_be_read() {
    let mut campus = stopped().await;
    let forgotten = forgotten(&campus);
    let damage = "UPDATE submissions SET statement = zeroblob(100) WHERE number = 1";
    sql(&campus, damage);
    campus.start().await.unwrap();
    assert!(forgotten.exists());
    assert!(path_of(&campus, b"one").exists());
}

/// Sweeps as a start in some days would; how many files went.
fn swept_later(campus: &Campus) -> usize {
    let register = Register::open(&campus.home, Store::open(&campus.home).unwrap()).unwrap();
    let content = ContentStore::open(&campus.home.path("content")).unwrap();
    let moment = SystemTime::now() + 400 * DAY;
    register.sweep(&content, moment).unwrap()
}

/// Content of what was committed, as if a kill came between content and record.
fn cut_off(campus: &Campus, report: &[u8], after: u64) -> PathBuf {
    let path = path_of(campus, report);
    fs::write(&path, report).unwrap();
    make_as_old_as(&path, after + 10);
    path
}

fn leap(campus: &Campus, highest: u64) {
    let now = SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let line = format!("v1 {highest:020} {:020} {:8}\n", now.as_secs(), "");
    fs::write(campus.home.path("numbers"), line).unwrap();
}

#[tokio::test]
async fn a_number_without_a_record_may_be_all_that_tells_of_an_old_database() {
    let campus = stopped().await;
    let (forgotten, two) = (forgotten(&campus), path_of(&campus, b"two"));
    // The newest hand-in is in neither table, and CUHK is not asked.
    sql(&campus, "DELETE FROM submissions WHERE number = 2");
    let entries = "DELETE FROM log_entries WHERE number = (SELECT max(number) FROM log_entries \
                   WHERE kind = 'accepted')";
    sql(&campus, entries);
    assert_eq!(swept_later(&campus), 0);
    assert!(forgotten.exists() && two.exists());
}

#[tokio::test]
async fn where_numbers_leapt_only_what_was_committed_after_it_goes() {
    let mut campus = stopped().await;
    let before = forgotten(&campus);
    leap(&campus, 5000);
    assert_eq!(swept_later(&campus), 0, "the gap is not over");
    campus.start().await.unwrap();
    let mut three = campus.three();
    three.report = b"three".to_vec();
    three.hand_in().await.unwrap();
    campus.certs.clock().advance(Duration::from_secs(60));
    let mut killed = campus.three();
    killed.report = b"killed".to_vec();
    killed.commit().await.unwrap();
    drop((three, killed));
    campus.stop().await;
    let store = Store::open(&campus.home).unwrap();
    let number = SubmissionNumber::new(5001).unwrap();
    let since = store
        .record(number)
        .unwrap()
        .unwrap()
        .accepted_at()
        .as_secs();
    let stranger = cut_off(&campus, b"of nobody", since);
    let killed = cut_off(&campus, b"killed", since);
    // As old as what may be lost: somebody may have the receipt.
    make_as_old_as(&killed, since - 100);
    assert_eq!(swept_later(&campus), 0);
    make_as_old_as(&killed, since + 100);
    assert_eq!(swept_later(&campus), 1);
    assert!(!killed.exists());
    assert!(before.exists() && stranger.exists());
    for text in ["one", "two", "three"] {
        assert!(path_of(&campus, text.as_bytes()).exists(), "{text}");
    }
}

fn make_as_old_as(path: &PathBuf, seconds: u64) {
    let file = File::options().append(true).open(path).unwrap();
    let written = std::time::UNIX_EPOCH + Duration::from_secs(seconds);
    file.set_modified(written).unwrap();
}
