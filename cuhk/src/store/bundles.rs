//! Trust bundles.

use data_encoding::BASE64;
use rusqlite::{Connection, OptionalExtension, params};
use rustls_pki_types::UnixTime;
use scb_protocol::SignedBundle;

use super::{Status, convert};
use crate::Error;

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
        self.starting_at(self.sequence()?)
    }

    /// The one of this number, or the next after it, as numbers may be left out: whoever missed it
    /// needs it to believe the next one.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::RecordInvalid`].
    pub(crate) fn starting_at(&self, sequence: u64) -> Result<Option<SignedBundle>, Error> {
        let found = self
            .connection
            .prepare_cached(
                "SELECT bundle, signatures FROM trust_bundle WHERE sequence >= ?1
                 ORDER BY sequence LIMIT 1",
            )?
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

    /// Whether this very one was taken in before.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn holds(&self, signed: &SignedBundle) -> Result<bool, Error> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM trust_bundle WHERE bundle = ?1 AND signatures = ?2)",
            )?
            .query_one([&signed.bundle, &encode(&signed.signatures)], |row| {
                row.get(0)
            })?)
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

    /// The number of the next one. After a restoration it is the time or the epoch, whichever is later, so
    /// that it is ahead of all that were signed since the backup, also if the same backup was restored
    /// before or a clock was ahead then ([`Status::jump`]).
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::RecordInvalid`].
    pub(crate) fn next_number(&self, now: UnixTime) -> Result<u64, Error> {
        let next = self.sequence()?.saturating_add(1);
        Ok(match self.may_be_behind()? {
            true => next
                .max(now.as_secs())
                .max(Status::on(self.connection).epoch()?),
            false => next,
        })
    }

    /// Writes down that this is the database of a backup, or that others know of a later one.
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

    /// Hands out this one from now on.
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
    fn the_first_bundle_after_a_restoration_is_ahead_of_all_signed_since_the_backup() {
        let (_dir, store) = temporary();
        let day = convert::time(1_800_000_000).unwrap();
        let next_day = convert::time(1_800_086_400).unwrap();
        let bundle = SignedBundle {
            bundle: String::new(),
            signatures: Vec::new(),
        };
        store
            .write_blocking(move |records| {
                let bundles = records.bundles();
                bundles.replace(1, &bundle)?;
                let next =
                    |now| Ok::<_, Error>((bundles.may_be_behind()?, bundles.next_number(now)?));
                assert_eq!(next(day)?, (false, 2));
                bundles.restored()?;
                assert_eq!(next(day)?, (true, 1_800_000_000));
                // The same backup once more, a day later: ahead of what was signed in between.
                assert_eq!(next(next_day)?, (true, 1_800_086_400));
                bundles.replace(1_800_086_400, &bundle)?;
                assert_eq!(next(next_day)?, (false, 1_800_086_401));
                bundles.restored()?;
                assert_eq!(next(day)?, (true, 1_800_086_401), "a clock that is behind");
                // What the epoch reaches after a clock that was ahead.
                let status = records.status();
                status.go_beyond(1_900_000_000_000_000, std::time::Duration::ZERO)?;
                assert_eq!(next(day)?, (true, 1_900_000_000_000_001));
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
                assert_eq!(
                    bundles.starting_at(1)?,
                    Some(bundle("second")),
                    "1 is left out"
                );
                bundles.replace(3, &bundle("third"))?;
                assert_eq!(bundles.sequence()?, 3);
                assert_eq!(bundles.starting_at(2)?, Some(bundle("second")));
                assert_eq!(bundles.starting_at(4)?, None);
                Ok(())
            })
            .unwrap();
    }
}
