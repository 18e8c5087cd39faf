//! What CUHK's clock shows of when a statement was recorded, and that nobody puts that back.

mod came;

use std::fs;
use std::time::Duration;

use bytes::Bytes;
use rusqlite::{Connection as Database, params};
use scb_certs::Fingerprint;
use scb_protocol::commitment::{Followed, VerifiedCommitment};
use scb_protocol::log_leaf::{Entry, Leaf, leaf_commitment};
use scb_protocol::message::blackboard::{Reply, Request};
use scb_protocol::receipt::VerifiedReceipt;
use scb_protocol::server::Outage;
use scb_protocol::{Code, Refusal, Step, from_seconds};

use super::campus::Campus;
use super::group::{Group, reply, signed};
use super::proposals::{A, B, C, Machine};
use super::uploads::{again, interrupted};
use crate::fsck::found;
use crate::store::Store;

const HOUR: Duration = Duration::from_secs(60 * 60);

fn database(campus: &Campus) -> Database {
    let database = Database::open(campus.home.path("blackboard.db")).unwrap();
    let keys = database.pragma_update(None, "foreign_keys", false);
    keys.unwrap();
    database
}

/// In which modes statements were recorded.
fn modes(campus: &Campus) -> Vec<String> {
    let database = database(campus);
    let mut query = database.prepare("SELECT mode FROM commitments").unwrap();
    let rows = query.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[tokio::test]
async fn a_receipt_shows_when_cuhk_had_answered() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    let zip = group.hand_in().await.unwrap();
    let receipt = group.verify(&zip);
    assert_eq!(receipt.dated(), Some(campus.certs.now()));
    assert!(!receipt.is_word_alone());
    // And of a group on two machines, by the last signature.
    let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[A, B], b"the report");
    a.propose(&work).await.unwrap().waits();
    campus.certs.clock().advance(HOUR);
    let zip = b.sign(&work).await.unwrap().receipt();
    assert_eq!(group.verify(&zip).dated(), Some(campus.certs.now()));
}

#[tokio::test]
async fn cuhk_is_asked_about_the_very_statement_that_is_recorded() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    let zip = group.hand_in().await.unwrap();
    let receipt = group.verify(&zip);
    let this = Some(Fingerprint::of(receipt.statement_bytes()));
    assert_eq!(campus.cuhk.named(), [None, this, this]);
    assert!(receipt.is_dated_by_name());
    // And of a group on two machines with the last signature.
    let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[A, B], b"the report");
    a.propose(&work).await.unwrap().waits();
    let zip = b.sign(&work).await.unwrap().receipt();
    assert!(group.verify(&zip).is_dated_by_name());
}

#[tokio::test]
async fn where_cuhk_is_gone_by_then_its_answer_of_a_moment_ago_counts_and_shows_less() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    let (connection, session) = group.open_session().await.unwrap();
    campus.cuhk.stop().await;
    let refusal = group.submit(connection, session).await.unwrap_err();
    assert_eq!(refusal.code, Code::CuhkUnavailable, "before it is stored");
    assert_eq!(modes(&campus), ["verified"]);
    campus.cuhk.resume().await;
    let zip = again(&group).hand_in().await.unwrap();
    let receipt = group.verify(&zip);
    assert_eq!(receipt.dated(), Some(campus.certs.now()));
    assert!(!receipt.is_dated_by_name() && !receipt.is_word_alone());
}

#[tokio::test]
async fn what_was_proved_before_has_it_and_without_it_the_receipt_is_weaker() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    let first = group.hand_in().await.unwrap();
    // It is kept with the statement, and not with the proof.
    assert!(again(&group).hand_in().await.unwrap() == first);
    let database = database(&campus);
    database.execute_batch("DELETE FROM commitments").unwrap();
    let receipt = again(&group).hand_in().await.unwrap();
    let receipt = group.verify(&receipt);
    assert_eq!((receipt.dated(), receipt.is_word_alone()), (None, true));
}

#[tokio::test]
async fn who_takes_long_is_confirmed_anew_when_his_statement_is_recorded() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    let (connection, session) = group.open_session().await.unwrap();
    campus.certs.clock().advance(3 * HOUR);
    let zip = group.submit(connection, session).await.unwrap();
    let receipt = group.verify(&zip);
    assert_eq!(receipt.committed_at(), campus.certs.now());
    assert_eq!(receipt.dated(), Some(campus.certs.now()));
}

#[tokio::test]
async fn while_cuhk_is_away_an_answer_of_long_before_does_not_count() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    let (connection, session) = group.open_session().await.unwrap();
    campus.certs.clock().advance(Duration::from_secs(61));
    campus.cuhk.stop().await;
    let refusal = group.submit(connection, session).await.unwrap_err();
    assert_eq!(refusal.code, Code::CuhkUnavailable);
    assert_eq!(refusal.step, Step::Six);
    assert_eq!(modes(&campus), [""; 0]);
}

#[tokio::test]
async fn where_tokens_count_they_stand_behind_what_is_recorded_then() {
    let campus = Campus::with(|config| config.outage = Outage::Tokens).await;
    let mut group = campus.three();
    let (connection, session) = group.open_session().await.unwrap();
    campus.certs.clock().advance(Duration::from_secs(61));
    campus.cuhk.stop().await;
    let zip = group.submit(connection, session).await.unwrap();
    group.verify(&zip);
    assert_eq!(modes(&campus), ["tokens"]);
}

/// Whoever has Blackboard's machine says that it was recorded so long before, everywhere, before CUHK's
/// witness has seen it.
fn put_back(campus: &Campus, seconds: u64) {
    let database = database(campus);
    let sql = "SELECT leaf FROM log_entries WHERE kind = 'committed'";
    let leaf: Vec<u8> = database.query_one(sql, [], |row| row.get(0)).unwrap();
    let mut leaf = Leaf::parse(&leaf).unwrap();
    leaf.at = from_seconds(leaf.at.as_secs() - seconds);
    let at = i64::try_from(leaf.at.as_secs()).unwrap();
    let leaf = leaf.to_bytes().unwrap();
    let sql = "UPDATE log_entries SET leaf = ?, commitment = ?, at = ? WHERE kind = 'committed'";
    let entry = params![leaf, leaf_commitment(&leaf), at];
    assert_eq!(database.execute(sql, entry).unwrap(), 1);
    let sql = "UPDATE commitments SET committed_at = ?, leaf_signature = NULL";
    assert_eq!(database.execute(sql, [at]).unwrap(), 1);
    unseen(campus, &database);
}

/// As if CUHK's witness had seen nothing of it.
fn unseen(campus: &Campus, database: &Database) {
    let sql = "DELETE FROM cosigned_checkpoints; DELETE FROM log_endorsements";
    database.execute_batch(sql).unwrap();
    campus.cuhk.set(|state| state.witness.logs.clear());
    // The key stays; the tiles are made anew.
    let name = Fingerprint::of(b"campus.test/blackboard/SANDBOX/lab");
    fs::remove_dir_all(campus.home.path("logs").join(name.to_string())).unwrap();
}

/// Brings the files as somebody does who is in league with Blackboard: whatever it says is right.
async fn bring(group: &mut Group<'_>) -> Result<Reply, Refusal> {
    let (mut connection, session) = group.open_session().await?;
    let statement = group.statement();
    let signatures = signed(&statement, &group.members, group.campus);
    let (_, request) = session.submit(&statement, signatures)?;
    connection.send(&request).await?;
    reply(&mut connection).await?;
    connection.send(&Request::Upload { from: vec![0] }).await?;
    let report = Bytes::copy_from_slice(&group.report);
    connection.send_chunk(report).await?;
    connection.send(&Request::End {}).await?;
    reply(&mut connection).await
}

#[tokio::test]
async fn a_moment_that_was_put_back_is_in_no_complete_receipt_and_is_found() {
    let mut campus = Campus::open().await;
    campus.certs.clock().advance(2 * HOUR);
    let (members, submission, report) = {
        let group = interrupted(&campus).await;
        let members = group.members.clone();
        (members, group.submission, group.report.clone())
    };
    campus.stop().await;
    put_back(&campus, HOUR.as_secs());
    campus.start().await.unwrap();
    let mut group = campus.group(&[]);
    (group.members, group.submission, group.report) = (members, submission, report);
    let answer = bring(&mut group).await.unwrap();
    assert!(matches!(answer, Reply::Receipt { .. }), "{answer:?}");
    let store = Store::open(&campus.home).unwrap();
    let record = store.record("S-000001".parse().unwrap()).unwrap().unwrap();
    assert!(record.proof().is_none(), "none with which it verifies");
    drop(group);
    campus.stop().await;
    let found = found(&campus.home, None, campus.certs.now()).unwrap();
    let codes: Vec<_> = found.iter().map(|(code, _)| *code).collect();
    assert!(codes.contains(&"moment_contradicted"), "{codes:?}");
}

#[tokio::test]
async fn a_signature_of_an_entry_that_is_not_blackboards_is_found() {
    let mut campus = Campus::open().await;
    let id = interrupted(&campus).await.submission;
    campus.three().hand_in().await.unwrap();
    campus.stop().await;
    let codes = || found(&campus.home, None, campus.certs.now()).unwrap();
    assert_eq!(codes(), []);
    let alter = |set: &str| {
        let sql = format!("UPDATE commitments SET leaf_signature = {set} WHERE submission = ?");
        let altered = database(&campus).execute(&sql, [id.as_bytes()]).unwrap();
        assert_eq!(altered, 1, "{set}");
    };
    let others = "(SELECT one.leaf_signature FROM commitments AS one \
                  WHERE one.submission <> commitments.submission)";
    for set in [
        "zeroblob(9)",
        "substr(leaf_signature, 1, length(leaf_signature) - 1)",
        others,
    ] {
        alter(set);
        let found: Vec<_> = codes().into_iter().map(|(code, _)| code).collect();
        assert_eq!(found, ["commitment_unsigned"], "{set}");
    }
    // Those of before entries were signed have none.
    alter("NULL");
    assert_eq!(codes(), []);
}

#[tokio::test]
async fn whoever_signs_last_is_given_blackboards_word_for_it() {
    let mut campus = Campus::open().await;
    let root = [campus.certs.root_fingerprint()];
    let (zip, receipt) = {
        let [mut a, mut b, mut c] = [A, B, C].map(|sid| Machine::of(&campus, &[sid]));
        let work = a.work(&[A, B, C], b"the report");
        a.begin(&work).await.unwrap();
        b.sign(&work).await.unwrap().waits();
        assert!(b.1.is_none(), "somebody is missing");
        campus.certs.clock().advance(HOUR);
        c.sign(&work).await.unwrap().waits();
        let word = c.1.take().unwrap();
        assert_eq!(word.commitment.committed_at(), campus.certs.now());
        campus.certs.clock().advance(HOUR);
        let receipt = a.propose(&work).await.unwrap().receipt();
        (word.zip, receipt)
    };
    let kept = VerifiedCommitment::verify(&zip, &root).unwrap();
    assert!(kept.is_of_signatures());
    let by: Vec<_> = kept.signed_by().map(ToString::to_string).collect();
    assert_eq!(by, [C]);
    let receipt = VerifiedReceipt::verify(&receipt, &root[0]).unwrap();
    assert_eq!(kept.followed_by(&receipt), Ok(Followed::Proved));
    campus.stop().await;
    let codes = || found(&campus.home, None, campus.certs.now()).unwrap();
    assert_eq!(codes(), []);
    let sql = "UPDATE deliveries SET leaf_signature = zeroblob(9) WHERE leaf_signature IS NOT NULL";
    assert_eq!(database(&campus).execute(sql, []).unwrap(), 1);
    let found: Vec<_> = codes().into_iter().map(|(code, _)| code).collect();
    assert_eq!(found, ["commitment_unsigned"]);
}

/// Whoever has Blackboard's machine says that CUHK's answer about the last signature stood behind the one before,
/// of another proposal.
fn exchange_answer(campus: &Campus) {
    let database = database(campus);
    let sql = "SELECT leaf FROM log_entries WHERE kind = 'signed' ORDER BY number";
    let mut query = database.prepare(sql).unwrap();
    let leaves = query.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    let mut leaves: Vec<_> = leaves
        .map(|leaf| Leaf::parse(&leaf.unwrap()).unwrap())
        .collect();
    let second = leaves.pop().unwrap();
    let mut first = leaves.pop().unwrap();
    let (Entry::Signed(one), Entry::Signed(other)) = (&mut first.entry, &second.entry) else {
        panic!("signed");
    };
    assert_ne!(one.verification_sha256, other.verification_sha256);
    one.verification_sha256 = other.verification_sha256;
    let [of_first, of_second] = [&first, &second].map(|leaf| i64::try_from(leaf.index).unwrap());
    let leaf = first.to_bytes().unwrap();
    let sql =
        "UPDATE log_entries SET leaf = ?, commitment = ? WHERE kind = 'signed' AND number = ?";
    let entry = params![leaf, leaf_commitment(&leaf), of_first];
    assert_eq!(database.execute(sql, entry).unwrap(), 1);
    let sql = "UPDATE deliveries SET assurance = (SELECT assurance FROM deliveries \
               WHERE log_index = ?) WHERE log_index = ?";
    assert_eq!(database.execute(sql, [of_second, of_first]).unwrap(), 1);
    unseen(campus, &database);
}

#[tokio::test]
async fn cuhks_answer_about_another_statement_stands_behind_no_signature_of_a_proposal() {
    let mut campus = Campus::open().await;
    {
        let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
        let works = ["one report", "another report"];
        let works = works.map(|text| a.work(&[A, B, C], text.as_bytes()));
        for work in &works {
            a.propose(work).await.unwrap().waits();
        }
        for work in &works {
            b.sign(work).await.unwrap().waits();
        }
    }
    campus.stop().await;
    let codes = |campus: &Campus| {
        let found = found(&campus.home, None, campus.certs.now()).unwrap();
        let codes = found.into_iter().map(|(code, _)| code);
        codes.collect::<Vec<_>>()
    };
    assert!(codes(&campus).is_empty());
    exchange_answer(&campus);
    campus.start().await.unwrap();
    campus.stop().await;
    assert_eq!(codes(&campus), ["moment_contradicted"]);
}
