//! CUHK as witness of this server's logs: what grew is cosigned, and what is behind or another log
//! is not served.

mod by_receipt;
mod put_back;

use std::fs;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use scb_certs::Fingerprint;
use scb_cli::{Failure, Home, Role, save_config};
use scb_protocol::log_leaf::{Contents, Entry, Leaf, LogName, Recovered};
use scb_protocol::server::Outage;
use scb_protocol::witness::{CosignedCheckpoint, MAX_ENTRIES};
use scb_protocol::{VerifiedLogKeys, from_seconds};
use serde_json::json;

use super::campus::{Campus, copy};
use super::{eventually, usual};
use crate::arguments::Recover;
use crate::failure::failure;
use crate::recover::recover;
use crate::store::{Store, log};

/// Less than the time between two looks at logs that do not grow.
const SOON: Duration = Duration::from_secs(4);

fn log_name() -> LogName {
    "campus.test/blackboard/SANDBOX/lab".parse().unwrap()
}

fn seen(campus: &Campus) -> u64 {
    let state = campus.cuhk.state.lock().unwrap();
    state.witness.size(&log_name().to_string())
}

/// How many entries the log has.
fn entries(campus: &Campus) -> u64 {
    let store = Store::open(&campus.home).unwrap();
    store.log_size_blocking(&log_name()).unwrap()
}

/// Waits until the witness has seen all entries there are; how many.
async fn witnessed(campus: &Campus) -> u64 {
    let all = entries(campus);
    eventually("the witness has seen it", || seen(campus) >= all).await;
    all
}

/// What is kept, verified as whoever gets it will.
async fn kept(campus: &Campus) -> Option<CosignedCheckpoint> {
    let store = Store::open(&campus.home).unwrap();
    let (name, now) = (log_name(), campus.certs.now());
    let signed = store.endorsement(&name).await.unwrap()?;
    let note = store.cosigned(&name).await.unwrap()?;
    store.close().await;
    let (keys, trust) = (signed.keys.as_bytes(), campus.certs.trust());
    let verified =
        VerifiedLogKeys::verify(keys, &signed.signature, &trust, &campus.service, now).unwrap();
    Some(CosignedCheckpoint::read(&note, verified.log(), verified.witness()).unwrap())
}

async fn hand_in(campus: &Campus) -> u64 {
    campus.three().hand_in().await.unwrap();
    witnessed(campus).await
}

/// Something that a command enters.
fn enter(campus: &Campus, count: usize) {
    let mut connection = Connection::open(campus.home.path("blackboard.db")).unwrap();
    let transaction = connection.transaction().unwrap();
    let entry: Entry = serde_json::from_value(json!({"refused": {
        "code": "report_empty",
        "members": ["1155000009"],
        "statement_sha256": "00".repeat(32),
    }}))
    .unwrap();
    for _ in 0..count {
        log::append(&transaction, &log_name(), campus.certs.now(), entry.clone()).unwrap();
    }
    transaction.commit().unwrap();
}

/// A campus whose home was put back to how it was after the first of three hand-ins; how many
/// entries its log has, and had.
async fn put_back(outage: Outage) -> (Campus, u64, u64) {
    let (mut campus, kept, had) = backed_up(outage).await;
    restore(&mut campus);
    assert!(kept + 1 < had, "each hand-in is entered");
    (campus, kept, had)
}

/// The same before it was put back.
async fn backed_up(outage: Outage) -> (Campus, u64, u64) {
    let mut campus = Campus::with(|config| config.outage = outage).await;
    let kept = hand_in(&campus).await;
    campus.stop().await;
    back_up(&campus).await;
    campus.start().await.unwrap();
    hand_in(&campus).await;
    let had = hand_in(&campus).await;
    campus.stop().await;
    (campus, kept, had)
}

/// Copies the home of a server that was stopped.
async fn back_up(campus: &Campus) {
    // Whoever lets go of the database last removes SQLite's log; of two at the same time, neither.
    let [database, log] = ["blackboard.db", "blackboard.db-wal"].map(|name| campus.home.path(name));
    let is_gone = || {
        let last = Connection::open(&database).unwrap();
        last.execute_batch("PRAGMA wal_checkpoint").unwrap();
        drop(last);
        !log.exists()
    };
    eventually("the database is closed", is_gone).await;
    copy(campus.home.dir(), &campus.dir.path().join("backup"));
}

/// Puts the copy in the place of the home; as an old one, of whatever age it is.
fn restore(campus: &mut Campus) {
    fs::remove_dir_all(campus.home.dir()).unwrap();
    copy(&campus.dir.path().join("backup"), campus.home.dir());
    let noted = campus.home.path("numbers");
    let text = fs::read_to_string(&noted).unwrap();
    let at = text.split(' ').nth(2).unwrap();
    let an_hour_before = at.parse::<u64>().unwrap() - 3600;
    fs::write(&noted, text.replace(at, &format!("{an_hour_before:020}"))).unwrap();
    campus.home = Home::open(campus.home.dir(), Role::Blackboard).unwrap();
}

async fn refused_start(campus: &mut Campus) -> Failure {
    failure(campus.start().await.unwrap_err())
}

async fn recovered(campus: &Campus, lose: Option<u64>) -> Result<(), Failure> {
    save_config(&campus.home, &campus.config).unwrap();
    let command = Recover {
        lose,
        receipt: None,
        files: Vec::new(),
    };
    let done = recover(campus.home.dir(), &command, campus.clock()).await;
    done.map_err(failure)
}

#[tokio::test]
async fn what_is_entered_is_cosigned_and_kept() {
    let mut campus = Campus::open().await;
    hand_in(&campus).await;
    hand_in(&campus).await;
    enter(&campus, 1);
    let all = witnessed(&campus).await;
    campus.stop().await;
    let checkpoint = kept(&campus).await.unwrap();
    assert_eq!(checkpoint.size(), all);
    assert_eq!(checkpoint.time().as_secs(), campus.certs.now().as_secs());
    // What is up to date needs no further word.
    let endorsed = campus.cuhk.state.lock().unwrap().witness.endorsed;
    campus.start().await.unwrap();
    hand_in(&campus).await;
    assert_eq!(campus.cuhk.state.lock().unwrap().witness.endorsed, endorsed);
    campus.stop().await;
}

#[tokio::test]
async fn what_grew_while_cuhk_was_away_is_cosigned_when_it_is_back() {
    let mut campus = Campus::with(|config| config.outage = Outage::Tokens).await;
    let before = hand_in(&campus).await;
    campus.cuhk.stop().await;
    campus.three().hand_in().await.unwrap();
    enter(&campus, 2 * MAX_ENTRIES + 1);
    assert_eq!(seen(&campus), before);
    campus.cuhk.resume().await;
    witnessed(&campus).await;
    assert_eq!(campus.cuhk.state.lock().unwrap().witness.most, MAX_ENTRIES);
    campus.stop().await;
}

#[tokio::test]
async fn a_cuhk_that_has_forgotten_a_log_is_told_of_it_again_at_once_and_sees_all_of_it() {
    let mut campus = Campus::open().await;
    hand_in(&campus).await;
    enter(&campus, MAX_ENTRIES + 1);
    witnessed(&campus).await;
    let endorsed = campus.cuhk.state.lock().unwrap().witness.endorsed;
    for again in 1..=2 {
        // It was put back from a backup that is older than the log.
        campus.cuhk.set(|state| state.witness.logs.clear());
        assert_eq!(seen(&campus), 0);
        let all = hand_in(&campus).await;
        let state = campus.cuhk.state.lock().unwrap();
        assert_eq!(state.witness.endorsed, endorsed + again);
        let entries = &state.witness.logs[&log_name().to_string()].entries;
        assert_eq!(entries.len() as u64, all);
    }
    let all = entries(&campus);
    campus.stop().await;
    assert_eq!(kept(&campus).await.unwrap().size(), all);
    // Nothing that was said of it before stands in the way of the next start.
    campus.start().await.unwrap();
    campus.stop().await;
}

#[tokio::test]
async fn a_cuhk_that_was_put_back_sees_again_what_does_not_grow_any_more() {
    let mut campus = Campus::open().await;
    let usual = usual(&campus, 1).await;
    let all = hand_in(&campus).await;
    witnessed(&campus).await;
    campus.cuhk.set(|state| state.witness.logs.clear());
    assert_eq!(seen(&campus), 0);
    let ended = Instant::now();
    campus.cuhk.stop().await;
    campus.cuhk.set(|state| state.asked_first.clear());
    campus.cuhk.resume().await;
    eventually("it sees all of it", || seen(&campus) == all).await;
    // Its end is noticed at once, not by the look of every five seconds: until then nobody would notice an old backup.
    let took = ended.elapsed();
    assert!(took < SOON + usual, "{took:?}, {usual:?}");
    // And over the new connection that log is what is asked about first, not when such a look is due.
    let asked = campus.cuhk.state.lock().unwrap().asked_first.clone();
    assert!(asked.contains(&"witnessed"), "{asked:?}");
    campus.stop().await;
    assert_eq!(kept(&campus).await.unwrap().size(), all);
    campus.start().await.unwrap();
    campus.stop().await;
}

/// Whoever hands in waits for none that is still, and CUHK has to refuse none of them: each refusal would end
/// the connection, with a pause before the next one.
#[tokio::test]
async fn a_cuhk_that_was_put_back_sees_fifty_logs_over_one_connection_and_the_grown_one_first() {
    let mut campus = Campus::with(|config| config.outage = Outage::Tokens).await;
    hand_in(&campus).await;
    let others: Vec<LogName> = (0..50)
        .map(|number| format!("campus.test/blackboard/SANDBOX/ended-{number}"))
        .map(|name| name.parse().unwrap())
        .collect();
    let mut connection = Connection::open(campus.home.path("blackboard.db")).unwrap();
    let transaction = connection.transaction().unwrap();
    for name in &others {
        let rules = Entry::Rules(Contents::new());
        log::append(&transaction, name, from_seconds(1000), rules).unwrap();
    }
    transaction.commit().unwrap();
    drop(connection);
    let all_seen = || {
        let state = campus.cuhk.state.lock().unwrap();
        let size = |name: &LogName| state.witness.size(&name.to_string());
        others.iter().all(|name| size(name) == 1)
    };
    eventually("all are witnessed", all_seen).await;

    // It is put back from a backup that is older than all of them.
    campus.cuhk.stop().await;
    campus.three().hand_in().await.unwrap();
    campus.cuhk.set(|state| {
        state.witness.logs.clear();
        state.witness.cosigned.clear();
    });
    campus.cuhk.resume().await;
    eventually("all are witnessed again", all_seen).await;
    {
        let state = campus.cuhk.state.lock().unwrap();
        assert_eq!(state.witness.cosigned[0], log_name().to_string());
        assert_eq!(state.witness.refused, 0);
    }
    witnessed(&campus).await;
    campus.stop().await;
}

#[tokio::test]
async fn a_home_that_began_anew_is_told_that_its_logs_have_another_key() {
    let (campus, ..) = backed_up(Outage::Refuse).await;
    fs::remove_dir_all(campus.home.path("logs")).unwrap();
    // The entries are here; and then nothing of them is.
    for here in [true, false] {
        let refused = recovered(&campus, None).await.unwrap_err();
        assert_eq!(refused.code, Some("log_key_changed"), "{here}: {refused:?}");
        assert_eq!(refused.exit, 3);
        let said = format!("{refused:?}");
        assert!(said.contains("another key"), "{said}");
        let remedy = refused.remedy.unwrap();
        assert!(remedy.starts_with("unless somebody has handed in to this home since"));
        let database = Connection::open(campus.home.path("blackboard.db")).unwrap();
        let nothing = "DELETE FROM log_entries; DELETE FROM logs";
        database.execute_batch(nothing).unwrap();
        fs::remove_dir_all(campus.home.path("logs")).unwrap();
    }
}

#[tokio::test]
async fn an_answer_that_was_lost_is_asked_for_again() {
    let mut campus = Campus::open().await;
    let before = hand_in(&campus).await;
    campus.cuhk.set(|state| state.witness.lose_answers = true);
    let all = hand_in(&campus).await;
    campus.stop().await;
    assert_eq!(kept(&campus).await.unwrap().size(), before);
    campus.start().await.unwrap();
    let store = Store::open(&campus.home).unwrap();
    let looks = || store.cosigned_blocking(&log_name()).unwrap().unwrap();
    let newest = format!("\n{all}\n");
    eventually("it is cosigned", || looks().contains(&newest)).await;
    store.close().await;
    campus.stop().await;
    assert_eq!(kept(&campus).await.unwrap().size(), all);
}

#[tokio::test]
async fn an_old_backup_is_not_served() {
    let (mut campus, kept, had) = put_back(Outage::Refuse).await;
    let refused = refused_start(&mut campus).await;
    assert_eq!(refused.code, Some("log_behind"), "{refused:?}");
    let kept = scb_cli::counted(kept, "entry");
    let told = format!("has {kept} here, but CUHK has seen {had} of it");
    assert!(refused.message.contains(&told), "{refused:?}");
    assert!(refused.remedy.unwrap().contains("blackboard recover"));
    assert_eq!(seen(&campus), had, "nothing has changed");
}

#[tokio::test]
async fn an_old_backup_into_which_something_was_entered_is_not_served() {
    let (mut campus, kept, had) = put_back(Outage::Refuse).await;
    for _ in 0..2 {
        enter(&campus, (had - kept) as usize);
        let refused = refused_start(&mut campus).await;
        assert_eq!(refused.code, Some("log_forked"), "{refused:?}");
    }
    let refused = recovered(&campus, Some(0)).await.unwrap_err();
    assert_eq!(refused.code, Some("log_forked"), "{refused:?}");
}

#[tokio::test]
async fn with_the_operators_word_it_goes_on_after_what_the_witness_has_seen() {
    let (mut campus, kept, had) = put_back(Outage::Refuse).await;
    let lost = had - kept;
    for word in [None, Some(lost - 1), Some(lost + 1)] {
        let refused = recovered(&campus, word).await.unwrap_err();
        assert_eq!(refused.code, Some("log_behind"), "{refused:?}");
        let named = format!("--lose {lost}");
        assert!(refused.remedy.unwrap().contains(&named));
    }
    recovered(&campus, Some(lost)).await.unwrap();
    // Once is enough.
    recovered(&campus, None).await.unwrap();
    campus.start().await.unwrap();
    hand_in(&campus).await;
    campus.stop().await;
    let database = Connection::open(campus.home.path("blackboard.db")).unwrap();
    let leaf = |number: u64| {
        let sql = "SELECT leaf FROM log_entries WHERE number = ?";
        let leaf: Option<Vec<u8>> = database
            .query_row(sql, [number as i64], |row| row.get(0))
            .unwrap();
        leaf.map(|leaf| Leaf::parse(&leaf).unwrap())
    };
    assert!(leaf(kept - 1).is_some());
    assert!((kept..had).all(|number| leaf(number).is_none()));
    let said = Entry::Recovered(Recovered { kept, seen: had });
    assert_eq!(leaf(had).unwrap().entry, said);
    assert!(leaf(had + 1).is_some());
}

#[tokio::test]
async fn what_an_attempt_left_that_was_killed_is_not_taken_for_the_log() {
    let (mut campus, kept, had) = put_back(Outage::Refuse).await;
    let left = campus.home.path("logs/recovering");
    scb_tlog::TileLog::open(&left)
        .unwrap()
        .append(&[[7; 32], [8; 32]])
        .unwrap();
    recovered(&campus, Some(had - kept)).await.unwrap();
    assert!(!left.exists());
    // Whatever else lies there, too.
    let (other, kept, had) = put_back(Outage::Refuse).await;
    fs::create_dir(other.home.path("logs/recovering")).unwrap();
    fs::write(other.home.path("logs/recovering/head"), "torn").unwrap();
    recovered(&other, Some(had - kept)).await.unwrap();
    campus.start().await.unwrap();
    campus.stop().await;
}

#[tokio::test]
async fn a_log_that_the_backup_does_not_know_at_all_is_missed_and_gone_on_with() {
    let mut campus = Campus::open().await;
    hand_in(&campus).await;
    campus.stop().await;
    let backup = campus.dir.path().join("backup");
    copy(campus.home.dir(), &backup);
    campus.start().await.unwrap();
    // A second assignment, for all that the logs know of it.
    let second: LogName = format!("{}-2", log_name()).parse().unwrap();
    let mut connection = Connection::open(campus.home.path("blackboard.db")).unwrap();
    let transaction = connection.transaction().unwrap();
    let rules = Entry::Rules(Contents::new());
    log::append(&transaction, &second, from_seconds(1000), rules).unwrap();
    transaction.commit().unwrap();
    drop(connection);
    let size = |campus: &Campus| {
        let state = campus.cuhk.state.lock().unwrap();
        state.witness.size(&second.to_string())
    };
    eventually("the second log is witnessed", || size(&campus) == 1).await;
    campus.stop().await;
    fs::remove_dir_all(campus.home.dir()).unwrap();
    copy(&backup, campus.home.dir());
    let refused = refused_start(&mut campus).await;
    assert_eq!(refused.code, Some("log_behind"), "{refused:?}");
    assert!(refused.message.contains(&second.to_string()), "{refused:?}");
    recovered(&campus, Some(1)).await.unwrap();
    campus.start().await.unwrap();
    eventually("it is gone on with", || size(&campus) == 2).await;
    campus.stop().await;
    // The same where its files are here, and only the database is old.
    put_back::restore_database(&campus);
    let refused = refused_start(&mut campus).await;
    assert_eq!(refused.code, Some("log_behind"), "{refused:?}");
    recovered(&campus, Some(2)).await.unwrap();
    campus.start().await.unwrap();
    eventually("it is gone on with again", || size(&campus) == 3).await;
    campus.stop().await;
}

#[tokio::test]
async fn commitments_that_are_not_the_logs_are_not_taken_over() {
    let (mut campus, kept, had) = put_back(Outage::Refuse).await;
    campus.cuhk.set(|state| {
        let log = state.witness.logs.get_mut(&log_name().to_string());
        log.unwrap().entries[kept as usize] = Fingerprint::of(b"another");
    });
    let refused = recovered(&campus, Some(had - kept)).await.unwrap_err();
    assert_eq!(refused.code, Some("log_forked"), "{refused:?}");
    let refused = refused_start(&mut campus).await;
    assert_eq!(refused.code, Some("log_behind"), "nothing has changed");
}
