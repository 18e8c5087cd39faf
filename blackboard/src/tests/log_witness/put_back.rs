//! A home that was put back from a backup does not go on before its logs were compared with the
//! witness: nothing is given or entered twice, however often and whenever it is put back.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::types::Value;
use rusqlite::{Connection, Row};
use scb_certs::Fingerprint;
use scb_cli::exit;
use scb_protocol::rules::{Terms, Title};
use scb_protocol::server::Outage;
use scb_protocol::statement::SubmissionNumber;

use super::super::campus::{Campus, copy};
use super::super::eventually;
use super::super::fsck::state;
use super::super::proposals::{A, B, Machine};
use super::super::uploads::interrupted;
use super::{
    back_up, backed_up, enter, entries, hand_in, put_back, recovered, refused_start, restore, seen,
};
use crate::config::Config;
use crate::serve::sample_place;
use crate::store::{Error, Store};

const HOUR: Duration = Duration::from_secs(60 * 60);

fn numbers(campus: &Campus) -> Vec<SubmissionNumber> {
    let submissions = campus.submissions().into_iter();
    submissions.map(|one| one.number).collect()
}

#[tokio::test]
async fn it_does_not_start_while_cuhk_is_away_also_where_tokens_do() {
    let (mut campus, kept, _) = put_back(Outage::Tokens).await;
    campus.cuhk.stop().await;
    // Nothing is noted by the first attempt, and nothing forgotten.
    for _ in 0..2 {
        let refused = refused_start(&mut campus).await;
        let known = (refused.code, refused.exit);
        assert_eq!(known, (Some("put_back"), exit::RETRY), "{refused:?}");
        assert!(
            refused.message.contains("outage = \"tokens\""),
            "{refused:?}"
        );
        assert!(refused.remedy.unwrap().contains("start CUHK"));
    }
    assert_eq!(entries(&campus), kept, "nothing was entered");
    campus.cuhk.resume().await;
    let refused = refused_start(&mut campus).await;
    assert_eq!(refused.code, Some("log_behind"), "{refused:?}");
}

#[tokio::test]
async fn once_it_was_compared_it_starts_without_cuhk_as_any_other() {
    let mut campus = Campus::with(|config| config.outage = Outage::Tokens).await;
    hand_in(&campus).await;
    campus.stop().await;
    back_up(&campus).await;
    restore(&mut campus);
    campus.start().await.unwrap();
    hand_in(&campus).await;
    campus.stop().await;
    campus.cuhk.stop().await;
    campus.start().await.unwrap();
    campus.three().hand_in().await.unwrap();
    campus.stop().await;
    let given: BTreeSet<_> = numbers(&campus).into_iter().collect();
    assert_eq!(given.len(), 3);
}

#[tokio::test]
async fn a_backup_put_back_twice_gives_no_number_twice() {
    let (mut campus, kept, _) = put_back(Outage::Refuse).await;
    let mut given: Vec<_> = (1..=3).filter_map(SubmissionNumber::new).collect();
    for _ in 0..2 {
        let lost = seen(&campus) - kept;
        recovered(&campus, Some(lost)).await.unwrap();
        campus.start().await.unwrap();
        hand_in(&campus).await;
        hand_in(&campus).await;
        campus.stop().await;
        given.extend(numbers(&campus).into_iter().skip(1));
        restore(&mut campus);
    }
    assert_eq!(given.len(), 3 + 2 * 2);
    assert!(given.is_sorted(), "{given:?}");
    let once: BTreeSet<_> = given.iter().collect();
    assert_eq!(once.len(), given.len(), "{given:?}");
}

#[tokio::test]
async fn what_lapsed_since_is_entered_after_the_logs_were_compared() {
    let mut campus = Campus::with(|config| config.cosign_window = HOUR).await;
    let mut a = Machine::of(&campus, &[A]);
    let work = a.work(&[A, B], b"our report");
    a.propose(&work).await.unwrap().waits();
    drop(a);
    let kept = super::witnessed(&campus).await;
    campus.stop().await;
    back_up(&campus).await;
    campus.start().await.unwrap();
    let had = hand_in(&campus).await;
    campus.stop().await;
    restore(&mut campus);
    campus.certs.clock().advance(HOUR + Duration::from_secs(1));
    let refused = refused_start(&mut campus).await;
    assert_eq!(refused.code, Some("log_behind"), "no fork: {refused:?}");
    assert_eq!(entries(&campus), kept);
    recovered(&campus, Some(had - kept)).await.unwrap();
}

#[tokio::test]
async fn no_command_enters_anything_before_the_logs_were_compared() {
    let (mut campus, kept, had) = put_back(Outage::Refuse).await;
    let place = sample_place(campus.service.trust_domain()).unwrap();
    let now = campus.certs.now();
    let enter = |campus: &Campus| {
        let store = Store::open(&campus.home).unwrap();
        let called = |title: Title| move |terms| Terms { title, ..terms }.check();
        store.change_assignment(place.clone(), called("Another".parse().unwrap()), now)
    };
    assert!(matches!(enter(&campus), Err(Error::PutBack)));
    assert_eq!(entries(&campus), kept);
    recovered(&campus, Some(had - kept)).await.unwrap();
    assert!(matches!(enter(&campus), Err(Error::PutBack)), "not yet");
    campus.start().await.unwrap();
    enter(&campus).unwrap();
    campus.stop().await;
}

/// The rows of every table, but for CUHK's newest lists, which are remembered as soon as they come.
fn rows(campus: &Campus) -> Vec<(String, Vec<Vec<Value>>)> {
    let database = Connection::open(campus.home.path("blackboard.db")).unwrap();
    let sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'crl%' ORDER BY name";
    let mut tables = database.prepare(sql).unwrap();
    let tables = tables.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let rows = |table: String| {
        let mut all = database.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = all.column_count();
        let row = |row: &Row<'_>| (0..columns).map(|column| row.get(column)).collect();
        let rows = all.query_map([], row).unwrap().map(Result::unwrap);
        let rows = rows.collect();
        (table, rows)
    };
    tables.map(|table| rows(table.unwrap())).collect()
}

/// The files beside the database.
fn files(campus: &Campus) -> Vec<(PathBuf, Fingerprint)> {
    let mut files = state(campus.home.dir());
    let other = |path: &PathBuf| !path.ends_with("blackboard.db") && !path.ends_with("lock");
    files.retain(|(path, _)| other(path));
    files
}

#[tokio::test]
async fn a_start_that_is_refused_leaves_the_old_home_as_it_is() {
    let window = |config: &mut Config| config.upload_window = Duration::from_secs(60);
    let mut campus = Campus::with(window).await;
    hand_in(&campus).await;
    drop(interrupted(&campus).await);
    let kept = super::witnessed(&campus).await;
    campus.stop().await;
    back_up(&campus).await;
    campus.start().await.unwrap();
    hand_in(&campus).await;
    campus.stop().await;
    restore(&mut campus);
    // Nobody can go on with what was interrupted.
    campus.certs.clock().advance(3 * HOUR);
    let before = (rows(&campus), files(&campus));
    let uploads = |campus: &Campus| {
        fs::read_dir(campus.home.path("content/uploads"))
            .unwrap()
            .count()
    };
    assert_eq!(uploads(&campus), 1);
    for _ in 0..2 {
        let refused = refused_start(&mut campus).await;
        assert_eq!(refused.code, Some("log_behind"), "{refused:?}");
        assert_eq!((rows(&campus), files(&campus)), before);
    }
    // Once it may go on, what is over is cleared away, and numbers are leapt over.
    let lost = seen(&campus) - kept;
    recovered(&campus, Some(lost)).await.unwrap();
    campus.start().await.unwrap();
    assert_eq!(uploads(&campus), 0);
    assert_ne!(files(&campus), before.1);
    campus.stop().await;
}

/// As a snapshot of the whole machine, which takes the file system's times along.
fn as_a_snapshot(campus: &Campus) {
    let noted = campus.home.path("numbers");
    let text = fs::read_to_string(&noted).unwrap();
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let at = format!("{:020}", since.as_secs());
    let was = text.split(' ').nth(2).unwrap();
    fs::write(&noted, text.replace(was, &at)).unwrap();
}

#[tokio::test]
async fn one_that_cannot_be_told_stops_when_cuhk_is_back() {
    let (mut campus, _, had) = put_back(Outage::Tokens).await;
    as_a_snapshot(&campus);
    campus.cuhk.stop().await;
    campus.start().await.unwrap();
    campus.cuhk.resume().await;
    let refused = campus.ended().await.unwrap_err();
    assert_eq!(refused.code, Some("log_behind"), "{refused:?}");
    assert_eq!(seen(&campus), had);
}

#[tokio::test]
async fn a_copy_that_looks_untouched_gives_no_lost_number_again() {
    let (mut campus, kept, had) = backed_up(Outage::Refuse).await;
    let given = campus.submissions().len() as u64;
    // As a snapshot of the machine leaves it: with the times of its files.
    let noted = fs::read_to_string(campus.dir.path().join("backup/numbers")).unwrap();
    fs::remove_dir_all(campus.home.dir()).unwrap();
    copy(&campus.dir.path().join("backup"), campus.home.dir());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let at = noted.split(' ').nth(2).unwrap();
    let untouched = noted.replace(at, &format!("{:020}", now.unwrap().as_secs()));
    fs::write(campus.home.path("numbers"), untouched).unwrap();

    let refused = refused_start(&mut campus).await;
    assert_eq!(refused.code, Some("log_behind"), "{refused:?}");
    recovered(&campus, Some(had - kept)).await.unwrap();
    campus.start().await.unwrap();
    hand_in(&campus).await;
    let newest = campus.submissions().last().unwrap().number.get();
    assert!(newest > 1_000_000 + given, "{newest}");
    campus.stop().await;
}

/// CUHK was put back as well, and has forgotten what this home lacks; then the server that has all of it shows
/// CUHK that again.
#[tokio::test]
async fn one_that_started_before_cuhk_was_told_again_stops_although_no_log_grows() {
    let (mut campus, kept, had) = put_back(Outage::Refuse).await;
    let known = std::mem::take(&mut campus.cuhk.state.lock().unwrap().witness.logs);
    campus.start().await.unwrap();
    eventually("it has shown all that it has", || seen(&campus) == kept).await;
    campus.cuhk.set(|state| state.witness.logs = known);
    assert_eq!(seen(&campus), had);
    let stopped = campus.ended().await.unwrap_err();
    assert_eq!(stopped.code, Some("log_behind"), "{stopped:?}");
    assert_eq!(entries(&campus), kept);
}

/// Only the database is put back, with the log that one which was just closed may have beside it; what was
/// published since stays in its place.
pub(super) fn restore_database(campus: &Campus) {
    let backup = campus.dir.path().join("backup");
    for name in ["blackboard.db", "blackboard.db-wal", "blackboard.db-shm"] {
        let _ = fs::remove_file(campus.home.path(name));
        if backup.join(name).exists() && !name.ends_with("-shm") {
            fs::copy(backup.join(name), campus.home.path(name)).unwrap();
        }
    }
}

#[tokio::test]
async fn where_only_the_database_is_old_it_goes_on_after_what_was_published() {
    let (mut campus, kept, had) = backed_up(Outage::Refuse).await;
    restore_database(&campus);
    let refused = refused_start(&mut campus).await;
    assert_eq!(refused.code, Some("log_behind"), "{refused:?}");
    assert!(refused.remedy.unwrap().contains("blackboard recover"));
    let lost = had - kept;
    for word in [None, Some(lost - 1)] {
        let refused = recovered(&campus, word).await.unwrap_err();
        assert_eq!(refused.code, Some("log_behind"), "{refused:?}");
        let named = format!("--lose {lost}");
        assert!(refused.remedy.unwrap().contains(&named));
        assert_eq!(entries(&campus), kept, "nothing was entered");
    }
    recovered(&campus, Some(lost)).await.unwrap();
    assert_eq!(entries(&campus), had + 1);
    recovered(&campus, None).await.unwrap();
    // What was published is what it was: it starts, and CUHK cosigns what comes after it.
    campus.start().await.unwrap();
    let given = numbers(&campus).len();
    let all = hand_in(&campus).await;
    assert!(all > had + 1);
    assert_eq!(numbers(&campus).len(), given + 1);
    campus.stop().await;
}

#[tokio::test]
async fn what_was_published_and_no_witness_has_seen_is_not_numbered_anew_either() {
    let mut campus = Campus::with(|config| config.outage = Outage::Tokens).await;
    let kept = hand_in(&campus).await;
    campus.stop().await;
    back_up(&campus).await;
    campus.cuhk.stop().await;
    campus.start().await.unwrap();
    campus.three().hand_in().await.unwrap();
    let had = entries(&campus);
    campus.stop().await;
    campus.cuhk.resume().await;
    assert_eq!(seen(&campus), kept);
    restore_database(&campus);
    let lost = had - kept;
    assert!(lost > 0);
    recovered(&campus, Some(lost)).await.unwrap();
    campus.start().await.unwrap();
    hand_in(&campus).await;
    campus.stop().await;
}

#[tokio::test]
async fn an_older_database_of_another_history_is_not_gone_on_with() {
    let (mut campus, kept, had) = backed_up(Outage::Refuse).await;
    restore_database(&campus);
    enter(&campus, 1);
    let refused = recovered(&campus, Some(had - kept - 1)).await.unwrap_err();
    assert_eq!(refused.code, Some("log_contradicted"), "{refused:?}");
    let refused = refused_start(&mut campus).await;
    assert_eq!(refused.code, Some("log_behind"), "{refused:?}");
}
