//! Trust bundles.

use data_encoding::BASE64;
use rusqlite::{Connection, OptionalExtension, params};
use scb_protocol::SignedBundle;

use super::convert;
use crate::Error;

/// How far the next number is ahead after a restoration: more bundles than roots sign between a
/// backup and the day when it is needed, and few enough to catch up with.
const LEAP: u64 = 16;

/// The trust bundles that roots have signed.
#[derive(Debug)]
pub struct TrustBundles<'a> {
    connection: &'a Connection,
}

impl<'a> TrustBundles<'a> {
    pub(super) fn on(connection: &'a Connection) -> Self {
        Self { connection }
    }

    /// The one that is handed out; none in a home that is older than bundles.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::RecordInvalid`].
    pub fn latest(&self) -> Result<Option<SignedBundle>, Error> {
        self.find(self.sequence()?)
    }

    /// The one of this number: whoever missed it needs it to believe the next one.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::RecordInvalid`].
    pub fn find(&self, sequence: u64) -> Result<Option<SignedBundle>, Error> {
        let found = self
            .connection
            .prepare_cached("SELECT bundle, signatures FROM trust_bundle WHERE sequence = ?1")?
            .query_row([convert::integer(sequence)], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        let signed = |(bundle, signatures): (String, String)| {
            Ok(SignedBundle {
                bundle,
                signatures: decode(&signatures)?,
            })
        };
        found.map(signed).transpose()
    }

    /// The number of the one that is handed out, 0 if there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::RecordInvalid`].
    pub fn sequence(&self) -> Result<u64, Error> {
        let last: Option<i64> = self
            .connection
            .prepare_cached("SELECT max(sequence) FROM trust_bundle")?
            .query_row([], |row| row.get(0))?;
        convert::number(last.unwrap_or(0))
    }

    /// The number of the next one: ahead of all that may have been signed since an old backup.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::RecordInvalid`].
    pub fn next_number(&self) -> Result<u64, Error> {
        let leap = match self.may_be_behind()? {
            true => LEAP,
            false => 1,
        };
        Ok(self.sequence()?.saturating_add(leap))
    }

    /// Writes down that this is the database of a backup.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::RecordInvalid`].
    pub(crate) fn restored(&self) -> Result<(), Error> {
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO restored (id, bundle) VALUES (1, ?1)")?
            .execute([convert::integer(self.sequence()?)])?;
        Ok(())
    }

    /// Whether no root has signed since this database was restored from a backup. Whoever has seen
    /// a bundle that was signed after the backup takes no older one.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::RecordInvalid`].
    pub(crate) fn may_be_behind(&self) -> Result<bool, Error> {
        let restored: Option<i64> = self
            .connection
            .prepare_cached("SELECT bundle FROM restored")?
            .query_row([], |row| row.get(0))
            .optional()?;
        Ok(restored == Some(convert::integer(self.sequence()?)))
    }

    /// Hands out this one from now on. The same again changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::RecordInvalid`] if its number does not grow; [`Error::Storage`].
    pub fn replace(&self, sequence: u64, signed: &SignedBundle) -> Result<(), Error> {
        if sequence <= self.sequence()? {
            return Err(Error::RecordInvalid {
                what: "trust bundle number",
            });
        }
        self.connection
            .prepare_cached(
                "INSERT INTO trust_bundle (sequence, bundle, signatures) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![
                convert::integer(sequence),
                signed.bundle,
                encode(&signed.signatures)
            ])?;
        Ok(())
    }
}

fn encode(signatures: &[Vec<u8>]) -> String {
    let lines: Vec<_> = signatures.iter().map(|der| BASE64.encode(der)).collect();
    lines.join("\n")
}

fn decode(signatures: &str) -> Result<Vec<Vec<u8>>, Error> {
    let invalid = |_| Error::RecordInvalid {
        what: "trust bundle",
    };
    let lines = signatures.lines();
    lines
        .map(|line| BASE64.decode(line.as_bytes()).map_err(invalid))
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::store::temporary;

    #[test]
    fn the_first_bundle_after_a_restoration_is_ahead_of_those_signed_since_the_backup() {
        let (_dir, store) = temporary();
        let bundle = SignedBundle {
            bundle: String::new(),
            signatures: Vec::new(),
        };
        store
            .write_blocking(move |records| {
                let bundles = records.bundles();
                bundles.replace(1, &bundle)?;
                assert_eq!(
                    (bundles.may_be_behind()?, bundles.next_number()?),
                    (false, 2)
                );
                bundles.restored()?;
                assert_eq!(
                    (bundles.may_be_behind()?, bundles.next_number()?),
                    (true, 17)
                );
                bundles.replace(17, &bundle)?;
                assert_eq!(
                    (bundles.may_be_behind()?, bundles.next_number()?),
                    (false, 18)
                );
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn the_number_of_a_bundle_only_grows() {
        let (_dir, store) = temporary();
        let bundle = |text: &str| SignedBundle {
            bundle: text.to_owned(),
            signatures: vec![vec![1], vec![2, 3]],
        };
        store
            .write_blocking(move |records| {
                let bundles = records.bundles();
                assert_eq!((bundles.latest()?, bundles.sequence()?), (None, 0));
                bundles.replace(2, &bundle("second"))?;
                assert!(bundles.replace(2, &bundle("another")).is_err());
                assert!(bundles.replace(1, &bundle("first")).is_err());
                assert_eq!(bundles.latest()?, Some(bundle("second")));
                assert_eq!(bundles.find(1)?, None);
                bundles.replace(3, &bundle("third"))?;
                assert_eq!(bundles.sequence()?, 3);
                assert_eq!(bundles.find(2)?, Some(bundle("second")));
                Ok(())
            })
            .unwrap();
    }
}
