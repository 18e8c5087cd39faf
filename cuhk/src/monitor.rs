//! What CUHK tells whoever looks after it: whether it can work, and its numbers.

mod metrics;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_cli::{rfc3339, with_causes};
use scb_protocol::CLOCK_SKEW;
use scb_transport::{Clock, Monitor, Shutdown, telemetry};
use tokio::time::timeout;

use crate::Error;
use crate::authority::Authority;
use crate::store::{Records, Store, Witness};
use metrics::Metrics;

/// How long the database may take for one small question.
const PATIENCE: Duration = Duration::from_secs(2);

/// The port for health and metrics, and the numbers that it shows.
#[derive(Debug)]
pub struct Watch {
    metrics: Metrics,
    monitor: Monitor<Vitals>,
}

impl Watch {
    /// Listens at `address`, and counts from now on. Not ready before
    /// [`Server::watched_by`](crate::Server::watched_by).
    ///
    /// # Errors
    ///
    /// [`scb_transport::Error::AddressInUse`] and others of binding a socket.
    pub async fn start(address: SocketAddr, shutdown: &Shutdown) -> Result<Self, Error> {
        let (metrics, registry) = Metrics::new();
        let monitor = Monitor::start(address, registry, "CUHK is starting", shutdown).await?;
        let counting = metrics.clone();
        telemetry::count(move |event| counting.count(event));
        Ok(Self { metrics, monitor })
    }

    /// The address that is bound.
    pub fn address(&self) -> SocketAddr {
        self.monitor.local_addr()
    }

    /// Looks after a server from now on.
    pub(crate) fn over(&self, authority: Arc<Authority>, store: Store, clock: Arc<dyn Clock>) {
        self.monitor.watch(Vitals {
            metrics: self.metrics.clone(),
            authority,
            store,
            clock,
        });
    }

    /// Answers nobody any more.
    pub async fn stop(self) {
        self.monitor.stop().await;
    }
}

/// A server that serves, as the monitor sees it.
#[derive(Debug)]
struct Vitals {
    metrics: Metrics,
    authority: Arc<Authority>,
    store: Store,
    clock: Arc<dyn Clock>,
}

impl scb_transport::Vitals for Vitals {
    async fn ailments(&self) -> Vec<String> {
        let now = self.clock.now();
        let mut reasons: Vec<String> = self.database().await.into_iter().collect();
        // What is issued and answered is written down first.
        reasons.extend(scb_cli::unwritable(self.store.path()));
        reasons.extend(self.unopened());
        reasons.extend(self.lists(now));
        reasons.extend(self.own_certificate(now));
        reasons
    }

    fn measure(&self) {
        let now = self.clock.now();
        let publication = &self.authority.current().publication;
        self.metrics.forget_authorities();
        for (signer, authority) in self.authority.named_certificates() {
            if !self.authority.is_withdrawn(signer) {
                self.metrics.authority(signer, &authority, now);
            }
            if let Some(list) = publication.list_of(&authority) {
                self.metrics.list(signer, list, now);
            }
        }
        self.metrics.database(self.store.size());
        // What cannot be read is no number: the last one stays.
        let _ = self.witnesses();
    }
}

impl Vitals {
    fn witnesses(&self) -> Result<(), Error> {
        let read = |records: &Records<'_>| {
            let log = records.log();
            Ok((log.size()?, log.witnesses()?, log.contradictions()?))
        };
        let (size, witnesses, held) = self.store.read_blocking(read)?;
        for held in &held {
            self.metrics.witness(&held.service, (0, size), true);
        }
        for Witness {
            service,
            size: cosigned,
            ..
        } in &witnesses
        {
            let is_held = held.iter().any(|held| held.service == *service);
            self.metrics.witness(service, (*cosigned, size), is_held);
        }
        Ok(())
    }

    async fn database(&self) -> Option<String> {
        let asked = self.store.read(|records| records.status().epoch());
        match timeout(PATIENCE, asked).await {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(format!(
                "the database cannot be read: {}",
                with_causes(&error)
            )),
            Err(_) => Some("the database does not answer".to_owned()),
        }
    }

    fn unopened(&self) -> Vec<String> {
        let unopened = self.authority.unopened().into_iter();
        let told = unopened.map(|signer| {
            format!(
                "{signer} cannot be opened, and its revocation list is not signed: see the log, and \
                 `cuhk doctor`"
            )
        });
        told.collect()
    }

    fn lists(&self, now: UnixTime) -> Option<String> {
        let publication = &self.authority.current().publication;
        let authorities = self.authority.named_certificates().into_iter();
        let mut lists = authorities
            .filter_map(|(signer, authority)| Some((signer, publication.list_of(&authority)?)));
        let stale = lists.find(|(_, list)| !counts(list.this_update(), list.next_update(), now));
        stale.map(|(signer, list)| {
            format!(
                "the revocation list of {signer} counts from {} to {}: see the log, and `cuhk doctor`",
                rfc3339(list.this_update()),
                rfc3339(list.next_update())
            )
        })
    }

    fn own_certificate(&self, now: UnixTime) -> Option<String> {
        let current = self.authority.current();
        let own = current.tls.chain.leaf();
        let (begins, ends) = (rfc3339(own.not_before()), rfc3339(own.not_after()));
        match counts(own.not_before(), own.not_after(), now) {
            true => None,
            false if now < own.not_before() => Some(format!(
                "the server's own certificate counts only from {begins} on, and it is {} here: see \
                 `cuhk doctor`",
                rfc3339(now)
            )),
            false => Some(format!("the server's own certificate counts until {ends}")),
        }
    }
}

/// Whether something that counts from one time to another does now; clocks may differ a little.
fn counts(from: UnixTime, until: UnixTime, now: UnixTime) -> bool {
    (from.as_secs()..until.as_secs().saturating_add(1)).contains(&now.as_secs())
        || now.as_secs() < from.as_secs() && from.as_secs() - now.as_secs() <= CLOCK_SKEW
}
