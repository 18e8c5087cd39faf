//! The tables with CUHK's log as it was seen last, and as it was seen before that was set aside.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use rustls_pki_types::UnixTime;
use scb_protocol::audit::{GrownLog, KnownLog};
use scb_protocol::from_seconds;
use scb_tlog::{ConsistencyProof, Growth, UnverifiedCheckpoint, verify_growth};

use super::{Error, Store, as_integer};

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

impl Store {
    /// CUHK's issuance log as it was remembered last.
    ///
    /// # Errors
    ///
    /// [`Error::KnownLog`] if it was altered since; [`Error::Storage`].
    pub(crate) async fn known_log(&self) -> Result<Option<KnownLog>, Error> {
        self.database.read(find).await
    }

    /// Remembers the log that grew out of the one before.
    ///
    /// # Errors
    ///
    /// [`Error::LogRolledBack`] if it did not; [`Error::Storage`].
    pub(crate) async fn remember_log(&self, log: &GrownLog) -> Result<(), Error> {
        let log = Seen::of(log);
        self.database
            .write(move |transaction| remember(transaction, &log))
            .await
    }

    /// Sets aside what was seen of CUHK's issuance log, if anything was, and keeps it as evidence:
    /// the log of another CUHK is remembered in its place. What was set aside.
    ///
    /// # Errors
    ///
    /// [`Error::KnownLog`], [`Error::Storage`].
    pub(crate) fn set_log_aside(&self, at: UnixTime) -> Result<Option<KnownLog>, Error> {
        self.database
            .write_blocking(move |transaction| set_aside(transaction, SetAside::OtherRoot, at))
    }

    /// By the operator's word, remembers CUHK's log as it is now in the place of what was `seen` of it,
    /// which is kept as evidence.
    ///
    /// # Errors
    ///
    /// [`Error::LogRolledBack`] if something else was seen meanwhile; [`Error::Storage`].
    pub(crate) async fn replace_log(
        &self,
        seen: KnownLog,
        now: &GrownLog,
        at: UnixTime,
    ) -> Result<(), Error> {
        let now = Seen::of(now);
        let replace = move |transaction: &Transaction<'_>| match set_aside(
            transaction,
            SetAside::Operator,
            at,
        )? {
            Some(known) if known == seen => remember(transaction, &now),
            _ => Err(Error::LogRolledBack),
        };
        self.database.write(replace).await
    }

    /// The checkpoint that says what was seen last of CUHK's issuance log: cosigned before, so that it may
    /// be cosigned again.
    ///
    /// # Errors
    ///
    /// [`Error::KnownLog`] if it was altered since; [`Error::Storage`].
    pub(crate) async fn log_evidence(&self) -> Result<Option<Growth>, Error> {
        self.database.read(evidence).await
    }

    /// What was set aside of CUHK's issuance log, the oldest first.
    ///
    /// # Errors
    ///
    /// [`Error::KnownLog`] if one was altered since; [`Error::Storage`].
    pub(crate) async fn former_logs(&self) -> Result<Vec<FormerLog>, Error> {
        self.database.read(former).await
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
