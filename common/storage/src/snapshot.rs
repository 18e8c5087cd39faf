//! A copy of a database that may be in use, and making a file smaller.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, backup::Backup};

use crate::{Error, connection, durable, frozen::Looking};

/// How long to wait between tries when somebody else holds the database.
const PAUSE: Duration = Duration::from_millis(50);

/// Copies the database at `from`, as it is at one moment, to `to`, which must not exist: by
/// SQLite's backup interface, so that servers may read and write meanwhile. Nothing is migrated.
/// The copy is durable (0600) and was checked whole. `from` may be in a file system that takes
/// nothing, such as that of a disk that fails, or on a disk that is full.
///
/// # Errors
///
/// [`Error::Gone`]; [`Error::Damaged`] if there is nothing in it or the copy is not sound;
/// [`Error::Database`], [`Error::Io`].
pub fn snapshot(from: &Path, to: &Path) -> Result<(), Error> {
    let copied = Looking::open(from).and_then(|looking| copy_of(&looking.conn, from, to));
    match copied {
        // The disk is full on which it lies, not the one on which the copy is wanted.
        Err(error) if error.lacks_index() => {
            copy_of(&connection::open_without_room(from)?, from, to)
        }
        copied => copied,
    }
}

fn copy_of(source: &Connection, from: &Path, to: &Path) -> Result<(), Error> {
    connection::schema(from, source)?;
    let (file, copy) = durable::TempFile::create(to.to_owned())?;
    let mut target = connection::connect(to, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // All pages at one go: a step in between would start again whenever somebody writes.
    Backup::new(source, &mut target)?.run_to_completion(i32::MAX, PAUSE, None)?;
    // One file: a log beside it would not be copied with it.
    target.pragma_update(None, "journal_mode", "DELETE")?;
    // A copy is as sound as what was copied.
    check(from, &target)?;
    target.pragma_update(None, "journal_mode", "WAL")?;
    target.close().map_err(|(_, error)| error)?;
    durable::sync_file(&file, to)?;
    durable::sync_dir(durable::parent(to))?;
    copy.keep();
    Ok(())
}

fn check(path: &Path, copy: &Connection) -> Result<(), Error> {
    let verdict: String = copy.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    match verdict.as_str() {
        "ok" => Ok(()),
        _ => Err(Error::Damaged {
            path: path.to_owned(),
            reason: verdict,
        }),
    }
}

/// Copies the log into the database and gives its room back to the file system, as far as others
/// who have the database open let it.
///
/// # Errors
///
/// [`Error::Database`].
pub fn empty_log(path: &Path) -> Result<(), Error> {
    let conn = connection::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    truncate_log(path, &conn)
}

fn truncate_log(path: &Path, conn: &rusqlite::Connection) -> Result<(), Error> {
    let truncated = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    truncated.map_err(|error| {
        connection::die_on_failed_sync(path, &error);
        error.into()
    })
}

/// Gives the pages that nothing uses back to the file system. Others may have the database open;
/// those who write wait meanwhile.
///
/// # Errors
///
/// [`Error::Database`], also if others write all the time or the disk has no room for a copy.
pub fn compact(path: &Path) -> Result<(), Error> {
    let conn = connection::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let result = conn.execute_batch("VACUUM");
    if let Err(error) = &result {
        connection::die_on_failed_sync(path, error);
    }
    result?;
    // Readers may keep the log in use; then it shrinks later.
    truncate_log(path, &conn)
}
