//! Content that a crash left without a record goes at a start, and nothing else ever does.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use rusqlite::Connection;
use scb_certs::Fingerprint;

use super::campus::Campus;

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
