//! One connection of a group that hands in: steps 3 to 6.
//!
//! It does the reading and writing and asks CUHK and the store; what may follow what, and
//! what counts as proved, is decided by the protocol's states.

mod absent;
mod acceptance;
mod completion;
mod content;
mod desk;
mod download;
mod grades;
mod history;
mod largest_group;
mod proof;
mod proposal;
mod receipt;
mod rejection;
mod submission;
mod vigil;

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, StudentId, TrustStore};
use scb_protocol::message::blackboard::{Reply, Request};
use scb_protocol::message::proposal::ProposalStanding;
use scb_protocol::server::{
    AwaitVerification, ExpectConfirmation, ExpectPresentation, ExpectRequest, Policy,
};
use scb_protocol::{Assurance, Channel, Code, Fact, Refusal, Step, StepEvent};
use scb_storage::ContentStore;
use scb_transport::{Clock, Connection, Limits, Shutdown, Turns, telemetry};
use tokio::sync::watch;
use tokio::time;

use self::desk::Statement as Signed;
use self::vigil::Vigil;

pub(crate) use self::completion::{Completer, Unfinished};
pub(crate) use self::largest_group::LargestGroup;
use crate::announced::Announced;
use crate::authority::{Authority, Clocks, Unanswered};
use crate::fault::{Faults, Outgoing};
use crate::identity::Identity;
use crate::logs::Logs;
use crate::sessions::{Idle, MOST_IDLE, Sessions};
use crate::store::{Record, Register};
use crate::uploads::Uploads;
use crate::witnessed::Witnessed;

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// What is accepted.
    pub(crate) policy: Arc<Policy>,
    /// CUHK.
    pub(crate) authority: Authority,
    /// Where submissions are recorded.
    pub(crate) register: Register,
    /// Where reports are kept.
    pub(crate) content: ContentStore,
    /// Who is bringing them.
    pub(crate) uploads: Uploads,
    /// How long after its commitment the files of a statement may come.
    pub(crate) upload_window: Duration,
    /// How long a proposal waits for signatures.
    pub(crate) cosign_window: Duration,
    /// Tells of what everybody has signed.
    pub(crate) unfinished: Arc<Unfinished>,
    /// The assignments' logs.
    pub(crate) logs: Logs,
    /// What CUHK has cosigned of them.
    pub(crate) witnessed: Witnessed,
    /// Whether CUHK's issuance log contradicts what this server, its witness, has seen of it.
    pub(crate) contradicted: Arc<AtomicBool>,
    /// What students were told of rules, signed.
    pub(crate) announced: Arc<Announced>,
    /// With what log entries are signed.
    pub(crate) identity: watch::Receiver<Arc<Identity>>,
    /// The time.
    pub(crate) clock: Arc<dyn Clock>,
    /// How far that is from CUHK's.
    pub(crate) clocks: Clocks,
    /// Most members that any assignment is for.
    pub(crate) largest_group: LargestGroup,
    /// SHA-256 of the roots under which receipts were given, as they were known at the start.
    pub(crate) receipt_roots: Vec<Fingerprint>,
    /// Connections on which nothing is said.
    pub(crate) sessions: Sessions,
    /// Of members' questions about what they have handed in.
    pub(crate) turns: Turns<StudentId>,
    /// Deadlines.
    pub(crate) limits: Limits,
    /// What is done wrong on purpose, in a sandbox.
    pub(crate) faults: Faults,
}

/// What has come of a statement.
enum Outcome {
    /// It is a submission.
    Stored(Box<Record>),
    /// It waits for others to sign it.
    Waits(Box<ProposalStanding>),
}

/// One connection.
pub(crate) struct Handler {
    connection: Connection,
    shared: Arc<Shared>,
    shutdown: Shutdown,
    trust: watch::Receiver<Arc<TrustStore>>,
    vigil: Vigil,
    /// Whose certificate opened the connection, once that is known.
    sid: Option<StudentId>,
    /// When the step at hand began.
    begun: Instant,
    /// When the last message had come, by the clock that counts.
    came: UnixTime,
}

impl Handler {
    /// For a connection whose handshake is done.
    pub(crate) fn new(connection: Connection, shared: Arc<Shared>, shutdown: Shutdown) -> Self {
        let trust = shared.authority.trust();
        let vigil = Vigil::new(&shared, connection.peer_chain().cloned());
        let (begun, came) = (Instant::now(), shared.clock.now());
        Self {
            connection,
            shared,
            shutdown,
            trust,
            vigil,
            sid: None,
            begun,
            came,
        }
    }

    /// Serves the connection to its end; a refusal ends it.
    pub(crate) async fn run(mut self) {
        match self.hand_in().await {
            Ok(()) => self.connection.close().await,
            // Somebody looked in and left: nothing was asked, nothing is refused.
            Err(lost) if lost.code == Code::ConnectionLost && self.sid.is_none() => {
                self.connection.close().await;
            }
            // Nobody has asked anything yet: it is told, and nothing was refused.
            Err(stopping) if stopping.code == Code::ShuttingDown && self.sid.is_none() => {
                tracing::debug!(conn = self.connection.id(), "closed: the server stops");
                self.connection.refuse(&stopping).await;
            }
            Err(refusal) => {
                self.log(StepEvent::refused(&refusal));
                self.connection.refuse(&refusal).await;
            }
        }
    }

    async fn hand_in(&mut self) -> Result<(), Refusal> {
        let presented = self.step_3_present().await?;
        let shared_out = self.step_3_and_4_verify(presented).await?;
        let confirmed = self.step_5_confirm(shared_out).await?;
        let Some(signed) = self.step_6_desk(confirmed).await? else {
            return Ok(());
        };
        let rejection = rejection::of_signed(&signed);
        let outcome = match self.step_6_take(signed).await {
            Ok(outcome) => outcome,
            Err(refusal) => return Err(self.rejected(rejection, refusal).await),
        };
        match outcome {
            Outcome::Stored(record) => self.step_6_receipt(*record).await,
            Outcome::Waits(proposal) => {
                let proposal = *proposal;
                self.send(Reply::Proposal { proposal }).await
            }
        }
    }

    /// What the members have signed is handed in, or waits for others.
    async fn step_6_take(&mut self, signed: Signed) -> Result<Outcome, Refusal> {
        match signed {
            Signed::HandIn(accepted) => {
                let record = self.step_6_content(*accepted).await?;
                Ok(Outcome::Stored(Box::new(record)))
            }
            Signed::Propose(part) => self.step_6_propose(*part).await,
            Signed::Sign(part) => self.step_6_sign(*part).await,
        }
    }

    /// The members present themselves: chains, tokens and proofs are checked.
    async fn step_3_present(&mut self) -> Result<AwaitVerification, Refusal> {
        let state = ExpectPresentation::new(self.shared.policy().await, self.channel()?)?;
        self.connection.at_step(Step::Three);
        let greeting = state.greeting(self.shared.clock.now());
        self.send(greeting).await?;
        let (shutdown, limit) = (self.shutdown.clone(), self.shared.limits.message);
        let request = tokio::select! {
            request = self.receive_within(Step::Three, limit) => request?,
            () = shutdown.cancelled() => {
                return Err(Refusal::new(Code::ShuttingDown, Step::Three));
            }
        };
        let state = state.handle(request, &self.trust(), self.shared.clock.now())?;
        self.sid = state.sids().next().cloned();
        self.vigil.over(state.watch());
        Ok(state)
    }

    /// CUHK is asked about all members at once, and each gets a share of the session key.
    async fn step_3_and_4_verify(
        &mut self,
        state: AwaitVerification,
    ) -> Result<ExpectConfirmation, Refusal> {
        let question = state.question();
        let verified = Fact::GroupVerified {
            t1: state.transcript(),
            nonce: question.nonce,
            members: question.members.clone(),
        };
        let shares = state.sids().count();
        let answer = self.shared.authority.verify(state.question()).await;
        let (trust, now) = (self.trust(), self.shared.clock.now());
        let (state, reply) = match answer {
            Ok(answer) => {
                let judged = state.handle(&answer, &trust, now);
                let told = judged.as_ref().map(|(state, _)| state.assurance());
                self.shared.clocks.note(told, now);
                judged?
            }
            Err(Unanswered::Away(away)) => state.without_cuhk(away, &trust, now)?,
            Err(Unanswered::Unusable(refusal)) => return Err(refusal),
        };
        let fact = tokens_count(state.assurance()).unwrap_or(verified);
        self.done(Step::Three, fact);
        self.connection.at_step(Step::Four);
        self.send(reply).await?;
        let t2 = state.transcript();
        self.done(Step::Four, Fact::SharesSealed { shares, t2 });
        Ok(state)
    }

    /// Both sides have the same session key.
    async fn step_5_confirm(
        &mut self,
        state: ExpectConfirmation,
    ) -> Result<ExpectRequest, Refusal> {
        let limit = self.shared.limits.message;
        let request = self.receive_within(Step::Five, limit).await?;
        let (state, reply) = state.handle(request)?;
        self.send(reply).await?;
        let (client, server) = state.confirmations();
        self.done(Step::Five, Fact::KeyConfirmed { client, server });
        Ok(state)
    }

    /// Sends a reply. In a sandbox a fault may have its way with it.
    async fn send(&mut self, reply: Reply) -> Result<(), Refusal> {
        match self.shared.faults.outgoing(reply) {
            Outgoing::Message(reply) => self.connection.send(&*reply).await,
            Outgoing::Bytes(bytes) => self.connection.send_raw(bytes).await,
            Outgoing::Silence => self.fall_silent().await,
        }
    }

    /// Listens without a word until the peer has gone.
    async fn fall_silent(&mut self) -> Result<(), Refusal> {
        let limit = self.shared.limits.content;
        loop {
            self.connection.receive_frame(Step::Three, limit).await?;
        }
    }

    /// One message, whole within `limit`; meanwhile a revocation ends the connection at once.
    async fn receive_within(&mut self, step: Step, limit: Duration) -> Result<Request, Refusal> {
        let deadline = time::Instant::now() + limit;
        let shared = Arc::clone(&self.shared);
        let idle = self.sid.as_ref().map(|sid| shared.sessions.wait(sid));
        let request = loop {
            let left = deadline.saturating_duration_since(time::Instant::now());
            tokio::select! {
                biased;
                () = self.vigil.alarm() => self.vigil.look(step).await?,
                request = self.connection.receive(step, left) => break request,
                () = displaced(idle.as_ref()) => return Err(one_too_many(step)),
            }
        };
        (self.begun, self.came) = (Instant::now(), self.shared.clock.now());
        request
    }

    /// What T1 says of this connection.
    fn channel(&self) -> Result<Channel, Refusal> {
        let chain = self.connection.peer_chain();
        let chain = chain.ok_or_else(|| Refusal::new(Code::CertificateMissing, Step::Three))?;
        Ok(Channel {
            exporter: self.connection.exporter(),
            service: self.shared.policy.service.clone(),
            client_certificate: chain.leaf().fingerprint(),
        })
    }

    /// The trust store of this moment: revocations count on open connections, too.
    fn trust(&self) -> Arc<TrustStore> {
        Arc::clone(&self.trust.borrow())
    }

    /// Logs what a step has come to, and how long it took; the next one begins.
    fn done(&mut self, step: Step, fact: Fact) {
        self.log(StepEvent::new(step, fact));
        self.begun = Instant::now();
    }

    fn log(&self, event: StepEvent) {
        let event = event.on(self.connection.id()).took(self.begun.elapsed());
        telemetry::emit(&match (&event.sid, &self.sid) {
            (None, Some(sid)) => event.about(sid),
            _ => event,
        });
    }
}

/// Ends when too many connections of a student wait; never where nobody is known yet.
async fn displaced(idle: Option<&Idle<'_>>) {
    match idle {
        Some(idle) => idle.displaced().await,
        None => pending().await,
    }
}

fn one_too_many(step: Step) -> Refusal {
    Refusal::new(Code::TooManySessions, step).with("limit", MOST_IDLE)
}

/// What is told while CUHK is away.
fn tokens_count(assurance: &Assurance) -> Option<Fact> {
    match assurance {
        Assurance::Verified(_) => None,
        Assurance::Tokens(tokens) => Some(Fact::TokensCount {
            members: tokens.members(),
            until: tokens.until(),
        }),
    }
}
