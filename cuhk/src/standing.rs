//! How a service stands: with a certificate that counts, or since when without.

use rustls_pki_types::UnixTime;
use scb_certs::{RevocationReason, ServiceName};

use crate::store::{Intent, Records};
use crate::{Error, Subject};

/// How a service stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Its newest certificate that counts.
    Certified(Intent),
    /// None counts any more.
    Ended {
        /// Since when.
        at: UnixTime,
        /// Why the last one was revoked, if it was.
        reason: Option<RevocationReason>,
    },
    /// There is no record of any.
    Never,
}

impl Standing {
    /// How this service stands now.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn of(
        records: &Records<'_>,
        service: &ServiceName,
        now: UnixTime,
    ) -> Result<Self, Error> {
        let subject = Subject::Service(service.clone());
        let certificates = records.certificates();
        if let Some(newest) = certificates.live(&subject, now)?.pop() {
            return Ok(Self::Certified(newest.intent));
        }
        let ended = certificates.of(&subject)?.into_iter().map(|record| {
            let end = record.intent.validity.not_after;
            match record.revocation {
                Some(revoked) if revoked.at < end => (revoked.at, Some(revoked.reason)),
                _ => (end, None),
            }
        });
        let last = ended.max_by_key(|(at, _)| *at);
        Ok(last.map_or(Self::Never, |(at, reason)| Self::Ended { at, reason }))
    }
}
