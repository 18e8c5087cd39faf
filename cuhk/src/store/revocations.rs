//! Who is revoked, and what changed that: a revocation list is made anew from what changed, and a
//! revocation that was lost on disk is noticed.

use rusqlite::{Connection, OptionalExtension, Row, params};
use rusqlite_migration::{HookError, HookResult};
use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, Issuer, IssuerKind, RevokedEntry, Serial};

use super::certificates::{Profile, revocation};
use super::{convert, seal};
use crate::Error;

/// How many certificates are revoked, and the sum of their rows' checksums modulo 2^256: the same
/// in whatever order they were revoked.
///
/// Like the checksums themselves it is no signature: see [`seal`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    count: u64,
    sum: [u8; 32],
}

impl Tally {
    /// Counts one more.
    pub(crate) fn add(&mut self, checksum: &[u8; 32]) {
        self.count = self.count.wrapping_add(1);
        self.sum = sum(&self.sum, checksum, 0);
    }

    /// Counts one less.
    pub(crate) fn remove(&mut self, checksum: &[u8; 32]) {
        self.count = self.count.wrapping_sub(1);
        // The two's complement: every bit the other way round, and one more.
        self.sum = sum(&self.sum, &checksum.map(|byte| !byte), 1);
    }
}

fn sum(one: &[u8; 32], other: &[u8; 32], mut carry: u8) -> [u8; 32] {
    let mut sum = [0; 32];
    for place in (0..sum.len()).rev() {
        let digits = u16::from(one[place]) + u16::from(other[place]) + u16::from(carry);
        [carry, sum[place]] = digits.to_be_bytes();
    }
    sum
}

/// A certificate that is revoked.
#[derive(Debug, Clone)]
pub(crate) struct RevokedRow {
    /// What a revocation list says of it.
    pub(crate) entry: RevokedEntry,
    /// When it ends anyway.
    pub(crate) not_after: UnixTime,
    /// The checksum of its row.
    pub(crate) checksum: [u8; 32],
    kind: IssuerKind,
    /// The identifier of the key that signed it. Where there is none, because it was only intended
    /// or cannot be read, every issuer of its kind lists it: rather once too often.
    issuer_key_id: Option<Vec<u8>>,
}

impl RevokedRow {
    /// Whether the list of this issuer names it.
    pub(crate) fn is_listed_by(&self, issuer: &Issuer) -> bool {
        let own = issuer.certificate().subject_key_id();
        let named = self.issuer_key_id.as_deref();
        self.kind == issuer.kind() && named.is_none_or(|named| Some(named) == own)
    }
}

/// The revoked certificates, and the changes among them.
#[derive(Debug)]
pub(crate) struct Revocations<'a> {
    connection: &'a Connection,
}

impl<'a> Revocations<'a> {
    pub(super) fn on(connection: &'a Connection) -> Self {
        Self { connection }
    }

    /// The number of the last change, and what is revoked since.
    pub(crate) fn last(&self) -> Result<(u64, Tally), Error> {
        let row: Option<(i64, i64, Vec<u8>)> = self
            .connection
            .prepare_cached(
                "SELECT number, count, sum FROM revocation_change
                 WHERE number = (SELECT max(number) FROM revocation_change)",
            )?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((number, count, sum)) = row else {
            return Ok((0, Tally::default()));
        };
        let tally = Tally {
            count: convert::number(count)?,
            sum: sum.try_into().map_err(|_| altered())?,
        };
        Ok((convert::number(number)?, tally))
    }

    /// Which certificates changed after the change of this number; nothing if only a look at all of
    /// them can tell.
    pub(crate) fn changed_after(&self, number: u64) -> Result<Option<Vec<Serial>>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT number, serial FROM revocation_change WHERE number > ?1 ORDER BY number",
        )?;
        let rows = statement.query_map([convert::integer(number)], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
        let mut changed = Vec::new();
        for (row, expected) in rows.zip(number.saturating_add(1)..) {
            match row? {
                (number, Some(serial)) if convert::number(number)? == expected => {
                    let serial: Vec<u8> = serial;
                    changed.push(convert::serial(&serial)?);
                }
                _ => return Ok(None),
            }
        }
        Ok(Some(changed))
    }

    /// The certificate of this serial number, if it is revoked.
    pub(crate) fn find(&self, serial: &Serial) -> Result<Option<RevokedRow>, Error> {
        let row = self
            .connection
            .prepare_cached(&select("AND serial = ?1"))?
            .query_row([serial.as_bytes()], Raw::read)
            .optional()?;
        row.map(|row| self.intact(row)).transpose()
    }

    /// All that are revoked.
    ///
    /// # Errors
    ///
    /// [`Error::RecordInvalid`] if a row was altered; [`Error::Storage`].
    pub(crate) fn all(&self) -> Result<Vec<RevokedRow>, Error> {
        let mut statement = self.connection.prepare_cached(&select(""))?;
        let rows = statement.query_map([], Raw::read)?;
        rows.map(|row| self.intact(row?)).collect()
    }

    /// Looks whether as many are revoked, and the same ones, as the last change has left.
    ///
    /// # Errors
    ///
    /// [`Error::RecordInvalid`], [`Error::Storage`].
    pub(crate) fn check(&self) -> Result<(), Error> {
        let (_, tally) = self.last()?;
        match self.counted()? == tally {
            true => Ok(()),
            false => Err(altered()),
        }
    }

    /// The checksum of a certificate's row, if it is revoked.
    pub(super) fn checksum(&self, serial: &Serial) -> Result<Option<[u8; 32]>, Error> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT checksum FROM certificate WHERE serial = ?1 AND revoked_at IS NOT NULL",
            )?
            .query_row([serial.as_bytes()], |row| row.get(0))
            .optional()?)
    }

    /// Notes that a certificate's row was changed, if that changes anything about revocation.
    pub(super) fn note(
        &self,
        serial: &Serial,
        (before, after): (Option<[u8; 32]>, Option<[u8; 32]>),
    ) -> Result<(), Error> {
        if before == after {
            return Ok(());
        }
        let (_, mut tally) = self.last()?;
        before.inspect(|checksum| tally.remove(checksum));
        after.inspect(|checksum| tally.add(checksum));
        self.append(Some(serial), tally)
    }

    /// Has certificates removed, and forgets the changes up to then.
    pub(super) fn without<T>(&self, remove: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        let counted = self.counted()?;
        let removed = remove()?;
        let left = self.counted()?;
        let (number, tally) = self.last()?;
        if counted != tally {
            return Err(altered());
        }
        if left != tally {
            self.append(None, left)?;
            self.connection
                .prepare_cached("DELETE FROM revocation_change WHERE number <= ?1")?
                .execute([convert::integer(number)])?;
        }
        Ok(removed)
    }

    /// The migration: what is revoked already is counted.
    pub(super) fn count_all(connection: &Connection) -> HookResult {
        let revocations = Revocations::on(connection);
        let counted = revocations.counted();
        let kept = counted.and_then(|tally| revocations.append(None, tally));
        kept.map_err(|error| HookError::Hook(error.to_string()))
    }

    fn append(&self, serial: Option<&Serial>, tally: Tally) -> Result<(), Error> {
        let (number, _) = self.last()?;
        self.connection
            .prepare_cached("INSERT INTO revocation_change VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![
                convert::integer(number.saturating_add(1)),
                serial.map(Serial::as_bytes),
                convert::integer(tally.count),
                tally.sum,
            ])?;
        Ok(())
    }

    fn counted(&self) -> Result<Tally, Error> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT checksum FROM certificate WHERE revoked_at IS NOT NULL")?;
        let mut tally = Tally::default();
        for checksum in statement.query_map([], |row| row.get(0))? {
            tally.add(&checksum?);
        }
        Ok(tally)
    }

    fn intact(&self, raw: Raw) -> Result<RevokedRow, Error> {
        seal::CERTIFICATE.check(self.connection, &raw.serial)?;
        raw.row()
    }
}

struct Raw {
    serial: Vec<u8>,
    revoked_at: i64,
    reason: String,
    invalid_since: Option<i64>,
    not_after: i64,
    profile: String,
    checksum: [u8; 32],
    der: Option<Vec<u8>>,
}

fn select(filter: &str) -> String {
    format!(
        "SELECT serial, revoked_at, reason, invalid_since, not_after, profile, checksum, der
         FROM certificate WHERE revoked_at IS NOT NULL {filter}"
    )
}

impl Raw {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            serial: row.get(0)?,
            revoked_at: row.get(1)?,
            reason: row.get(2)?,
            invalid_since: row.get(3)?,
            not_after: row.get(4)?,
            profile: row.get(5)?,
            checksum: row.get(6)?,
            der: row.get(7)?,
        })
    }

    fn row(self) -> Result<RevokedRow, Error> {
        let revocation = revocation(self.revoked_at, &self.reason, self.invalid_since)?;
        let certificate = self.der.and_then(|der| Certificate::from_der(&der).ok());
        let issuer_key_id = certificate.and_then(|it| it.authority_key_id().map(<[u8]>::to_vec));
        Ok(RevokedRow {
            entry: RevokedEntry {
                serial: convert::serial(&self.serial)?,
                revoked_at: revocation.at,
                reason: revocation.reason,
                invalid_since: revocation.invalid_since,
            },
            not_after: convert::time(self.not_after)?,
            checksum: self.checksum,
            kind: match Profile::Student.as_str() == self.profile {
                true => IssuerKind::Students,
                false => IssuerKind::Services,
            },
            issuer_key_id,
        })
    }
}

fn altered() -> Error {
    Error::RecordInvalid { what: "revocation" }
}
