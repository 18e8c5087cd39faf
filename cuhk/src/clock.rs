//! Whether this machine's clock is behind what the records have seen.

use std::time::Duration;

use rustls_pki_types::UnixTime;

use crate::Error;
use crate::store::{CrlSigner, Records};
use crate::time::later;

/// So far the clock may be behind the records: two machines' clocks, a little apart.
const TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// Whether somebody has vouched for this machine's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClockCheck {
    /// It must not be behind the records.
    AgainstRecords,
    /// It is right, and was ahead when they were written.
    Waived,
}

impl ClockCheck {
    /// Refuses a clock that is behind the latest time known by more than five minutes, unless
    /// somebody has vouched for it.
    ///
    /// # Errors
    ///
    /// [`Error::ClockSetBack`].
    pub(crate) fn check(self, last: Option<UnixTime>, now: UnixTime) -> Result<(), Error> {
        match (self, last) {
            (Self::AgainstRecords, Some(last)) if last > later(now, TOLERANCE) => {
                Err(Error::ClockSetBack { last, now })
            }
            _ => Ok(()),
        }
    }
}

/// The latest time at which anything was recorded or the root has signed a list.
///
/// # Errors
///
/// [`Error::Storage`], [`Error::RecordInvalid`].
pub(crate) fn last_seen(records: &Records<'_>) -> Result<Option<UnixTime>, Error> {
    let recorded = records.status().last_recorded()?;
    let list = records.lists().find(CrlSigner::ROOT)?;
    Ok(recorded.max(list.map(|list| list.crl.this_update())))
}

/// Refuses a clock that was set back by more than five minutes: what has ended would count again,
/// and what is written down or signed now would be over before it began.
///
/// # Errors
///
/// [`Error::ClockSetBack`], [`Error::Storage`], [`Error::RecordInvalid`].
pub(crate) fn check(records: &Records<'_>, now: UnixTime) -> Result<(), Error> {
    ClockCheck::AgainstRecords.check(last_seen(records)?, now)
}
