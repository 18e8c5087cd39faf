//! The epoch: one number that grows with every change of anybody's status.

use std::time::Duration;

use rusqlite::Connection;
use rustls_pki_types::UnixTime;

use super::convert;
use crate::Error;
use crate::time::later;

/// How many epochs are left out after a backup was restored; one passes in a second.
const JUMP: Duration = Duration::from_secs(1 << 20);

/// The status epoch.
#[derive(Debug)]
pub struct Status<'a> {
    connection: &'a Connection,
}

impl<'a> Status<'a> {
    pub(super) fn on(connection: &'a Connection) -> Self {
        Self { connection }
    }

    /// The epoch of the last change.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn epoch(&self) -> Result<u64, Error> {
        let epoch = self
            .connection
            .prepare_cached("SELECT epoch FROM status WHERE id = 1")?
            .query_one([], |row| row.get(0))?;
        convert::number(epoch)
    }

    /// The latest time at which anything was recorded: a student, a code, a certificate or a
    /// revocation.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn last_recorded(&self) -> Result<Option<UnixTime>, Error> {
        let last: Option<i64> = self
            .connection
            .prepare_cached(
                // Each by an index; the greatest of several values is null if one of them is.
                "SELECT nullif(max(
                     coalesce((SELECT max(added_at) FROM student), -1),
                     coalesce((SELECT max(issued_at) FROM enrolment_code), -1),
                     coalesce((SELECT max(recorded_at) FROM certificate), -1),
                     coalesce((SELECT max(revoked_at) FROM certificate
                               WHERE revoked_at IS NOT NULL), -1)), -1)",
            )?
            .query_one([], |row| row.get(0))?;
        last.map(convert::time).transpose()
    }

    /// Goes on to an epoch, as [`Status::advance`] does, and a million further: beyond all that
    /// may have been used since an old backup was made, also if there were many in a second.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn jump(&self, now: UnixTime) -> Result<u64, Error> {
        self.advance(later(now, JUMP))
    }

    /// Goes on to the next epoch: one more, or the time in seconds if that is later, so that
    /// an old backup does not use an epoch again.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn advance(&self, now: UnixTime) -> Result<u64, Error> {
        let next = self.epoch()?.saturating_add(1).max(now.as_secs());
        self.connection
            .prepare_cached("UPDATE status SET epoch = ?1 WHERE id = 1")?
            .execute([convert::integer(next)])?;
        Ok(next)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::store::temporary;

    #[test]
    fn knows_when_something_was_last_recorded() {
        let (_dir, store) = temporary();
        store
            .write_blocking(|records| {
                assert_eq!(records.status().last_recorded()?, None);
                let (first, second) = (convert::time(1000)?, convert::time(2000)?);
                let subject = "1155000001".parse().unwrap();
                records.codes().add(&[1; 32], &subject, second, second)?;
                records.codes().add(&[2; 32], &subject, first, second)?;
                assert_eq!(records.status().last_recorded()?, Some(second));
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn grows_with_the_clock_and_without_it() {
        let (_dir, store) = temporary();
        let advance = |seconds| {
            let now = convert::time(seconds).unwrap();
            store
                .write_blocking(move |records| records.status().advance(now))
                .unwrap()
        };
        assert_eq!(advance(1000), 1000);
        assert_eq!(advance(1000), 1001);
        assert_eq!(advance(500), 1002, "a clock set back");
        assert_eq!(advance(2000), 2000);
        assert_eq!(
            store
                .read_blocking(|records| records.status().epoch())
                .unwrap(),
            2000
        );
    }
}
