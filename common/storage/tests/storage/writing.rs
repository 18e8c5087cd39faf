//! The writer: grouping, isolation of jobs, shutdown.

use std::{fs, sync::mpsc::channel};

use scb_storage::{Database, Error};

use crate::support::{Gate, begun, fresh, insert, notes, open};

/// Queues a job that stores `n`.
fn queued(db: &Database, n: i64) -> std::pin::Pin<Box<dyn Future<Output = Result<(), Error>>>> {
    let db = db.clone();
    begun(async move { db.write(move |tx| insert(tx, n)).await })
}

#[tokio::test]
async fn groups_waiting_writes_into_few_commits() {
    let (_home, db) = fresh();
    let gate = Gate::close(&db);
    let before = db.commits();
    let writes: Vec<_> = (1..=500).map(|n| queued(&db, n)).collect();
    gate.open().await;
    for write in writes {
        write.await.unwrap();
    }
    assert_eq!(notes(&db), Vec::from_iter(1..=500));
    assert_eq!(db.commits() - before, 1 + 500_u64.div_ceil(64));
}

#[tokio::test]
async fn commits_each_write_that_comes_alone() {
    let (_home, db) = fresh();
    for n in 1..=10 {
        db.write(move |tx| insert(tx, n)).await.unwrap();
    }
    assert_eq!(db.commits(), 10);
}

#[tokio::test]
async fn failing_job_undoes_only_itself() {
    let (_home, db) = fresh();
    let gate = Gate::close(&db);
    let before = queued(&db, 1);
    let failing = {
        let db = db.clone();
        begun(async move {
            db.write(|tx| {
                insert(tx, 2)?;
                insert(tx, 1)
            })
            .await
        })
    };
    let after = queued(&db, 3);
    gate.open().await;
    before.await.unwrap();
    let refused = failing.await.unwrap_err();
    assert!(matches!(refused, Error::Database(_)), "{refused}");
    after.await.unwrap();
    assert_eq!(notes(&db), [1, 3]);
    assert_eq!(db.commits(), 2, "the gate's and the group's");
}

#[tokio::test]
async fn panicking_job_undoes_only_itself() {
    let (_home, db) = fresh();
    let gate = Gate::close(&db);
    let before = queued(&db, 1);
    let panicking = {
        let db = db.clone();
        begun(async move {
            db.write(|tx| {
                insert(tx, 2)?;
                assert_eq!(1, 2, "a defect in a job");
                Ok::<_, Error>(())
            })
            .await
        })
    };
    let after = queued(&db, 3);
    gate.open().await;
    before.await.unwrap();
    assert!(matches!(panicking.await, Err(Error::JobPanicked)));
    after.await.unwrap();
    assert_eq!(notes(&db), [1, 3]);
}

#[tokio::test]
async fn job_that_ends_the_transaction_fails_its_group_and_no_other() {
    let (_home, db) = fresh();
    let gate = Gate::close(&db);
    let before = queued(&db, 1);
    let ending = {
        let db = db.clone();
        begun(async move {
            db.write(|tx| Ok::<_, Error>(tx.execute_batch("ROLLBACK")?))
                .await
        })
    };
    let after = queued(&db, 3);
    gate.open().await;
    for lost in [before, ending] {
        let refused = lost.await.unwrap_err();
        assert!(matches!(refused, Error::RolledBack), "{refused}");
        assert!(refused.is_busy());
    }
    after.await.unwrap();
    assert_eq!(notes(&db), [3]);
}

#[tokio::test]
async fn write_whose_caller_went_away_is_still_committed() {
    let (_home, db) = fresh();
    let gate = Gate::close(&db);
    drop(queued(&db, 1));
    gate.open().await;
    db.write(|tx| insert(tx, 2)).await.unwrap();
    assert_eq!(notes(&db), [1, 2]);
}

#[tokio::test]
async fn write_that_was_never_polled_does_nothing() {
    let (_home, db) = fresh();
    drop(db.write(|tx| insert(tx, 1)));
    db.write(|tx| insert(tx, 2)).await.unwrap();
    assert_eq!(notes(&db), [2]);
}

#[tokio::test]
async fn refuses_more_than_the_queue_holds() {
    let (_home, db) = fresh();
    let gate = Gate::close(&db);
    let writes: Vec<_> = (1..=1024).map(|n| queued(&db, n)).collect();
    let refused = db.write(|tx| insert(tx, 1025)).await.unwrap_err();
    assert!(
        matches!(refused, Error::Busy) && refused.is_busy(),
        "{refused}"
    );
    gate.open().await;
    for write in writes {
        write.await.unwrap();
    }
    assert_eq!(notes(&db).len(), 1024);
}

#[tokio::test]
async fn full_database_is_reported_and_recovers() {
    let (_home, db) = fresh();
    let blob = "INSERT INTO note (n, body) VALUES (1, zeroblob(1000000))";
    let limited: i64 = db
        .write(|tx| {
            let pages: i64 = tx.query_row("PRAGMA page_count", [], |row| row.get(0))?;
            Ok::<_, Error>(tx.query_row(
                &format!("PRAGMA max_page_count = {}", pages + 2),
                [],
                |row| row.get(0),
            )?)
        })
        .await
        .unwrap();
    assert!(limited < 100);
    let refused = db
        .write(move |tx| Ok::<_, Error>(tx.execute(blob, [])?))
        .await
        .unwrap_err();
    assert!(refused.is_full() && !refused.is_busy(), "{refused}");
    assert_eq!(notes(&db), [0; 0]);

    db.write(|tx| Ok::<_, Error>(tx.execute_batch("PRAGMA max_page_count = 100000")?))
        .await
        .unwrap();
    db.write(move |tx| Ok::<_, Error>(tx.execute(blob, [])?))
        .await
        .unwrap();
    assert_eq!(notes(&db), [1]);
}

#[tokio::test]
async fn group_is_refused_while_another_handle_writes() {
    let (home, db) = fresh();
    db.write(|tx| Ok::<_, Error>(tx.pragma_update(None, "busy_timeout", 0)?))
        .await
        .unwrap();
    let other = rusqlite::Connection::open(home.path().join("db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = db.write(|tx| insert(tx, 1)).await.unwrap_err();
    assert!(refused.is_busy() && !refused.is_full(), "{refused}");

    other.execute_batch("COMMIT").unwrap();
    db.write(|tx| insert(tx, 2)).await.unwrap();
    assert_eq!(notes(&db), [2]);
}

#[tokio::test]
async fn closing_inside_a_job_does_not_wait_for_itself() {
    let (_home, db) = fresh();
    let inside = db.clone();
    db.write(move |tx| {
        inside.close_blocking();
        insert(tx, 1)
    })
    .await
    .unwrap();
    let refused = db.write(|tx| insert(tx, 2)).await.unwrap_err();
    assert!(matches!(refused, Error::Closed), "{refused}");
}

#[tokio::test]
async fn refuses_a_job_that_asks_the_store_again() {
    let (_home, db) = fresh();
    let again = db.clone();
    let refused = db
        .write(move |_| again.write_blocking(|tx| insert(tx, 1)))
        .await
        .unwrap_err();
    assert!(matches!(refused, Error::Nested), "{refused}");
    let again = db.clone();
    let refused = db
        .read(move |_| again.write_blocking(|tx| insert(tx, 1)))
        .await
        .unwrap_err();
    assert!(matches!(refused, Error::Nested), "{refused}");
}

#[tokio::test]
async fn blocking_calls_work_inside_a_runtime() {
    let (_home, db) = fresh();
    for n in 1..=300 {
        db.write_blocking(move |tx| insert(tx, n)).unwrap();
    }
    assert_eq!(notes(&db).len(), 300);
}

#[test]
fn blocking_calls_work_without_a_runtime() {
    let (_home, db) = fresh();
    db.write_blocking(|tx| insert(tx, 1)).unwrap();
    assert_eq!(notes(&db), [1]);
    db.close_blocking();
}

#[tokio::test]
async fn close_does_what_waits_and_then_refuses() {
    let (home, db) = fresh();
    let gate = Gate::close(&db);
    let writes: Vec<_> = (1..=100).map(|n| queued(&db, n)).collect();
    let mut closing = {
        let db = db.clone();
        begun(async move { db.close().await })
    };
    let refused = db.write(|tx| insert(tx, 101)).await.unwrap_err();
    assert!(matches!(refused, Error::Closed), "{refused}");
    gate.open().await;
    closing.as_mut().await;
    for write in writes {
        write.await.unwrap();
    }
    let refused = db.read(|_| Ok::<_, Error>(())).await.unwrap_err();
    assert!(matches!(refused, Error::Closed), "{refused}");
    db.close().await;

    assert!(
        !home.path().join("db-wal").exists(),
        "the log was tidied up"
    );
    assert_eq!(notes(&open(&home.path().join("db"))).len(), 100);
}

#[test]
fn last_handle_may_go_inside_a_job() {
    let (home, db) = fresh();
    let (done, finished) = channel::<()>();
    let gate = Gate::close(&db);
    let inside = db.clone();
    drop(begun(async move {
        db.write(move |tx| {
            insert(tx, 1)?;
            Ok::<_, Error>((inside, done))
        })
        .await
    }));
    gate.release();
    // The writer drops the result that nobody takes, and with it the last handle.
    assert!(finished.recv().is_err());
    assert_eq!(notes(&open(&home.path().join("db"))), [1]);
}

#[test]
fn the_log_is_copied_while_writing_goes_on() {
    let (home, db) = fresh();
    let log = home.path().join("db-wal");
    let mut largest = 0;
    for n in 1..=120 {
        db.write_blocking(move |tx| {
            tx.execute("INSERT INTO note VALUES (?1, zeroblob(1000000))", [n])?;
            Ok::<_, Error>(())
        })
        .unwrap();
        largest = largest.max(fs::metadata(&log).unwrap().len());
    }
    // 120 MB were written, and at most 16,000 pages wait, beside those of one transaction.
    assert!(largest < 72 << 20, "{largest}");
    db.close_blocking();
    assert!(!log.exists(), "all of it is in the database");
}
