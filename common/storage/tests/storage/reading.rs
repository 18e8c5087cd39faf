//! The readers: snapshots, isolation, parallelism.

use std::sync::{Arc, Barrier, mpsc::channel};

use scb_storage::Error;

use crate::support::{Gate, begun, fresh, insert, notes, wait};

#[tokio::test]
async fn sees_no_half_of_a_transaction() {
    let (_home, db) = fresh();
    let (entered, entry) = channel();
    let (open, opened) = channel();
    let writer = db.clone();
    let write = begun(async move {
        writer
            .write(move |tx| {
                insert(tx, 1)?;
                entered.send(()).unwrap();
                wait(&opened);
                insert(tx, 2)
            })
            .await
    });
    wait(&entry);
    assert_eq!(notes(&db), [0; 0], "one of two rows is written");
    open.send(()).unwrap();
    write.await.unwrap();
    assert_eq!(notes(&db), [1, 2]);
}

#[tokio::test]
async fn keeps_its_snapshot_while_others_commit() {
    let (_home, db) = fresh();
    let (entered, entry) = channel();
    let (open, opened) = channel();
    let reader = db.clone();
    let read = begun(async move {
        reader
            .read(move |conn| {
                let count = "SELECT count(*) FROM note WHERE n > 0";
                let first: i64 = conn.query_row(count, [], |row| row.get(0))?;
                entered.send(()).unwrap();
                wait(&opened);
                let second: i64 = conn.query_row(count, [], |row| row.get(0))?;
                Ok::<_, Error>((first, second))
            })
            .await
    });
    wait(&entry);
    db.write(|tx| insert(tx, 1)).await.unwrap();
    open.send(()).unwrap();
    assert_eq!(read.await.unwrap(), (0, 0));
    assert_eq!(notes(&db), [1]);
}

#[tokio::test]
async fn refuses_to_write() {
    let (_home, db) = fresh();
    let refused = db
        .read(|conn| Ok::<_, Error>(conn.execute("INSERT INTO note (n) VALUES (1)", [])?))
        .await
        .unwrap_err();
    assert!(matches!(refused, Error::Database(_)), "{refused}");
    assert_eq!(notes(&db), [0; 0]);
}

#[tokio::test]
async fn survives_more_panics_than_there_are_readers() {
    let (_home, db) = fresh();
    for _ in 0..8 {
        let outcome = db
            .read(|_| {
                assert_eq!(1, 2, "a defect in a job");
                Ok::<_, Error>(())
            })
            .await;
        assert!(matches!(outcome, Err(Error::JobPanicked)));
    }
    assert_eq!(notes(&db), [0; 0]);
}

#[tokio::test]
async fn four_read_at_the_same_time_beside_a_writer() {
    let (_home, db) = fresh();
    let gate = Gate::close(&db);
    let barrier = Arc::new(Barrier::new(4));
    let mut reads = Vec::new();
    for _ in 0..4 {
        let (db, barrier) = (db.clone(), Arc::clone(&barrier));
        reads.push(tokio::spawn(async move {
            db.read(move |_| {
                barrier.wait();
                Ok::<_, Error>(())
            })
            .await
        }));
    }
    for read in reads {
        read.await.unwrap().unwrap();
    }
    gate.open().await;
}

#[tokio::test]
async fn close_waits_for_a_read_that_runs() {
    let (home, db) = fresh();
    let (entered, entry) = channel();
    let (open, opened) = channel();
    let reader = db.clone();
    let read = begun(async move {
        reader
            .read(move |conn| {
                entered.send(()).unwrap();
                wait(&opened);
                Ok::<_, Error>(
                    conn.query_row("SELECT count(*) FROM note", [], |row| row.get::<_, i64>(0))?,
                )
            })
            .await
    });
    wait(&entry);
    let closing = begun(async move { db.close().await });
    open.send(()).unwrap();
    closing.await;
    assert_eq!(read.await.unwrap(), 1);
    assert!(!home.path().join("db-wal").exists());
}
