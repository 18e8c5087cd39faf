//! What all have signed keeps what has come of it, and its assignment open, whatever a row says.

use std::fs;
use std::time::Duration;

use bytes::Bytes;
use rusqlite::{Connection, params};
use scb_protocol::Code;

use super::super::closing::{close, due, place};
use super::super::cuhk::Answer;
use super::super::eventually;
use super::super::uploads::interrupted;
use super::completion::{completed, signed_while};
use super::{A, B, C, Campus, Machine, Work};
use crate::store::Store;
use crate::store::closing::Closing;

const REPORT: &[u8] = b"our report, of which a part has come";
const PART: usize = 10;

/// Each alters what a row says of what all have signed.
const OF_ROWS: [&str; 8] = [
    "waits_until = 0",
    "signed_at = NULL, signed_index = NULL",
    "signed_at = NULL",
    "waits_until = 0, signed_at = NULL, signed_index = NULL",
    "ended = 'lapsed', ended_at = 1",
    "ended = 'withdrawn'",
    "ended = 'declined', waits_until = 0, proposed_at = 0, signed_at = NULL, signed_index = NULL",
    "course = 'OTHER', assignment = 'other', ended = 'lapsed'",
];

/// Each alters rows of several tables, and leaves what is not put right.
const OF_TABLES: [&str; 6] = [
    "UPDATE cosigners SET said = 'nothing', delivery = NULL, certificate = NULL; \
     UPDATE proposals SET signed_at = NULL, signed_index = NULL, waits_until = 0",
    "UPDATE cosigners SET sid = 'no body' WHERE nth = 2; UPDATE proposals SET ended = 'lapsed', ended_at = 1",
    "UPDATE proposals SET statement = x'00', ended = 'withdrawn', ended_at = 1; \
     UPDATE deliveries SET upload_until = 1; UPDATE kept_windows SET upload_until = 1",
    "UPDATE deliveries SET signatures = x'00', upload_until = NULL; UPDATE kept_windows SET upload_until = 7; \
     UPDATE proposals SET waits_until = 0",
    "DELETE FROM cosigners; DELETE FROM deliveries; UPDATE proposals SET signed_at = NULL, signed_index = NULL",
    "DELETE FROM cosigners; DELETE FROM deliveries; DELETE FROM proposals; DELETE FROM kept_windows",
];

fn sql(campus: &Campus, statement: &str) {
    let connection = Connection::open(campus.home.path("blackboard.db")).unwrap();
    connection.execute_batch(statement).unwrap();
}

/// Both have signed, and a part of the files has come.
async fn begun(a: &mut Machine<'_>, b: &mut Machine<'_>) -> Work {
    let work = a.work(&[A, B], REPORT);
    let opened = a.0.open_session().await.unwrap();
    let (mut connection, _) = a.sending(opened, &work).await.unwrap();
    let part = Bytes::from_static(&REPORT[..PART]);
    connection.send_chunk(part).await.unwrap();
    drop(connection);
    let campus = a.0.campus;
    let uploads = campus.home.path("content/uploads");
    let part = uploads.join(work.submission().to_string()).join("0");
    let size = || fs::metadata(&part).map_or(0, |file| file.len());
    eventually("what came is kept", || size() == PART as u64).await;
    b.sign(&work).await.unwrap().waits();
    work
}

fn assert_waits(closing: &Closing, altered: &str) {
    let waits = matches!(closing, Closing::UploadUntil(_));
    assert!(waits, "{altered}: {closing:?}");
}

#[tokio::test]
async fn what_has_come_is_not_removed_nor_its_assignment_closed_because_of_a_row() {
    let mut campus = Campus::open().await;
    let store = Store::open(&campus.home).unwrap();
    let (work, members) = {
        let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
        let work = begun(&mut a, &mut b).await;
        (work, a.0.members)
    };
    let uploads = campus.home.path("content/uploads");
    let come = uploads.join(work.submission().to_string());
    due(&campus, &store, 60);
    for altered in OF_ROWS {
        let alter = format!("UPDATE proposals SET {altered}");
        sql(&campus, &alter);
        assert_waits(&close(&campus, &store, 600), altered);
        // A server that starts removes what nobody can go on with.
        sql(&campus, &alter);
        campus.stop().await;
        campus.start().await.unwrap();
        assert!(come.exists(), "{altered}");
    }
    // Nor for a statement that cannot be read any more, nor if one of its members cannot be either.
    let place = place(&campus);
    let connection = Connection::open(campus.home.path("blackboard.db")).unwrap();
    let keep = "UPDATE proposals SET statement = x'00'; \
                UPDATE cosigners SET sid = 'no body' WHERE nth = 2";
    connection.execute_batch(keep).unwrap();
    assert_waits(&close(&campus, &store, 600), "statement");
    let whose = store.uploads(&place).unwrap();
    let both = [A, B].map(|sid| sid.parse().unwrap());
    assert!(whose.into_keys().eq(both), "as the log says");
    let undo = "UPDATE cosigners SET sid = ? WHERE nth = 2";
    connection.execute(undo, [B]).unwrap();
    let undo = "UPDATE proposals SET statement = ?";
    connection.execute(undo, params![work.statement]).unwrap();
    // Nor for rows of several tables: then nobody is refused under a signature.
    connection
        .pragma_update(None, "foreign_keys", false)
        .unwrap();
    const TABLES: [&str; 4] = ["proposals", "cosigners", "deliveries", "kept_windows"];
    let mut members = members;
    for altered in OF_TABLES {
        for table in TABLES {
            let keep = format!("CREATE TABLE of_{table} AS SELECT * FROM {table}");
            connection.execute_batch(&keep).unwrap();
        }
        connection.execute_batch(altered).unwrap();
        assert_waits(&close(&campus, &store, 600), altered);
        if !altered.contains("DELETE FROM proposals") {
            campus.stop().await;
            campus.start().await.unwrap();
            assert!(come.exists(), "{altered}");
        }
        let mut a = Machine::of(&campus, &[A]);
        a.0.members = members;
        let refused = a.propose(&work).await.unwrap_err();
        assert_eq!(refused.code, Code::StoredDamaged, "{altered}: {refused}");
        assert!(refused.rejection.is_none(), "{altered}");
        members = a.0.members;
        for table in TABLES {
            let undo = format!(
                "DELETE FROM {table}; INSERT INTO {table} SELECT * FROM of_{table}; DROP TABLE of_{table}"
            );
            connection.execute_batch(&undo).unwrap();
        }
    }
    let mut a = Machine::of(&campus, &[A]);
    a.0.members = members;
    a.propose(&work).await.unwrap().receipt();
}

#[tokio::test]
async fn what_is_here_keeps_its_assignment_open_though_a_row_says_that_it_is_not() {
    let campus = Campus::open().await;
    signed_while(&campus, Answer::Silent).await.1.unwrap();
    let store = Store::open(&campus.home).unwrap();
    due(&campus, &store, 60);
    for altered in [
        "UPDATE proposals SET files_at = NULL",
        "UPDATE kept_windows SET files_at = NULL",
        "UPDATE proposals SET files_at = NULL, waits_until = 0, ended = 'lapsed', ended_at = 1",
        "UPDATE proposals SET files_at = NULL, statement = x'00'",
    ] {
        sql(&campus, altered);
        let closing = close(&campus, &store, 400 * 24 * 3600);
        assert_eq!(closing, Closing::Completing, "{altered}");
        let damaged = store.damaged_uploads(&place(&campus)).unwrap();
        assert_eq!(
            damaged.len(),
            usize::from(altered.contains("x'00'")),
            "{altered}"
        );
    }
}

#[tokio::test]
async fn deliveries_are_found_by_what_they_are_of() {
    let campus = Campus::open().await;
    drop(Store::open(&campus.home).unwrap());
    let database = Connection::open(campus.home.path("blackboard.db")).unwrap();
    let sql = "EXPLAIN QUERY PLAN SELECT max(upload_until) FROM deliveries \
               WHERE submission = x'00' AND log_index = 1";
    let plan: String = database.query_one(sql, [], |row| row.get(3)).unwrap();
    assert!(
        plan.contains("USING INDEX deliveries_by_submission"),
        "{plan}"
    );
}

#[tokio::test]
async fn an_id_that_cannot_be_read_keeps_no_teacher_from_the_others() {
    let campus = Campus::open().await;
    let store = Store::open(&campus.home).unwrap();
    let place = place(&campus);
    let [mut a, mut c] = [A, C].map(|sid| Machine::of(&campus, &[sid]));
    let alone = a.work(&[A], b"mine");
    a.propose(&alone).await.unwrap().receipt();
    let ours = c.work(&[C, B], b"ours");
    c.propose(&ours).await.unwrap().waits();
    sql(
        &campus,
        "UPDATE cosigners SET sid = 'no body' WHERE sid = '1155000002'; \
         INSERT INTO parts SELECT course, assignment, 'of old times', number FROM parts",
    );
    let all = store.participants(&place).unwrap();
    assert!(all.found.into_keys().eq([A.parse().unwrap()]));
    let none = ["of old times".to_owned()];
    assert!(all.unreadable.into_iter().eq(none), "somebody is missing");
    let proposed = store.proposed(&place, campus.certs.now()).unwrap();
    assert_eq!(proposed.unreadable.len(), 1);
    assert!(proposed.waits.into_keys().eq([C.parse().unwrap()]));
}

#[tokio::test]
async fn what_was_signed_before_counts_beside_what_its_members_have_signed_since() {
    let campus = Campus::open().await;
    let store = Store::open(&campus.home).unwrap();
    let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
    let work = begun(&mut a, &mut b).await;
    let mut since = campus.group(&[A, B]);
    drop(since.commit().await.unwrap());
    due(&campus, &store, 60);
    // Its window is shorter, and over.
    sql(
        &campus,
        "UPDATE commitments SET upload_until = committed_at + 1; \
         UPDATE backlog SET upload_until = (SELECT committed_at + 1 FROM commitments)",
    );
    assert_waits(&close(&campus, &store, 7200), "the earlier one");
    a.propose(&work).await.unwrap().receipt();
}

#[tokio::test]
async fn one_member_who_cannot_be_read_keeps_nobody_from_being_told_of() {
    let campus = Campus::open().await;
    let store = Store::open(&campus.home).unwrap();
    interrupted(&campus).await;
    due(&campus, &store, 60);
    let place = place(&campus);
    let all = store.uploads(&place).unwrap();
    assert_eq!(all.len(), 3);
    sql(&campus, "UPDATE commitments SET statement = x'00'");
    assert_eq!(store.uploads(&place).unwrap(), all);
    let others = || store.uploads(&place).unwrap().len();
    for altered in [
        "UPDATE backlog SET sid = 'no body' WHERE sid = '1155000002'",
        "UPDATE backlog SET sid = sid || ' of old'",
        "DELETE FROM backlog; DELETE FROM commitments",
    ] {
        sql(&campus, altered);
        assert_eq!(others(), 3, "{altered}: the log says whose it is");
        assert_waits(&close(&campus, &store, 600), altered);
    }
}

#[tokio::test]
async fn what_is_complete_and_was_put_right_is_completed_within_the_hour() {
    let campus = Campus::open().await;
    signed_while(&campus, Answer::Silent).await.1.unwrap();
    sql(
        &campus,
        "UPDATE proposals SET signed_at = NULL, signed_index = NULL",
    );
    // Whoever completes what is left over finds nothing, and waits to be told.
    tokio::time::sleep(Duration::from_secs(3)).await;
    campus.cuhk.set(|state| state.later_answer = None);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!completed(&campus));
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(3601)).await;
    tokio::time::resume();
    eventually("it completes by itself", || completed(&campus)).await;
}
