//! The tables with CUHK's log as it was seen last, and as it was seen before that was set aside.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use rustls_pki_types::UnixTime;
use scb_protocol::audit::{GrownLog, KnownLog};
use scb_protocol::from_seconds;
use scb_tlog::{ConsistencyProof, Growth, UnverifiedCheckpoint, verify_growth};

use super::{Error, as_integer};

/// By whose word this server went on with another log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SetAside {
    /// It was certified under a root that it did not know: by another CUHK.
    OtherRoot,
    /// Its operator's.
    Operator,
}

impl SetAside {
    /// As it is stored, and told to scripts.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::OtherRoot => "other_root",
            Self::Operator => "operator",
        }
    }
}

/// CUHK's log as it was seen once. It is evidence: the log's key signed the checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FormerLog {
    /// What was seen.
    pub(crate) known: KnownLog,
    /// The checkpoint that says so.
    pub(crate) checkpoint: String,
    /// Since when it is not compared with any more.
    pub(crate) set_aside: UnixTime,
    /// By whose word: [`SetAside::as_str`].
    pub(crate) reason: String,
}

/// A log that may be remembered.
pub(super) struct Seen {
    known: KnownLog,
    checkpoint: String,
}

impl Seen {
    pub(super) fn of(log: &GrownLog) -> Self {
        Self {
            known: log.known(),
            checkpoint: log.checkpoint().to_string(),
        }
    }
}

/// What was seen last, if anything was.
pub(super) fn find(connection: &Connection) -> Result<Option<KnownLog>, Error> {
    let mut query = connection.prepare_cached("SELECT verifier_key, checkpoint FROM known_log")?;
    let row: Option<(String, String)> = query
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    row.map(|(key, checkpoint)| KnownLog::read(&key, &checkpoint).map_err(Error::KnownLog))
        .transpose()
}

/// The checkpoint that says so.
pub(super) fn evidence(connection: &Connection) -> Result<Option<Growth>, Error> {
    let mut query = connection.prepare_cached("SELECT verifier_key, checkpoint FROM known_log")?;
    let row: Option<(String, String)> = query
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let read = |(key, checkpoint): (String, String)| {
        let checkpoint: UnverifiedCheckpoint = checkpoint.parse()?;
        let checkpoint = checkpoint.verify(&key.parse()?)?;
        // A tree begins with itself.
        let proof = ConsistencyProof::new(Vec::new());
        verify_growth(&checkpoint.head(), checkpoint, &proof)
    };
    row.map(read).transpose().map_err(Error::KnownLog)
}

/// Puts it in the place of what was seen before. It never gets smaller.
pub(super) fn remember(transaction: &Transaction<'_>, log: &Seen) -> Result<(), Error> {
    let sql = "INSERT INTO known_log (id, verifier_key, size, checkpoint) VALUES (1, ?, ?, ?) \
               ON CONFLICT DO UPDATE SET size = excluded.size, checkpoint = excluded.checkpoint \
               WHERE verifier_key = excluded.verifier_key AND size <= excluded.size";
    let key = log.known.key.to_string();
    let size = as_integer(log.known.head.size);
    let changed = transaction
        .prepare_cached(sql)?
        .execute(params![key, size, log.checkpoint])?;
    match changed {
        1 => Ok(()),
        _ => Err(Error::LogRolledBack),
    }
}

/// Moves what was seen last to what was seen before.
pub(super) fn set_aside(
    transaction: &Transaction<'_>,
    why: SetAside,
    at: UnixTime,
) -> Result<Option<KnownLog>, Error> {
    let known = find(transaction)?;
    transaction.execute(
        "INSERT INTO former_known_logs (verifier_key, size, checkpoint, set_aside, reason) \
         SELECT verifier_key, size, checkpoint, ?, ? FROM known_log",
        params![as_integer(at.as_secs()), why.as_str()],
    )?;
    transaction.execute("DELETE FROM known_log", [])?;
    Ok(known)
}

/// What was set aside, the oldest first.
pub(super) fn former(connection: &Connection) -> Result<Vec<FormerLog>, Error> {
    let mut query = connection.prepare_cached(
        "SELECT verifier_key, checkpoint, set_aside, reason FROM former_known_logs ORDER BY id",
    )?;
    let rows = query.query_map([], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    })?;
    rows.map(|row| {
        let (key, checkpoint, at, reason): (String, String, i64, String) = row?;
        let known = KnownLog::read(&key, &checkpoint).map_err(Error::KnownLog)?;
        Ok(FormerLog {
            known,
            checkpoint,
            set_aside: from_seconds(at.unsigned_abs()),
            reason,
        })
    })
    .collect()
}
