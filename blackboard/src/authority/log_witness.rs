//! CUHK as witness of this server's logs (C2SP tlog-cosignature).
//!
//! Over a kept connection of its own, each new checkpoint is handed to CUHK, which cosigns what
//! provably grew. Before a log is gone on with, it is compared with what CUHK has seen of it: one
//! that is behind that, or another one, is an old backup or a fork, and this server does not run.

mod again;
mod endorsed;
mod lost;
mod offered;
mod order;
mod setbacks;
mod told;
mod unseen;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use scb_certs::SpiffeId;
use scb_cli::Failure;
use scb_protocol::log_leaf::LogName;
use scb_protocol::witness::{
    CosignedCheckpoint, ExpectCosignature, ExpectSeen, SeenByWitness, Standing, WitnessAnswer,
};
use scb_protocol::{Code, Refusal, SignedLogKeys, Step, VerifiedLogKeys};
use scb_storage::PublishedLog;
use scb_tlog::root;
use tokio::time::{Instant, sleep, timeout};

use self::again::Again;
pub(crate) use self::lost::{Lost, Missing};
use self::offered::{off_the_runtime, offer};
use self::order::Turn;
use self::setbacks::{Setbacks, remedy};
pub(crate) use self::told::failure;
use self::told::not_compared;
use super::link::Link;
use super::{Dialer, ListsNow, ListsThen, is_away};
use crate::failure::failure as failed;
use crate::logs::Logs;
use crate::store::{Register, Store};
use crate::witnessed::Witnessed;
use crate::witnessed::tally::{COSIGNED, CUHK};

/// Between two looks, if no log tells that it has grown; and after CUHK was away.
const PERIOD: Duration = Duration::from_secs(1);
/// For how long a log is left alone about which something was wrong.
const PAUSE: Duration = Duration::from_secs(30);
/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The task that has this server's logs witnessed.
pub(crate) struct LogWitness {
    /// Its way to CUHK.
    dialer: Dialer,
    /// Whose logs they are.
    service: SpiffeId,
    /// The logs.
    pub(crate) logs: Logs,
    /// Keeps what CUHK said.
    store: Store,
    /// Is told of it.
    witnessed: Witnessed,
    /// What is known of each log.
    known: BTreeMap<LogName, Known>,
    /// No log is missing that CUHK has seen.
    has_all: bool,
    /// Which logs CUHK may not know, as it was noted last.
    noted: Option<BTreeSet<LogName>>,
    /// It was told that this could not be noted.
    is_unnoted: bool,
    /// The revocation lists in force.
    lists_now: ListsNow,
}

/// What is known of a log in this run.
#[derive(Debug, Default)]
pub(crate) struct Known {
    keys: Option<(SignedLogKeys, VerifiedLogKeys)>,
    /// CUHK knows nothing of it any more: the endorsement at hand is of another time.
    is_forgotten: bool,
    /// How many entries CUHK has seen; none before that was compared over this connection.
    seen: Option<u64>,
    /// Until when it is left alone.
    paused: Option<Instant>,
}

/// Why a look ended.
pub(crate) enum Trouble {
    /// CUHK is away, or refused something.
    Refused(Refusal),
    /// A log must not be gone on with.
    Astray(Failure),
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<crate::store::Error> for Trouble {
    fn from(error: crate::store::Error) -> Self {
        Self::Refused(error.into())
    }
}

impl LogWitness {
    /// For these logs of this service, of which nothing is known yet.
    pub(crate) fn new(
        dialer: Dialer,
        service: SpiffeId,
        logs: Logs,
        store: Store,
        witnessed: Witnessed,
    ) -> Self {
        Self {
            dialer,
            service,
            logs,
            store,
            witnessed,
            known: BTreeMap::new(),
            has_all: false,
            noted: None,
            is_unnoted: false,
            lists_now: ListsNow::default(),
        }
    }

    /// Compares every log with what CUHK has seen of it, if CUHK can be asked, and says so if not:
    /// it is made up for as soon as CUHK is back. A home that was put back from a backup does not
    /// go on before: it might give numbers, and enter what makes other logs of those that were seen.
    ///
    /// # Errors
    ///
    /// What is to be told of a log that is behind, or another one; and of a home that was put back
    /// while CUHK cannot be asked.
    pub(crate) async fn compare_at_start(&mut self, register: &Register) -> Result<(), Failure> {
        let logs = self.logs.all();
        for (name, log) in &logs {
            if let Err(Trouble::Astray(failure)) = self.keys_at_hand(name, log.key()).await {
                return Err(failure);
            }
        }
        match self.compare_all(&logs).await {
            Ok(()) => register.compared().map_err(|error| failed(error.into())),
            Err(Trouble::Astray(failure)) => Err(failure),
            Err(Trouble::Refused(refusal)) if register.is_put_back() => Err(not_compared(&refusal)),
            Err(Trouble::Refused(refusal)) => {
                tracing::warn!(
                    "the logs of this server could not be compared with what CUHK has seen of them \
                     ({refusal}); that is made up for as soon as CUHK answers, and until then no \
                     receipt has its cosignature"
                );
                Ok(())
            }
        }
    }

    async fn compare_all(&mut self, logs: &[(LogName, Arc<PublishedLog>)]) -> Result<(), Trouble> {
        // Tiles may be behind the database, which is what counts.
        self.logs.publish_all().await?;
        let mut link = self.open().await?;
        for (name, log) in logs {
            link.by(Instant::now() + PATIENCE);
            self.compared(&mut link, name, log).await?;
        }
        self.check_forgotten(&mut link).await
    }

    /// No log is missing here that CUHK has seen; once in a run, until it is looked at again.
    async fn check_forgotten(&mut self, link: &mut Link) -> Result<(), Trouble> {
        if self.has_all {
            return Ok(());
        }
        if let Some((name, _, seen)) = self.forgotten(link).await?.0.first() {
            let (has, seen) = (0, seen.head().size);
            return Err(Trouble::Astray(failure(
                name,
                &Standing::Behind { has, seen },
            )));
        }
        self.has_all = true;
        Ok(())
    }

    /// Has every log witnessed as it grows, for as long as none is astray. What is wrong otherwise
    /// is logged, and tried again.
    pub(crate) async fn run(mut self) -> Failure {
        let mut setbacks = Setbacks::default();
        loop {
            let watched = self.watch().await;
            // Who answers next may have been put back from a backup.
            self.known.values_mut().for_each(|known| known.seen = None);
            self.note_unseen().await;
            let all = self.in_order();
            let left = all.iter().filter(|(turn, ..)| *turn != Turn::Through);
            self.witnessed.tally().left(left.count());
            match watched {
                Ok(()) => {}
                Err(Trouble::Astray(failure)) => return failure,
                // The other connection tells about that.
                Err(Trouble::Refused(refusal)) if is_away(&refusal) => sleep(PERIOD).await,
                Err(Trouble::Refused(refusal)) => {
                    let (pause, is_told) = setbacks.after(&refusal, Instant::now());
                    if is_told {
                        let (code, remedy) = (refusal.code, remedy(&refusal));
                        tracing::error!("a log is not witnessed [{code}]: {refusal}; {remedy}");
                    }
                    // Whatever changes then ends the pause.
                    let _ = timeout(pause, self.dialer.news(&refusal)).await;
                }
            }
        }
    }

    /// Over one connection, until this server has another certificate or something is wrong.
    async fn watch(&mut self) -> Result<(), Trouble> {
        let mut grown = self.logs.grown();
        let mut link = self.open().await?;
        self.check_forgotten(&mut link).await?;
        let mut again = Again::new();
        self.note_unseen().await;
        while !self.dialer.has_another_certificate() {
            grown.borrow_and_update();
            let all = self.in_order();
            let mut left = all
                .iter()
                .filter(|(turn, ..)| *turn != Turn::Through)
                .count();
            for (turn, name, log) in all {
                self.witnessed.tally().left(left);
                if self.is_paused(&name) {
                    continue;
                }
                let witnessed = self.witness(&mut link, &name, &log).await;
                if let Err(Trouble::Refused(refusal)) = &witnessed
                    && !is_away(refusal)
                {
                    self.known(&name).paused = Some(Instant::now() + PAUSE);
                }
                witnessed?;
                if turn != Turn::Through {
                    left = left.saturating_sub(1);
                }
                if turn == Turn::Unseen {
                    again.put_off();
                }
                // Whoever hands in now waits for no log that is still.
                if turn != Turn::Grown && grown.has_changed().unwrap_or(false) {
                    break;
                }
            }
            self.note_unseen().await;
            self.witnessed.tally().left(left);
            if again.is_due() {
                self.look_again(&mut link, &mut again, &grown).await?;
            }
            tokio::select! {
                // One that was put back from a backup is not told by its answers, but by this.
                ended = link.ended() => return Err(ended.into()),
                // Whether it has grown or was long enough: the next look tells.
                _ = timeout(PERIOD, grown.changed()) => {}
            }
        }
        Ok(())
    }

    /// Hands in what CUHK has not cosigned yet of one log. A CUHK that was put back from a backup may
    /// never have heard of it: then it is told of the log again, at once, and given all of it. One that has
    /// lost its key for cosignatures has another since, and says which.
    async fn witness(
        &mut self,
        link: &mut Link,
        name: &LogName,
        log: &Arc<PublishedLog>,
    ) -> Result<(), Trouble> {
        match self.hand_in(link, name, log).await {
            Err(Trouble::Refused(unknown)) if unknown.code == Code::NotFound => {
                let known = self.known(name);
                (known.is_forgotten, known.seen) = (true, None);
                // With a refusal CUHK ends a connection.
                *link = self.open().await?;
                self.hand_in(link, name, log).await
            }
            Err(Trouble::Refused(wrong)) if wrong.code == Code::ServerMisbehaved => {
                match self.has_another_witness(link, name, log.key()).await {
                    Ok(true) => self.hand_in(link, name, log).await,
                    // Whatever became of the question, the answer before it was wrong.
                    Ok(false) | Err(Trouble::Refused(_)) => Err(Trouble::Refused(wrong)),
                    Err(trouble) => Err(trouble),
                }
            }
            done => done,
        }
    }

    async fn hand_in(
        &mut self,
        link: &mut Link,
        name: &LogName,
        log: &Arc<PublishedLog>,
    ) -> Result<(), Trouble> {
        let size = log.published().checkpoint.head().size;
        if size == 0 {
            return Ok(());
        }
        link.by(Instant::now() + PATIENCE);
        let mut old = self.compared(link, name, log).await?;
        let keys = self.keys(link, name, log.key()).await?;
        let is_kept = |witnessed: &Witnessed| {
            let newest = witnessed.newest(name);
            newest.is_some_and(|newest| newest.keys == keys.1 && newest.checkpoint.size() >= size)
        };
        let mut told = false;
        // What it has cosigned and does not know any more it is given again, also of a log that is still.
        while old < size || !is_kept(&self.witnessed) {
            link.by(Instant::now() + PATIENCE);
            // Before it cosigns: newer ones would not be in force at that time.
            let lists = self.lists_now();
            match self.offer(link, log, &keys.1, old).await? {
                WitnessAnswer::Cosigned(cosigned) => {
                    old = cosigned.size();
                    self.known(name).seen = Some(old);
                    // One that has forgotten the log sees again what it has cosigned before.
                    let newest = self.witnessed.newest(name);
                    if newest.is_none_or(|newest| newest.checkpoint.size() <= old) {
                        self.keep(name, (cosigned, lists), &keys).await?;
                    }
                }
                WitnessAnswer::Seen(seen) if !told => {
                    old = self.check(name, log, &seen).await?;
                    told = true;
                }
                WitnessAnswer::Seen(_) => {
                    let refusal = Refusal::new(Code::ServerMisbehaved, Step::Six);
                    return Err(refusal.with("log", name).into());
                }
            }
        }
        Ok(())
    }

    /// One checkpoint, with no more entries than a message takes.
    async fn offer(
        &self,
        link: &mut Link,
        log: &Arc<PublishedLog>,
        keys: &VerifiedLogKeys,
        old: u64,
    ) -> Result<WitnessAnswer, Refusal> {
        let log = Arc::clone(log);
        let offer = off_the_runtime(move || offer(&log, old)).await?;
        let (expect, request) = ExpectCosignature::new(keys, offer);
        let asked = link.ask(&request).await;
        let answer = asked.and_then(|reply| expect.handle(reply));
        self.count(&answer);
        answer
    }

    fn count(&self, answer: &Result<WitnessAnswer, Refusal>) {
        let end = match answer {
            Ok(WitnessAnswer::Cosigned(_)) => COSIGNED,
            Ok(WitnessAnswer::Seen(_)) => "seen",
            Err(refusal) => refusal.code.as_str(),
        };
        self.witnessed.tally().count(CUHK, end);
    }

    /// How many entries CUHK has seen, after that was compared with the log in this run.
    async fn compared(
        &mut self,
        link: &mut Link,
        name: &LogName,
        log: &Arc<PublishedLog>,
    ) -> Result<u64, Trouble> {
        match self.known(name).seen {
            Some(seen) => Ok(seen),
            None => self.look(link, name, log).await,
        }
    }

    /// How many entries CUHK has seen, compared with the log.
    async fn look(
        &mut self,
        link: &mut Link,
        name: &LogName,
        log: &Arc<PublishedLog>,
    ) -> Result<u64, Trouble> {
        let (expect, request) = ExpectSeen::new(log.key().clone());
        let seen = expect.handle(link.ask(&request).await?)?;
        if seen.head().size == 0 {
            // It answers nothing else of a log that it does not know: it is told of it before it is asked.
            self.known(name).is_forgotten = true;
            if self.witnessed.newest(name).is_some() {
                tracing::warn!(
                    "CUHK does not know the log {name} any more: it is told of it again"
                );
            }
        }
        self.check(name, log, &seen).await
    }

    async fn check(
        &mut self,
        name: &LogName,
        log: &Arc<PublishedLog>,
        seen: &SeenByWitness,
    ) -> Result<u64, Trouble> {
        let (published, size) = (log.published(), seen.head().size);
        let has = published.checkpoint.head().size;
        let then = off_the_runtime(move || Ok(root(&published.tiles, size).ok())).await?;
        match seen.compare(has, then) {
            Standing::Extends => {
                self.known(name).seen = Some(size);
                Ok(size)
            }
            astray => Err(Trouble::Astray(failure(name, &astray))),
        }
    }

    /// Without lists in force CUHK is not recognised, and nothing cosigned.
    fn lists_now(&mut self) -> Arc<ListsThen> {
        let trust = self.dialer.trust();
        self.lists_now.of(&trust)
    }

    /// Durable first, told second.
    async fn keep(
        &mut self,
        name: &LogName,
        (checkpoint, lists): (CosignedCheckpoint, Arc<ListsThen>),
        (signed, verified): &(SignedLogKeys, VerifiedLogKeys),
    ) -> Result<(), Trouble> {
        let pem = Arc::clone(lists.pem());
        let kept = self.store.keep_cosigned(name, &checkpoint, pem);
        kept.await?;
        self.tell(name, (checkpoint, lists), (signed, verified));
        Ok(())
    }

    async fn open(&mut self) -> Result<Link, Refusal> {
        let opened = self.dialer.dial(PATIENCE).await;
        opened.inspect_err(|refusal| {
            let tally = self.witnessed.tally();
            tally.count(CUHK, refusal.code.as_str());
        })
    }

    fn known(&mut self, name: &LogName) -> &mut Known {
        self.known.entry(name.clone()).or_default()
    }

    fn is_paused(&self, name: &LogName) -> bool {
        let until = self.known.get(name).and_then(|known| known.paused);
        until.is_some_and(|until| Instant::now() < until)
    }
}
