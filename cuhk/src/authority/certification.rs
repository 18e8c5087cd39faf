//! Certificates and identity tokens: for a code, for the certificate before, and as long as that counts.

use std::time::Duration;

use scb_certs::{
    Certificate, Chain, Fingerprint, PublicKey, ServiceName, StudentId, VerifiedRequest,
    VerifiedService, VerifiedStudent,
};
use scb_protocol::{CertificateHolder, Code, EnrolmentCode, Refusal, Step, TokenRequest};

use super::Authority;
use crate::issuance::{self, Claim, Renewal, StudentRenewal};
use crate::store::{CertificateRecord, Profile, Service};
use crate::{Error, Subject};

/// A student's certificate and token.
pub(crate) struct Enrolled {
    pub(crate) certified: Certified,
    pub(crate) token: String,
}

/// What a code led to.
pub(crate) struct Certified {
    pub(crate) chain: Chain,
    /// An earlier request had led to it already.
    pub(crate) before: bool,
}

impl Authority {
    /// A student's first certificate, for a code.
    pub(crate) async fn enrol(
        &self,
        sid: &StudentId,
        code: &EnrolmentCode,
        request: &VerifiedRequest,
    ) -> Result<Enrolled, Error> {
        let subject = Subject::Student(sid.clone());
        let certified = self
            .claim(&subject, code, request, Profile::Student, None)
            .await?;
        let token = self.token(&subject, certified.chain.leaf())?;
        Ok(Enrolled { certified, token })
    }

    /// A service's first certificate, for a code.
    pub(crate) async fn enrol_service(
        &self,
        name: &ServiceName,
        code: &EnrolmentCode,
        request: &VerifiedRequest,
    ) -> Result<Certified, Error> {
        let subject = Subject::Service(name.clone());
        let service = self.service(name).await?;
        self.claim(&subject, code, request, Profile::Service, service.as_ref())
            .await
    }

    /// A service's next certificate, for its present one.
    pub(crate) async fn renew_service(
        &self,
        asker: &VerifiedService,
        request: &VerifiedRequest,
    ) -> Result<Certified, Error> {
        let now = self.now();
        let key = request.public_key();
        let subject = Subject::Service(asker.name().clone());
        let Some(service) = self.service(asker.name()).await? else {
            return Err(Refusal::new(Code::NotPermitted, Step::Two).into());
        };
        let renewal = Renewal {
            presented: asker.certificate().fingerprint(),
            wanted: self.signing.intent(subject, Profile::Service, key, now)?,
            now,
        };
        let record = self
            .store()
            .write(move |records| issuance::renew(records, &renewal))
            .await?;
        self.finish(record, key, Some(&service)).await
    }

    /// A student's next certificate, for the present one, which opened the connection.
    pub(crate) async fn renew_student(
        &self,
        asker: &VerifiedStudent,
        request: &VerifiedRequest,
    ) -> Result<Enrolled, Error> {
        let presented = asker.certificate().fingerprint();
        self.renew(asker.sid(), presented, request, Duration::ZERO)
            .await
    }

    /// A student's next certificate, for one that has ended, whose key signed the request.
    pub(crate) async fn renew_expired(
        &self,
        holder: &CertificateHolder,
        request: &VerifiedRequest,
    ) -> Result<Enrolled, Error> {
        let grace = self.signing.config.renewal_grace();
        self.renew(holder.sid(), *holder.certificate(), request, grace)
            .await
    }

    async fn renew(
        &self,
        sid: &StudentId,
        presented: Fingerprint,
        request: &VerifiedRequest,
        grace: Duration,
    ) -> Result<Enrolled, Error> {
        let now = self.now();
        let key = request.public_key();
        let subject = Subject::Student(sid.clone());
        let wanted = self
            .signing
            .intent(subject.clone(), Profile::Student, key, now)?;
        let renewal = StudentRenewal {
            presented,
            wanted,
            now,
            grace,
        };
        let record = self
            .store()
            .write(move |records| issuance::renew_student(records, &renewal))
            .await?;
        let certified = self.finish(record, key, None).await?;
        let token = self.token(&subject, certified.chain.leaf())?;
        Ok(Enrolled { certified, token })
    }

    /// A fresh token for a student whose certificate is live and who is active.
    pub(crate) async fn refresh_token(&self, student: &VerifiedStudent) -> Result<String, Error> {
        let now = self.now();
        let sid = student.sid().clone();
        let sha256 = student.certificate().fingerprint();
        let subject = Subject::Student(sid.clone());
        let owner = subject.clone();
        self.store()
            .read(move |records| {
                issuance::live_certificate(records, &sha256, &owner, now, Step::Two)?;
                match records.roster().find(&sid)? {
                    Some(listed) if listed.active => Ok(()),
                    _ => Err(Refusal::new(Code::StudentInactive, Step::Two)
                        .about(&sid)
                        .into()),
                }
            })
            .await?;
        self.token(&subject, student.certificate())
    }

    /// Looks for the code first and writes only if it is known: guessing costs the writer
    /// nothing.
    async fn claim(
        &self,
        subject: &Subject,
        code: &EnrolmentCode,
        request: &VerifiedRequest,
        profile: Profile,
        service: Option<&Service>,
    ) -> Result<Certified, Error> {
        let now = self.now();
        let key = request.public_key();
        let digest = code.digest(&subject.to_string());
        let wanted = self.signing.intent(subject.clone(), profile, key, now)?;
        let asked = subject.clone();
        let known = self
            .store()
            .read(move |records| issuance::knows_code(records, &digest, &asked))
            .await?;
        if !known {
            return Err(enrolment_refused(subject).into());
        }
        let claim = Claim {
            digest,
            wanted,
            now,
        };
        let record = self
            .store()
            .write(move |records| issuance::claim(records, &claim))
            .await?;
        self.finish(record, key, service).await
    }

    async fn finish(
        &self,
        record: CertificateRecord,
        key: &PublicKey,
        service: Option<&Service>,
    ) -> Result<Certified, Error> {
        let before = record.certificate.is_some();
        let chain = self.signing.finish(record, key, service).await?;
        Ok(Certified { chain, before })
    }

    fn token(&self, subject: &Subject, certificate: &Certificate) -> Result<String, Error> {
        let request = TokenRequest {
            issuer: &self.name(),
            audience: &self.service_id(&ServiceName::blackboard()),
            subject: &subject.spiffe_id(&self.trust_domain()),
            certificate,
            now: self.now(),
        };
        let current = self.current();
        self.signing.faults.token(request, &current.tokens)
    }

    async fn service(&self, name: &ServiceName) -> Result<Option<Service>, Error> {
        let name = name.clone();
        self.store()
            .read(move |records| records.services().find(&name))
            .await
    }
}

/// The one reply to an unknown subject and to a wrong code.
fn enrolment_refused(subject: &Subject) -> Refusal {
    let refusal = Refusal::new(Code::EnrolmentRefused, Step::Two);
    match subject {
        Subject::Student(sid) => refusal.about(sid),
        Subject::Service(name) => refusal.with("service", name),
    }
}
