//! Revocation lists.

use rusqlite::{Connection, OptionalExtension, params};
use rustls_pki_types::UnixTime;
use scb_certs::Crl;

use super::convert;
use crate::Error;

/// Who signs a revocation list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrlSigner {
    /// The root.
    Root,
    /// The issuer of students' certificates.
    Students,
    /// The issuer of services' certificates.
    Services,
}

impl CrlSigner {
    /// In the order in which lists are sent.
    pub const ALL: [Self; 3] = [Self::Root, Self::Students, Self::Services];

    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Students => "students",
            Self::Services => "services",
        }
    }
}

/// A list and what it covers.
#[derive(Debug, Clone)]
pub struct StoredList {
    /// The list.
    pub crl: Crl,
    /// The epoch that it covers.
    pub epoch: u64,
}

/// The current revocation list of each authority.
#[derive(Debug)]
pub struct RevocationLists<'a> {
    connection: &'a Connection,
}

impl<'a> RevocationLists<'a> {
    pub(super) fn on(connection: &'a Connection) -> Self {
        Self { connection }
    }

    /// The current list.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`]; [`Error::RecordInvalid`] if it is no longer what was stored.
    pub fn find(&self, signer: CrlSigner) -> Result<Option<StoredList>, Error> {
        let row: Option<(Vec<u8>, i64, i64)> = self
            .connection
            .prepare_cached("SELECT der, number, epoch FROM revocation_list WHERE authority = ?1")?
            .query_row([signer.as_str()], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        row.map(|(der, number, epoch)| {
            let invalid = || Error::RecordInvalid {
                what: "revocation list",
            };
            let crl = Crl::from_der(&der).map_err(|_| invalid())?;
            if crl.number() != convert::number(number)? {
                return Err(invalid());
            }
            Ok(StoredList {
                crl,
                epoch: convert::number(epoch)?,
            })
        })
        .transpose()
    }

    /// The number of the next list: one more, or the time in seconds if that is later, so
    /// that an old backup does not use a number again.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn next_number(&self, signer: CrlSigner, now: UnixTime) -> Result<u64, Error> {
        let last: Option<i64> = self
            .connection
            .prepare_cached("SELECT number FROM revocation_list WHERE authority = ?1")?
            .query_row([signer.as_str()], |row| row.get(0))
            .optional()?;
        let last = convert::number(last.unwrap_or(0))?;
        Ok(last.saturating_add(1).max(now.as_secs()))
    }

    /// Replaces the list. Numbers only grow.
    ///
    /// # Errors
    ///
    /// [`Error::RecordInvalid`] if the number does not grow; then nothing is changed.
    pub fn replace(&self, signer: CrlSigner, list: &StoredList) -> Result<(), Error> {
        let replaced = self
            .connection
            .prepare_cached(
                "INSERT INTO revocation_list (authority, number, epoch, next_update, der)
                 VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (authority) DO UPDATE SET
                     number = excluded.number, epoch = excluded.epoch,
                     next_update = excluded.next_update, der = excluded.der
                 WHERE excluded.number > revocation_list.number",
            )?
            .execute(params![
                signer.as_str(),
                convert::integer(list.crl.number()),
                convert::integer(list.epoch),
                convert::seconds(list.crl.next_update()),
                list.crl.der(),
            ])?;
        match replaced {
            1 => Ok(()),
            _ => Err(Error::RecordInvalid {
                what: "revocation list number",
            }),
        }
    }
}
