//! Certificates of before a restoration: whoever renewed between the backup and that has another one, of which
//! nothing is known here, and no key any more for the one that is.

use rusqlite::params;
use rustls_pki_types::UnixTime;

use super::{Certificates, convert};
use crate::{Error, Subject};

/// The holder's key counts as it did: there was no restoration, a certificate is from after it, or a service
/// was told since that one of before is active.
const USED: i64 = 0;
const UNSEEN: i64 = 1;

/// By the subject's index, whatever others did.
const HOLD: &str = "
    SELECT CASE
        WHEN NOT EXISTS (SELECT 1 FROM restoration) THEN 0
        WHEN EXISTS (SELECT 1 FROM certificate, restoration AS since
            WHERE certificate.subject = ?1 AND certificate.rowid > since.certificates AND not_after >= ?2
              AND (revoked_at IS NULL OR reason = ?3)) THEN 0
        WHEN EXISTS (SELECT 1 FROM log_entry, restoration AS since
            WHERE log_entry.subject = ?1 AND number >= since.entries
              AND json_extract(content, '$.inactive') = 'unknown') THEN 2
        WHEN EXISTS (SELECT 1 FROM log_entry, restoration AS since
            WHERE log_entry.subject = ?1 AND number >= since.entries
              AND json_extract(content, '$.asker') IS NOT NULL
              AND json_extract(content, '$.inactive') IS NULL) THEN 0
        ELSE 1 END";

/// What is known of the keys for somebody's certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    /// Nothing speaks against that they are where they were.
    Undoubted,
    /// The certificates are from before a restoration, and no service has asked about one since.
    Unseen,
    /// A service has asked, since a restoration, about one that is not in the records.
    Lost,
}

impl Certificates<'_> {
    /// Writes down that the database is one that was restored just now.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn note_restoration(&self) -> Result<(), Error> {
        self.connection.execute(
            "INSERT OR REPLACE INTO restoration (id, certificates, entries) SELECT 1,
                 (SELECT coalesce(max(rowid), 0) FROM certificate),
                 (SELECT coalesce(max(number) + 1, 0) FROM log_entry)",
            [],
        )?;
        Ok(())
    }

    /// Whether somebody who has a certificate has its key, as far as this is known.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn hold(&self, subject: &Subject, now: UnixTime) -> Result<Hold, Error> {
        let on_hold = scb_certs::RevocationReason::CertificateHold.as_str();
        let found: i64 = self.connection.prepare_cached(HOLD)?.query_row(
            params![subject.to_string(), convert::seconds(now), on_hold],
            |row| row.get(0),
        )?;
        Ok(match found {
            USED => Hold::Undoubted,
            UNSEEN => Hold::Unseen,
            _ => Hold::Lost,
        })
    }
}
