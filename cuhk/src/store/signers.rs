//! CUHK's signers of tokens: which one signs, and which have retired.

use rusqlite::{Connection, OptionalExtension, params};
use rustls_pki_types::UnixTime;
use scb_certs::{Serial, ServiceName};

use super::{CertificateRecord, Certificates, Profile, convert};
use crate::{Error, Subject};

/// A certificate for signing tokens, and since when it signs no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSigner {
    /// The certificate.
    pub record: CertificateRecord,
    /// When another one took its place.
    pub retired_at: Option<UnixTime>,
}

impl TokenSigner {
    /// Whether it may sign.
    pub fn is_active(&self, now: UnixTime) -> bool {
        self.retired_at.is_none() && self.record.is_live(now)
    }
}

/// The signers of tokens.
#[derive(Debug)]
pub struct TokenSigners<'a> {
    connection: &'a Connection,
}

impl<'a> TokenSigners<'a> {
    pub(super) fn on(connection: &'a Connection) -> Self {
        Self { connection }
    }

    /// All there ever were, oldest first.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::RecordInvalid`].
    pub fn all(&self) -> Result<Vec<TokenSigner>, Error> {
        let own = Subject::Service(ServiceName::cuhk());
        let mut records = Certificates::on(self.connection).of(&own)?;
        records.retain(|record| record.intent.profile == Profile::TokenSigner);
        let with_retirement = |record: CertificateRecord| {
            let retired_at = self.retired_at(&record.intent.serial)?;
            Ok(TokenSigner { record, retired_at })
        };
        records.into_iter().map(with_retirement).collect()
    }

    /// Since when this one signs no more.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn retired_at(&self, serial: &Serial) -> Result<Option<UnixTime>, Error> {
        let at: Option<i64> = self
            .connection
            .prepare_cached("SELECT retired_at FROM signer_retirement WHERE serial = ?1")?
            .query_row([serial.as_bytes()], |row| row.get(0))
            .optional()?;
        at.map(convert::time).transpose()
    }

    /// Retires every one that may sign now, except `successor`; answers how many.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn retire(&self, successor: Option<&Serial>, now: UnixTime) -> Result<usize, Error> {
        let mut retired = 0;
        for signer in self.all()? {
            let serial = &signer.record.intent.serial;
            if signer.is_active(now) && Some(serial) != successor {
                self.connection
                    .prepare_cached(
                        "INSERT INTO signer_retirement (serial, retired_at) VALUES (?1, ?2)",
                    )?
                    .execute(params![serial.as_bytes(), convert::seconds(now)])?;
                retired += 1;
            }
        }
        Ok(retired)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_certs::{Fingerprint, RevocationReason, Validity};

    use super::*;
    use crate::store::{Intent, Records, Revocation, temporary};

    fn signer(records: &Records<'_>, now: UnixTime) -> Serial {
        let serial = Serial::random().unwrap();
        let intent = Intent {
            serial,
            subject: Subject::Service(ServiceName::cuhk()),
            profile: Profile::TokenSigner,
            public_key: Fingerprint::of(serial.as_bytes()),
            validity: Validity {
                not_before: now,
                not_after: convert::time(5000).unwrap(),
            },
        };
        records.certificates().intend(&intent, now).unwrap();
        serial
    }

    fn active(records: &Records<'_>, now: UnixTime) -> Vec<Serial> {
        let all = records.signers().all().unwrap();
        let active = all.iter().filter(|signer| signer.is_active(now));
        active.map(|signer| signer.record.intent.serial).collect()
    }

    #[test]
    fn only_the_successor_goes_on_signing() {
        let (_dir, store) = temporary();
        let now = convert::time(1000).unwrap();
        store
            .write_blocking(move |records| {
                let (first, second) = (signer(records, now), signer(records, now));
                assert_eq!(active(records, now), [first, second]);
                assert_eq!(records.signers().retire(Some(&second), now)?, 1);
                assert_eq!(active(records, now), [second]);
                assert_eq!(records.signers().retired_at(&first)?, Some(now));
                assert_eq!(records.signers().retire(Some(&second), now)?, 0);
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn what_was_revoked_or_has_ended_signs_nothing_and_retires_no_more() {
        let (_dir, store) = temporary();
        let now = convert::time(1000).unwrap();
        store
            .write_blocking(move |records| {
                let serial = signer(records, now);
                let revocation = Revocation {
                    at: now,
                    reason: RevocationReason::KeyCompromise,
                    invalid_since: None,
                };
                assert!(active(records, convert::time(5001)?).is_empty());
                records.certificates().revoke(&serial, &revocation)?;
                assert!(active(records, now).is_empty());
                assert_eq!(records.signers().retire(None, now)?, 0);
                Ok(())
            })
            .unwrap();
    }
}
