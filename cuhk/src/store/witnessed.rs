//! The logs of services of which CUHK is the witness.

use rusqlite::{Connection, OptionalExtension, Row, params};
use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, ServiceName};
use scb_protocol::audit::KnownLog;
use scb_protocol::witness::{GrownServiceLog, STEP, ServiceLog};
use scb_protocol::{Code, Refusal};
use scb_tlog::{KeyName, TreeHead, VerifierKey};

use super::convert;
use crate::Error;

const COLUMNS: &str = "id, name, service, verifier_key, size, root, checkpoint, seen_at";

/// A log as it was seen last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessedLog {
    id: i64,
    /// Its name.
    pub name: KeyName,
    /// Whose it is.
    pub service: ServiceName,
    /// Its key, and its tree.
    pub known: KnownLog,
    /// The checkpoint that says so, as the log signed it; none under a key that was accepted since.
    pub checkpoint: Option<String>,
    /// When it was seen.
    pub seen_at: UnixTime,
}

/// A log that has not grown for long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdleLog {
    id: i64,
    /// How many of its entries are kept.
    pub entries: u64,
}

/// The logs.
#[derive(Debug)]
pub struct WitnessedLogs<'a> {
    connection: &'a Connection,
}

impl<'a> WitnessedLogs<'a> {
    pub(super) fn on(connection: &'a Connection) -> Self {
        Self { connection }
    }

    /// One log.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`]; [`Error::RecordInvalid`] if it was altered.
    pub fn find(&self, name: &KeyName) -> Result<Option<WitnessedLog>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM witnessed_log WHERE name = ?1");
        let row = self
            .connection
            .prepare_cached(&sql)?
            .query_row([name.as_str()], raw)
            .optional()?;
        row.map(witnessed).transpose()
    }

    /// All logs, by their names.
    ///
    /// # Errors
    ///
    /// As for [`WitnessedLogs::find`].
    pub fn all(&self) -> Result<Vec<WitnessedLog>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM witnessed_log ORDER BY name");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map([], raw)?;
        rows.map(|row| witnessed(row?)).collect()
    }

    /// The names of a service's logs after this one, in order, at most `most`.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn names(
        &self,
        service: &ServiceName,
        after: &str,
        most: usize,
    ) -> Result<Vec<String>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT name FROM witnessed_log WHERE service = ?1 AND name > ?2
             ORDER BY name LIMIT ?3",
        )?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![service.as_str(), after, most], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Notes under which key a log is known, unless it is noted already; whether it is new. A
    /// service has `most` logs at most.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] with `log_key_changed` or `too_many_logs`; [`Error::Storage`].
    pub(crate) fn register(
        &self,
        log: &ServiceLog,
        key: &VerifierKey,
        most: u32,
        now: UnixTime,
    ) -> Result<bool, Error> {
        if let Some(known) = self.find(log.name())? {
            return match known.known.key == *key {
                true => Ok(false),
                false => Err(key_changed(&known.known.key, key)),
            };
        }
        if self.count(log.service())? >= i64::from(most) {
            let full = Refusal::new(Code::TooManyLogs, STEP);
            return Err(full.with("limit", most).with("log", log.name()).into());
        }
        self.connection
            .prepare_cached(
                "INSERT INTO witnessed_log (name, service, verifier_key, size, root, seen_at, grown_at)
                 VALUES (?1, ?2, ?3, 0, ?4, ?5, ?5)",
            )?
            .execute(params![
                log.name().as_str(),
                log.service().as_str(),
                key.to_string(),
                TreeHead::empty().root.to_string(),
                convert::seconds(now),
            ])?;
        Ok(true)
    }

    /// Remembers how far a log has grown, and its new entries, if nobody was faster: whether it
    /// is what was `seen` before that it grew out of.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn remember(
        &self,
        seen: &WitnessedLog,
        grown: &GrownServiceLog,
        now: UnixTime,
    ) -> Result<bool, Error> {
        let (before, checkpoint) = (seen.known.head, grown.growth().checkpoint());
        let changed = self
            .connection
            .prepare_cached(
                "UPDATE witnessed_log SET size = ?1, root = ?2, checkpoint = ?3, seen_at = ?4,
                     grown_at = CASE size WHEN ?1 THEN grown_at ELSE ?4 END
                 WHERE id = ?5 AND size = ?6 AND root = ?7 AND verifier_key = ?8",
            )?
            .execute(params![
                convert::integer(checkpoint.head().size),
                checkpoint.head().root.to_string(),
                checkpoint.to_string(),
                convert::seconds(now),
                seen.id,
                convert::integer(before.size),
                before.root.to_string(),
                seen.known.key.to_string(),
            ])?;
        if changed == 0 {
            return Ok(false);
        }
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO witnessed_entry (log, number, entry) VALUES (?1, ?2, ?3)",
        )?;
        for (number, entry) in (grown.old()..).zip(grown.entries()) {
            insert.execute(params![seen.id, convert::integer(number), entry.as_bytes()])?;
        }
        Ok(true)
    }

    /// The entries of a log from number `from` on, at most `most`, as its service told them.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] with `log_not_kept` if the first of them is no longer kept;
    /// [`Error::Storage`].
    pub fn entries(
        &self,
        log: &KeyName,
        from: u64,
        most: usize,
    ) -> Result<Vec<Fingerprint>, Error> {
        if most == 0 {
            return Ok(Vec::new());
        }
        let mut statement = self.connection.prepare_cached(
            "SELECT number, entry FROM witnessed_entry JOIN witnessed_log ON log = id
             WHERE name = ?1 AND number >= ?2 ORDER BY number LIMIT ?3",
        )?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let parameters = params![log.as_str(), convert::integer(from), most];
        let rows = statement.query_map(parameters, |row| Ok((row.get(0)?, row.get(1)?)))?;
        let entries: Vec<_> = rows
            .zip(from..)
            .map(|(row, expected)| match row? {
                (number, entry) if convert::number(number)? == expected => {
                    Ok(Fingerprint::from_bytes(entry))
                }
                _ => Err(not_kept(log)),
            })
            .collect::<Result<_, Error>>()?;
        let seen = self.find(log)?.map_or(0, |seen| seen.known.head.size);
        match entries.is_empty() && from < seen {
            true => Err(not_kept(log)),
            false => Ok(entries),
        }
    }

    /// Logs that have not grown since `moment`, of which entries are kept.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn idle_since(&self, moment: UnixTime) -> Result<Vec<IdleLog>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id, count(*) FROM witnessed_log JOIN witnessed_entry ON log = id
             WHERE grown_at < ?1 GROUP BY id",
        )?;
        let rows = statement.query_map([convert::seconds(moment)], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
        rows.map(|row| {
            let (id, entries) = row?;
            let entries = convert::number(entries)?;
            Ok(IdleLog { id, entries })
        })
        .collect()
    }

    /// Removes a log's entries, unless it has grown since `moment` after all. How far it had grown
    /// stays known.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn forget_entries(&self, log: IdleLog, moment: UnixTime) -> Result<(), Error> {
        self.connection
            .prepare_cached(
                "DELETE FROM witnessed_entry WHERE log =
                     (SELECT id FROM witnessed_log WHERE id = ?1 AND grown_at < ?2)",
            )?
            .execute(params![log.id, convert::seconds(moment)])?;
        Ok(())
    }

    /// From now on a log has another key; how far it had grown stays as it is. Whether there is
    /// such a log, known under another key.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn accept_key(&self, key: &VerifierKey) -> Result<bool, Error> {
        let changed = self
            .connection
            .prepare_cached(
                "UPDATE witnessed_log SET verifier_key = ?1, checkpoint = NULL
                 WHERE name = ?2 AND verifier_key <> ?1",
            )?
            .execute([key.to_string().as_str(), key.name().as_str()])?;
        Ok(changed > 0)
    }

    fn count(&self, service: &ServiceName) -> Result<i64, Error> {
        Ok(self
            .connection
            .prepare_cached("SELECT count(*) FROM witnessed_log WHERE service = ?1")?
            .query_one([service.as_str()], |row| row.get(0))?)
    }
}

type Raw = (
    i64,
    String,
    String,
    String,
    i64,
    String,
    Option<String>,
    i64,
);

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok((
        row.get(0)?,
        row.get(1)?,
        row.get(2)?,
        row.get(3)?,
        row.get(4)?,
        row.get(5)?,
        row.get(6)?,
        row.get(7)?,
    ))
}

/// A row, if it is what the log signed.
fn witnessed(row: Raw) -> Result<WitnessedLog, Error> {
    let (id, name, service, key, size, root, checkpoint, seen_at) = row;
    let altered = || Error::RecordInvalid {
        what: "witnessed log",
    };
    let head = TreeHead {
        size: convert::number(size)?,
        root: root.parse().map_err(|_| altered())?,
    };
    let key: VerifierKey = key.parse().map_err(|_| altered())?;
    if let Some(checkpoint) = &checkpoint {
        let signed = KnownLog::read(&key.to_string(), checkpoint);
        if signed.map_err(|_| altered())?.head != head {
            return Err(altered());
        }
    }
    Ok(WitnessedLog {
        id,
        name: name.parse().map_err(|_| altered())?,
        service: service.parse().map_err(|_| altered())?,
        known: KnownLog { key, head },
        checkpoint,
        seen_at: convert::time(seen_at)?,
    })
}

fn not_kept(log: &KeyName) -> Error {
    Refusal::new(Code::LogNotKept, STEP).with("log", log).into()
}

fn key_changed(known: &VerifierKey, got: &VerifierKey) -> Error {
    Refusal::new(Code::LogKeyChanged, STEP)
        .with("known", known)
        .with("got", got)
        .into()
}
