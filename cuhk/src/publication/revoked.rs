//! The revoked certificates in memory, so that the next list is made from what has changed since
//! the last one.

use std::collections::BTreeMap;
use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_certs::{Issuer, RevokedEntry, Serial};

use crate::Error;
use crate::store::{Records, RevokedRow, Tally};
use crate::time::later;

/// After so long all of them are read again, as at a start: what was altered on disk meanwhile is
/// told then, and was never listed.
const READ_AGAIN: Duration = Duration::from_secs(12 * 60 * 60);

/// Every certificate that is revoked.
#[derive(Debug, Default)]
pub(crate) struct RevokedCertificates {
    rows: BTreeMap<Serial, RevokedRow>,
    tally: Tally,
    seen: Option<Seen>,
}

/// What they are up to date with.
#[derive(Debug, Clone, Copy)]
struct Seen {
    /// The number of the last change.
    change: u64,
    /// When all were read.
    read_at: UnixTime,
}

impl RevokedCertificates {
    /// As the records have them now: with what changed, or read anew where only that can tell.
    ///
    /// # Errors
    ///
    /// [`Error::RecordInvalid`] if a row was altered or a revocation was lost; [`Error::Storage`].
    pub(crate) fn updated(self, records: &Records<'_>, now: UnixTime) -> Result<Self, Error> {
        let (change, tally) = records.revocations().last()?;
        let mut updated = self.with_changes(records, now)?;
        if updated.tally != tally {
            return Err(Error::RecordInvalid { what: "revocation" });
        }
        let read_at = updated.seen.map_or(now, |seen| seen.read_at);
        updated.seen = Some(Seen { change, read_at });
        Ok(updated)
    }

    /// What the list of an issuer names: what it issued that ends at or after `since`.
    pub(crate) fn listed_by(&self, issuer: &Issuer, since: UnixTime) -> Vec<RevokedEntry> {
        let rows = self.rows.values();
        let listed = rows.filter(|row| row.not_after >= since && row.is_listed_by(issuer));
        listed.map(|row| row.entry.clone()).collect()
    }

    fn with_changes(mut self, records: &Records<'_>, now: UnixTime) -> Result<Self, Error> {
        let young = |seen: &Seen| now.as_secs() < later(seen.read_at, READ_AGAIN).as_secs();
        let changed = match self.seen.filter(young) {
            Some(seen) => records.revocations().changed_after(seen.change)?,
            None => None,
        };
        let Some(changed) = changed else {
            return Self::read(records);
        };
        for serial in changed {
            let row = records.revocations().find(&serial)?;
            self.replace(&serial, row);
        }
        Ok(self)
    }

    fn read(records: &Records<'_>) -> Result<Self, Error> {
        let mut all = Self::default();
        for row in records.revocations().all()? {
            let serial = row.entry.serial;
            all.replace(&serial, Some(row));
        }
        Ok(all)
    }

    fn replace(&mut self, serial: &Serial, row: Option<RevokedRow>) {
        if let Some(before) = self.rows.remove(serial) {
            self.tally.remove(&before.checksum);
        }
        if let Some(row) = row {
            self.tally.add(&row.checksum);
            self.rows.insert(*serial, row);
        }
    }
}

#[cfg(test)]
mod tests;
