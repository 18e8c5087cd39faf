//! What is signed when a statement is recorded: the same however often it is asked for.

use std::time::Duration;

use rusqlite::Connection;
use scb_protocol::commitment::VerifiedCommitment;

use super::campus::Campus;
use super::group::Group;
use super::uploads::again;

/// The file that its members keep after this attempt, on a connection of its own.
async fn kept(group: &Group<'_>) -> Vec<u8> {
    let (connection, committed) = again(group).commit().await.unwrap();
    drop(connection);
    committed.signed().unwrap().zip.clone()
}

fn sql(campus: &Campus, statement: &str) {
    let connection = Connection::open(campus.home.path("blackboard.db")).unwrap();
    connection.execute_batch(statement).unwrap();
}

fn verified(campus: &Campus, zip: &[u8]) -> VerifiedCommitment {
    VerifiedCommitment::verify(zip, &[campus.certs.root_fingerprint()]).unwrap()
}

#[tokio::test]
async fn the_same_statement_gets_the_same_signed_entry_again() {
    let mut campus = Campus::open().await;
    let group = campus.three();
    let (submission, report, members) = (
        group.submission,
        group.report.clone(),
        group.members.clone(),
    );
    let first = kept(&group).await;
    campus.certs.clock().advance(Duration::from_secs(600));
    assert!(kept(&group).await == first, "it is the same, byte by byte");
    // Also by a server that was started again.
    drop(group);
    campus.stop().await;
    campus.start().await.unwrap();
    let mut group = campus.three();
    (group.submission, group.report, group.members) = (submission, report, members);
    assert!(kept(&group).await == first, "it outlives the server");
    let receipt = again(&group).hand_in().await.unwrap();
    let receipt = group.verify(&receipt);
    assert!(verified(&campus, &first).followed_by(&receipt).is_ok());
}

#[tokio::test]
async fn what_was_recorded_before_entries_were_signed_is_signed_once() {
    let campus = Campus::open().await;
    let group = campus.three();
    let first = kept(&group).await;
    sql(&campus, "UPDATE commitments SET leaf_signature = NULL");
    let second = kept(&group).await;
    assert!(
        second != first,
        "an ECDSA signature is another one each time"
    );
    let entry = |zip: &[u8]| verified(&campus, zip).leaf_sha256();
    assert_eq!(entry(&second), entry(&first));
    assert!(kept(&group).await == second, "then it stays as it is");
    sql(
        &campus,
        "UPDATE commitments SET leaf_signature = zeroblob(9)",
    );
    assert_eq!(entry(&kept(&group).await), entry(&first), "and mended");
}

#[tokio::test]
async fn an_entry_that_is_gone_is_not_made_up() {
    let campus = Campus::open().await;
    let group = campus.three();
    kept(&group).await;
    sql(
        &campus,
        "UPDATE log_entries SET leaf = NULL WHERE kind = 'committed'",
    );
    let refusal = again(&group).commit().await.unwrap_err();
    assert_eq!(refusal.code, scb_protocol::Code::StoredDamaged);
}
