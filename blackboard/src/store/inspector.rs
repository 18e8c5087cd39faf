//! The database as `fsck` looks at it: read-only, row by row, believing none of them.

mod students;
mod teacher;

use std::collections::HashSet;

use rusqlite::{Row, params};
use rustls_pki_types::UnixTime;
use scb_certs::Fingerprint;
use scb_cli::Home;
use scb_protocol::log_leaf::{LogName, leaf_commitment};
use scb_protocol::statement::{SubmissionId, SubmissionNumber};
use scb_storage::{Inspection, ReadOnly};

use super::{
    DATABASE, Error, MIGRATIONS, NUMBERS, Record, as_integer, by_number, commitment, count, log,
    number, proposals, witnessed,
};

pub(crate) use students::{CommittedRow, DeliveryRow, ProposedRow, SignedRow};
pub(crate) use teacher::{AddedRow, FormerGrade, Release};

/// A database that is only looked at, while a server may be at work.
#[derive(Debug)]
pub(crate) struct Inspector(ReadOnly);

/// An entry of a log as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EntryRow {
    /// Its number in the log, from 0.
    pub(crate) number: u64,
    /// What the tiles hold of it.
    pub(crate) commitment: Vec<u8>,
    /// What happened, by its name in the leaf.
    pub(crate) kind: Option<String>,
    /// When, in seconds since 1970.
    pub(crate) at: Option<u64>,
    /// The leaf's exact bytes; none of one that was lost and taken over from the witness.
    pub(crate) leaf: Option<Vec<u8>>,
}

impl EntryRow {
    /// Whether this leaf leads to what the tiles hold of it.
    pub(crate) fn holds(&self, leaf: &[u8]) -> bool {
        leaf_commitment(leaf).as_slice() == self.commitment
    }
}

/// A submission that is answered by the receipt of the same version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Repeat {
    /// Its ID.
    pub(crate) submission: SubmissionId,
    /// Whose receipt it is.
    pub(crate) number: SubmissionNumber,
    /// The exact bytes that were signed.
    pub(crate) statement: Option<Vec<u8>>,
}

impl Inspector {
    /// Whether this home has ever stored anything.
    pub(crate) fn is_unused(home: &Home) -> bool {
        !home.path(NUMBERS).exists() && !home.path(DATABASE).exists()
    }

    /// Reads every page of the database.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn look(home: &Home) -> Result<Inspection, Error> {
        Ok(Inspection::of(&home.path(DATABASE), &MIGRATIONS)?)
    }

    /// Opens the database of a home.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], also for one of another schema.
    pub(crate) fn open(home: &Home) -> Result<Self, Error> {
        Ok(Self(ReadOnly::open(&home.path(DATABASE), &MIGRATIONS)?))
    }

    /// How many submissions there are.
    pub(crate) fn count(&self) -> Result<u64, Error> {
        self.0.read(count)
    }

    /// The submission that comes after this number.
    pub(crate) fn after(&self, last: u64) -> Result<Option<SubmissionNumber>, Error> {
        self.0.read(|connection| {
            let sql = "SELECT min(number) FROM submissions WHERE number > ?";
            let mut query = connection.prepare_cached(sql)?;
            let next: Option<i64> = query.query_one([as_integer(last)], |row| row.get(0))?;
            Ok(next.map(number))
        })
    }

    /// A record, if there is one.
    pub(crate) fn record(&self, number: SubmissionNumber) -> Result<Option<Record>, Error> {
        self.0.read(|connection| by_number(connection, number))
    }

    /// Who has a part in a submission, where and who: `course/assignment/sid`.
    pub(crate) fn parts(&self, number: SubmissionNumber) -> Result<HashSet<String>, Error> {
        self.0.read(|connection| {
            let sql =
                "SELECT course || '/' || assignment || '/' || sid FROM parts WHERE number = ?";
            let mut query = connection.prepare_cached(sql)?;
            let rows = query.query_map([as_integer(number.get())], |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// All logs, with how many entries each has.
    pub(crate) fn logs(&self) -> Result<Vec<(LogName, u64)>, Error> {
        self.0.read(log::sizes)
    }

    /// Entries from number `from` on, in order, at most `most`.
    pub(crate) fn entries(
        &self,
        log: &LogName,
        from: u64,
        most: usize,
    ) -> Result<Vec<EntryRow>, Error> {
        self.0.read(|connection| {
            let sql = "SELECT number, commitment, kind, at, leaf FROM log_entries \
                       WHERE log = (SELECT id FROM logs WHERE origin = ?) AND number >= ? \
                       ORDER BY number LIMIT ?";
            let mut query = connection.prepare_cached(sql)?;
            let key = params![log.to_string(), as_integer(from), as_integer(most as u64)];
            let rows = query.query_map(key, entry)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// An entry, if it is there.
    pub(crate) fn entry(&self, log: &LogName, index: u64) -> Result<Option<EntryRow>, Error> {
        let row = self.entries(log, index, 1)?.pop();
        Ok(row.filter(|row| row.number == index))
    }

    /// The newest checkpoint of a log that CUHK cosigned.
    pub(crate) fn cosigned(&self, log: &LogName) -> Result<Option<String>, Error> {
        self.0
            .read(|connection| witnessed::cosigned(connection, log))
    }

    /// The uploads that may still go on, and those of `here` of which nobody can say, as their rows were altered.
    pub(crate) fn open_uploads(
        &self,
        here: impl Iterator<Item = [u8; 16]>,
        now: UnixTime,
    ) -> Result<HashSet<[u8; 16]>, Error> {
        self.0.read(|connection| {
            let mut open = commitment::open(connection, now)?;
            open.extend(proposals::open(connection, now)?);
            for id in here {
                if !open.contains(&id) && proposals::is_damaged(connection, id)? {
                    open.insert(id);
                }
            }
            Ok(open)
        })
    }

    /// What answers submissions by the receipt of another: each with its number, and with the statement
    /// that was signed under it, if that is there.
    pub(crate) fn repeats(&self) -> Result<Vec<Repeat>, Error> {
        self.0.read(|connection| {
            let sql = "SELECT submission, number, coalesce( \
                       (SELECT statement FROM commitments WHERE submission = repeats.submission), \
                       (SELECT statement FROM proposals WHERE submission = repeats.submission)) \
                       FROM repeats ORDER BY number, submission";
            let mut query = connection.prepare_cached(sql)?;
            let rows = query.query_map([], |row| {
                Ok(Repeat {
                    submission: SubmissionId::from_bytes(row.get(0)?),
                    number: number(row.get(1)?),
                    statement: row.get(2)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}

fn entry(row: &Row<'_>) -> rusqlite::Result<EntryRow> {
    Ok(EntryRow {
        number: unsigned(row.get(0)?),
        commitment: row.get(1)?,
        kind: row.get(2)?,
        at: row.get::<_, Option<i64>>(3)?.map(unsigned),
        leaf: row.get(4)?,
    })
}

fn hashed(row: &Row<'_>, column: usize) -> rusqlite::Result<Fingerprint> {
    Ok(Fingerprint::of(row.get_ref(column)?.as_blob()?))
}

/// Nothing here is stored below zero; what is was altered, and fits nothing.
fn unsigned(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(u64::MAX)
}
