//! Opening, creating, checking and migrating a database file.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rusqlite::{
    Connection, OpenFlags, TransactionBehavior, config::DbConfig, ffi::SQLITE_IOERR_DIR_FSYNC,
    ffi::SQLITE_IOERR_FSYNC,
};
use rusqlite_migration::Migrations;

use crate::{
    Error,
    durable::{self, TempFile},
};

/// How long to wait for another process that writes: a command line beside a server.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Prepared statements that each connection keeps.
const STATEMENTS: usize = 128;

/// Bytes of the smallest page. SQLite takes a file of one byte for a new database.
const SMALLEST: u64 = 512;

/// How a database is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// After a look at every page; one that is not there is made.
    Create,
    /// After a look at every page; one that is not there was and is gone: an empty one in its place
    /// would hide that.
    Existing,
    /// Beside somebody who looked at every page when they opened it: after a look at its size, its
    /// header and its schema.
    InUse,
}

/// Sees to it that a whole database of the latest schema is at `path`, and opens it for
/// writing. What is damaged or newer is refused before anything is written.
pub(crate) fn open_writer(
    path: &Path,
    migrations: &Migrations<'static>,
    opening: Opening,
) -> Result<Connection, Error> {
    // One at a time, or two would apply the same migration.
    let _held = durable::lock_dir(durable::parent(path))?;
    match fs::metadata(path) {
        Ok(_) => {
            require(path)?;
            durable::check_writable(path)?;
            check(path, migrations, opening)?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => match opening {
            Opening::Create => create(path, migrations)?,
            Opening::Existing | Opening::InUse => require(path)?,
        },
        Err(error) => return Err(Error::io("open", path)(error)),
    }
    let mut conn = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    conn.pragma_update(None, "journal_mode", "WAL")?;
    conn.pragma_update(None, "journal_size_limit", 64 << 20)?;
    migrate(&mut conn, path, migrations)?;
    conn.pragma_update(None, "foreign_keys", true)?;
    Ok(conn)
}

/// Refuses a database that is not there, and a file that is too short to be one.
pub(crate) fn require(path: &Path) -> Result<(), Error> {
    match fs::metadata(path) {
        Ok(found) if found.len() < SMALLEST => Err(damaged(path, "the file is too short")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::Gone {
            path: path.to_owned(),
        }),
        _ => Ok(()),
    }
}

/// Opens a database that a writer has open, to copy its log.
pub(crate) fn open_beside(path: &Path) -> Result<Connection, Error> {
    connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
}

/// Opens a database for reading; a writer must have it open.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, Error> {
    let conn = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    conn.pragma_update(None, "query_only", true)?;
    Ok(conn)
}

/// Opens a database for reading where there is no room for the index of its log, which lies beside it
/// otherwise: it is kept in memory, and nobody else can have the database open meanwhile. Nothing is
/// written, not even the log copied into the file.
pub(crate) fn open_without_room(path: &Path) -> Result<Connection, Error> {
    let conn = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // Before the first look at the file, which some settings take: or there is an index to share.
    conn.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    set_up(&conn)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    conn.pragma_update(None, "query_only", true)?;
    Ok(conn)
}

/// Ends the process if SQLite says that an fsync failed.
pub(crate) fn die_on_failed_sync(path: &Path, error: &rusqlite::Error) {
    if is_failed_sync(error) {
        durable::die(path, error);
    }
}

fn is_failed_sync(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| {
        [SQLITE_IOERR_FSYNC, SQLITE_IOERR_DIR_FSYNC].contains(&error.extended_code)
    })
}

pub(crate) fn connect(path: &Path, access: OpenFlags) -> Result<Connection, Error> {
    let conn = open(path, access)?;
    set_up(&conn)?;
    Ok(conn)
}

fn open(path: &Path, access: OpenFlags) -> Result<Connection, Error> {
    let access = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Ok(Connection::open_with_flags(path, access)?)
}

pub(crate) fn set_up(conn: &Connection) -> Result<(), Error> {
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    for (pragma, value) in [
        ("trusted_schema", "OFF"),
        ("cell_size_check", "ON"),
        ("foreign_keys", "OFF"),
        ("synchronous", "FULL"),
        ("fullfsync", "ON"),
        ("checkpoint_fullfsync", "ON"),
        ("temp_store", "MEMORY"),
    ] {
        conn.pragma_update(None, pragma, value)?;
    }
    Ok(())
}

/// The number of a database's schema. Each one gets its schema before its name, so that one without
/// has lost everything.
///
/// # Errors
///
/// [`Error::Damaged`] if it has none; [`Error::Database`].
pub(crate) fn schema(path: &Path, conn: &Connection) -> Result<i64, Error> {
    match conn.query_row("PRAGMA user_version", [], |row| row.get(0))? {
        0 => Err(damaged(path, "there is no table in it")),
        schema => Ok(schema),
    }
}

/// Looks at a database through a read-only connection, which writes nothing into it and
/// leaves its log where it is.
fn check(path: &Path, migrations: &Migrations<'static>, opening: Opening) -> Result<(), Error> {
    let conn = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(as_damage(path))?;
    match check_schema(path, &conn, migrations) {
        Ok(()) | Err(Error::OlderDatabase { .. }) => {}
        Err(error) => return Err(error),
    }
    if opening != Opening::InUse {
        check_pages(path, &conn)?;
    }
    check_last_page(path, &conn)
}

/// Whether a database has the schema of this program.
///
/// # Errors
///
/// [`Error::OlderDatabase`], [`Error::NewerDatabase`]; [`Error::Damaged`] if it has none;
/// [`Error::Database`].
pub(crate) fn check_schema(
    path: &Path,
    conn: &Connection,
    migrations: &Migrations<'static>,
) -> Result<(), Error> {
    let found = schema(path, conn).map_err(as_damage(path))?;
    let pending = migrations
        .pending_migrations(conn)
        .map_err(migration_failed(path))?;
    let (path, known) = (path.to_owned(), found + i64::from(pending));
    match pending {
        0 => Ok(()),
        1.. => Err(Error::OlderDatabase { path, found, known }),
        _ => Err(Error::NewerDatabase { path, found, known }),
    }
}

/// Whether every page is sound, and the last one whole.
pub(crate) fn check_whole(path: &Path, conn: &Connection) -> Result<(), Error> {
    check_pages(path, conn)?;
    check_last_page(path, conn)
}

fn check_pages(path: &Path, conn: &Connection) -> Result<(), Error> {
    let verdict: String = conn
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(Error::from)
        .map_err(as_damage(path))?;
    match verdict.as_str() {
        "ok" => Ok(()),
        verdict => Err(damaged(path, verdict)),
    }
}

/// SQLite reads a last page that was cut short as if zeros followed. That is right only
/// while the log still has the page, after a crash in the middle of a checkpoint.
fn check_last_page(path: &Path, conn: &Connection) -> Result<(), Error> {
    let page: u32 = conn.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    let size = fs::metadata(path).map_err(Error::io("open", path))?.len();
    let has_log = durable::is_filled(&durable::sibling(path, "", "-wal"));
    if !has_log && !size.is_multiple_of(u64::from(page)) {
        return Err(damaged(path, "its last page was cut short"));
    }
    Ok(())
}

/// Makes a whole database beside `path` and moves it there, so that an empty or
/// half-made file is never mistaken for a new database. It has its write-ahead log from the
/// start: changing to that later goes through a rollback journal, and one that a crash left
/// could not be told from damage without writing.
fn create(path: &Path, migrations: &Migrations<'static>) -> Result<(), Error> {
    for suffix in ["-wal", "-journal"] {
        if durable::is_filled(&durable::sibling(path, "", suffix)) {
            return Err(damaged(
                path,
                "its log is there but the file itself is missing",
            ));
        }
    }
    let draft = draft_path(path)?;
    let (file, temp) = TempFile::create(draft)?;
    let mut conn = connect(temp.path(), OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    migrate(&mut conn, temp.path(), migrations)?;
    conn.pragma_update(None, "journal_mode", "WAL")?;
    conn.close().map_err(|(_, error)| error)?;
    durable::sync_file(&file, temp.path())?;
    temp.place(path)?;
    durable::sync_dir(durable::parent(path))
}

/// Where the next database is made; what a crash left there is removed.
fn draft_path(path: &Path) -> Result<PathBuf, Error> {
    let draft = durable::sibling(path, ".", ".new");
    let beside = ["-journal", "-wal", "-shm"].map(|suffix| durable::sibling(&draft, "", suffix));
    for leftover in beside.into_iter().chain([draft.clone()]) {
        match fs::remove_file(&leftover) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io("remove", &leftover)(error));
            }
            _ => {}
        }
    }
    Ok(draft)
}

/// Applies what is missing as one transaction. Foreign keys are off meanwhile, so that
/// tables can be rebuilt; a migration asks for its own check.
fn migrate(
    conn: &mut Connection,
    path: &Path,
    migrations: &Migrations<'static>,
) -> Result<(), Error> {
    conn.set_transaction_behavior(TransactionBehavior::Immediate);
    migrations.to_latest(conn).map_err(|error| {
        if let rusqlite_migration::Error::RusqliteError { err, .. } = &error {
            die_on_failed_sync(path, err);
        }
        migration_failed(path)(error)
    })
}

pub(crate) fn migration_failed(path: &Path) -> impl FnOnce(rusqlite_migration::Error) -> Error {
    move |source| Error::Migration {
        path: path.to_owned(),
        source: Arc::new(source),
    }
}

fn as_damage(path: &Path) -> impl FnOnce(Error) -> Error {
    move |error| match &error {
        Error::Database(source) if error.is_damaged() => damaged(path, &source.to_string()),
        _ => error,
    }
}

fn damaged(path: &Path, reason: &str) -> Error {
    Error::Damaged {
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rusqlite_migration::M;

    use super::*;

    /// Read and write version of the file format, 2 with a write-ahead log (SQLite file
    /// format, section 1.3).
    const VERSIONS: std::ops::Range<usize> = 18..20;

    #[test]
    fn a_new_database_has_its_log_before_it_is_in_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        let migrations = Migrations::new(vec![M::up("CREATE TABLE t (a)")]);
        // What a crash in the middle left beside it.
        for suffix in ["", "-journal", "-wal", "-shm"] {
            fs::write(dir.path().join(format!(".db.new{suffix}")), b"half").unwrap();
        }
        create(&path, &migrations).unwrap();
        assert_eq!(fs::read(&path).unwrap()[VERSIONS], [2, 2]);
        let names = fs::read_dir(&dir).unwrap().map(|e| e.unwrap().file_name());
        assert_eq!(names.collect::<Vec<_>>(), ["db"]);
        check(&path, &migrations, Opening::Existing).unwrap();
    }
}
