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
    /// When somebody said that it is right and the records are of a clock that was ahead, as long as these
    /// are not overtaken.
    pub(crate) corrected_at: Option<UnixTime>,
}

impl Trust {
    /// Whether nothing but `trusted` says how late it was when the clock was right.
    pub(crate) fn is_all(&self) -> bool {
        self.is_doubted || self.corrected_at.is_some()
    }
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
        let row: Option<(i64, bool, Option<i64>)> = self
            .connection
            .prepare_cached(
                "SELECT trusted, doubted_at IS NOT NULL, corrected_at FROM clock_trust WHERE id = 1",
            )?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        row.map(|(trusted, is_doubted, corrected_at)| {
            Ok(Trust {
                trusted: convert::time(trusted)?,
                is_doubted,
                corrected_at: corrected_at.map(convert::time).transpose()?,
            })
        })
        .transpose()
    }

    /// Notes that the clock is right, and since when it is known that the records are not.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn vouch(
        &self,
        trusted: UnixTime,
        corrected_at: Option<UnixTime>,
    ) -> Result<(), Error> {
        self.connection
            .prepare_cached(
                "INSERT OR REPLACE INTO clock_trust (id, trusted, doubted_at, corrected_at)
                 VALUES (1, ?1, NULL, ?2)",
            )?
            .execute(params![
                convert::seconds(trusted),
                corrected_at.map(convert::seconds)
            ])?;
        Ok(())
    }

    /// Notes that the clock says `now`, far after the last time at which it was believed: `trusted`, or
    /// what was noted with a doubt that there is already.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn doubt(&self, trusted: UnixTime, now: UnixTime) -> Result<(), Error> {
        self.connection
            .prepare_cached(
                "INSERT INTO clock_trust (id, trusted, doubted_at) VALUES (1, ?1, ?2)
                 ON CONFLICT (id) DO UPDATE SET
                     trusted = iif(doubted_at IS NULL, excluded.trusted, trusted),
                     doubted_at = excluded.doubted_at",
            )?
            .execute(params![convert::seconds(trusted), convert::seconds(now)])?;
        Ok(())
    }
}
