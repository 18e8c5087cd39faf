//! The issuance log's entries: numbered in the same transaction as what they are about.

use rusqlite::{Connection, OptionalExtension, Row, params};
use scb_certs::{Serial, ServiceName};
use scb_protocol::values::Salt;
use scb_protocol::{COMMITMENT_SIZE, LogEntry, commitment};
use scb_tlog::{HashReader as _, Tiles};

use super::{CertificateRecord, convert};
use crate::{Error, Subject};

/// The last entry about a subject in a log of some size. It reads the index backwards: to append
/// costs the same however many there are.
const LAST: &str = "SELECT nth FROM log_entry WHERE subject = ?1 AND number < ?2
                    ORDER BY nth DESC LIMIT 1";

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

/// The entries.
#[derive(Debug)]
pub struct Log<'a> {
    connection: &'a Connection,
}

impl<'a> Log<'a> {
    pub(super) fn on(connection: &'a Connection) -> Self {
        Self { connection }
    }

    /// Appends what `entry` says, given which entry about its subject it is. Answers its number.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::Protocol`].
    pub fn append(
        &self,
        subject: &Subject,
        entry: impl FnOnce(u64) -> LogEntry,
    ) -> Result<u64, Error> {
        self.insert(subject, None, entry)
    }

    /// Appends an issued certificate, unless it was before.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::Protocol`].
    pub fn append_certificate(&self, record: &CertificateRecord) -> Result<(), Error> {
        let intent = &record.intent;
        let Some(certificate) = &record.certificate else {
            return Ok(());
        };
        if self.number_of(&intent.serial)?.is_some() {
            return Ok(());
        }
        let entry = |nth| LogEntry::Certificate {
            v: 1,
            subject: intent.subject.to_string(),
            nth,
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
    /// [`Error::Storage`].
    pub fn commitments(&self, from: u64, most: usize) -> Result<Vec<[u8; COMMITMENT_SIZE]>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT commitment FROM log_entry WHERE number >= ?1 ORDER BY number LIMIT ?2",
        )?;
        let rows = statement.query_map(params![convert::integer(from), most as i64], |row| {
            row.get(0)
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whether the last entry that both have is the same; of what is before it the tree's root
    /// tells.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::Log`].
    pub fn agrees_with(&self, tiles: &Tiles) -> Result<bool, Error> {
        let Some(last) = self.size()?.min(tiles.size()).checked_sub(1) else {
            return Ok(true);
        };
        let here = self.commitments(last, 1)?;
        Ok(here.first().map(<[u8; COMMITMENT_SIZE]>::as_slice) == Some(&tiles.entry(last)?))
    }

    /// Takes over a commitment that is in the tiles already; its content is lost.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn adopt(&self, commitment: &[u8]) -> Result<(), Error> {
        self.connection
            .prepare_cached("INSERT INTO log_entry (number, commitment) VALUES (?1, ?2)")?
            .execute(params![convert::integer(self.size()?), commitment])?;
        Ok(())
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

    /// How many entries about a subject are among the first `size` of the log.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn count(&self, subject: &Subject, size: u64) -> Result<u64, Error> {
        let last = self
            .connection
            .prepare_cached(LAST)?
            .query_row(
                params![subject.to_string(), convert::integer(size)],
                |row| row.get(0),
            )
            .optional()?;
        last.map_or(Ok(0), convert::number)
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
    pub fn set_witness(&self, witness: &Witness) -> Result<(), Error> {
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
        entry: impl FnOnce(u64) -> LogEntry,
    ) -> Result<u64, Error> {
        let number = self.size()?;
        let nth = self.count(subject, number)? + 1;
        let (salt, content) = (Salt::random()?, entry(nth).to_content()?);
        self.connection
            .prepare_cached("INSERT INTO log_entry VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
            .execute(params![
                convert::integer(number),
                commitment(&salt, &content),
                subject.to_string(),
                convert::integer(nth),
                salt.as_bytes(),
                content,
                serial.map(Serial::as_bytes),
            ])?;
        Ok(number)
    }
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rusqlite::StatementStatus;
    use scb_protocol::values::Nonce;

    use super::*;
    use crate::store::temporary;

    fn asked(subject: &Subject) -> impl FnOnce(u64) -> LogEntry {
        let subject = subject.to_string();
        |nth| LogEntry::Verification {
            v: 1,
            subject,
            nth,
            asker: ServiceName::blackboard(),
            nonce: Nonce::from_bytes([1; 16]),
            cert_sha256: scb_certs::Fingerprint::from_bytes([2; 32]),
            inactive: None,
            at: 1000,
        }
    }

    #[test]
    fn entries_are_numbered_without_gaps() {
        let (_dir, store) = temporary();
        store
            .write_blocking(|records| {
                let (one, other) = ("1155000001".parse()?, "1155000002".parse()?);
                let log = records.log();
                for (number, subject) in [&one, &other, &one, &one].into_iter().enumerate() {
                    assert_eq!(log.append(subject, asked(subject))?, number as u64);
                }
                let entries = log.of(&one, 1, 4, 10)?;
                let numbers: Vec<_> = entries.iter().map(|entry| entry.number).collect();
                assert_eq!(numbers, [0, 2, 3]);
                let nth =
                    |entry: &LoggedEntry| LogEntry::from_content(&entry.content).unwrap().nth();
                assert_eq!(entries.iter().map(nth).collect::<Vec<_>>(), [1, 2, 3]);
                assert_eq!(
                    log.of(&one, 2, 3, 10)?,
                    entries[1..2],
                    "a page of a smaller log"
                );
                assert_eq!(log.of(&one, 1, 4, 1)?, entries[..1], "a short page");
                assert_eq!((log.count(&one, 3)?, log.count(&one, 4)?), (2, 3));
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn commitments_are_those_of_the_entries() {
        let (_dir, store) = temporary();
        store
            .write_blocking(|records| {
                let (subject, log) = ("1155000001".parse()?, records.log());
                log.append(&subject, asked(&subject))?;
                log.adopt(&[9; 32])?;
                log.append(&subject, asked(&subject))?;
                let all = log.commitments(0, 10)?;
                let entries = log.of(&subject, 1, 3, 10)?;
                let computed = |entry: &LoggedEntry| commitment(&entry.salt, &entry.content);
                assert_eq!(all[0], computed(&entries[0]));
                assert_eq!(all[1], [9; 32], "whose content is lost");
                assert_eq!(all[2], computed(&entries[1]));
                assert_eq!(log.commitments(1, 1)?, all[1..2]);
                assert_eq!(log.size()?, 3);
                assert!(log.adopt(&[9; 31]).is_err());
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn the_ten_thousandth_entry_costs_what_the_first_did() {
        let (_dir, store) = temporary();
        store
            .write_blocking(|records| {
                let (subject, log) = ("1155000001".parse()?, records.log());
                let cost = || {
                    log.append(&subject, asked(&subject))?;
                    let asking = log.connection.prepare_cached(LAST)?;
                    Ok::<_, Error>(asking.reset_status(StatementStatus::VmStep))
                };
                cost()?;
                cost()?;
                let early = cost()?;
                for _ in 3..10_000 {
                    log.append(&subject, asked(&subject))?;
                }
                cost()?;
                assert_eq!(cost()?, early, "steps of the database for one more");
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn an_altered_entry_is_never_shown() {
        let (_dir, store) = temporary();
        store
            .write_blocking(|records| {
                let (subject, log) = ("1155000001".parse()?, records.log());
                log.append(&subject, asked(&subject))?;
                log.check()?;
                let alter = "UPDATE log_entry SET content = replace(content, '1000', '1001')";
                assert_eq!(log.connection.execute(alter, [])?, 1);
                for looked in [log.check(), log.of(&subject, 1, 1, 1).map(drop)] {
                    assert!(matches!(looked, Err(Error::RecordInvalid { .. })));
                }
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn the_largest_log_that_a_witness_saw_is_kept() {
        let (_dir, store) = temporary();
        store
            .write_blocking(|records| {
                let mut witness = Witness {
                    service: ServiceName::blackboard(),
                    verifier_key: "key".into(),
                    size: 5,
                    checkpoint: "first".into(),
                };
                let log = records.log();
                log.set_witness(&witness)?;
                (witness.size, witness.checkpoint) = (7, "second".into());
                log.set_witness(&witness)?;
                assert_eq!(log.witnesses()?, [witness.clone()]);
                let late = Witness {
                    size: 6,
                    ..witness.clone()
                };
                log.set_witness(&late)?;
                assert_eq!(log.witnesses()?, [witness], "what came late is older");
                let other_key = Witness {
                    verifier_key: "another".into(),
                    ..late
                };
                log.set_witness(&other_key)?;
                assert_eq!(log.witnesses()?, [other_key]);
                Ok(())
            })
            .unwrap();
    }
}
