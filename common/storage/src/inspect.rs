//! Looking at a database without changing it.

use std::path::Path;

use rusqlite::OpenFlags;
use rusqlite_migration::Migrations;

use crate::{Error, connection, durable};

/// Problems that are told; more of them say nothing new.
const MOST: usize = 5;

/// What a database looks like from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The number of its schema: how many migrations were applied.
    pub schema: i64,
    /// How many migrations are missing; less than 0 if a newer program wrote it.
    pub pending: i64,
    /// What SQLite's whole integrity check found, at most five problems; nothing if it is sound.
    pub problems: Vec<String>,
}

impl Inspection {
    /// Reads every page of the database at `path`, which may be in use. Nothing is migrated or
    /// repaired.
    ///
    /// # Errors
    ///
    /// [`Error::Gone`]; [`Error::Database`] if it cannot be opened or is no database;
    /// [`Error::Io`], also where nothing can be written: a log cannot be read there.
    pub fn of(path: &Path, migrations: &Migrations<'static>) -> Result<Self, Error> {
        connection::require(path)?;
        Self::look(path, migrations)
            .map_err(|error| durable::check_writable(path).err().unwrap_or(error))
    }

    fn look(path: &Path, migrations: &Migrations<'static>) -> Result<Self, Error> {
        let conn = connection::connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let schema = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        let pending = migrations
            .pending_migrations(&conn)
            .map_err(connection::migration_failed(path))?;
        let mut statement = conn.prepare(&format!("PRAGMA integrity_check({MOST})"))?;
        let lines = statement.query_map([], |row| row.get(0))?;
        let problems: Vec<String> = lines.collect::<Result<_, _>>()?;
        let is_problem = |line: &String| line != "ok";
        Ok(Self {
            schema,
            pending: pending.into(),
            problems: problems.into_iter().filter(is_problem).collect(),
        })
    }
}
