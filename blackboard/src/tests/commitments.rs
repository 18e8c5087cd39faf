//! What is signed when a statement is recorded: the same however often it is asked for.

use std::time::Duration;

use rusqlite::Connection;
use scb_protocol::Code;
use scb_protocol::commitment::VerifiedCommitment;
use scb_protocol::message::proposal::ProposalState;

use super::campus::Campus;
use super::closing::{close, due};
use super::group::Group;
use super::proposals::{A, B, Machine, happened};
use super::uploads::{again, interrupted};
use super::withdrawals::{give_up, history};
use crate::fsck::found;
use crate::store::Store;
use crate::store::closing::Closing;

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
    assert_eq!(refusal.code, Code::StoredDamaged);
}

#[tokio::test]
async fn a_statement_that_was_altered_here_is_put_right_by_the_one_that_comes_again() {
    let campus = Campus::open().await;
    let group = campus.three();
    let first = kept(&group).await;
    let other = "UPDATE commitments SET statement = CAST(replace(CAST(statement AS TEXT), 'report', 'repart') AS BLOB)";
    for altered in [other, "UPDATE commitments SET statement = x'00'"] {
        sql(&campus, altered);
        // With the time and the signed entry that it had, and nothing is said against its members.
        assert!(kept(&group).await == first);
        assert_eq!(happened(&campus), ["committed"]);
    }
    sql(&campus, other);
    let receipt = again(&group).hand_in().await.unwrap();
    let receipt = group.verify(&receipt);
    assert!(verified(&campus, &first).followed_by(&receipt).is_ok());
}

/// Each alters what a row says of a commitment besides its statement.
const OF_ROWS: [&str; 6] = [
    "committed_at = committed_at - 60",
    "committed_at = committed_at + 60",
    "log_index = log_index - 1",
    // Until when its files may come is over.
    "upload_until = upload_until - 999999",
    "upload_until = upload_until + 999999",
    "statement = x'00', log_index = 0, committed_at = 0, upload_until = 0",
];

#[tokio::test]
async fn a_commitment_of_which_a_row_says_otherwise_goes_on_as_the_log_says() {
    let campus = Campus::open().await;
    let group = interrupted(&campus).await;
    let row = || -> (i64, i64, i64, Vec<u8>) {
        let connection = Connection::open(campus.home.path("blackboard.db")).unwrap();
        let sql = "SELECT committed_at, upload_until, log_index, statement FROM commitments";
        let read =
            |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
        connection.query_row(sql, [], read).unwrap()
    };
    let (first, before, said) = (kept(&group).await, row(), happened(&campus));
    let told = history(&campus, &[A]).await.unfinished;
    for altered in OF_ROWS {
        sql(&campus, &format!("UPDATE commitments SET {altered}"));
        if !altered.contains("statement") {
            let now = history(&campus, &[A]).await.unfinished;
            assert_eq!(now, told, "{altered}: what students are told");
        }
        assert!(kept(&group).await == first, "{altered}");
        assert_eq!(row(), before, "{altered}: it is put right");
        assert_eq!(happened(&campus), said, "{altered}");
    }
    // What one member's place in the backlog says is outvoted as well, and put right; so is one that is gone.
    let connection = Connection::open(campus.home.path("blackboard.db")).unwrap();
    let rows = || -> Vec<i64> {
        let sql = "SELECT upload_until FROM backlog";
        let mut query = connection.prepare(sql).unwrap();
        let rows = query.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    for altered in [
        "UPDATE backlog SET upload_until = 0 WHERE sid = ?",
        "UPDATE backlog SET upload_until = 9999999999 WHERE sid = ?",
    ] {
        assert_eq!(connection.execute(altered, [A]).unwrap(), 1);
        assert!(kept(&group).await == first);
        assert_eq!(row(), before);
        assert_eq!(rows(), [before.1; 3], "{altered}");
    }
    let receipt = again(&group).hand_in().await.unwrap();
    let receipt = group.verify(&receipt);
    assert!(verified(&campus, &first).followed_by(&receipt).is_ok());
}

#[tokio::test]
async fn of_one_alone_the_later_of_both_rows_counts_and_both_say_so_then() {
    let campus = Campus::open().await;
    let mut group = campus.group(&[A]);
    drop(group.commit().await.unwrap());
    let connection = Connection::open(campus.home.path("blackboard.db")).unwrap();
    let of = |table: &str| -> i64 {
        let sql = format!("SELECT upload_until FROM {table}");
        connection.query_row(&sql, [], |row| row.get(0)).unwrap()
    };
    let until = of("commitments");
    for table in ["commitments", "backlog"] {
        sql(&campus, &format!("UPDATE {table} SET upload_until = 0"));
        kept(&group).await;
        assert_eq!([of("commitments"), of("backlog")], [until; 2], "{table}");
    }
    let receipt = again(&group).hand_in().await.unwrap();
    group.verify(&receipt);
}

#[tokio::test]
async fn what_has_come_is_not_removed_nor_its_assignment_closed_because_of_a_row() {
    let mut campus = Campus::open().await;
    let store = Store::open(&campus.home).unwrap();
    let group = interrupted(&campus).await;
    let (submission, report, members) = (
        group.submission,
        group.report.clone(),
        group.members.clone(),
    );
    drop(group);
    let uploads = campus.home.path("content/uploads");
    let come = uploads.join(submission.to_string());
    due(&campus, &store, 60);
    for altered in [OF_ROWS[3], "upload_until = 0", OF_ROWS[5]] {
        sql(&campus, &format!("UPDATE commitments SET {altered}"));
        // A server that starts removes what nobody can go on with.
        campus.stop().await;
        campus.start().await.unwrap();
        assert!(come.exists(), "{altered}");
        let waits = close(&campus, &store, 600);
        assert!(
            matches!(waits, Closing::UploadUntil(_)),
            "{altered}: {waits:?}"
        );
    }
    let mut group = campus.three();
    (group.submission, group.report, group.members) = (submission, report, members);
    // What somebody wrote is found, until the same statement comes again.
    let damage = || found(&campus.home, None, campus.certs.now()).unwrap();
    assert_ne!(damage(), []);
    kept(&group).await;
    assert_eq!(damage(), []);
    let receipt = again(&group).hand_in().await.unwrap();
    group.verify(&receipt);
}

#[tokio::test]
async fn so_it_is_given_up_and_what_the_log_does_not_have_is_told_as_damaged() {
    let campus = Campus::open().await;
    let group = interrupted(&campus).await;
    let keep = "CREATE TABLE kept AS SELECT leaf, number FROM log_entries";
    sql(&campus, keep);
    sql(
        &campus,
        "UPDATE log_entries SET leaf = CAST(replace(CAST(leaf AS TEXT), 'verified', 'tokens') AS BLOB) \
         WHERE kind = 'committed'",
    );
    let told = history(&campus, &[A]).await.unfinished;
    assert!(told[0].damaged, "{told:?}");
    let refusal = again(&group).commit().await.unwrap_err();
    assert_eq!(refusal.code, Code::StoredDamaged, "{refusal}");
    assert!(refusal.rejection.is_none() && refusal.sid.is_none());
    sql(
        &campus,
        "UPDATE log_entries SET leaf = (SELECT leaf FROM kept WHERE kept.number = log_entries.number); \
         DROP TABLE kept; UPDATE commitments SET upload_until = 0, committed_at = 0",
    );
    let ended = give_up(&mut again(&group), group.submission).await;
    assert_eq!(ended.unwrap().state, ProposalState::Withdrawn);
}

#[tokio::test]
async fn nothing_is_signed_because_a_row_says_that_it_was_given_up() {
    let campus = Campus::open().await;
    let group = interrupted(&campus).await;
    let before = happened(&campus);
    sql(
        &campus,
        "INSERT INTO withdrawals SELECT submission, committed_at, log_index FROM commitments",
    );
    let attempts = [
        again(&group).commit().await.unwrap_err(),
        give_up(&mut again(&group), group.submission)
            .await
            .unwrap_err(),
    ];
    for refusal in attempts {
        assert_eq!(refusal.code, Code::StoredDamaged, "{refusal}");
        assert!(refusal.rejection.is_none() && refusal.sid.is_none());
    }
    assert_eq!(happened(&campus), before);
    sql(&campus, "DELETE FROM withdrawals");
    again(&group).hand_in().await.unwrap();
}

#[tokio::test]
async fn what_the_log_has_is_not_recorded_anew_because_its_row_is_gone() {
    let campus = Campus::open().await;
    let store = Store::open(&campus.home).unwrap();
    let group = interrupted(&campus).await;
    let before = happened(&campus);
    sql(
        &campus,
        "CREATE TABLE kept AS SELECT * FROM commitments; DELETE FROM commitments",
    );
    // Neither with the time of now nor, after the deadline, as late.
    for _ in 0..2 {
        let refusal = again(&group).commit().await.unwrap_err();
        assert_eq!(refusal.code, Code::StoredDamaged, "{refusal}");
        assert!(refusal.rejection.is_none() && refusal.sid.is_none());
        assert_eq!(happened(&campus), before);
        due(&campus, &store, 60);
        campus.certs.clock().advance(Duration::from_secs(120));
    }
    sql(
        &campus,
        "INSERT INTO commitments SELECT * FROM kept; DROP TABLE kept",
    );
    let receipt = again(&group).hand_in().await.unwrap();
    group.verify(&receipt);
}

#[tokio::test]
async fn nor_is_a_proposal() {
    let campus = Campus::open().await;
    let mut a = Machine::of(&campus, &[A]);
    let work = a.work(&[A, B], b"the report");
    a.propose(&work).await.unwrap().waits();
    sql(
        &campus,
        "DELETE FROM cosigners; DELETE FROM deliveries; DELETE FROM proposals",
    );
    let refusal = a.propose(&work).await.unwrap_err();
    assert_eq!(refusal.code, Code::StoredDamaged, "{refusal}");
    assert!(refusal.rejection.is_none() && refusal.sid.is_none());
    assert_eq!(happened(&campus), ["proposed", "signed"]);
}
