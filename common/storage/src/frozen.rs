//! Reading where nothing can be written: in a file system that takes nothing, such as that of a disk that
//! fails or of a backup, or in a directory in which this user may only read.
//!
//! SQLite keeps an index beside the log of a database, and cannot make one there. Nothing is left unread
//! for that: what the log holds is part of what is seen, or the database does not open.

use std::{
    ffi::OsString,
    fs::File,
    io,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags, config::DbConfig};

use crate::{Error, connection, durable};

/// SQLite's access to files without its locks (SQLite, "The SQLite OS Interface or VFS").
const WITHOUT_LOCKS: &str = "unix-none";

/// Why nothing can be written to an existing file or beside it, if that is so.
pub fn frozen(path: &Path) -> Option<Error> {
    let refused = match durable::check_writable(path) {
        Ok(()) => check_directory(durable::parent(path)).err()?,
        Err(error) => error,
    };
    is_of_place(&refused).then_some(refused)
}

/// Why nothing can be written in an existing directory, if that is so.
pub(crate) fn frozen_dir(path: &Path) -> Option<Error> {
    check_directory(path).err().filter(is_of_place)
}

/// Other failures are told where they come about.
fn is_of_place(error: &Error) -> bool {
    match error {
        Error::Io { source, .. } => matches!(
            source.kind(),
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied
        ),
        _ => false,
    }
}

#[cfg(unix)]
fn check_directory(path: &Path) -> Result<(), Error> {
    let access = rustix::fs::access(path, rustix::fs::Access::WRITE_OK);
    access.map_err(|errno| Error::io("write to", path)(errno.into()))
}

#[cfg(not(unix))]
fn check_directory(_path: &Path) -> Result<(), Error> {
    Ok(())
}

/// A database that is only looked at.
#[derive(Debug)]
pub(crate) struct Looking {
    pub(crate) conn: Connection,
    /// Keeps away whoever would open it for writing, elsewhere, where that can be done: nobody would
    /// notice here.
    pub(crate) held: Option<File>,
}

impl Looking {
    /// Opens a database to be read, also where nothing can be written.
    ///
    /// # Errors
    ///
    /// [`Error::Gone`], [`Error::Damaged`] if it is empty, [`Error::Database`], [`Error::Io`].
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        connection::require(path)?;
        if frozen(path).is_some() {
            return Self::open_frozen(path);
        }
        let conn = connection::connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let held = None;
        Ok(Self { conn, held })
    }

    /// Opens a database where nothing can be written.
    pub(crate) fn open_frozen(path: &Path) -> Result<Self, Error> {
        let held = durable::share_dir(durable::parent(path))?;
        let [log, index] = ["-wal", "-shm"].map(|suffix| durable::sibling(path, "", suffix));
        let conn = match (log.exists(), index.exists()) {
            // Somebody has it open elsewhere, or had and was killed: the index is read, or made anew in
            // memory.
            (true, true) => connection::connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?,
            (true, false) if durable::is_filled(&log) => open_with_log(path)?,
            _ => open_alone(path)?,
        };
        conn.pragma_update(None, "query_only", true)?;
        let held = Some(held);
        Ok(Self { conn, held })
    }
}

/// Nobody has it open: they would have an index. So it needs no lock, and the index is in memory.
fn open_with_log(path: &Path) -> Result<Connection, Error> {
    let access = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags_and_vfs(path, access, WITHOUT_LOCKS)?;
    // Before the first look at the file.
    conn.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection::set_up(&conn)?;
    // Nothing is put into the file at the end, which could not be done whole.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(conn)
}

/// Nobody has it open, and there is no log: the file is all there is, and does not change.
fn open_alone(path: &Path) -> Result<Connection, Error> {
    let access = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    connection::connect(&unchanging(path)?, access)
}

/// As SQLite names a file that nobody changes (SQLite, "Uniform Resource Identifiers").
fn unchanging(path: &Path) -> Result<PathBuf, Error> {
    let path = std::path::absolute(path).map_err(Error::io("open", path))?;
    let mut uri = String::from("file://");
    for &byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                uri.push(byte.into());
            }
            _ => uri += &format!("%{byte:02X}"),
        }
    }
    uri += "?immutable=1";
    Ok(OsString::from(uri).into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use super::*;

    fn rows(conn: &Connection) -> i64 {
        let count = "SELECT count(*) FROM t";
        conn.query_row(count, [], |row| row.get(0)).unwrap()
    }

    /// A database with a row in the file and one in its log, as a power cut leaves it at `to`; with the
    /// log's index, if it is to be there.
    fn cut(dir: &Path, to: &str, with_index: bool) -> PathBuf {
        let whole = dir.join(format!("{to}.whole"));
        let conn = Connection::open(&whole).unwrap();
        conn.execute_batch(
            "PRAGMA journal_mode = WAL; CREATE TABLE t (a); INSERT INTO t VALUES (1); \
             PRAGMA wal_checkpoint(TRUNCATE); INSERT INTO t VALUES (2);",
        )
        .unwrap();
        let path = dir.join(to);
        for suffix in ["", "-wal", "-shm"] {
            if with_index || suffix != "-shm" {
                let [from, to] = [&whole, &path].map(|one| durable::sibling(one, "", suffix));
                fs::copy(from, to).unwrap();
            }
        }
        path
    }

    #[test]
    fn what_is_in_the_log_is_seen_with_its_index_and_without() {
        let dir = tempfile::tempdir().unwrap();
        for (name, with_index) in [("with", true), ("without #1?%", false)] {
            let path = cut(dir.path(), name, with_index);
            let files = || {
                let read = |suffix| fs::read(durable::sibling(&path, "", suffix)).ok();
                (read(""), read("-wal"))
            };
            let before = files();
            let looking = Looking::open_frozen(&path).unwrap();
            assert_eq!(rows(&looking.conn), 2, "{name}");
            assert!(
                looking
                    .conn
                    .execute("INSERT INTO t VALUES (3)", [])
                    .is_err()
            );
            drop(looking);
            assert!(files() == before, "{name}");
        }
    }

    #[test]
    fn without_a_log_the_file_is_all_there_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = cut(dir.path(), "a file ?#%41", false);
        // Whoever closes it last puts the log into the file.
        drop(
            Connection::open(&path)
                .unwrap()
                .execute("INSERT INTO t VALUES (3)", []),
        );
        assert!(!durable::sibling(&path, "", "-wal").exists());
        let looking = Looking::open_frozen(&path).unwrap();
        assert_eq!(rows(&looking.conn), 3);
        let others = fs::read_dir(dir.path()).unwrap();
        let others = others.map(|entry| entry.unwrap().file_name());
        let beside = |name: &OsString| name.to_string_lossy().starts_with("a file ?#%41-");
        assert_eq!(others.filter(beside).count(), 0);
    }

    #[test]
    fn nobody_opens_it_for_writing_meanwhile() {
        let dir = tempfile::tempdir().unwrap();
        let path = cut(dir.path(), "db", false);
        let looking = Looking::open_frozen(&path).unwrap();
        let second = Looking::open_frozen(&path).unwrap();
        let directory = File::open(dir.path()).unwrap();
        assert!(directory.try_lock().is_err(), "as a writer takes it");
        drop((looking, second));
        directory.try_lock().unwrap();
    }

    #[test]
    fn a_place_that_takes_what_is_written_is_not_frozen() {
        let dir = tempfile::tempdir().unwrap();
        let path = cut(dir.path(), "db", false);
        assert!(frozen(&path).is_none());
        assert!(frozen_dir(dir.path()).is_none());
        assert!(
            frozen(&dir.path().join("none")).is_none(),
            "that is told otherwise"
        );
        assert!(Looking::open(&path).unwrap().held.is_none());
    }
}
