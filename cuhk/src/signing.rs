//! Turning a recorded intent into a certificate. Nothing is signed that is not recorded.

use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, Chain, PublicKey, Serial, Validities, leaf_validity};
use scb_protocol::{Code, Refusal, Step};

use crate::config::Config;
use crate::fault::Faults;
use crate::issuers::{Issuing, KeyRing};
use crate::store::{CertificateRecord, Intent, Profile, Records, Service, Store};
use crate::{Error, Subject};

/// Signs certificates with the issuing authorities' keys. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Signing {
    pub(crate) store: Store,
    pub(crate) issuers: KeyRing,
    pub(crate) config: Arc<Config>,
    pub(crate) faults: Faults,
}

impl Signing {
    /// A new certificate as it is going to be: with a serial number, beginning now.
    ///
    /// # Errors
    ///
    /// [`Error::AuthorityEnded`] if nothing can be issued any more; [`Error::Certificates`].
    pub(crate) fn intent(
        &self,
        subject: Subject,
        profile: Profile,
        key: &PublicKey,
        now: UnixTime,
    ) -> Result<Intent, Error> {
        Self::intent_by(&self.issuing(profile), subject, profile, key, now)
    }

    /// [`Signing::intent`], of a certificate of this authority.
    ///
    /// # Errors
    ///
    /// As for [`Signing::intent`].
    pub(crate) fn intent_by(
        issuing: &Issuing,
        subject: Subject,
        profile: Profile,
        key: &PublicKey,
        now: UnixTime,
    ) -> Result<Intent, Error> {
        let authority = issuing.issuer.certificate();
        if authority.not_after() <= now {
            return Err(Error::AuthorityEnded {
                signer: issuing.signer,
                ended: authority.not_after(),
            });
        }
        Ok(Intent {
            serial: Serial::random()?,
            subject,
            profile,
            public_key: key.fingerprint(),
            validity: leaf_validity(now, lifetime(profile), authority),
        })
    }

    /// The chain of a recorded certificate. If only its intent is recorded, it is signed now,
    /// with the serial number and validity recorded, and stored and entered in the log before
    /// this returns.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] if it was revoked meanwhile, or `busy` if its authority was withdrawn: the
    /// same request leads to a certificate of the next one. [`Error::Certificates`],
    /// [`Error::Storage`].
    pub(crate) async fn finish(
        &self,
        record: CertificateRecord,
        key: &PublicKey,
        service: Option<&Service>,
    ) -> Result<Chain, Error> {
        let issuing = self.issuing(record.intent.profile);
        self.finish_by(&issuing, record, key, service).await
    }

    /// [`Signing::finish`], by this authority.
    ///
    /// # Errors
    ///
    /// As for [`Signing::finish`].
    pub(crate) async fn finish_by(
        &self,
        issuing: &Issuing,
        record: CertificateRecord,
        key: &PublicKey,
        service: Option<&Service>,
    ) -> Result<Chain, Error> {
        if let Some(certificate) = record.certificate {
            return self.chain(certificate);
        }
        #[cfg(test)]
        crate::tests::panics::before_signing(&record.intent.subject);
        let signed = self.sign(issuing, &record.intent, key, service)?;
        let record = self
            .store
            .write(move |records| record_signed(records, &signed))
            .await?;
        match record.certificate {
            Some(certificate) if record.revocation.is_none() => self.chain(certificate),
            _ => Err(Refusal::new(Code::CertificateRevoked, Step::Two).into()),
        }
    }

    fn sign(
        &self,
        Issuing { signer, issuer }: &Issuing,
        intent: &Intent,
        key: &PublicKey,
        service: Option<&Service>,
    ) -> Result<Certificate, Error> {
        let urls = self.config.urls(*signer);
        let Intent {
            serial, validity, ..
        } = intent;
        let chain = match (&intent.subject, intent.profile, service) {
            (Subject::Student(sid), Profile::Student, None) => {
                issuer.issue_student(sid, key, serial, validity, &urls)?
            }
            (Subject::Service(name), Profile::Service, Some(service)) => {
                let Service {
                    dns_names,
                    ip_addresses,
                    ..
                } = service;
                issuer.issue_service(name, key, serial, validity, dns_names, ip_addresses, &urls)?
            }
            (Subject::Service(_), Profile::TokenSigner, None) => {
                issuer.issue_token_signer(key, serial, validity, &urls)?
            }
            _ => return Err(Error::RecordInvalid { what: "profile" }),
        };
        Ok(chain.leaf().clone())
    }

    /// Who issues certificates of this kind now.
    pub(crate) fn issuing(&self, profile: Profile) -> Arc<Issuing> {
        let issuers = self.issuers.current();
        match profile {
            Profile::Student => Arc::clone(&issuers.students),
            Profile::Service | Profile::TokenSigner => Arc::clone(&issuers.services),
        }
    }

    /// A certificate and its issuer's, which need not issue any more.
    fn chain(&self, certificate: Certificate) -> Result<Chain, Error> {
        let issuers = self.issuers.current();
        let issuer = issuers.of(&certificate).ok_or(Error::RecordInvalid {
            what: "certificate",
        })?;
        let issuer = issuer.certificate().clone();
        Ok(Chain::new(vec![certificate, issuer])?)
    }
}

/// Nothing comes of an authority that was withdrawn while it signed. Another issues in a moment.
fn record_signed(records: &Records<'_>, signed: &Certificate) -> Result<CertificateRecord, Error> {
    if records.authorities().is_of_withdrawn(signed)? {
        return Err(Refusal::new(Code::Busy, Step::Two).retry_after(1).into());
    }
    records.certificates().record(signed)
}

fn lifetime(profile: Profile) -> Duration {
    match profile {
        Profile::Student => Validities::STUDENT_LIFETIME,
        Profile::Service | Profile::TokenSigner => Validities::SERVICE_LIFETIME,
    }
}
