//! Whether this machine's clock is believed.

use rusqlite::{Connection, OptionalExtension, params};
use rustls_pki_types::UnixTime;

use super::convert;
use crate::Error;

/// What is known of this machine's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trust {
    /// The last time at which it was believed.
    pub(crate) trusted: UnixTime,
    /// Whether it was found far ahead since.
    pub(crate) is_doubted: bool,
}

/// Whether this machine's clock is believed.
#[derive(Debug)]
pub(crate) struct ClockTrust<'a> {
    connection: &'a Connection,
}

impl<'a> ClockTrust<'a> {
    pub(super) fn on(connection: &'a Connection) -> Self {
        Self { connection }
    }

    /// What is known; nothing as long as it was never in doubt.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::RecordInvalid`].
    pub(crate) fn find(&self) -> Result<Option<Trust>, Error> {
        let row: Option<(i64, bool)> = self
            .connection
            .prepare_cached("SELECT trusted, doubted_at IS NOT NULL FROM clock_trust WHERE id = 1")?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        row.map(|(trusted, is_doubted)| {
            Ok(Trust {
                trusted: convert::time(trusted)?,
                is_doubted,
            })
        })
        .transpose()
    }

    /// Notes that the clock is right.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn vouch(&self, now: UnixTime) -> Result<(), Error> {
        self.note(now, None)
    }

    /// Notes that the clock says `now`, far after the last time at which it was believed.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn doubt(&self, trusted: UnixTime, now: UnixTime) -> Result<(), Error> {
        self.note(trusted, Some(now))
    }

    fn note(&self, trusted: UnixTime, doubted_at: Option<UnixTime>) -> Result<(), Error> {
        self.connection
            .prepare_cached(
                "INSERT OR REPLACE INTO clock_trust (id, trusted, doubted_at) VALUES (1, ?1, ?2)",
            )?
            .execute(params![
                convert::seconds(trusted),
                doubted_at.map(convert::seconds)
            ])?;
        Ok(())
    }
}
