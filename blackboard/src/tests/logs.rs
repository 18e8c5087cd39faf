//! The assignments' logs: entered before a receipt is given, and what does not fit is noticed.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use rusqlite::Connection;
use scb_certs::{Ed25519Seed, Fingerprint};
use scb_protocol::log_leaf::{Contents, Entry, LogName, leaf_commitment};
use scb_tlog::{HashReader as _, Tiles, inspect};

use super::campus::Campus;
use super::eventually;
use crate::failure::failure;
use crate::store::log;

/// Where the log of the sandbox's assignment is.
fn directory(campus: &Campus) -> PathBuf {
    let name = Fingerprint::of(log_name().to_string().as_bytes());
    campus.home.path("logs").join(name.to_string())
}

fn log_name() -> LogName {
    "campus.test/blackboard/SANDBOX/lab".parse().unwrap()
}

/// The tiles as everybody may read them.
fn tiles(campus: &Campus) -> Tiles {
    let directory = directory(campus);
    let size = inspect(&directory)
        .unwrap()
        .map_or(0, |checkpoint| checkpoint.head().size);
    Tiles::new(&directory, size)
}

#[tokio::test]
async fn a_hand_in_is_in_the_log_before_its_receipt_goes_out() {
    let campus = Campus::open().await;
    let mut entered = None;
    for _ in 0..3 {
        let mut group = campus.three();
        let receipt = group.hand_in().await.unwrap();
        let tiles = tiles(&campus);
        let receipt = group.verify(&receipt);
        let (name, index) = receipt.entry();
        assert_eq!(*name, log_name());
        assert!(Some(index) > entered, "entry {index} after {entered:?}");
        entered = Some(index);
        assert_eq!(tiles.entry(index).unwrap(), receipt.commitment());
        assert_eq!(receipt.committed_at(), receipt.accepted_at());
    }
}

#[tokio::test]
async fn what_a_command_enters_is_published_by_the_server() {
    let campus = Campus::open().await;
    campus.three().hand_in().await.unwrap();
    let mut connection = Connection::open(campus.home.path("blackboard.db")).unwrap();
    let transaction = connection.transaction().unwrap();
    let rules = Entry::Rules(Contents::new());
    let entered = log::append(&transaction, &log_name(), campus.certs.now(), rules).unwrap();
    transaction.commit().unwrap();
    let index = entered.index;
    eventually("the entry is in the tiles", || {
        tiles(&campus).size() > index
    })
    .await;
    let entry = tiles(&campus).entry(index).unwrap();
    assert_eq!(entry, leaf_commitment(&entered.leaf));
}

/// After three were handed in and the server has stopped.
async fn three_handed_in() -> Campus {
    let mut campus = Campus::open().await;
    for _ in 0..3 {
        campus.three().hand_in().await.unwrap();
    }
    campus.stop().await;
    campus
}

/// Who sees only the tiles cannot try out what an entry says: of two that say the same the hashes differ.
#[tokio::test]
async fn every_entry_has_a_salt_of_its_own() {
    let campus = three_handed_in().await;
    let database = Connection::open(campus.home.path("blackboard.db")).unwrap();
    let mut query = database.prepare("SELECT leaf FROM log_entries").unwrap();
    let leaves = query.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    let salt = |leaf: Vec<u8>| {
        let leaf: serde_json::Value = serde_json::from_slice(&leaf).unwrap();
        leaf["salt"].as_str().unwrap().to_owned()
    };
    let salts: Vec<String> = leaves.map(|leaf| salt(leaf.unwrap())).collect();
    assert!(salts.len() > 6, "{salts:?}");
    let different: HashSet<&String> = salts.iter().collect();
    assert_eq!(different.len(), salts.len(), "{salts:?}");
}

fn sql(campus: &Campus, statement: &str) {
    let connection = Connection::open(campus.home.path("blackboard.db")).unwrap();
    connection.execute_batch(statement).unwrap();
}

/// How the server refuses to start: the code and the whole message.
async fn refused(campus: &mut Campus) -> (&'static str, String) {
    let error = campus.start().await.unwrap_err();
    let failure = failure(error);
    assert!(failure.remedy.is_some(), "{failure:?}");
    (failure.code.unwrap(), failure.message)
}

#[tokio::test]
async fn a_database_that_lacks_what_was_published_is_not_served() {
    let mut campus = three_handed_in().await;
    let size = tiles(&campus).size();
    let last = size - 1;
    sql(
        &campus,
        &format!("DELETE FROM log_entries WHERE number = {last}"),
    );
    let (code, message) = refused(&mut campus).await;
    assert_eq!(code, "log_behind");
    let expected = format!(
        "has {last} entries of the log {}, but {size} were published",
        log_name()
    );
    assert!(message.contains(&expected), "{message}");
}

#[tokio::test]
async fn a_database_with_another_entry_is_not_served() {
    let mut campus = three_handed_in().await;
    sql(
        &campus,
        "UPDATE log_entries SET commitment = zeroblob(32) WHERE number = 1",
    );
    let (code, message) = refused(&mut campus).await;
    assert_eq!(code, "log_contradicted");
    assert!(message.starts_with("entry 1 of the log "), "{message}");
}

#[tokio::test]
async fn a_log_whose_tail_was_cut_off_is_not_served() {
    let mut campus = three_handed_in().await;
    let size = tiles(&campus).size();
    let bundle = directory(&campus).join(format!("tile/entries/000.p/{size}"));
    let whole = fs::read(&bundle).unwrap();
    fs::write(&bundle, &whole[..whole.len() - 34]).unwrap();
    let (code, _) = refused(&mut campus).await;
    assert_eq!(code, "damaged");
    fs::write(&bundle, &whole).unwrap();
    campus.start().await.unwrap();
}

#[tokio::test]
async fn tiles_that_were_lost_are_made_anew() {
    let mut campus = three_handed_in().await;
    let size = tiles(&campus).size();
    let before: Vec<_> = (0..size)
        .map(|index| tiles(&campus).entry(index).unwrap())
        .collect();
    fs::remove_dir_all(directory(&campus)).unwrap();
    campus.start().await.unwrap();
    eventually("the tiles are back", || {
        directory(&campus).join("tile").exists()
    })
    .await;
    eventually("all of them", || tiles(&campus).size() == size).await;
    let after: Vec<_> = (0..size)
        .map(|index| tiles(&campus).entry(index).unwrap())
        .collect();
    assert_eq!(after, before);
}

#[tokio::test]
async fn another_log_key_does_not_go_on_with_the_log() {
    let mut campus = three_handed_in().await;
    let key = campus.home.path("logs/key.pem");
    let right = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    let (code, _) = refused(&mut campus).await;
    assert_eq!(code, "log_key", "none is made in its place");
    let another = Ed25519Seed::generate().unwrap().to_pem(None).unwrap();
    scb_certs::write_private(&key, &another).unwrap();
    let (code, _) = refused(&mut campus).await;
    assert_eq!(code, "log_key");
    fs::remove_file(&key).unwrap();
    scb_certs::write_private(&key, std::str::from_utf8(&right).unwrap()).unwrap();
    campus.start().await.unwrap();
}

#[tokio::test]
async fn a_log_of_which_the_database_knows_nothing_is_noticed() {
    let mut campus = three_handed_in().await;
    let other = campus.home.path("logs").join("0".repeat(64));
    fs::create_dir(&other).unwrap();
    fs::copy(
        directory(&campus).join("checkpoint"),
        other.join("checkpoint"),
    )
    .unwrap();
    let (code, message) = refused(&mut campus).await;
    assert_eq!(code, "log_behind");
    assert!(message.contains("knows nothing of the log in"), "{message}");
    fs::remove_dir_all(&other).unwrap();
    campus.start().await.unwrap();
}
