//! The thread that copies the write-ahead log into the database, so that nobody who writes waits
//! for it.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;

use crate::Error;
use crate::connection::{self, die_on_failed_sync};
use crate::database::spawn;

/// Pages in the log after which it is copied: 16 MiB. Whoever commits while it is synced waits for the disk
/// a little longer. With four times as many pages that happens to a quarter as many, and a page that was
/// written again and again is copied once.
const PAGES: i32 = 4000;

/// Pages after which writing waits for that: the log begins anew only once all of it is copied, and
/// would grow for ever if there was always more. 64 MiB.
const MOST_PAGES: i32 = 4 * PAGES;

/// The writer's end.
pub(crate) struct Checkpoints {
    wanted: SyncSender<()>,
    thread: JoinHandle<()>,
}

impl Checkpoints {
    /// Starts the thread, with a connection of its own.
    pub(crate) fn start(path: &Path) -> Result<Self, Error> {
        let conn = connection::open_beside(path)?;
        // One more may be wanted while one is done.
        let (wanted, asked) = sync_channel(1);
        let at = path.to_owned();
        let thread = spawn("scb-checkpoint", path, move || run(&conn, &at, &asked))?;
        Ok(Self { wanted, thread })
    }

    /// Sees to it that the log, which has so many pages now, does not grow for ever.
    pub(crate) fn after(&self, pages: i32, writer: &Connection, path: &Path) {
        if pages >= MOST_PAGES {
            checkpoint(writer, path);
        } else if pages >= PAGES {
            // If there is no place, somebody wanted the same just before.
            let _ = self.wanted.try_send(());
        }
    }

    /// Waits until the thread has closed its connection.
    pub(crate) fn stop(self) {
        drop(self.wanted);
        let _ = self.thread.join();
    }
}

fn run(conn: &Connection, path: &Path, asked: &Receiver<()>) {
    while asked.recv().is_ok() {
        checkpoint(conn, path);
    }
}

/// Replaces SQLite's own checkpoints, whose failures nobody would hear of.
fn checkpoint(conn: &Connection, path: &Path) {
    let copied = conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
    if let Err(error) = copied {
        die_on_failed_sync(path, &error);
        tracing::warn!(path = %path.display(), %error, "database checkpoint failed");
    }
}
