//! What Blackboard tells whoever looks after it: whether it can take in work, and its numbers.

mod metrics;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use scb_certs::TrustDomain;
use scb_cli::say;
use scb_protocol::server::Outage;
use scb_transport::{Monitor, Shutdown, telemetry};
use tokio::time::timeout;

use crate::handler::Shared;
use crate::logs::unseen_by_cuhk;
use crate::store::Store;
use metrics::Metrics;

/// How long the database may take for one small question.
const PATIENCE: Duration = Duration::from_secs(2);

/// The port for health and metrics, and the numbers that it shows.
pub(crate) struct Watch {
    metrics: Metrics,
    monitor: Monitor<Vitals>,
}

impl Watch {
    /// Listens at `address`, if there is one, and counts from now on. Not ready before
    /// [`Watch::over`]: until then Blackboard waits for `cuhk`.
    pub(crate) async fn start(
        address: Option<SocketAddr>,
        cuhk: &str,
        shutdown: &Shutdown,
    ) -> anyhow::Result<Option<Self>> {
        let Some(address) = address else {
            return Ok(None);
        };
        let (metrics, registry) = Metrics::new();
        let starting = format!("Blackboard is starting: it waits for CUHK at {cuhk}");
        let monitor = Monitor::start(address, registry, starting, shutdown).await?;
        let counting = metrics.clone();
        telemetry::count(move |event| counting.count(event));
        let address = monitor.local_addr();
        say(&format!(
            "blackboard  step 0  health and metrics at http://{address}"
        ))?;
        Ok(Some(Self { metrics, monitor }))
    }

    /// Looks after a server from now on.
    pub(crate) fn over(&self, shared: Arc<Shared>) {
        let metrics = self.metrics.clone();
        self.monitor.watch(Vitals { metrics, shared });
    }

    /// Answers nobody any more.
    pub(crate) async fn stop(self) {
        self.monitor.stop().await;
    }
}

/// A server that serves, as the monitor sees it.
struct Vitals {
    metrics: Metrics,
    shared: Arc<Shared>,
}

impl scb_transport::Vitals for Vitals {
    async fn ailments(&self) -> Vec<String> {
        let mut reasons: Vec<String> = self.database().await.into_iter().collect();
        // What is acknowledged is stored first.
        reasons.extend(scb_cli::unwritable(self.store().path()));
        reasons.extend(self.lists());
        reasons.extend(self.cuhk());
        reasons.extend(self.own_certificate());
        reasons.extend(self.rules().await);
        reasons.extend(self.shared.clocks.ailment(self.shared.clock.now()));
        reasons
    }

    fn remarks(&self) -> Vec<String> {
        let unseen = self.shared.witnessed.tally().so_far().unseen;
        unseen_by_cuhk(unseen).into_iter().collect()
    }

    fn measure(&self) {
        let now = self.shared.clock.now();
        self.metrics.lists(&self.shared.authority.lists(), now);
        self.metrics
            .cuhk_in_touch(self.shared.authority.is_in_touch());
        // Before the first answer nothing is known of it.
        if let Some(ahead) = self.shared.clocks.ahead(now) {
            self.metrics.clock(ahead);
        }
        let contradicted = self.shared.contradicted.load(Ordering::Relaxed);
        self.metrics.cuhk_log(contradicted);
        let own = self.shared.identity.borrow();
        self.metrics
            .own_certificate(own.chain.leaf().not_after(), now);
        self.metrics.database(self.store().size());
        let witnessed = &self.shared.witnessed;
        self.metrics.witnesses(&witnessed.tally().so_far(), now);
        // What cannot be read is no number: the last one stays.
        if let Ok(pending) = self.store().accepted_beyond(witnessed.complete_sizes()) {
            self.metrics.pending(pending);
        }
        if let Ok(altered) = self.store().altered_rules_blocking(self.domain()) {
            self.metrics.altered(altered.len());
        }
        if let Ok(kept) = self.shared.content.upload_sizes_blocking() {
            let bytes = kept.into_iter().map(|(_, bytes)| bytes);
            self.metrics.unfinished(bytes.fold(0, u64::saturating_add));
        }
    }
}

impl Vitals {
    async fn database(&self) -> Option<String> {
        match timeout(PATIENCE, self.store().crl_numbers()).await {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(format!("the database cannot be read: {error}")),
            Err(_) => Some("the database does not answer".to_owned()),
        }
    }

    fn lists(&self) -> Option<String> {
        match self.shared.authority.has_lists(self.shared.clock.now()) {
            true => None,
            false => Some("CUHK's revocation lists are not in force: nobody is let in".to_owned()),
        }
    }

    /// Without CUHK nobody is let in, unless it is away and tokens do meanwhile.
    fn cuhk(&self) -> Option<String> {
        if self.shared.authority.is_in_touch() {
            return None;
        }
        let is_needed = self.shared.policy.outage == Outage::Refuse;
        let away = || "CUHK does not answer: see whether `cuhk serve` runs".to_owned();
        let objection = self.shared.authority.objection();
        objection.or_else(|| is_needed.then(away))
    }

    fn own_certificate(&self) -> Option<String> {
        let expired = self
            .shared
            .identity
            .borrow()
            .has_expired(self.shared.clock.now());
        expired.then(|| "this server's certificate has expired".to_owned())
    }

    /// Nothing is taken in by rules that are not those of the log.
    async fn rules(&self) -> Option<String> {
        let look = self.store().altered_rules(self.domain().clone());
        let altered = timeout(PATIENCE, look).await.ok()?.ok()?;
        let first = altered.first()?;
        let others = match altered.len() {
            1 => String::new(),
            all => format!(" and of {} others", all - 1),
        };
        Some(format!(
            "the rules or extensions of {}/{}{others} here are not what the log says: nothing is judged by \
             them; `blackboard fsck` names what differs",
            first.course(),
            first.assignment()
        ))
    }

    fn domain(&self) -> &TrustDomain {
        self.shared.policy.service.trust_domain()
    }

    fn store(&self) -> &Store {
        self.shared.register.store()
    }
}
