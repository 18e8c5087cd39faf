//! The task that owns the connection to CUHK.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use scb_certs::{Crl, ServiceName, ServiceUsage, TrustStore};
use scb_cli::{bundle_sequence, keep_bundle};
use scb_protocol::message::cuhk::{Reply, Request};
use scb_protocol::server::Outage;
use scb_protocol::{BundleError, Code, Refusal, SignedBundle, Step, rfc3339};
use scb_transport::ClientTls;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::link::Link;
use super::revocations::{Revocations, all_in_force, are_due, recall};
use super::{PATIENCE, Settings, Subscription, dialer, is_away};

/// How often the status is polled.
const POLL: Duration = Duration::from_secs(1);
/// How long one poll may take.
const POLL_PATIENCE: Duration = Duration::from_secs(2);
/// First and longest pause between two attempts to connect without being asked.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// For how long, at most, a failed attempt to connect answers the questions that come after it.
const JUST_FAILED: Duration = Duration::from_millis(200);
/// Questions that are asked at once, before the first is answered.
const TOGETHER: usize = 32;
/// A question on its way to the task.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) request: Request,
    pub(super) deadline: Instant,
    pub(super) reply: oneshot::Sender<Result<Reply, Refusal>>,
}

/// An attempt to connect that failed.
struct Failure {
    at: Instant,
    /// How long it took.
    took: Duration,
    refusal: Refusal,
}

impl Failure {
    /// Whether to try again would keep others waiting for nothing: what failed at once is tried
    /// again at once, as CUHK may just have started.
    fn is_fresh(&self) -> bool {
        self.at.elapsed() < self.took.min(JUST_FAILED)
    }
}

/// The task's own.
pub(super) struct Worker {
    settings: Settings,
    revocations: Revocations,
    /// The roots that count, without lists, and the number of the bundle that says so.
    bare: Arc<TrustStore>,
    sequence: u64,
    trust: watch::Sender<Arc<TrustStore>>,
    subscription: watch::Sender<Subscription>,
    /// Why what CUHK says does not count, if that is why it is not listened to.
    objection: watch::Sender<Option<String>>,
    link: Option<Link>,
    epoch: u64,
    synced: Instant,
    /// The last attempt to connect, if it failed.
    failure: Option<Failure>,
    pause: Duration,
}

impl Worker {
    /// Connects; the trust store in the receiver has CUHK's revocation lists. While CUHK is
    /// away, and if tokens may do meanwhile, it has the last ones that are known.
    pub(super) async fn start(
        settings: Settings,
    ) -> Result<(Self, watch::Receiver<Arc<TrustStore>>), Refusal> {
        let numbers = settings.store.crl_numbers().await?;
        let roots = settings.roots.clone();
        let bare = TrustStore::of_roots(roots.clone()).map_err(|error| unusable(&error))?;
        let bare = Arc::new(bare);
        let sequence = bundle_sequence(&settings.home).map_err(|error| unusable(&error))?;
        let (trust, receiver) = watch::channel(Arc::clone(&bare));
        let mut worker = Self {
            settings,
            revocations: Revocations::new(roots, numbers),
            bare,
            sequence,
            trust,
            subscription: watch::Sender::new(Subscription::new(Instant::now())),
            objection: watch::Sender::new(None),
            link: None,
            epoch: 0,
            synced: Instant::now(),
            failure: None,
            pause: BACKOFF.0,
        };
        let started = Instant::now();
        match worker.connect(started + PATIENCE).await {
            Ok(link) => worker.link = Some(link),
            Err(refusal) if is_away(&refusal) && worker.recall().await? => {
                worker.failed(&refusal, started);
            }
            Err(refusal) => return Err(refusal),
        }
        Ok((worker, receiver))
    }

    /// Publishes the revocation lists of an earlier run, if they still hold; whether they do.
    async fn recall(&mut self) -> Result<bool, Refusal> {
        if self.settings.outage != Outage::Tokens {
            return Ok(false);
        }
        let stored = self.settings.store.crls().await?;
        let own = self.settings.identity.borrow().chain.clone();
        let now = self.settings.clock.now();
        match recall(&mut self.revocations, &stored, &own, now) {
            Ok(trust) => {
                let ends = trust.crls().iter().map(Crl::next_update).min();
                tracing::warn!(
                    "CUHK is away: identity tokens count, by the revocation lists of an earlier \
                     run, until {}",
                    rfc3339(ends.unwrap_or(now))
                );
                self.trust.send_replace(trust);
                Ok(true)
            }
            Err(_) if stored.is_empty() => Ok(false),
            Err(error) => {
                tracing::warn!("the revocation lists of an earlier run do not count: {error}");
                Ok(false)
            }
        }
    }

    /// What is known of changes.
    pub(super) fn subscription(&self) -> watch::Receiver<Subscription> {
        self.subscription.subscribe()
    }

    /// Why what CUHK says does not count, and every later word of it.
    pub(super) fn objection(&self) -> watch::Receiver<Option<String>> {
        self.objection.subscribe()
    }

    /// Works until the last handle is gone.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Ask>) {
        let mut polls = interval(POLL);
        polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut asks = Vec::with_capacity(TOGETHER);
        loop {
            tokio::select! {
                waiting = queue.recv_many(&mut asks, TOGETHER) => match waiting {
                    0 => return,
                    _ => self.answer(asks.drain(..).collect()).await,
                },
                _ = polls.tick() => self.poll().await,
            }
        }
    }

    /// Answers all that wait, on a new connection if the kept one turns out to be dead.
    async fn answer(&mut self, mut asks: VecDeque<Ask>) {
        asks.retain(|ask| !ask.reply.is_closed());
        let mut kept = self.link.is_some();
        while !asks.is_empty() {
            let Err(refusal) = self.ask(&mut asks).await else {
                continue;
            };
            if !is_away(&refusal) {
                // It was about the first of them, and ended the connection.
                tell(asks.pop_front(), refusal);
            } else if !kept || refusal.code != Code::ConnectionLost {
                asks.drain(..)
                    .for_each(|ask| tell(Some(ask), refusal.clone()));
            }
            kept = false;
        }
    }

    /// Asks all of it before the first answer has come, so that CUHK can record the answers
    /// together. Those that are answered are taken out.
    async fn ask(&mut self, asks: &mut VecDeque<Ask>) -> Result<(), Refusal> {
        let Some(deadline) = asks.front().map(|first| first.deadline) else {
            return Ok(());
        };
        let mut link = self.linked(deadline).await?;
        // Time spent waiting for a turn is no reason to give up a connection that works.
        link.by(Instant::now() + PATIENCE);
        let mut answered = Ok(());
        for ask in asks.iter() {
            answered = link.send(&ask.request).await;
            if answered.is_err() {
                break;
            }
        }
        while answered.is_ok() && !asks.is_empty() {
            link.by(Instant::now() + PATIENCE);
            answered = link.receive().await.map(|reply| {
                self.heard();
                if let Some(ask) = asks.pop_front() {
                    // Whoever asked may have gone away meanwhile.
                    let _ = ask.reply.send(Ok(reply));
                }
            });
        }
        self.keep(link, answered)
    }

    /// Follows CUHK's changes, or tries to connect when the time for that has come.
    async fn poll(&mut self) {
        let pausing = self
            .failure
            .as_ref()
            .is_some_and(|last| last.at.elapsed() < self.pause);
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
        let now = self.settings.clock.now();
        let ageing = are_due(&self.current(), now, self.synced.elapsed());
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
            Some(last) if last.is_fresh() => Err(last.refusal.clone()),
            _ => {
                let started = Instant::now();
                let connected = self.connect(deadline).await;
                connected.inspect_err(|refusal| self.failed(refusal, started))
            }
        }
    }

    /// Connects; a connection counts only once its revocation lists are accepted, and CUHK has
    /// answered what it answers to nobody whose certificate does not count.
    async fn connect(&mut self, deadline: Instant) -> Result<Link, Refusal> {
        let tls = self.tls()?;
        let address = self.settings.address.current().to_owned();
        let mut link = Link::open(&address, &tls, deadline).await?;
        self.sync(&mut link).await?;
        link.status().await?;
        self.heard();
        self.failure = None;
        self.objection.send_replace(None);
        self.pause = BACKOFF.0;
        tracing::info!("connected to CUHK at {address}");
        Ok(link)
    }

    /// Keeps a connection on which all went well; drops any other.
    fn keep<T>(&mut self, link: Link, result: Result<T, Refusal>) -> Result<T, Refusal> {
        match &result {
            Ok(_) => {
                self.link = Some(link);
                self.heard();
            }
            Err(refusal) => tracing::warn!("connection to CUHK given up: {refusal}"),
        }
        result
    }

    fn failed(&mut self, refusal: &Refusal, started: Instant) {
        let known = self.failure.as_ref().map(|last| &last.refusal);
        if known.is_none_or(|known| !is_same(known, refusal)) {
            tracing::warn!("CUHK cannot be asked: {refusal}{}", own_fault(refusal));
        }
        self.pause = (self.pause * 2).min(BACKOFF.1);
        self.failure = Some(Failure {
            at: Instant::now(),
            took: started.elapsed(),
            refusal: refusal.clone(),
        });
        self.objection.send_replace(objection(refusal));
    }

    /// Wakes nobody: that CUHK is in touch changes nothing.
    fn heard(&self) {
        self.subscription.send_if_modified(|subscription| {
            subscription.heard(Instant::now());
            false
        });
    }

    /// Fetches the revocation lists, judges them, remembers their numbers, publishes them.
    async fn sync(&mut self, link: &mut Link) -> Result<(), Refusal> {
        if let Some(latest) = link.trust_bundle(0).await? {
            // Where CUHK has changed its root more than once since this home last asked.
            let mut way = latest.missed(&self.bare, self.sequence);
            while let Some(number) = way.number()
                && let Some(missed) = link.trust_bundle(number).await?
            {
                if missed.leads_on(&self.bare) {
                    self.take_bundle(&missed)?;
                }
                way = way.after(&missed);
            }
            self.take_bundle(&latest)?;
        }
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
            .remember_crls(self.revocations.numbers().clone(), trust.crls())
            .await?;
        self.epoch = epoch;
        self.synced = Instant::now();
        self.trust.send_replace(trust);
        self.subscription.send_modify(Subscription::changed);
        Ok(())
    }

    /// The roots of a later bundle count from now on. They are kept before they are used.
    fn take_bundle(&mut self, signed: &SignedBundle) -> Result<(), Refusal> {
        let now = self.settings.clock.now();
        let bundle = signed
            .verify(&self.bare, self.sequence, now)
            .map_err(|error| unusable(&not_counting(&error, self.revocations.highest())))?;
        let (present, roots) = (self.bare.roots(), bundle.trust().roots());
        if bundle.sequence() == self.sequence && present == roots {
            return Ok(());
        }
        keep_bundle(&self.settings.home, present, signed, &bundle)
            .map_err(|error| unusable(&error))?;
        if present != roots {
            let count = roots.len();
            tracing::info!(
                "trust bundle {}: roots that count: {count}",
                bundle.sequence()
            );
        }
        self.revocations.trust(roots);
        self.sequence = bundle.sequence();
        self.bare = Arc::new(bundle.trust().clone());
        Ok(())
    }

    fn tls(&mut self) -> Result<ClientTls, Refusal> {
        let trust = self.trust_in_cuhk();
        dialer::tls(&mut self.settings.identity, trust, &self.settings.clock)
    }

    /// The lists in force; without any, the roots alone, since lists come over this very
    /// connection: CUHK's certificate is judged by them as soon as they have come.
    fn trust_in_cuhk(&self) -> Arc<TrustStore> {
        let current = self.current();
        if all_in_force(&current, self.settings.clock.now()) {
            return current;
        }
        Arc::clone(&self.bare)
    }

    fn current(&self) -> Arc<TrustStore> {
        Arc::clone(&self.trust.borrow())
    }
}

fn tell(ask: Option<Ask>, refusal: Refusal) {
    if let Some(ask) = ask {
        // Whoever asked may have gone away meanwhile.
        let _ = ask.reply.send(Err(refusal));
    }
}

/// Whether it is nothing new for the log.
fn is_same(known: &Refusal, refusal: &Refusal) -> bool {
    (known.code, &known.params) == (refusal.code, &refusal.params)
}

/// What CUHK has said that cannot be accepted, or what it does not accept; none if it said nothing.
fn objection(refusal: &Refusal) -> Option<String> {
    let what = match refusal.code.is_about_certificate() {
        true => "CUHK does not take this server's certificate",
        false => "CUHK answers, but that does not count",
    };
    let reason = refusal.params.get("reason").cloned();
    let reason = reason.unwrap_or_else(|| refusal.reason().to_owned());
    (!is_away(refusal)).then(|| format!("{what}: {reason}{}", own_fault(refusal)))
}

/// What an operator has to do before CUHK talks to this server again.
pub(super) fn own_fault(refusal: &Refusal) -> &'static str {
    match refusal.code {
        code if is_to_be_replaced(code) => {
            "; it is this server's own, which cannot be renewed any more: ask CUHK's operator for a \
             new code (cuhk code issue service/blackboard --replace), stop this server, then \
             blackboard init --replace --code-file FILE"
        }
        Code::StatusUnavailable => "; its own root's list has ended: cuhk root sign-crl",
        _ => "",
    }
}

/// Whether only another certificate helps this server, after CUHK has said this of its own.
pub(crate) fn is_to_be_replaced(code: Code) -> bool {
    matches!(
        code,
        Code::CertificateExpired
            | Code::CertificateRevoked
            | Code::CertificateUnknownIssuer
            | Code::CertificateIssuerNamesake
    )
}

fn not_counting(error: &BundleError, highest: u64) -> String {
    let hint = match error {
        BundleError::WentBack { known, .. } => format!(
            "; after a restoration of CUHK its root has to sign: cuhk root sign-crl --beyond {}",
            highest.max(*known)
        ),
        _ => String::new(),
    };
    format!("the trust bundle does not count: {error}{hint}")
}

pub(super) fn unusable(reason: &dyn std::fmt::Display) -> Refusal {
    Refusal::new(Code::CuhkUnavailable, Step::Three).with("reason", reason)
}
