//! What a running CUHK does for those who were admitted: issue, renew, vouch and answer.

mod certification;
mod verification;
mod witness;

use std::net::IpAddr;
use std::sync::Arc;

use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, ServiceName, SpiffeId, StudentId, VerifiedService, VerifiedStudent};
use scb_protocol::message::cuhk::Reply;
use scb_protocol::{Code, Refusal, SignedBundle, Step, WRONG_CODES_PER_MINUTE};
use scb_storage::READERS;
use scb_tlog::Cosigner;
use scb_transport::{Clock, Rate, RatePerAddress, Turns};

use crate::issuance;
use crate::issuers::Issuing;
use crate::log::IssuanceLog;
use crate::publication::Publication;
use crate::signing::Signing;
use crate::store::{CrlSigner, Records, Store};
use crate::upkeep::{Current, Upkeep};
use crate::{Error, Subject};

pub(crate) use certification::{Certified, Enrolled};
pub(crate) use verification::Introspected;

/// Questions of students about the log that are answered at once: half of the threads that read, so
/// that services never wait for them.
const QUESTIONS: usize = READERS / 2;

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
    /// Of students' questions about the log.
    turns: Turns<StudentId>,
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
            turns: Turns::new(QUESTIONS),
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

    /// The roots' certificates and those of the issuing authorities whose certificates may count. What the roots say
    /// of each other comes first: `openssl` goes by the first that has the name and key which it looks for, unless it
    /// trusts another.
    pub(crate) fn certificates(&self) -> Vec<Certificate> {
        let issuers = self.signing.issuers.current();
        let named = self.named_certificates().into_iter();
        let counts = named.filter(|(signer, _)| !issuers.is_withdrawn(*signer));
        let counts = counts.map(|(_, certificate)| certificate);
        let crosses = issuers.crosses(self.now()).into_iter();
        crosses.chain(counts).collect()
    }

    /// Whether this authority counts no more.
    pub(crate) fn is_withdrawn(&self, signer: CrlSigner) -> bool {
        self.signing.issuers.current().is_withdrawn(signer)
    }

    /// The issuing authorities that are put to use and could not be opened.
    pub(crate) fn unopened(&self) -> Vec<CrlSigner> {
        let issuers = self.signing.issuers.current();
        let unopened = issuers.unopened(self.now());
        unopened.map(|record| record.signer).collect()
    }

    /// The roots' certificates and those of the issuing authorities that sign a revocation list, each
    /// with the name of its authority.
    pub(crate) fn named_certificates(&self) -> Vec<(CrlSigner, Certificate)> {
        let issuers = self.signing.issuers.current();
        let now = self.now();
        let named = |issuing: &Issuing| (issuing.signer, issuing.issuer.certificate().clone());
        let issuing = issuers.listing(now).map(|issuing| named(issuing));
        issuers.roots(now).into_iter().chain(issuing).collect()
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

    /// The trust bundle of this number, or the next after it; with 0 the latest.
    pub(crate) async fn trust_bundle(&self, sequence: u64) -> Result<SignedBundle, Error> {
        let found = self
            .store()
            .read(move |records| match sequence {
                0 => records.bundles().latest(),
                sequence => records.bundles().starting_at(sequence),
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
        let patience = self.signing.config.limits.message;
        let _turn = self.turns.take(sid.clone(), patience, Step::Two).await?;
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
            .cosign(witness.name(), verifier_key, checkpoint, self.now())
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
            .with(WRONG_CODES_PER_MINUTE, self.signing.config.wrong_codes)
            .retry_after(u32::try_from(seconds).unwrap_or(u32::MAX)))
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
