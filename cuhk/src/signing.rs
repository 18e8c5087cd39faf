//! Turning a recorded intent into a certificate. Nothing is signed that is not recorded.

use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, Chain, Issuer, PublicKey, Serial, Validities, leaf_validity};
use scb_protocol::{Code, Refusal, Step};

use crate::config::Config;
use crate::fault::Faults;
use crate::issuers::Issuers;
use crate::store::{CertificateRecord, CrlSigner, Intent, Profile, Service, Store};
use crate::{Error, Subject};

/// Signs certificates with the issuing authorities' keys. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Signing {
    pub(crate) store: Store,
    pub(crate) issuers: Arc<Issuers>,
    pub(crate) config: Arc<Config>,
    pub(crate) faults: Faults,
}

impl Signing {
    /// A new certificate as it is going to be: with a serial number, beginning now.
    pub(crate) fn intent(
        &self,
        subject: Subject,
        profile: Profile,
        key: &PublicKey,
        now: UnixTime,
    ) -> Result<Intent, Error> {
        Ok(Intent {
            serial: Serial::random()?,
            subject,
            profile,
            public_key: key.fingerprint(),
            validity: leaf_validity(now, lifetime(profile), self.issuer(profile).certificate()),
        })
    }

    /// The chain of a recorded certificate. If only its intent is recorded, it is signed now,
    /// with the serial number and validity recorded, and stored before this returns.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] if it was revoked meanwhile; [`Error::Certificates`],
    /// [`Error::Storage`].
    pub(crate) async fn finish(
        &self,
        record: CertificateRecord,
        key: &PublicKey,
        service: Option<&Service>,
    ) -> Result<Chain, Error> {
        let issuer = self.issuer(record.intent.profile);
        if let Some(certificate) = record.certificate {
            return chain(certificate, issuer);
        }
        let signed = self.sign(&record.intent, key, service)?;
        let record = self
            .store
            .write(move |records| records.certificates().record(&signed))
            .await?;
        match record.certificate {
            Some(certificate) if record.revocation.is_none() => chain(certificate, issuer),
            _ => Err(Refusal::new(Code::CertificateRevoked, Step::Two).into()),
        }
    }

    fn sign(
        &self,
        intent: &Intent,
        key: &PublicKey,
        service: Option<&Service>,
    ) -> Result<Certificate, Error> {
        let Issuers {
            students, services, ..
        } = self.issuers.as_ref();
        let Intent {
            serial, validity, ..
        } = intent;
        let chain = match (&intent.subject, intent.profile, service) {
            (Subject::Student(sid), Profile::Student, None) => {
                let urls = self.config.urls(CrlSigner::Students);
                students.issue_student(sid, key, serial, validity, &urls)?
            }
            (Subject::Service(name), Profile::Service, Some(service)) => {
                let urls = self.config.urls(CrlSigner::Services);
                let Service {
                    dns_names,
                    ip_addresses,
                    ..
                } = service;
                services.issue_service(
                    name,
                    key,
                    serial,
                    validity,
                    dns_names,
                    ip_addresses,
                    &urls,
                )?
            }
            (Subject::Service(_), Profile::TokenSigner, None) => {
                let urls = self.config.urls(CrlSigner::Services);
                services.issue_token_signer(key, serial, validity, &urls)?
            }
            _ => return Err(Error::RecordInvalid { what: "profile" }),
        };
        Ok(chain.leaf().clone())
    }

    pub(crate) fn issuer(&self, profile: Profile) -> &Issuer {
        match profile {
            Profile::Student => &self.issuers.students,
            Profile::Service | Profile::TokenSigner => &self.issuers.services,
        }
    }
}

fn lifetime(profile: Profile) -> Duration {
    match profile {
        Profile::Student => Validities::STUDENT_LIFETIME,
        Profile::Service | Profile::TokenSigner => Validities::SERVICE_LIFETIME,
    }
}

fn chain(certificate: Certificate, issuer: &Issuer) -> Result<Chain, Error> {
    Ok(Chain::new(vec![certificate, issuer.certificate().clone()])?)
}
