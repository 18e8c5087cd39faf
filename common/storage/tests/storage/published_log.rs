//! A log that follows a database: every entry once, in order, whatever goes wrong.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use scb_storage::{LogStopped, Published, PublishedLog};
use scb_tlog::{Algorithm, HashReader, NoteKey, Tiles, inspect};
use tempfile::TempDir;
use tokio::sync::watch;

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Log(#[from] scb_tlog::Error),
    #[error(transparent)]
    Stopped(#[from] LogStopped),
    #[error("the database fails")]
    Database,
}

const NAME: &str = "log.example/one";

fn open_by(dir: &Path, seed: u8) -> Result<PublishedLog, Error> {
    let name = NAME.parse().unwrap();
    let key = NoteKey::from_seed(name, Algorithm::Ed25519, &[seed; 32]).unwrap();
    PublishedLog::open(dir, key, |_| Ok(()))
}

fn open(dir: &TempDir) -> PublishedLog {
    open_by(dir.path(), 1).unwrap()
}

fn entry(number: u64) -> [u8; 32] {
    let mut entry = [0; 32];
    entry[..8].copy_from_slice(&number.to_be_bytes());
    entry
}

/// What a database of `size` entries answers, three at a time.
async fn entries(from: u64, size: u64) -> Result<Vec<[u8; 32]>, Error> {
    Ok((from..size.min(from + 3)).map(entry).collect())
}

async fn publish(log: &PublishedLog, size: u64) -> Arc<Published> {
    log.publish(|from| entries(from, size)).await.unwrap()
}

fn assert_holds(tiles: &Tiles, size: u64) {
    assert_eq!(tiles.size(), size);
    for number in 0..size {
        assert_eq!(tiles.entry(number).unwrap(), entry(number), "{number}");
    }
}

#[tokio::test]
async fn the_checkpoint_covers_what_is_in_the_database() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    assert_eq!(log.published().checkpoint.head().size, 0);
    for size in [1, 7, 7, 300] {
        let published = publish(&log, size).await;
        assert_eq!(published.checkpoint.head().size, size);
        assert_holds(&published.tiles, size);
    }
    drop(log);
    assert_eq!(open(&dir).published().checkpoint.head().size, 300);
    inspect(dir.path()).unwrap();
}

#[tokio::test]
async fn an_entry_that_is_covered_asks_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    publish(&log, 5).await;
    let failing = |_| async { Err(Error::Database) };
    let published = log.publish_entry(4, failing).await.unwrap();
    assert_eq!(published.checkpoint.head().size, 5);
    assert!(log.publish_entry(5, failing).await.is_err());
    let published = log.publish_entry(5, |from| entries(from, 6)).await.unwrap();
    assert_holds(&published.tiles, 6);
}

#[tokio::test]
async fn what_failed_half_way_is_not_entered_twice() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    publish(&log, 2).await;
    // The tiles can be written, the checkpoint cannot be replaced.
    let checkpoint = dir.path().join("checkpoint");
    let saved = fs::read(&checkpoint).unwrap();
    fs::remove_file(&checkpoint).unwrap();
    fs::create_dir(&checkpoint).unwrap();
    assert!(log.publish(|from| entries(from, 5)).await.is_err());
    fs::remove_dir(&checkpoint).unwrap();
    fs::write(&checkpoint, saved).unwrap();
    let published = publish(&log, 5).await;
    assert_holds(&published.tiles, 5);
    assert_eq!(published.checkpoint.head().size, 5);
}

#[tokio::test]
async fn who_gives_up_waiting_leaves_nothing_undone() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    let (asked, mut seen) = watch::channel(0);
    let stuck = log.publish(|from| {
        asked.send_replace(from + 1);
        async move {
            match from {
                0 => entries(0, 3).await,
                _ => std::future::pending().await,
            }
        }
    });
    tokio::select! {
        _ = stuck => unreachable!("it waits for the database"),
        _ = seen.wait_for(|asked| *asked == 4) => {}
    }
    // Three entries are in the tiles and no checkpoint covers them yet.
    assert_eq!(log.published().checkpoint.head().size, 0);
    assert_holds(&publish(&log, 3).await.tiles, 3);
}

#[tokio::test]
async fn fifty_at_once_enter_everything_once() {
    let dir = tempfile::tempdir().unwrap();
    let log = Arc::new(open(&dir));
    let tasks: Vec<_> = (0..50)
        .map(|number| {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                let published = log.publish_entry(number, |from| entries(from, 50)).await;
                assert!(published.unwrap().checkpoint.head().size > number);
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_holds(&log.published().tiles, 50);
}

#[tokio::test]
async fn another_key_does_not_go_on_with_the_log() {
    let dir = tempfile::tempdir().unwrap();
    publish(&open(&dir), 3).await;
    assert!(open_by(dir.path(), 2).is_err());
    open(&dir);
}
