//! What a running CUHK does for those who were admitted: issue, renew, vouch and answer.

mod witness;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_certs::{
    Certificate, Chain, Fingerprint, PublicKey, ServiceName, SpiffeId, StudentId, VerifiedRequest,
    VerifiedService, VerifiedStudent,
};
use scb_protocol::message::cuhk::Reply;
use scb_protocol::values::Nonce;
use scb_protocol::{
    CertificateHolder, Code, EnrolmentCode, Introspection, LogEntry, MemberAnswer, Question,
    Refusal, SignedBundle, Step, TokenRequest, UnverifiedToken,
};
use scb_tlog::Cosigner;
use scb_transport::{Clock, Rate, RatePerAddress};

use crate::fault::Answer;
use crate::issuance::{self, Claim, Renewal, StudentRenewal};
use crate::issuers::Issuing;
use crate::log::IssuanceLog;
use crate::own_identity::OwnIdentity;
use crate::publication::Publication;
use crate::signing::Signing;
use crate::store::{CertificateRecord, CrlSigner, Profile, Records, Service, Store};
use crate::upkeep::{Current, Upkeep};
use crate::{Error, Subject, answers};

/// CUHK at work. It asks stores and signs; who may ask for what is the protocol's business.
#[derive(Debug)]
pub(crate) struct Authority {
    signing: Signing,
    upkeep: Arc<Upkeep>,
    log: Arc<IssuanceLog>,
    /// Cosigns the logs of services.
    cosigner: Cosigner,
    clock: Arc<dyn Clock>,
    wrong_codes: RatePerAddress,
}

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

/// What is told of a token, and to the log why it does not count.
pub(crate) struct Introspected {
    pub(crate) answer: Introspection,
    pub(crate) inactive: Option<Code>,
}

impl Introspected {
    fn inactive(why: Code) -> Self {
        Self {
            answer: Introspection::inactive(),
            inactive: Some(why),
        }
    }
}

impl Authority {
    pub(crate) fn new(
        signing: Signing,
        upkeep: Arc<Upkeep>,
        log: Arc<IssuanceLog>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        let allowed = signing.config.wrong_codes.get();
        let rate = Rate {
            burst: allowed,
            per_second: f64::from(allowed) / 60.0,
        };
        let counts_loopback = signing.config.limits.count_loopback;
        Ok(Self {
            cosigner: witness::cosigner(&signing.issuers.current())?,
            signing,
            upkeep,
            log,
            clock,
            wrong_codes: RatePerAddress::new(rate, counts_loopback),
        })
    }

    pub(crate) fn now(&self) -> UnixTime {
        self.clock.now()
    }

    /// What is current, as of the last look.
    pub(crate) fn current(&self) -> Arc<Current> {
        self.upkeep.current()
    }

    /// CUHK's own name.
    pub(crate) fn name(&self) -> SpiffeId {
        self.service_id(&ServiceName::cuhk())
    }

    /// An authority's own certificate.
    pub(crate) fn certificate_of(&self, signer: CrlSigner) -> Option<Certificate> {
        self.signing.issuers.current().certificate_of(signer)
    }

    /// The roots' certificates and those of the issuing authorities that have not retired.
    pub(crate) fn certificates(&self) -> Vec<Certificate> {
        let named = self.named_certificates().into_iter();
        named.map(|(_, certificate)| certificate).collect()
    }

    /// Likewise, each with the name of its authority.
    pub(crate) fn named_certificates(&self) -> Vec<(CrlSigner, Certificate)> {
        let issuers = self.signing.issuers.current();
        let now = self.now();
        let named = |issuing: &Issuing| (issuing.signer, issuing.issuer.certificate().clone());
        let issuing = issuers.listing(now).map(|issuing| named(issuing));
        issuers.roots(now).into_iter().chain(issuing).collect()
    }

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

    /// The signed answer about the members asked for, as one snapshot of the records says. That
    /// it was given is in the log's records before it is given.
    pub(crate) async fn verify(
        &self,
        asker: &VerifiedService,
        question: Question,
    ) -> Result<(String, Vec<MemberAnswer>), Error> {
        let now = self.now();
        let live = live_service(asker, now, Step::Three);
        let members = question.members;
        let answers = self
            .store()
            .read(move |records| {
                live(records)?;
                members
                    .iter()
                    .map(|member| answers::answer(records, member, now))
                    .collect()
            })
            .await;
        let answers: Vec<_> = answers?;
        let logged = self.log_answers(asker.name(), question.nonce, &answers);
        let answer = Answer {
            issuer: &self.name(),
            asker: asker.spiffe_id(),
            nonce: question.nonce,
            members: answers.clone(),
            now,
        };
        let current = self.current();
        let faults = &self.signing.faults;
        let signed = faults.verification(answer, &current.tokens);
        let ((), verification) = tokio::try_join!(logged, signed)?;
        Ok((verification, answers))
    }

    /// One transaction for all members; what waits at the same time is committed with it.
    async fn log_answers(
        &self,
        asker: &ServiceName,
        nonce: Nonce,
        answers: &[MemberAnswer],
    ) -> Result<(), Error> {
        let (asker, answers) = (asker.clone(), answers.to_vec());
        self.store()
            .write(move |records| {
                answers
                    .into_iter()
                    .try_for_each(|answer| log_answer(records, &asker, nonce, answer))
            })
            .await
    }

    /// What a service learns of a token: by the lists and the records of this moment.
    pub(crate) async fn introspect(
        &self,
        asker: &VerifiedService,
        token: &str,
    ) -> Result<Introspected, Error> {
        let now = self.now();
        let live = live_service(asker, now, Step::Three);
        let trust = &self.upkeep.refresh().await?.trust;
        let token = match UnverifiedToken(token).asked_about(trust, asker, now) {
            Ok(token) => token,
            Err(refusal) => {
                self.store().read(live).await?;
                return Ok(Introspected::inactive(refusal.code));
            }
        };
        let member = token.member();
        let answer = self.store().read(move |records| {
            live(records)?;
            answers::answer(records, &member, now)
        });
        let answer = answer.await?;
        // Whoever is told of a student is in the log, by a nonce of CUHK's own.
        let (asker, nonce) = (asker.name(), Nonce::random()?);
        self.log_answers(asker, nonce, std::slice::from_ref(&answer))
            .await?;
        Ok(match answer.inactive {
            Some(_) => Introspected::inactive(Code::StudentInactive),
            None => Introspected {
                answer: token.answered(&answer),
                inactive: None,
            },
        })
    }

    /// The same, signed for this service.
    pub(crate) fn sign_introspection(
        &self,
        answer: &Introspection,
        asker: &VerifiedService,
    ) -> Result<String, Error> {
        let current = self.current();
        let OwnIdentity { key, chain } = &current.tokens;
        Ok(answer.sign(&self.name(), asker.spiffe_id(), self.now(), key, chain)?)
    }

    /// The number of the last change of any status, straight from the database.
    pub(crate) async fn epoch(&self, asker: &VerifiedService) -> Result<u64, Error> {
        let live = live_service(asker, self.now(), Step::Zero);
        self.store()
            .read(move |records| {
                live(records)?;
                records.status().epoch()
            })
            .await
    }

    /// The revocation lists, covering everything up to now.
    pub(crate) async fn lists(&self) -> Result<Publication, Error> {
        let publication = &self.upkeep.refresh().await?.publication;
        let (issuers, now) = (self.signing.issuers.current(), self.now());
        let lists = &publication.lists;
        let lists = self.signing.faults.lists(lists, &issuers, now)?;
        Ok(publication.with_lists(lists))
    }

    /// The trust bundle of this number; with 0 the latest.
    pub(crate) async fn trust_bundle(&self, sequence: u64) -> Result<SignedBundle, Error> {
        let found = self
            .store()
            .read(move |records| match sequence {
                0 => records.bundles().latest(),
                sequence => records.bundles().find(sequence),
            })
            .await?;
        found.ok_or_else(|| Refusal::new(Code::NotFound, Step::Zero).into())
    }

    /// The roots that count, the oldest first.
    pub(crate) fn roots(&self) -> Vec<Certificate> {
        let roots = self.signing.issuers.current().roots(self.now());
        roots.into_iter().map(|(_, root)| root).collect()
    }

    /// The issuance log's checkpoint, for somebody who knows of its first `old` entries.
    pub(crate) async fn checkpoint(&self, old: u64) -> Result<Reply, Error> {
        self.log.checkpoint(old).await
    }

    /// A page of what the log says about a student whose certificate is live.
    pub(crate) async fn audit(
        &self,
        student: &VerifiedStudent,
        size: u64,
        from: u64,
    ) -> Result<Reply, Error> {
        let (now, sid) = (self.now(), student.sid());
        let sha256 = student.certificate().fingerprint();
        let subject = Subject::Student(sid.clone());
        self.store()
            .read(move |records| {
                issuance::live_certificate(records, &sha256, &subject, now, Step::Two).map(drop)
            })
            .await?;
        self.log.entries(sid, (size, from), now).await
    }

    /// Keeps what a witness cosigned.
    pub(crate) async fn cosign(
        &self,
        witness: &VerifiedService,
        verifier_key: String,
        checkpoint: &str,
    ) -> Result<(), Error> {
        let live = live_service(witness, self.now(), Step::Two);
        self.store().read(live).await?;
        self.log
            .cosign(witness.name(), verifier_key, checkpoint)
            .await
    }

    /// Counts a wrong code for the address that it came from.
    ///
    /// # Errors
    ///
    /// `busy` if there were too many: that is sent, and the connection is closed. Only those who
    /// are wrong are held up: whoever has a right code is served, whatever others tried.
    pub(crate) fn wrong_code(&self, refusal: Refusal, from: IpAddr) -> Result<Refusal, Refusal> {
        let Err(wait) = self.wrong_codes.take(from) else {
            return Ok(refusal);
        };
        let seconds = wait.as_secs().saturating_add(1);
        let busy = Refusal {
            code: Code::Busy,
            ..refusal
        };
        Err(busy
            .with("wrong_codes_per_minute", self.signing.config.wrong_codes)
            .retry_after(u32::try_from(seconds).unwrap_or(u32::MAX)))
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

    fn service_id(&self, name: &ServiceName) -> SpiffeId {
        SpiffeId::new_service(&self.trust_domain(), name)
    }

    fn trust_domain(&self) -> scb_certs::TrustDomain {
        self.signing.issuers.current().trust_domain.clone()
    }

    fn store(&self) -> &Store {
        &self.signing.store
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

fn log_answer(
    records: &Records<'_>,
    asker: &ServiceName,
    nonce: Nonce,
    answer: MemberAnswer,
) -> Result<(), Error> {
    let subject = Subject::Student(answer.sid);
    let entry = |nth| LogEntry::Verification {
        v: 1,
        subject: subject.to_string(),
        nth,
        asker: asker.clone(),
        nonce,
        cert_sha256: answer.cert_sha256,
        inactive: answer.inactive,
        at: answer.checked_at.as_secs(),
    };
    records.log().append(&subject, entry).map(drop)
}

/// The check, inside a job, that a service's certificate still counts.
fn live_service(
    asker: &VerifiedService,
    now: UnixTime,
    step: Step,
) -> impl FnOnce(&Records<'_>) -> Result<(), Error> + Send + 'static {
    let sha256 = asker.certificate().fingerprint();
    let subject = Subject::Service(asker.name().clone());
    move |records| {
        issuance::live_certificate(records, &sha256, &subject, now, step)?;
        Ok(())
    }
}
