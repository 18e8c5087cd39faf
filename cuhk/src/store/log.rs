//! The issuance log's entries: numbered in the same transaction as what they are about.

mod contradiction;
mod pin;
mod removal;
#[cfg(test)]
mod tests;

use rusqlite::{Connection, OptionalExtension, Row, params};
use rustls_pki_types::UnixTime;
use scb_certs::{Serial, ServiceName, Validities};
use scb_protocol::values::Salt;
use scb_protocol::{COMMITMENT_SIZE, LogEntry, commitment, from_seconds};
use scb_tlog::{Hash, HashReader as _, Tiles, UnverifiedCheckpoint};

use super::{CertificateRecord, convert};
use crate::time::later;
use crate::{Error, Subject};

pub use contradiction::Contradiction;
pub(crate) use pin::{Pin, Unpinned};
pub use removal::Removed;

/// The last entry about a subject in a log of some size; it is never removed. It reads the index
/// backwards: to append costs the same however many there are.
const LAST: &str = "SELECT nth, json_extract(content, '$.certificates') FROM log_entry
                    WHERE subject = ?1 AND number < ?2 ORDER BY nth DESC LIMIT 1";

const FIRST_MADE: &str = "SELECT content FROM log_entry
    WHERE number >= ?1 AND subject <> 'cuhk/operations' ORDER BY number LIMIT 1";
const LAST_MADE: &str = "SELECT content FROM log_entry
    WHERE number >= ?1 AND subject <> 'cuhk/operations' ORDER BY number DESC LIMIT 1";

/// Of service `?2`, whose certificates are entered as those of `?1`.
const LOST_SINCE_SEEN: &str = "
    WITH lost AS (SELECT count(*) AS entries, max(number) AS last FROM log_entry WHERE subject IS NULL)
    SELECT CASE WHEN EXISTS (SELECT 1 FROM witness WHERE service = ?2 AND size > last)
        OR EXISTS (SELECT 1 FROM log_entry WHERE number > last
                   AND (subject = ?1 AND serial IS NOT NULL OR json_extract(content, '$.asker') = ?2))
    THEN 0 ELSE entries END FROM lost";

/// Where an entry stands among those about its subject.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place {
    /// Which entry it is, from 1.
    pub nth: u64,
    /// How many certificates were issued, with this entry.
    pub certificates: u64,
}

/// An entry as its subject may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedEntry {
    /// Its number in the log, from 0.
    pub number: u64,
    /// What hides the content in the commitment.
    pub salt: Salt,
    /// The exact content.
    pub content: String,
}

/// A witness as it is known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// Which service it is.
    pub service: ServiceName,
    /// Its key, as C2SP writes it.
    pub verifier_key: String,
    /// How many entries the checkpoint covers.
    pub size: u64,
    /// The last checkpoint that it cosigned, with the cosignature.
    pub checkpoint: String,
}

impl Witness {
    /// The tree that it has cosigned; nothing if that cannot be read.
    pub fn tree(&self) -> Option<Hash> {
        tree_of(&self.checkpoint)
    }
}

/// The entries.
#[derive(Debug)]
pub struct Log<'a> {
    connection: &'a Connection,
}

impl<'a> Log<'a> {
    pub(super) fn on(connection: &'a Connection) -> Self {
        Self { connection }
    }

    /// Appends what `entry` says, given its place. Answers its number.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::Protocol`].
    pub fn append(
        &self,
        subject: &Subject,
        entry: impl FnOnce(Place) -> LogEntry,
    ) -> Result<u64, Error> {
        self.insert(subject, None, entry)
    }

    /// Appends an issued certificate, unless it was before.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::Protocol`].
    pub(crate) fn append_certificate(&self, record: &CertificateRecord) -> Result<(), Error> {
        let intent = &record.intent;
        let Some(certificate) = &record.certificate else {
            return Ok(());
        };
        if self.number_of(&intent.serial)?.is_some() {
            return Ok(());
        }
        let entry = |place: Place| LogEntry::Certificate {
            v: 1,
            subject: intent.subject.to_string(),
            nth: place.nth,
            certificates: place.certificates,
            profile: intent.profile.as_str().to_owned(),
            serial: intent.serial,
            cert_sha256: certificate.fingerprint(),
            key_sha256: intent.public_key,
            not_before: intent.validity.not_before.as_secs(),
            not_after: intent.validity.not_after.as_secs(),
        };
        self.insert(&intent.subject, Some(&intent.serial), entry)?;
        Ok(())
    }

    /// The number of the entry about a certificate.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn number_of(&self, serial: &Serial) -> Result<Option<u64>, Error> {
        let number = self
            .connection
            .prepare_cached("SELECT number FROM log_entry WHERE serial = ?1")?
            .query_row([serial.as_bytes()], |row| row.get(0))
            .optional()?;
        number.map(convert::number).transpose()
    }

    /// How many entries there are of which only the commitment is left, as an old backup did not know them,
    /// unless this service was certified or has asked or cosigned since: then nothing was lost of it.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn lost_since_seen(&self, service: &ServiceName) -> Result<u64, Error> {
        let subject = Subject::Service(service.clone());
        let lost = self
            .connection
            .prepare_cached(LOST_SINCE_SEEN)?
            .query_one([subject.to_string(), service.to_string()], |row| row.get(0))?;
        convert::number(lost)
    }

    /// How many entries there are.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn size(&self) -> Result<u64, Error> {
        let next = self
            .connection
            .prepare_cached("SELECT coalesce(max(number) + 1, 0) FROM log_entry")?
            .query_one([], |row| row.get(0))?;
        convert::number(next)
    }

    /// Commitments from number `from` on, at most `most`.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`]; [`Error::RecordInvalid`] if one is missing.
    pub fn commitments(&self, from: u64, most: usize) -> Result<Vec<[u8; COMMITMENT_SIZE]>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT number, commitment FROM log_entry WHERE number >= ?1 ORDER BY number LIMIT ?2",
        )?;
        let parameters = params![convert::integer(from), most as i64];
        let rows = statement.query_map(parameters, |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.zip(from..)
            .map(|(row, expected)| match row? {
                (number, commitment) if convert::number(number)? == expected => Ok(commitment),
                _ => Err(Error::RecordInvalid { what: "log entry" }),
            })
            .collect()
    }

    /// Whether the last entry that both have is the same; of what is before it the tree's root
    /// tells.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::Log`].
    pub(crate) fn agrees_with(&self, tiles: &Tiles) -> Result<bool, Error> {
        let last: Option<(i64, [u8; COMMITMENT_SIZE])> = self
            .connection
            .prepare_cached(
                "SELECT number, commitment FROM log_entry WHERE number < ?1
                 ORDER BY number DESC LIMIT 1",
            )?
            .query_row([convert::integer(tiles.size())], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        match last {
            Some((number, here)) => Ok(tiles.entry(convert::number(number)?)? == here),
            None => Ok(true),
        }
    }

    /// Takes over a commitment that is in the tiles already; its content is lost.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn adopt(&self, commitment: &[u8]) -> Result<(), Error> {
        self.connection
            .prepare_cached("INSERT INTO log_entry (number, commitment) VALUES (?1, ?2)")?
            .execute(params![convert::integer(self.size()?), commitment])?;
        Ok(())
    }

    /// When the first entry from number `from` on was made, of those whose content is here.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::Protocol`].
    pub(crate) fn made_first(&self, from: u64) -> Result<Option<UnixTime>, Error> {
        self.made(FIRST_MADE, from)
    }

    /// When the last entry from number `from` on was made, likewise.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::Protocol`].
    pub(crate) fn made_last(&self, from: u64) -> Result<Option<UnixTime>, Error> {
        self.made(LAST_MADE, from)
    }

    fn made(&self, sql: &str, from: u64) -> Result<Option<UnixTime>, Error> {
        let content: Option<String> = self
            .connection
            .prepare_cached(sql)?
            .query_row([convert::integer(from)], |row| row.get(0))
            .optional()?;
        let Some(content) = content else {
            return Ok(None);
        };
        let entry = LogEntry::from_content(&content)?;
        let at = from_seconds(entry.at());
        Ok(Some(match entry {
            LogEntry::Certificate { .. } => later(at, Validities::BACKDATE),
            LogEntry::Verification { .. } => at,
        }))
    }

    /// A subject's entries among the first `size` of the log, from its `from`th (counted from 1)
    /// on, at most `most`.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::RecordInvalid`].
    pub fn of(
        &self,
        subject: &Subject,
        from: u64,
        size: u64,
        most: usize,
    ) -> Result<Vec<LoggedEntry>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT number, salt, content, commitment FROM log_entry
             WHERE subject = ?1 AND nth >= ?2 AND number < ?3 ORDER BY nth LIMIT ?4",
        )?;
        let (from, size) = (convert::integer(from), convert::integer(size));
        let parameters = params![subject.to_string(), from, size, most as i64];
        let rows = statement.query_map(parameters, raw)?;
        rows.map(|row| logged(row?)).collect()
    }

    /// Looks whether every row holds what it is committed to.
    ///
    /// # Errors
    ///
    /// [`Error::RecordInvalid`], [`Error::Storage`].
    pub fn check(&self) -> Result<(), Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT number, salt, content, commitment FROM log_entry WHERE subject IS NOT NULL",
        )?;
        let mut rows = statement.query_map([], raw)?;
        rows.try_for_each(|row| logged(row?).map(drop))
    }

    /// How many entries about a subject there were ever among the first `size` of the log, if none
    /// of later ones was removed.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn count(&self, subject: &Subject, size: u64) -> Result<u64, Error> {
        Ok(self.last(subject, size)?.nth)
    }

    fn last(&self, subject: &Subject, size: u64) -> Result<Place, Error> {
        let last = self
            .connection
            .prepare_cached(LAST)?
            .query_row(
                params![subject.to_string(), convert::integer(size)],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()?;
        last.map_or(Ok(Place::default()), |(nth, certificates)| {
            Ok(Place {
                nth: convert::number(nth)?,
                certificates: convert::number(certificates)?,
            })
        })
    }

    /// The witnesses.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn witnesses(&self) -> Result<Vec<Witness>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT service, verifier_key, size, checkpoint FROM witness ORDER BY service",
        )?;
        let rows = statement.query_map([], |row| {
            Ok((
                row.get::<_, String>(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get(3)?,
            ))
        })?;
        rows.map(|row| {
            let (service, verifier_key, size, checkpoint) = row?;
            let service = service.parse().map_err(|_| Error::RecordInvalid {
                what: "service name",
            })?;
            Ok(Witness {
                service,
                verifier_key,
                size: convert::number(size)?,
                checkpoint,
            })
        })
        .collect()
    }

    /// Records what a witness cosigned, unless the same key has cosigned more.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn set_witness(&self, witness: &Witness) -> Result<(), Error> {
        self.connection
            .prepare_cached(
                "INSERT INTO witness VALUES (?1, ?2, ?3, ?4) ON CONFLICT (service) DO UPDATE
                     SET verifier_key = ?2, size = ?3, checkpoint = ?4
                     WHERE verifier_key <> ?2 OR size <= ?3",
            )?
            .execute(params![
                witness.service.to_string(),
                witness.verifier_key,
                convert::integer(witness.size),
                witness.checkpoint
            ])?;
        Ok(())
    }

    fn insert(
        &self,
        subject: &Subject,
        serial: Option<&Serial>,
        entry: impl FnOnce(Place) -> LogEntry,
    ) -> Result<u64, Error> {
        let number = self.size()?;
        let last = self.last(subject, number)?;
        let place = Place {
            nth: last.nth + 1,
            certificates: last.certificates + u64::from(serial.is_some()),
        };
        let (salt, content) = (Salt::random()?, entry(place).to_content()?);
        self.connection
            .prepare_cached("INSERT INTO log_entry VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
            .execute(params![
                convert::integer(number),
                commitment(&salt, &content),
                subject.to_string(),
                convert::integer(place.nth),
                salt.as_bytes(),
                content,
                serial.map(Serial::as_bytes),
            ])?;
        Ok(number)
    }
}

/// As it was recorded: whoever gave it was believed then.
fn tree_of(checkpoint: &str) -> Option<Hash> {
    let checkpoint: UnverifiedCheckpoint = checkpoint.parse().ok()?;
    Some(checkpoint.head().root)
}

type Raw = (i64, [u8; 32], String, [u8; COMMITMENT_SIZE]);

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
}

/// An entry, if it is the one that was committed to: an altered one is never shown.
fn logged((number, salt, content, committed): Raw) -> Result<LoggedEntry, Error> {
    let salt = Salt::from_bytes(salt);
    if commitment(&salt, &content) != committed {
        return Err(Error::RecordInvalid { what: "log entry" });
    }
    Ok(LoggedEntry {
        number: convert::number(number)?,
        salt,
        content,
    })
}
