//! CUHK, as this server knows it: one kept connection, owned by one task.
//!
//! Questions go to the task through a bounded queue and are answered, or refused with
//! `cuhk_unavailable`, within [`PATIENCE`], also when CUHK hangs without a word. Once a
//! second the task asks whether any status has changed; if so it fetches the revocation
//! lists, judges them, publishes a new trust store and tells whoever holds a connection open
//! to look at its members again (see [`Subscription`]). As long as CUHK's lists are not
//! acceptable, CUHK counts as away.

mod address;
mod clocks;
mod dialer;
mod link;
mod lists_then;
mod log_witness;
mod looks;
mod revocations;
mod subscription;
mod witness;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::try_join_all;
use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, Chain, TrustStore};
use scb_cli::Home;
use scb_protocol::message::cuhk::{Reply, Request};
use scb_protocol::server::{LookAnswer, Outage};
use scb_protocol::values::Der;
use scb_protocol::{Code, Question, Refusal, Step};
use scb_transport::Clock;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::{Instant, timeout, timeout_at};

use crate::identity::Identity;
use crate::store::Store;
use link::misbehaved;
use looks::SharedLooks;
use revocations::all_in_force;
use worker::{Ask, Worker};

pub(crate) use address::CuhkAddress;
pub(crate) use clocks::Clocks;
pub(crate) use dialer::Dialer;
pub(crate) use lists_then::{ListsNow, ListsThen};
pub(crate) use log_witness::{LogWitness, Lost, Missing, Trouble};
pub(crate) use revocations::Numbers;
pub(crate) use subscription::Subscription;
pub(crate) use witness::{Comparison, Witness};
pub(crate) use worker::is_to_be_replaced;

/// How long a question may take in all, waiting for its turn included.
pub(crate) const PATIENCE: Duration = Duration::from_millis(2200);
/// Questions that may wait.
const QUEUE: usize = 1024;
/// How many of these may be about members of connections that are open already.
const LOOKS: usize = 64;
/// After how many seconds somebody who was refused may try again.
const RETRY_AFTER: u32 = 3;
/// The same where somebody has to certify this server first.
const CERTIFIED_AFTER: u32 = 60;

/// A handle on the task. Cheap to clone; the task ends with the last one.
#[derive(Debug, Clone)]
pub(crate) struct Authority {
    asker: Asker,
    trust: watch::Receiver<Arc<TrustStore>>,
    objection: watch::Receiver<Option<String>>,
    looks: Arc<SharedLooks>,
}

/// The way to the task.
#[derive(Debug, Clone)]
struct Asker {
    asks: mpsc::Sender<Ask>,
    subscription: watch::Receiver<Subscription>,
    /// Of looks at members of open connections.
    turns: Arc<Semaphore>,
}

/// What the task needs.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Where CUHK listens.
    pub(crate) address: CuhkAddress,
    /// The roots under which CUHK may be, the oldest first.
    pub(crate) roots: Vec<Certificate>,
    /// Where they are kept, with the trust bundle that says which they are.
    pub(crate) home: Home,
    /// Who asks; a new identity means a new connection.
    pub(crate) identity: watch::Receiver<Arc<Identity>>,
    /// Remembers the numbers of the revocation lists.
    pub(crate) store: Store,
    /// Whether tokens may do while CUHK is away, so that a start need not wait for it.
    pub(crate) outage: Outage,
    /// The time.
    pub(crate) clock: Arc<dyn Clock>,
}

impl Authority {
    /// Connects, fetches the revocation lists and starts the task. If CUHK is away and tokens
    /// may do meanwhile, it starts with the lists of an earlier run, judged anew.
    ///
    /// # Errors
    ///
    /// Why CUHK cannot be reached, or what is wrong with what it says.
    pub(crate) async fn start(settings: Settings) -> Result<Self, Refusal> {
        let (worker, trust) = Worker::start(settings).await?;
        let (subscription, objection) = (worker.subscription(), worker.objection());
        let (asks, queue) = mpsc::channel(QUEUE);
        tokio::spawn(worker.run(queue));
        Ok(Self {
            asker: Asker {
                asks,
                subscription,
                turns: Arc::new(Semaphore::new(LOOKS)),
            },
            trust,
            objection,
            looks: Arc::default(),
        })
    }

    /// The trust store in force, and every later one.
    pub(crate) fn trust(&self) -> watch::Receiver<Arc<TrustStore>> {
        self.trust.clone()
    }

    /// What is known of changes at CUHK, and every later word of it.
    pub(crate) fn subscription(&self) -> watch::Receiver<Subscription> {
        self.asker.subscription.clone()
    }

    /// The revocation lists in use.
    pub(crate) fn lists(&self) -> Arc<TrustStore> {
        Arc::clone(&self.trust.borrow())
    }

    /// Whether there are lists, and all of them in force.
    pub(crate) fn has_lists(&self, now: UnixTime) -> bool {
        all_in_force(&self.trust.borrow(), now)
    }

    /// Whether CUHK has said something to this server in the last seconds. What it says to anybody,
    /// such as its revocation lists, is not that.
    pub(crate) fn is_in_touch(&self) -> bool {
        !self.asker.subscription.borrow().is_stale(Instant::now())
    }

    /// What is wrong, if CUHK was reached last time and was not believed, or did not believe this server.
    pub(crate) fn objection(&self) -> Option<String> {
        self.objection.borrow().clone()
    }

    /// CUHK's answers about members of a connection that is open already, none verified yet. Whoever asks
    /// about the same member after the same change is told the same, so that CUHK is asked, and enters it
    /// in its log, once for all connections; and looks leave room for those who hand in.
    ///
    /// # Errors
    ///
    /// As [`Authority::verify`].
    pub(crate) async fn look(
        &self,
        questions: &[Question],
    ) -> Result<Vec<Arc<LookAnswer>>, Unanswered> {
        let change = self.asker.subscription.borrow().changes();
        let ask = |question: &Question| self.asker.clone().look(question.clone()).boxed();
        let looks = questions
            .iter()
            .map(|question| self.looks.at(question, change, || ask(question)));
        try_join_all(looks).await
    }

    /// CUHK's signed answer about these members, not yet verified.
    ///
    /// # Errors
    ///
    /// [`Unanswered`], within [`PATIENCE`].
    pub(crate) async fn verify(&self, question: &Question) -> Result<String, Unanswered> {
        self.asker.verify(question).await
    }

    /// The next certificate of this service, for the key that signed the request.
    ///
    /// # Errors
    ///
    /// CUHK's refusal, or why it could not be asked.
    pub(crate) async fn renew(&self, request: Vec<u8>) -> Result<Chain, Refusal> {
        let request = Request::RenewService {
            request: Der::new(request),
        };
        match self.asker.ask(request).await? {
            Reply::ServiceEnrolled { chain } => Ok(chain),
            other => Err(misbehaved("service_enrolled", &other)),
        }
    }
}

impl Asker {
    async fn look(self, question: Question) -> Result<Arc<LookAnswer>, Unanswered> {
        let answer = match timeout(PATIENCE, self.turns.acquire()).await {
            Ok(_turn) => self.verify(&question).await,
            Err(_) => Err(unanswered(Refusal::new(Code::Busy, Step::Three))),
        };
        answer.map(|verification| {
            Arc::new(LookAnswer {
                question,
                verification,
            })
        })
    }

    async fn verify(&self, question: &Question) -> Result<String, Unanswered> {
        let request = Request::Verify {
            nonce: question.nonce,
            members: question.members.clone(),
            statement_sha256: question.statement_sha256,
        };
        match self.ask(request).await {
            Ok(Reply::Verification { verification }) => Ok(verification),
            Ok(other) => Err(unanswered(misbehaved("verification", &other))),
            Err(refusal) => Err(unanswered(refusal)),
        }
    }

    async fn ask(&self, request: Request) -> Result<Reply, Refusal> {
        let (reply, answer) = oneshot::channel();
        let asked = Instant::now();
        let deadline = asked + PATIENCE;
        let ask = Ask {
            request,
            deadline,
            reply,
        };
        if self.asks.try_send(ask).is_err() {
            return Err(Refusal::new(Code::Busy, Step::Three));
        }
        match timeout_at(deadline, answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Refusal::new(Code::ShuttingDown, Step::Three)),
            // CUHK has answered others meanwhile, only there are too many questions before this.
            Err(_) if self.has_heard_since(asked) => Err(Refusal::new(Code::Busy, Step::Three)),
            Err(_) => Err(Refusal::new(Code::Timeout, Step::Three)),
        }
    }

    fn has_heard_since(&self, moment: Instant) -> bool {
        self.subscription.borrow().has_heard_since(moment)
    }
}

/// Why there is no answer of CUHK. Both carry what a student is told: `cuhk_unavailable`,
/// `service_uncertified` where it is for this server's own certificate, or `busy` where it is only
/// for want of room.
#[derive(Debug, Clone)]
pub(crate) enum Unanswered {
    /// CUHK could not be reached, or said nothing in time.
    Away(Refusal),
    /// CUHK was reached, and what it said is of no use; or this server has no room to ask.
    Unusable(Refusal),
}

impl From<Unanswered> for Refusal {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Away(refusal) | Unanswered::Unusable(refusal) => refusal,
        }
    }
}

fn unanswered(cause: Refusal) -> Unanswered {
    let (told, again) = match cause.code {
        Code::Busy => (Refusal::new(Code::Busy, Step::Three), RETRY_AFTER),
        // It is this server's own: CUHK says nothing of members but in a signed answer.
        reason if reason.is_about_certificate() => (
            Refusal::new(Code::ServiceUncertified, Step::Three).with("reason", reason),
            CERTIFIED_AFTER,
        ),
        reason => (
            Refusal::new(Code::CuhkUnavailable, Step::Three).with("reason", reason),
            RETRY_AFTER,
        ),
    };
    let told = told.retry_after(again);
    match is_away(&cause) {
        true => Unanswered::Away(told),
        false => Unanswered::Unusable(told),
    }
}

/// Whether CUHK could not be reached or said nothing in time: whatever it does say counts.
fn is_away(cause: &Refusal) -> bool {
    matches!(
        cause.code,
        Code::ConnectionFailed | Code::ConnectionLost | Code::Timeout | Code::ShuttingDown
    )
}
