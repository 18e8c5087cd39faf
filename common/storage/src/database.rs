//! The handle that everybody shares.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use rusqlite::{Connection, Transaction};
use rusqlite_migration::Migrations;
use tokio::sync::{oneshot, watch};

use crate::{
    Error,
    checkpoints::Checkpoints,
    connection::{self, Opening},
    frozen::{Looking, frozen},
    queue::Queue,
    readers::{self, Read, ReadJob},
    wait::{block_on, is_worker, refuse_nested},
    writer::{Write, WriteJob, Writer},
};

/// Reader threads, each with its own connection.
pub const READERS: usize = 4;

/// Jobs that may wait, for writing and for reading each.
const QUEUE: usize = 1024;

/// One SQLite file: one writer thread, four reader threads, and one that copies the log into the
/// file. Clones share them.
///
/// Other processes and other handles may have the same file open: writers take turns
/// (waiting up to 5 s), readers never wait. Dropping the last clone never blocks:
/// what was queued is still done, by threads that end on their own. Use
/// [`close`](Self::close) to wait for that.
///
/// Jobs must not end the transaction they are given, and a schema must not use deferred
/// foreign keys: those fail when the whole group is committed. A job that asks a
/// database again gets [`Error::Nested`].
#[derive(Clone)]
pub struct Database {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    /// Why nothing can be written, if nothing can.
    unwritable: Option<Error>,
    writes: Arc<Queue<Box<dyn WriteJob>>>,
    reads: Arc<Queue<Box<dyn ReadJob>>>,
    commits: Arc<AtomicU64>,
    finished: watch::Receiver<()>,
}

impl Database {
    /// Opens the database, or creates it (0600) in a directory that exists, and applies
    /// the migrations that are missing.
    ///
    /// # Errors
    ///
    /// [`Error::NewerDatabase`] and [`Error::Damaged`], with the file left as it was;
    /// [`Error::Migration`] if a migration failed, with the schema left as it was.
    pub fn open(path: &Path, migrations: &Migrations<'static>) -> Result<Self, Error> {
        Self::with(path, migrations, Opening::Create)
    }

    /// Opens a database that was created before, and applies the migrations that are missing.
    ///
    /// # Errors
    ///
    /// [`Error::Gone`] if it is not there; else as for [`open`](Self::open).
    pub fn open_existing(path: &Path, migrations: &Migrations<'static>) -> Result<Self, Error> {
        Self::with(path, migrations, Opening::Existing)
    }

    /// Opens a database that somebody else has open, for a short time beside them. They looked at
    /// every page when they opened it; here only its size, its header and its schema are looked at,
    /// which takes as long for a large database as for a small one.
    ///
    /// # Errors
    ///
    /// As for [`open_existing`](Self::open_existing).
    pub fn open_in_use(path: &Path, migrations: &Migrations<'static>) -> Result<Self, Error> {
        Self::with(path, migrations, Opening::InUse)
    }

    /// As [`open_existing`](Self::open_existing); for reading alone where nothing can be written, and on
    /// a disk that is full, while nobody else has it open. Whoever writes is told why not.
    ///
    /// # Errors
    ///
    /// As for [`open_existing`](Self::open_existing); why nothing can be written if migrations are
    /// missing.
    pub fn open_to_read(path: &Path, migrations: &Migrations<'static>) -> Result<Self, Error> {
        if let Some(refusal) = frozen(path) {
            return Self::where_frozen(path, migrations, refusal);
        }
        match Self::open_existing(path, migrations) {
            Err(error) if error.lacks_index() => Self::without_room(path, migrations, error),
            opened => opened,
        }
    }

    fn where_frozen(
        path: &Path,
        migrations: &Migrations<'static>,
        refusal: Error,
    ) -> Result<Self, Error> {
        connection::require(path)?;
        let looking = Looking::open_frozen(path)?;
        connection::check_whole(path, &looking.conn)?;
        Self::for_reading(path, migrations, looking, refusal)
    }

    fn without_room(
        path: &Path,
        migrations: &Migrations<'static>,
        full: Error,
    ) -> Result<Self, Error> {
        let looking = Looking {
            conn: connection::open_without_room(path)?,
            held: None,
        };
        Self::for_reading(path, migrations, looking, full)
    }

    /// Over this one connection; whoever writes gets the `refusal`.
    fn for_reading(
        path: &Path,
        migrations: &Migrations<'static>,
        looking: Looking,
        refusal: Error,
    ) -> Result<Self, Error> {
        match connection::check_schema(path, &looking.conn, migrations) {
            Err(Error::OlderDatabase { .. }) => return Err(refusal),
            checked => checked?,
        }
        let (finished, finishing) = watch::channel(());
        let shared = Shared {
            path: path.to_owned(),
            unwritable: Some(refusal),
            writes: Queue::new(QUEUE),
            reads: Queue::new(QUEUE),
            commits: Arc::default(),
            finished: finishing,
        };
        let jobs = shared.reads.consumer();
        spawn("scb-reader", path, move || {
            let Looking { conn, held } = looking;
            readers::run(conn, jobs);
            drop((held, finished));
        })?;
        let shared = Arc::new(shared);
        Ok(Self { shared })
    }

    fn with(
        path: &Path,
        migrations: &Migrations<'static>,
        opening: Opening,
    ) -> Result<Self, Error> {
        let conn = connection::open_writer(path, migrations, opening)?;
        let (finished, finishing) = watch::channel(());
        let shared = Shared {
            path: path.to_owned(),
            unwritable: None,
            writes: Queue::new(QUEUE),
            reads: Queue::new(QUEUE),
            commits: Arc::default(),
            finished: finishing,
        };
        let mut readers = Vec::with_capacity(READERS);
        for _ in 0..READERS {
            let conn = connection::open_reader(path)?;
            let jobs = shared.reads.consumer();
            readers.push(spawn("scb-reader", path, || readers::run(conn, jobs))?);
        }
        let writer = Writer {
            path: path.to_owned(),
            conn,
            jobs: shared.writes.consumer(),
            commits: Arc::clone(&shared.commits),
            checkpoints: Checkpoints::start(path)?,
            readers,
            finished,
        };
        spawn("scb-writer", path, || writer.run())?;
        let shared = Arc::new(shared);
        Ok(Self { shared })
    }

    /// Runs a job that may write, and answers once it is durable.
    ///
    /// Jobs run one after another in the order of their calls; those that wait are
    /// committed together. The job's error or panic undoes that job only. Once the
    /// returned future was polled, the job is done even if the future is dropped.
    ///
    /// # Errors
    ///
    /// What the job returns; else [`Error::Busy`] if 1024 jobs wait, [`Error::Closed`],
    /// [`Error::JobPanicked`], or why the commit failed.
    pub async fn write<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        refuse_nested()?;
        if let Some(error) = &self.shared.unwritable {
            return Err(error.clone().into());
        }
        let (reply, answer) = oneshot::channel();
        self.shared.writes.push(Box::new(Write::new(job, reply)))?;
        answer.await.unwrap_or_else(|_| Err(Error::Closed.into()))
    }

    /// Runs a job that only reads, on one consistent snapshot of all that was committed
    /// before it looked. A job whose future was dropped while it waited is left out.
    ///
    /// # Errors
    ///
    /// What the job returns; else [`Error::Busy`] if 1024 jobs wait, [`Error::Closed`]
    /// or [`Error::JobPanicked`].
    pub async fn read<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        refuse_nested()?;
        let (reply, answer) = oneshot::channel();
        self.shared
            .reads
            .push(Box::new(Read { work: job, reply }))?;
        answer.await.unwrap_or_else(|_| Err(Error::Closed.into()))
    }

    /// [`write`](Self::write) for callers without a runtime: holds up this thread.
    ///
    /// # Errors
    ///
    /// As for `write`.
    pub fn write_blocking<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        block_on(self.write(job))
    }

    /// [`read`](Self::read) for callers without a runtime: holds up this thread.
    ///
    /// # Errors
    ///
    /// As for `read`.
    pub fn read_blocking<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        block_on(self.read(job))
    }

    /// Takes no more jobs from any clone, does those that wait, tidies up the log and
    /// closes the file; waits for all of that. From inside a job it does not wait.
    pub async fn close(&self) {
        self.shared.close();
        if is_worker() {
            return;
        }
        let mut finished = self.shared.finished.clone();
        while finished.changed().await.is_ok() {}
    }

    /// [`close`](Self::close) for callers without a runtime.
    pub fn close_blocking(&self) {
        block_on(self.close());
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Bytes that the file and its log take on the disk.
    pub fn size(&self) -> u64 {
        let size = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
        let mut log = self.shared.path.clone().into_os_string();
        log.push("-wal");
        size(&self.shared.path) + size(Path::new(&log))
    }

    /// Transactions committed through this handle and its clones since it was opened.
    pub fn commits(&self) -> u64 {
        self.shared.commits.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("path", &self.shared.path)
            .field("commits", &self.commits())
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn close(&self) {
        self.writes.close();
        self.reads.close();
    }
}

// Waits for nothing: the last clone may go inside a job, or while its holder keeps a lock
// that a queued job wants.
impl Drop for Shared {
    fn drop(&mut self) {
        self.close();
    }
}

pub(crate) fn spawn(
    name: &str,
    path: &Path,
    body: impl FnOnce() + Send + 'static,
) -> Result<thread::JoinHandle<()>, Error> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map_err(Error::io("start a thread for", path))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rusqlite_migration::M;

    use super::*;

    fn count(database: &Database) -> i64 {
        let count = |conn: &Connection| {
            Ok::<_, Error>(conn.query_row("SELECT count(*) FROM t", [], |row| row.get(0))?)
        };
        database.read_blocking(count).unwrap()
    }

    #[test]
    fn without_room_it_is_read_with_its_log_and_nothing_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let migrations = Migrations::new(vec![M::up("CREATE TABLE t (a)")]);
        let whole = Database::open(&path("db"), &migrations).unwrap();
        let insert = |tx: &Transaction<'_>| {
            Ok::<_, Error>(tx.execute("INSERT INTO t VALUES (1)", []).map(drop)?)
        };
        whole.write_blocking(insert).unwrap();
        // As a power cut leaves it: the row is in the log alone.
        for (from, to) in [("db", "cut"), ("db-wal", "cut-wal")] {
            fs::copy(path(from), path(to)).unwrap();
        }
        let before = fs::read(path("cut")).unwrap();
        let full = Error::RolledBack;
        let cut = Database::without_room(&path("cut"), &migrations, full.clone()).unwrap();
        assert_eq!(count(&cut), 1);
        let refused = cut.write_blocking(insert).unwrap_err();
        assert!(matches!(refused, Error::RolledBack), "{refused}");
        cut.close_blocking();
        assert!(!path("cut-shm").exists());
        assert_eq!(fs::read(path("cut")).unwrap(), before);

        // Its twin, with room, and one of another schema.
        let again = Database::open_to_read(&path("cut"), &migrations).unwrap();
        again.write_blocking(insert).unwrap();
        assert_eq!(count(&again), 2);
        again.close_blocking();
        let newer = Migrations::new(vec![
            M::up("CREATE TABLE t (a)"),
            M::up("CREATE TABLE u (a)"),
        ]);
        let refused = Database::without_room(&path("cut"), &newer, full).unwrap_err();
        assert!(matches!(refused, Error::RolledBack), "{refused}");
    }
}
