//! The epoch: one number that grows with every change of anybody's status.

use std::time::Duration;

use rusqlite::Connection;
use rustls_pki_types::UnixTime;

use super::convert;
use crate::Error;

/// Epochs for each second since 1970: after a backup was restored they go on at the one that the
/// moment has. Nobody changes so much, so that the next time the same backup is restored is beyond
/// all that was used since this time. Below 2^53, which JSON carries, until 2255.
const PER_SECOND: u64 = 1_000_000;

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

    /// Goes on to the epoch of this moment, counted since 1970: beyond all that may have been used
    /// since an old backup was made, also after it was restored before.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn jump(&self, moment: Duration) -> Result<u64, Error> {
        let microseconds = u64::from(moment.subsec_micros());
        let seconds = moment.as_secs().saturating_mul(PER_SECOND);
        self.reach(seconds.saturating_add(microseconds))
    }

    /// Goes on to the next epoch: one more, or the time in seconds if that is later, so that
    /// an old backup does not use an epoch again.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn advance(&self, now: UnixTime) -> Result<u64, Error> {
        self.reach(now.as_secs())
    }

    fn reach(&self, least: u64) -> Result<u64, Error> {
        let next = self.epoch()?.saturating_add(1).max(least);
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

    #[test]
    fn what_is_restored_twice_is_beyond_all_that_was_used_in_between() {
        let (_dir, store) = temporary();
        let moment = |millis: u64| Duration::from_millis(1_795_000_000_000 + millis);
        let now = convert::time(1_795_000_000).unwrap();
        store
            .write_blocking(move |records| {
                let status = records.status();
                let backup = status.advance(now)?;
                let mut last = status.jump(moment(0))?;
                for _ in 0..500 {
                    last = status.advance(now)?;
                }
                let sql = "UPDATE status SET epoch = ?1";
                let again = [convert::integer(backup)];
                records.connection.execute(sql, again)?;
                assert!(status.jump(moment(1))? > last);
                assert!(last < 1 << 53, "JSON carries no more");
                // A clock that went back brings nothing back.
                let before = status.epoch()?;
                assert_eq!(status.jump(Duration::from_secs(1))?, before + 1);
                Ok(())
            })
            .unwrap();
    }
}
