//! What a running CUHK keeps up to date: its own certificates, the revocation lists, and the
//! TLS configuration made of both.
//!
//! The command lines write to the same database while `serve` runs: the status epoch there
//! is looked at every half second, and before the lists are handed out.

use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_certs::TrustStore;
use scb_cli::{Home, rfc3339, with_causes};
use scb_transport::{ClientAuth, Clock, ServerTls, Shutdown};
use tokio::sync::{Mutex, watch};
use tokio::time::{MissedTickBehavior, interval};

use crate::Error;
use crate::clock::{self, ClockCheck};
use crate::own_identity::{OwnIdentity, Purpose};
use crate::publication::{Publication, RevokedCertificates};
use crate::published_keys::PublishedKeys;
use crate::signing::Signing;
use crate::store::Records;
use crate::time::later;
use crate::warnings::{CLOCK_AHEAD, ending_soon};

const TICK: Duration = Duration::from_millis(500);
/// How long to wait after a failure, so that the log stays readable.
const AFTER_FAILURE: Duration = Duration::from_secs(5);
/// A clock that goes back by more than this was set.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// What is current. It is replaced as a whole.
#[derive(Debug)]
pub(crate) struct Current {
    pub(crate) tls: OwnIdentity,
    pub(crate) tokens: OwnIdentity,
    pub(crate) publication: Publication,
    pub(crate) keys: Arc<PublishedKeys>,
    pub(crate) trust: Arc<TrustStore>,
}

/// Keeps it current.
#[derive(Debug)]
pub(crate) struct Upkeep {
    home: Home,
    signing: Signing,
    clock: Arc<dyn Clock>,
    /// Whoever holds it refreshes.
    revoked: Mutex<RevokedCertificates>,
    current: watch::Sender<Arc<Current>>,
    tls: watch::Sender<Arc<ServerTls>>,
    seen: watch::Sender<UnixTime>,
    /// When it was last looked whether it is to be noted that the clock is believed.
    noted: watch::Sender<UnixTime>,
}

impl Upkeep {
    /// Makes or loads everything. A new epoch begins, and with it new revocation lists: should
    /// the database be an old backup, no epoch and no list number is used again.
    pub(crate) async fn start(
        home: Home,
        signing: Signing,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        let now = clock.now();
        let epoch = signing
            .store
            .write(move |records| records.status().advance(now));
        epoch.await?;
        update_issuers(&home, &signing, now).await?;
        signing.issuers.current().check_opened(&home, now)?;
        let mut revoked = RevokedCertificates::default();
        let current = look(&home, &signing, &mut revoked, None, now).await?;
        update_issuers(&home, &signing, now).await?;
        warn(&current, &signing, now);
        let tls = server_tls(&current, &signing, &clock).await?;
        Ok(Self {
            home,
            signing,
            clock,
            revoked: Mutex::new(revoked),
            current: watch::Sender::new(Arc::new(current)),
            tls: watch::Sender::new(Arc::new(tls)),
            seen: watch::Sender::new(now),
            noted: watch::Sender::new(now),
        })
    }

    /// What was current when it was last looked at.
    pub(crate) fn current(&self) -> Arc<Current> {
        Arc::clone(&self.current.borrow())
    }

    /// The TLS configuration, now and whenever it changes.
    pub(crate) fn tls(&self) -> watch::Receiver<Arc<ServerTls>> {
        self.tls.subscribe()
    }

    /// Looks whether anything has changed or grown old, and renews it.
    pub(crate) async fn refresh(&self) -> Result<Arc<Current>, Error> {
        let now = self.clock.now();
        match self.refreshed(now).await {
            Err(error) => Err(self.clock_or(error, now).await),
            refreshed => refreshed,
        }
    }

    async fn refreshed(&self, now: UnixTime) -> Result<Arc<Current>, Error> {
        let mut revoked = self.revoked.lock().await;
        self.watch_clock(now).await?;
        let known = self.current();
        if !known.tls.has_begun(now) {
            // The certificate, or the clock: that is told, and nothing is signed by it.
            let checked = move |records: &Records<'_>| clock::check(records, now);
            self.signing.store.read(checked).await?;
        }
        let epoch = self
            .signing
            .store
            .read(|records| records.status().epoch())
            .await?;
        let young = known.tls.is_young(now) && known.tokens.is_young(now);
        let due = self.signing.issuers.current().is_due(now);
        if epoch == known.publication.epoch && known.publication.is_fresh(now) && young && !due {
            return Ok(known);
        }
        update_issuers(&self.home, &self.signing, now).await?;
        let keys = Some(&known.keys);
        let current = look(&self.home, &self.signing, &mut revoked, keys, now).await?;
        let current = Arc::new(current);
        // Whoever was published just now is known to begin a little later.
        update_issuers(&self.home, &self.signing, now).await?;
        let tls = server_tls(&current, &self.signing, &self.clock).await?;
        self.tls.send_replace(Arc::new(tls));
        self.current.send_replace(Arc::clone(&current));
        tracing::info!(
            epoch = current.publication.epoch,
            "revocation lists are up to date"
        );
        warn(&current, &self.signing, now);
        Ok(current)
    }

    /// Says once that the clock was set back. Nothing is used again for that: serial numbers are
    /// random, numbers of lists and epochs only grow. One that leaps far ahead is written down, before
    /// anything is recorded by it: `cuhk prune` would believe that.
    async fn watch_clock(&self, now: UnixTime) -> Result<(), Error> {
        let before = self.seen.send_replace(now);
        if clock::has_leapt(before, now) {
            let doubt = move |records: &Records<'_>| records.clock_trust().doubt(before, now);
            self.signing.store.write(doubt).await?;
            tracing::warn!(
                "the clock leapt from {} to {}: {CLOCK_AHEAD}",
                rfc3339(before),
                rfc3339(now)
            );
        }
        if before > later(now, CLOCK_TOLERANCE) {
            tracing::warn!(
                "the clock was set back from {} to {}: certificates that have ended may count again; \
                 set it right",
                rfc3339(before),
                rfc3339(now)
            );
        }
        self.note_clock(now).await
    }

    /// Notes every five minutes that the clock is believed, where the records do not say so because
    /// somebody has said that they are of a clock that was ahead.
    async fn note_clock(&self, now: UnixTime) -> Result<(), Error> {
        let noted = *self.noted.borrow();
        if noted <= now && now < later(noted, CLOCK_TOLERANCE) {
            return Ok(());
        }
        self.noted.send_replace(now);
        let store = &self.signing.store;
        let is_due = store.read(move |records| clock::is_to_be_noted(records, now));
        if is_due.await? {
            let judge = move |records: &Records<'_>| ClockCheck::AgainstRecords.judge(records, now);
            // A doubt was told when it arose, and a full disk is by whoever needs more of it.
            if let Err(error) = store.write(judge).await {
                tracing::warn!(
                    "cannot note that the clock is believed: {}",
                    with_causes(&error)
                );
            }
        }
        Ok(())
    }

    /// That the clock is behind the records, if it is: then it is to blame for what failed.
    async fn clock_or(&self, error: Error, now: UnixTime) -> Error {
        let checked = self
            .signing
            .store
            .read(move |records| clock::check(records, now));
        match checked.await {
            Err(behind @ Error::ClockSetBack { .. }) => behind,
            _ => error,
        }
    }

    /// Refreshes until `shutdown`. What failed is logged and tried again a little later.
    pub(crate) async fn run(&self, shutdown: &Shutdown) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => {}
            }
            if let Err(error) = self.refresh().await {
                tracing::error!(
                    "cannot refresh the revocation lists: {}",
                    with_causes(&error)
                );
                ticks.reset_after(AFTER_FAILURE);
            }
        }
    }
}

/// Takes in what the records say of the issuing authorities, and the keys of new ones: opening one
/// takes half a second, while nobody else waits.
async fn update_issuers(home: &Home, signing: &Signing, now: UnixTime) -> Result<(), Error> {
    let records = signing
        .store
        .read(|records| records.authorities().all())
        .await?;
    let (home, issuers) = (home.clone(), signing.issuers.current());
    let updated = tokio::task::spawn_blocking(move || issuers.updated(&home, records, now));
    let before = signing.issuers.current();
    // What a start finds is no change.
    let is_start = !before.knows_records();
    let Ok(updated) = updated.await else {
        return Err(Error::RecordInvalid { what: "authority" });
    };
    for (was, is) in [
        (&before.students, &updated.students),
        (&before.services, &updated.services),
    ] {
        if was.signer != is.signer && !is_start {
            tracing::info!(
                "{} issues from now on, in the place of {}",
                is.signer,
                was.signer
            );
        }
    }
    signing.issuers.replace(updated);
    Ok(())
}

async fn look(
    home: &Home,
    signing: &Signing,
    revoked: &mut RevokedCertificates,
    known: Option<&Arc<PublishedKeys>>,
    now: UnixTime,
) -> Result<Current, Error> {
    let tls = OwnIdentity::current(home, Purpose::Tls, signing, now).await?;
    let tokens = OwnIdentity::current(home, Purpose::Tokens, signing, now).await?;
    let issuers = signing.issuers.current();
    let publication = Publication::current(&signing.store, &issuers, revoked, now).await?;
    let keys = PublishedKeys::of_epoch(publication.epoch, known, &signing.store, now).await?;
    let roots = issuers.roots(now).into_iter().map(|(_, root)| root);
    let known = issuers
        .listing(now)
        .map(|known| known.issuer.certificate().clone());
    let trust = TrustStore::of_roots(roots.collect())?
        .with_crls(publication.lists.clone())?
        .with_issuers(known.collect());
    let trust = match issuers.are_all(now) {
        true => trust.knowing_every_issuer(),
        false => trust,
    };
    Ok(Current {
        tls,
        tokens,
        publication,
        keys,
        trust: Arc::new(trust),
    })
}

async fn server_tls(
    current: &Current,
    signing: &Signing,
    clock: &Arc<dyn Clock>,
) -> Result<ServerTls, Error> {
    let identity = signing.faults.identity(&current.tls, signing, clock.now());
    let (OwnIdentity { chain, key }, root) = identity.await?;
    let trust = Arc::clone(&current.trust);
    let crosses = signing.issuers.current().crosses_of(&root, clock.now());
    let optional = ClientAuth::Optional;
    let tls = ServerTls::new((chain, key), &root, trust, optional, Arc::clone(clock))?;
    Ok(tls.with_cross_certificates(&crosses))
}

fn warn(current: &Current, signing: &Signing, now: UnixTime) {
    for warning in ending_soon(
        &signing.issuers.current(),
        current.publication.of_roots(),
        now,
    ) {
        tracing::warn!("{warning}");
    }
}
