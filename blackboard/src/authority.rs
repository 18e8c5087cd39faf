//! CUHK, as this server knows it: one kept connection, owned by one task.
//!
//! Questions go to the task through a bounded queue and are answered, or refused with
//! `cuhk_unavailable`, within [`PATIENCE`], also when CUHK hangs without a word. Once a
//! second the task asks whether any status has changed; if so it fetches the revocation
//! lists, judges them and publishes a new trust store. As long as CUHK's lists are not
//! acceptable, CUHK counts as away.

mod link;
mod revocations;

use std::sync::Arc;
use std::time::Duration;

use scb_certs::{Certificate, Chain, ServiceName, ServiceUsage, TrustStore};
use scb_protocol::message::cuhk::{Reply, Request};
use scb_protocol::values::Der;
use scb_protocol::{Code, Question, Refusal, Step};
use scb_transport::{ClientTls, Clock, ServerTrust};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

use crate::identity::Identity;
use crate::store::Store;
use link::{Link, misbehaved};
use revocations::{Revocations, all_in_force, half_over};

pub(crate) use revocations::Numbers;

/// How long a question may take in all, waiting for its turn included.
pub(crate) const PATIENCE: Duration = Duration::from_millis(2500);
/// How often the status is polled.
const POLL: Duration = Duration::from_secs(1);
/// How long one poll may take.
const POLL_PATIENCE: Duration = Duration::from_secs(2);
/// First and longest pause between two attempts to connect without being asked.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// For how long a failed attempt to connect answers the questions that come after it.
const JUST_FAILED: Duration = Duration::from_millis(200);
/// Shortest time between two fetches of lists that are getting old.
const REFRESH: Duration = Duration::from_secs(60);
/// Questions that may wait.
const QUEUE: usize = 1024;
/// After how many seconds somebody who was refused may try again.
const RETRY_AFTER: u32 = 3;

/// A handle on the task. Cheap to clone; the task ends with the last one.
#[derive(Debug, Clone)]
pub(crate) struct Authority {
    asks: mpsc::Sender<Ask>,
    trust: watch::Receiver<Arc<TrustStore>>,
}

/// What the task needs.
#[derive(Debug)]
pub(crate) struct Settings {
    /// `host:port` of CUHK.
    pub(crate) address: String,
    /// The root under which CUHK must be.
    pub(crate) root: Certificate,
    /// Who asks; a new identity means a new connection.
    pub(crate) identity: watch::Receiver<Arc<Identity>>,
    /// Remembers the numbers of the revocation lists.
    pub(crate) store: Store,
    /// The time.
    pub(crate) clock: Arc<dyn Clock>,
}

impl Authority {
    /// Connects, fetches the revocation lists and starts the task.
    ///
    /// # Errors
    ///
    /// Why CUHK cannot be reached, or what is wrong with what it says.
    pub(crate) async fn start(settings: Settings) -> Result<Self, Refusal> {
        let numbers = settings.store.crl_numbers().await?;
        let mut worker = Worker {
            revocations: Revocations::new(settings.root.clone(), numbers),
            trust: None,
            settings,
            link: None,
            epoch: 0,
            synced: Instant::now(),
            failure: None,
            pause: BACKOFF.0,
        };
        let link = worker.connect(Instant::now() + PATIENCE).await?;
        worker.link = Some(link);
        let trust = worker.trust.as_ref().map(watch::Sender::subscribe);
        // `connect` publishes a trust store before it returns.
        let trust = trust.ok_or_else(|| Refusal::new(Code::Internal, Step::Zero))?;
        let (asks, queue) = mpsc::channel(QUEUE);
        tokio::spawn(worker.run(queue));
        Ok(Self { asks, trust })
    }

    /// The trust store in force, and every later one.
    pub(crate) fn trust(&self) -> watch::Receiver<Arc<TrustStore>> {
        self.trust.clone()
    }

    /// CUHK's signed answer about these members, not yet verified.
    ///
    /// # Errors
    ///
    /// `cuhk_unavailable`, within [`PATIENCE`].
    pub(crate) async fn verify(&self, question: &Question) -> Result<String, Refusal> {
        let request = Request::Verify {
            nonce: question.nonce,
            members: question.members.clone(),
        };
        match self.ask(request).await {
            Ok(Reply::Verification { verification }) => Ok(verification),
            Ok(other) => Err(unavailable(&misbehaved("verification", &other))),
            Err(refusal) => Err(unavailable(&refusal)),
        }
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
        match self.ask(request).await? {
            Reply::ServiceEnrolled { chain } => Ok(chain),
            other => Err(misbehaved("service_enrolled", &other)),
        }
    }

    async fn ask(&self, request: Request) -> Result<Reply, Refusal> {
        let (reply, answer) = oneshot::channel();
        let deadline = Instant::now() + PATIENCE;
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
            Err(_) => Err(Refusal::new(Code::Timeout, Step::Three)),
        }
    }
}

/// What a student is told, whatever went wrong between this server and CUHK.
fn unavailable(cause: &Refusal) -> Refusal {
    Refusal::new(Code::CuhkUnavailable, Step::Three)
        .with("reason", cause.code)
        .retry_after(RETRY_AFTER)
}

/// A question on its way to the task.
#[derive(Debug)]
struct Ask {
    request: Request,
    deadline: Instant,
    reply: oneshot::Sender<Result<Reply, Refusal>>,
}

/// The task's own.
struct Worker {
    settings: Settings,
    revocations: Revocations,
    trust: Option<watch::Sender<Arc<TrustStore>>>,
    link: Option<Link>,
    epoch: u64,
    synced: Instant,
    /// The last attempt to connect, if it failed.
    failure: Option<(Instant, Refusal)>,
    pause: Duration,
}

impl Worker {
    /// Works until the last handle is gone.
    async fn run(mut self, mut queue: mpsc::Receiver<Ask>) {
        let mut polls = interval(POLL);
        polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                ask = queue.recv() => match ask {
                    Some(ask) => self.answer(ask).await,
                    None => return,
                },
                _ = polls.tick() => self.poll().await,
            }
        }
    }

    /// Answers one question, on a new connection if the kept one turns out to be dead.
    async fn answer(&mut self, ask: Ask) {
        if ask.reply.is_closed() {
            return;
        }
        let kept = self.link.is_some();
        let mut result = self.ask(&ask).await;
        if kept && matches!(&result, Err(lost) if lost.code == Code::ConnectionLost) {
            result = self.ask(&ask).await;
        }
        // Whoever asked may have gone away meanwhile.
        let _ = ask.reply.send(result);
    }

    async fn ask(&mut self, ask: &Ask) -> Result<Reply, Refusal> {
        let mut link = self.linked(ask.deadline).await?;
        let reply = link.by(ask.deadline).ask(&ask.request).await;
        self.keep(link, reply)
    }

    /// Follows CUHK's changes, or tries to connect when the time for that has come.
    async fn poll(&mut self) {
        let pausing = self
            .failure
            .as_ref()
            .is_some_and(|(at, _)| at.elapsed() < self.pause);
        if self.link.is_none() && pausing {
            return;
        }
        let deadline = Instant::now() + POLL_PATIENCE;
        // The failure is in the log; the next poll tries again.
        if let Ok(mut link) = self.linked(deadline).await {
            let followed = self.follow(link.by(deadline)).await;
            let _ = self.keep(link, followed);
        }
    }

    async fn follow(&mut self, link: &mut Link) -> Result<(), Refusal> {
        let epoch = link.status().await?;
        let ageing = self.synced.elapsed() > REFRESH
            && self
                .current()
                .is_none_or(|trust| half_over(&trust, self.settings.clock.now()));
        if epoch != self.epoch || ageing {
            self.sync(link).await?;
        }
        Ok(())
    }

    /// The kept connection, or a new one.
    async fn linked(&mut self, deadline: Instant) -> Result<Link, Refusal> {
        let renewed = self.settings.identity.has_changed().unwrap_or(false);
        if let Some(link) = self.link.take().filter(|_| !renewed) {
            return Ok(link);
        }
        match &self.failure {
            Some((at, refusal)) if at.elapsed() < JUST_FAILED => Err(refusal.clone()),
            _ => {
                let connected = self.connect(deadline).await;
                connected.inspect_err(|refusal| self.failed(refusal))
            }
        }
    }

    /// Connects; a connection counts only once its revocation lists are accepted.
    async fn connect(&mut self, deadline: Instant) -> Result<Link, Refusal> {
        let tls = self.tls()?;
        let mut link = Link::open(&self.settings.address, &tls, deadline).await?;
        self.sync(&mut link).await?;
        self.failure = None;
        self.pause = BACKOFF.0;
        tracing::info!("connected to CUHK at {}", self.settings.address);
        Ok(link)
    }

    /// Keeps a connection on which all went well; drops any other.
    fn keep<T>(&mut self, link: Link, result: Result<T, Refusal>) -> Result<T, Refusal> {
        match &result {
            Ok(_) => self.link = Some(link),
            Err(refusal) => tracing::warn!("connection to CUHK given up: {refusal}"),
        }
        result
    }

    fn failed(&mut self, refusal: &Refusal) {
        if self.failure.is_none() {
            tracing::warn!("CUHK cannot be asked: {refusal}");
        }
        self.pause = (self.pause * 2).min(BACKOFF.1);
        self.failure = Some((Instant::now(), refusal.clone()));
    }

    /// Fetches the revocation lists, judges them, remembers their numbers, publishes them.
    async fn sync(&mut self, link: &mut Link) -> Result<(), Refusal> {
        let (epoch, lists) = link.crls().await?;
        let now = self.settings.clock.now();
        let trust = self
            .revocations
            .accept(lists, now)
            .map_err(|error| unusable(&error))?;
        let peer = link
            .peer()
            .ok_or_else(|| unusable(&"CUHK showed no certificate"))?;
        trust
            .verify_service(peer, &ServiceName::cuhk(), ServiceUsage::Server, now)
            .map_err(|error| unusable(&error))?;
        self.settings
            .store
            .remember_crl_numbers(self.revocations.numbers().clone())
            .await?;
        self.epoch = epoch;
        self.synced = Instant::now();
        match &self.trust {
            Some(publisher) => {
                publisher.send_replace(trust);
            }
            None => self.trust = Some(watch::Sender::new(trust)),
        }
        Ok(())
    }

    fn tls(&mut self) -> Result<ClientTls, Refusal> {
        let identity = Arc::clone(&self.settings.identity.borrow_and_update());
        let identity = (identity.chain.clone(), identity.key.clone());
        let trust = ServerTrust::Pinned(self.trust_in_cuhk()?);
        let clock = Arc::clone(&self.settings.clock);
        ClientTls::with_clock(trust, ServiceName::cuhk(), Some(identity), clock)
            .map_err(|error| unusable(&error))
    }

    /// The lists in force; without any, the root alone, since lists come over this very
    /// connection: CUHK's certificate is judged by them as soon as they have come.
    fn trust_in_cuhk(&self) -> Result<Arc<TrustStore>, Refusal> {
        let now = self.settings.clock.now();
        match self.current().filter(|trust| all_in_force(trust, now)) {
            Some(trust) => Ok(trust),
            None => TrustStore::new(self.settings.root.clone())
                .map(Arc::new)
                .map_err(|error| unusable(&error)),
        }
    }

    fn current(&self) -> Option<Arc<TrustStore>> {
        self.trust
            .as_ref()
            .map(|publisher| Arc::clone(&publisher.borrow()))
    }
}

fn unusable(reason: &dyn std::fmt::Display) -> Refusal {
    Refusal::new(Code::CuhkUnavailable, Step::Three).with("reason", reason)
}
