//! Blackboard as a witness of CUHK's issuance log (C2SP tlog-cosignature).
//!
//! Over a kept connection of its own, so that no hand-in ever waits for it, it looks whether the
//! log has grown. What provably grew out of what was seen last is recorded durably and then
//! cosigned; a log that contradicts it gets no cosignature any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use scb_protocol::audit::{ExpectCheckpoint, GrownLog, KnownLog};
use scb_protocol::message::cuhk::{Reply, Request};
use scb_protocol::{Code, Refusal};
use scb_tlog::{Cosigner, Growth};
use tokio::time::{Instant, sleep};

use super::link::{Link, misbehaved};
use super::{Dialer, is_away};
use crate::store::Store;

/// Between two looks.
const PERIOD: Duration = Duration::from_secs(2);
/// After a look at which something was wrong.
const PAUSE: Duration = Duration::from_secs(30);
/// How long one look may take: CUHK may have much to publish.
const PATIENCE: Duration = Duration::from_secs(20);

/// The witness at work.
pub(crate) struct Witness {
    /// Its key.
    pub(crate) cosigner: Cosigner,
    /// Its way to CUHK.
    pub(crate) dialer: Dialer,
    /// Remembers the log.
    pub(crate) store: Store,
    /// Whether CUHK's log contradicts what was seen of it, for whoever looks after this server.
    pub(crate) contradicted: Arc<AtomicBool>,
}

/// CUHK's log now, beside what was seen of it.
pub(crate) struct Comparison {
    /// What was seen last, if anything was.
    pub(crate) seen: Option<KnownLog>,
    /// What there is now.
    pub(crate) now: GrownLog,
    /// Why it did not grow out of what was seen, if it did not.
    pub(crate) contradiction: Option<Refusal>,
}

impl Witness {
    /// Looks once. Nothing is remembered of it, and nothing cosigned.
    ///
    /// # Errors
    ///
    /// CUHK is away, or what it shows does not verify.
    pub(crate) async fn compare(&mut self) -> Result<Comparison, Refusal> {
        let seen = self.store.known_log().await?;
        let looked = look(&mut self.open().await?, seen.clone()).await;
        let (now, contradiction) = match looked {
            Ok(now) => (now, None),
            // As whoever has never seen it.
            Err(forked) if forked.code == Code::LogForked => {
                let now = look(&mut self.open().await?, None).await?;
                (now, Some(forked))
            }
            Err(refusal) => return Err(refusal),
        };
        Ok(Comparison {
            seen,
            now,
            contradiction,
        })
    }

    /// Looks again and again. What is wrong is logged, and looked at again after a while.
    pub(crate) async fn run(mut self) {
        let key = self.cosigner.verifier().clone();
        tracing::info!("witness of CUHK's issuance log, with the key {key}");
        loop {
            let Err(refusal) = self.watch().await else {
                continue;
            };
            if is_away(&refusal) {
                // The other connection tells about that.
                sleep(PERIOD).await;
                continue;
            }
            let code = refusal.code;
            let remedy = match code {
                Code::LogForked => "; blackboard witness show tells more",
                _ => "",
            };
            tracing::error!("CUHK's issuance log is not cosigned [{code}]: {refusal}{remedy}");
            if code == Code::LogForked {
                self.contradicted.store(true, Ordering::Relaxed);
                self.show_evidence().await;
            }
            sleep(PAUSE).await;
        }
    }

    /// Looks over one connection, until this server has another certificate or something is
    /// wrong.
    async fn watch(&mut self) -> Result<(), Refusal> {
        let mut known = self.store.known_log().await?;
        let mut link = self.open().await?;
        let mut cosigned = None;
        while !self.dialer.has_another_certificate() {
            link.by(Instant::now() + PATIENCE);
            let log = look(&mut link, known.clone()).await?;
            self.contradicted.store(false, Ordering::Relaxed);
            let seen = log.known();
            if cosigned.as_ref() != Some(&seen) {
                self.store.remember_log(&log).await?;
                known = Some(seen.clone());
                self.cosign(&mut link, log.growth()).await?;
                cosigned = Some(seen);
            }
            sleep(PERIOD).await;
        }
        Ok(())
    }

    /// What is cosigned is on disk by now.
    async fn cosign(&self, link: &mut Link, growth: &Growth) -> Result<(), Refusal> {
        let time = self.dialer.now().as_secs();
        let line = self.cosigner.cosign(growth, time);
        let request = Request::Cosign {
            verifier_key: self.cosigner.verifier().to_string(),
            checkpoint: growth.checkpoint().clone().with(line).to_string(),
        };
        match link.ask(&request).await? {
            Reply::Cosigned {} => Ok(()),
            other => Err(misbehaved("cosigned", &other)),
        }
    }

    /// CUHK's operator, who alone can mend it, is shown what CUHK's own key has signed.
    async fn show_evidence(&mut self) {
        let shown = async {
            let Some(growth) = self.store.log_evidence().await? else {
                return Ok(());
            };
            let mut link = self.open().await?;
            self.cosign(&mut link, &growth).await
        };
        // Refused it is in any case, as it is none of CUHK's log.
        if let Err(refusal) = shown.await
            && refusal.code != Code::LogForked
        {
            tracing::warn!("CUHK could not be shown what contradicts its log: {refusal}");
        }
    }

    async fn open(&mut self) -> Result<Link, Refusal> {
        self.dialer.dial(PATIENCE).await
    }
}

/// The log now, if it grew out of what is known.
async fn look(link: &mut Link, known: Option<KnownLog>) -> Result<GrownLog, Refusal> {
    let (expect, request) = ExpectCheckpoint::new(known);
    expect.handle(link.ask(&request).await?)
}
