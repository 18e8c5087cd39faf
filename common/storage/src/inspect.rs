//! Looking at a database without changing it.

use std::path::Path;

use rusqlite::Connection;
use rusqlite_migration::Migrations;

use crate::{Error, connection, frozen::Looking};

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
    /// [`Error::Gone`]; [`Error::Damaged`] if it is empty; [`Error::Database`] if it cannot be opened
    /// or is no database; [`Error::Io`].
    pub fn of(path: &Path, migrations: &Migrations<'static>) -> Result<Self, Error> {
        let looking = Looking::open(path)?;
        let conn = &looking.conn;
        let schema = connection::schema(path, conn)?;
        let pending = migrations
            .pending_migrations(conn)
            .map_err(connection::migration_failed(path))?;
        let mut statement = conn.prepare(&format!("PRAGMA integrity_check({MOST})"))?;
        let lines = statement.query_map([], |row| row.get(0))?;
        let problems: Vec<String> = lines.collect::<Result<_, _>>()?;
        // What is found in one part of the file is one row of several lines.
        let problems = problems.iter().flat_map(|row| row.lines());
        let problems = problems.map(str::to_owned);
        let is_problem = |line: &String| line != "ok";
        Ok(Self {
            schema,
            pending: pending.into(),
            problems: problems.filter(is_problem).collect(),
        })
    }
}

/// A database that is only looked at: nothing is migrated, nothing is written, not even its log is
/// copied into it. Others may have it open. One thread, no queue.
#[derive(Debug)]
pub struct ReadOnly(Looking);

impl ReadOnly {
    /// Opens the database at `path`.
    ///
    /// # Errors
    ///
    /// [`Error::Gone`]; [`Error::Damaged`] if it is empty; [`Error::OlderDatabase`] and [`Error::NewerDatabase`] if it has not the
    /// schema of this program; [`Error::Database`], [`Error::Io`].
    pub fn open(path: &Path, migrations: &Migrations<'static>) -> Result<Self, Error> {
        let looking = Looking::open(path)?;
        looking.conn.pragma_update(None, "query_only", true)?;
        connection::check_schema(path, &looking.conn, migrations)?;
        Ok(Self(looking))
    }

    /// Reads as of one moment.
    ///
    /// # Errors
    ///
    /// What the work returns; [`Error::Database`].
    pub fn read<T, E: From<Error>>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let snapshot = self.0.conn.unchecked_transaction().map_err(Error::from)?;
        work(&snapshot)
    }
}
