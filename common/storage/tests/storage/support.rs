//! A small schema, gates that hold a thread, and child processes.

use std::{
    env,
    future::Future,
    io::Write,
    path::Path,
    pin::Pin,
    process::Command,
    sync::mpsc::{Receiver, Sender, channel},
    task::{Context, Poll, Waker},
};

use rusqlite::Transaction;
use rusqlite_migration::{M, Migrations};
use scb_storage::{Database, Error};

const STEPS: &[M<'static>] = &[
    M::up(
        "CREATE TABLE note (n INTEGER PRIMARY KEY, body BLOB) STRICT; INSERT INTO note VALUES (0, NULL);",
    ),
    M::up("CREATE TABLE tag (n INTEGER NOT NULL REFERENCES note (n)) STRICT;"),
];

pub(crate) const OLD: Migrations<'static> = Migrations::from_slice(STEPS.split_at(1).0);
pub(crate) const NEW: Migrations<'static> = Migrations::from_slice(STEPS);

pub(crate) fn open(path: &Path) -> Database {
    Database::open(path, &NEW).unwrap()
}

/// A home and a database in it.
pub(crate) fn fresh() -> (tempfile::TempDir, Database) {
    let home = tempfile::tempdir().unwrap();
    let db = open(&home.path().join("db"));
    (home, db)
}

pub(crate) fn insert(tx: &Transaction<'_>, n: i64) -> Result<(), Error> {
    tx.execute("INSERT INTO note (n) VALUES (?1)", [n])?;
    Ok(())
}

/// The numbers stored, without the 0 that the schema brings.
pub(crate) fn notes(db: &Database) -> Vec<i64> {
    db.read_blocking(|conn| {
        let mut query = conn.prepare("SELECT n FROM note WHERE n > 0 ORDER BY n")?;
        let rows = query.query_map([], |row| row.get(0))?;
        Ok::<_, Error>(rows.collect::<Result<_, _>>()?)
    })
    .unwrap()
}

/// Keeps the writer busy until it is opened.
pub(crate) struct Gate {
    open: Sender<()>,
    first: Pin<Box<dyn Future<Output = Result<(), Error>>>>,
}

impl Gate {
    pub(crate) fn close(db: &Database) -> Self {
        let (open, opened) = channel();
        let (entered, entry) = channel();
        let db = db.clone();
        let first = begun(async move {
            db.write(move |_| {
                entered.send(()).unwrap();
                wait(&opened);
                Ok(())
            })
            .await
        });
        wait(&entry);
        Self { open, first }
    }

    pub(crate) async fn open(self) {
        self.open.send(()).unwrap();
        self.first.await.unwrap();
    }

    /// Opens it after its own handle of the database is gone.
    pub(crate) fn release(self) {
        drop(self.first);
        self.open.send(()).unwrap();
    }
}

pub(crate) fn wait(signal: &Receiver<()>) {
    signal.recv().unwrap();
}

/// Polls a future once, so that its job is queued; it must not be done yet.
pub(crate) fn begun<T>(
    future: impl Future<Output = T> + 'static,
) -> Pin<Box<dyn Future<Output = T>>> {
    let mut future: Pin<Box<dyn Future<Output = T>>> = Box::pin(future);
    let mut context = Context::from_waker(Waker::noop());
    assert!(matches!(future.as_mut().poll(&mut context), Poll::Pending));
    future
}

const CHILD: &str = "SCB_STORAGE_TEST_HOME";

/// In a child, the home that its parent gave it.
pub(crate) fn home_from_parent() -> Option<std::path::PathBuf> {
    env::var_os(CHILD).map(Into::into)
}

/// The running test once more, as a process of its own.
pub(crate) fn child(test: &str, home: &Path) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, home);
    command
}

/// One line on stdout, past the test harness.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{line}").unwrap();
    out.flush().unwrap();
}

#[cfg(unix)]
pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}
