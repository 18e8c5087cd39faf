//! The epoch: one number that grows with every change of anybody's status.

use rusqlite::Connection;
use rustls_pki_types::UnixTime;

use super::convert;
use crate::Error;

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
