//! What can go wrong, and what a caller asks about it.

use std::{io, path::Path, path::PathBuf, sync::Arc};

use rusqlite::{ErrorCode, ffi::SQLITE_IOERR_SHMSIZE};

/// Why the store did not do what it was asked. Nothing was changed unless the variant
/// says otherwise. Cheap to clone: one failed commit answers many callers.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process holds the home.
    #[error("{} is in use by {}", .path.display(), holder(.pid))]
    HomeInUse {
        /// The home directory.
        path: PathBuf,
        /// The process that holds it, if it left its number.
        pid: Option<u32>,
    },
    /// The database was written by a newer version of this program.
    #[error(
        "database {} has schema version {found}, but this program knows only up to {known}",
        .path.display()
    )]
    NewerDatabase {
        /// The database file.
        path: PathBuf,
        /// Schema version found in the file.
        found: i64,
        /// Highest schema version known here.
        known: i64,
    },
    /// The database was written by an older version of this program, and is only looked at.
    #[error(
        "database {} has schema version {found}, and not yet {known}",
        .path.display()
    )]
    OlderDatabase {
        /// The database file.
        path: PathBuf,
        /// Schema version found in the file.
        found: i64,
        /// The schema version of this program.
        known: i64,
    },
    /// The database file is truncated, overwritten or otherwise not what was stored.
    #[error("database {} is damaged ({reason})", .path.display())]
    Damaged {
        /// The database file.
        path: PathBuf,
        /// What SQLite found first.
        reason: String,
    },
    /// The database was there and is not any more.
    #[error("database {} is gone", .path.display())]
    Gone {
        /// Where it was.
        path: PathBuf,
    },
    /// Too many jobs wait already. Try again later.
    #[error("the store is busy")]
    Busy,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// The job panicked; its own changes were rolled back.
    #[error("a store job panicked")]
    JobPanicked,
    /// A job asked a database from inside a database thread, which could wait for
    /// itself for ever.
    #[error("a store job may not ask the store again")]
    Nested,
    /// SQLite rolled the whole transaction back because of another job in it (a full
    /// disk, for instance). Try again later.
    #[error("the transaction was rolled back")]
    RolledBack,
    /// SQLite refused.
    #[error("database error: {}", said_once(.0))]
    Database(Arc<rusqlite::Error>),
    /// A migration could not be applied; the schema is as it was.
    #[error("database {} cannot be migrated", .path.display())]
    Migration {
        /// The database file.
        path: PathBuf,
        /// What went wrong.
        source: Arc<rusqlite_migration::Error>,
    },
    /// No content of this hash is stored.
    #[error("content {sha256} is not stored")]
    Missing {
        /// Lower-case hex.
        sha256: String,
    },
    /// The stored bytes no longer have the hash that they are named by.
    #[error("stored content {sha256} was altered")]
    Altered {
        /// Lower-case hex of the hash it should have.
        sha256: String,
    },
    /// What was written does not have the promised hash.
    #[error("content has SHA-256 {found}, expected {expected}")]
    HashMismatch {
        /// Lower-case hex of the promised hash.
        expected: String,
        /// Lower-case hex of the hash of what was written.
        found: String,
    },
    /// More bytes were written than allowed.
    #[error("content is larger than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// A copy of a content could not be written where it was wanted. The content is as it was.
    #[error("cannot write {}", .path.display())]
    Target {
        /// Where the copy was wanted.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// The operating system refused.
    #[error("cannot {action} {}", .path.display())]
    Io {
        /// What was tried: a verb.
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
}

impl Error {
    /// Whether the disk, the quota or the database's size limit is full.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Io { source, .. } | Self::Target { source, .. } => is_full_disk(source),
            _ => self.sqlite_code() == Some(ErrorCode::DiskFull) || self.lacks_index(),
        }
    }

    /// Whether SQLite could not make the index of its log, which lies beside it and has 32 KiB: for
    /// want of room it says no more than that.
    pub(crate) fn lacks_index(&self) -> bool {
        match self {
            Self::Database(error) => is_index_without_room(error),
            _ => false,
        }
    }

    /// Whether the file system takes nothing, as one does that was mounted so, or on a disk that
    /// fails.
    pub fn is_read_only(&self) -> bool {
        match self {
            Self::Io { source, .. } => source.kind() == io::ErrorKind::ReadOnlyFilesystem,
            _ => self.sqlite_code() == Some(ErrorCode::ReadOnly),
        }
    }

    /// Whether the same call may succeed a little later, with nothing mended meanwhile.
    pub fn is_busy(&self) -> bool {
        match self {
            Self::Busy | Self::RolledBack => true,
            _ => matches!(
                self.sqlite_code(),
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
            ),
        }
    }

    /// Whether stored bytes are not what was stored.
    pub fn is_damaged(&self) -> bool {
        match self {
            Self::Damaged { .. } | Self::Altered { .. } => true,
            _ => matches!(
                self.sqlite_code(),
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
            ),
        }
    }

    /// A stable word for scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::HomeInUse { .. } => "home_in_use",
            Self::NewerDatabase { .. } => "newer_database",
            Self::OlderDatabase { .. } => "older_database",
            Self::Gone { .. } => "database_gone",
            Self::Target { .. } => "target",
            Self::Missing { .. } => "damaged",
            _ if self.is_damaged() => "damaged",
            _ if self.is_full() => "disk_full",
            _ if self.is_busy() => "store_busy",
            _ if self.is_read_only() => "read_only",
            _ => "storage",
        }
    }

    /// What the person at the keyboard can do about it, where there is something.
    pub fn remedy(&self) -> Option<String> {
        Some(match self {
            Self::HomeInUse { .. } => {
                "stop that process first, or name another directory with --home".into()
            }
            Self::NewerDatabase { .. } => {
                "install the newer version of the program again, or restore a backup from before \
                 it"
                .into()
            }
            Self::OlderDatabase { .. } => {
                "start the server once: it brings the database up to date".into()
            }
            Self::Damaged { path, .. } | Self::Gone { path } => {
                restore_database(&path.display().to_string())
            }
            Self::Missing { .. } | Self::Altered { .. } => {
                "put this file back from a backup; its name is its SHA-256".into()
            }
            _ if self.is_damaged() => restore_database("the database"),
            _ if self.is_full() => "make room on the disk, then do the same again".into(),
            _ if self.is_busy() => "do the same again in a moment".into(),
            _ if self.is_read_only() => READ_ONLY.into(),
            _ => return None,
        })
    }

    fn sqlite_code(&self) -> Option<ErrorCode> {
        match self {
            Self::Database(error) => error.sqlite_error_code(),
            Self::Migration { source, .. } => match source.as_ref() {
                rusqlite_migration::Error::RusqliteError { err, .. } => err.sqlite_error_code(),
                _ => None,
            },
            _ => None,
        }
    }

    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            source: Arc::new(source),
        }
    }

    pub(crate) fn target(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Target {
            path: path.to_owned(),
            source: Arc::new(source),
        }
    }

    /// What the system said of a file beside `path`, as said of `path`.
    pub(crate) fn into_target(path: &Path) -> impl FnOnce(Self) -> Self {
        move |error| match error {
            Self::Io { source, .. } => Self::Target {
                path: path.to_owned(),
                source,
            },
            error => error,
        }
    }
}

fn is_index_without_room(error: &rusqlite::Error) -> bool {
    let error = error.sqlite_error();
    error.is_some_and(|error| error.extended_code == SQLITE_IOERR_SHMSIZE)
}

/// What SQLite said. Its number says the same again in general words.
fn said_once(error: &rusqlite::Error) -> String {
    match error {
        error if is_index_without_room(error) => {
            "the disk is full: no room for the index (32 KiB) with which the database is opened"
                .into()
        }
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        other => other.to_string(),
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(Arc::new(error))
    }
}

pub(crate) fn is_full_disk(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// What to do where nothing can be written.
const READ_ONLY: &str = "nothing was changed; mount the file system for writing. If the system has \
                         made it read-only by itself (`dmesg`), the disk may be failing: copy the \
                         home to another one with `cp -a` and go on there with --home";

fn restore_database(path: &str) -> String {
    format!(
        "stop the server, put a backup in the place of {path} (and remove the files beside it \
         that end in -wal and -shm), then start it again"
    )
}

fn holder(pid: &Option<u32>) -> String {
    match pid {
        Some(pid) => format!("process {pid}"),
        None => "another process".to_owned(),
    }
}
