//! The service certificate renews itself when less than a third of its life is left.

use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, Chain, ServiceName, ServiceUsage, SigningKey, create_request};
use scb_transport::Clock;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::authority::Authority;
use crate::identity::{Identity, IdentityFiles};

/// How often it is looked at.
const CHECK: Duration = Duration::from_secs(60 * 60);

/// Sees to it that the service always has a certificate in force.
#[derive(Debug)]
pub(crate) struct Renewal {
    /// Where key and certificate are kept.
    pub(crate) files: IdentityFiles,
    /// Tells everybody about the new pair.
    pub(crate) identity: watch::Sender<Arc<Identity>>,
    /// CUHK.
    pub(crate) authority: Authority,
    /// The time.
    pub(crate) clock: Arc<dyn Clock>,
}

impl Renewal {
    /// Looks now and then every hour. A failure is logged and tried again.
    pub(crate) async fn run(self) {
        let mut checks = interval(CHECK);
        checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            checks.tick().await;
            match self.renew_if_due().await {
                Ok(Some(until)) => {
                    let until = scb_protocol::rfc3339(until);
                    tracing::info!("service certificate renewed, in force until {until}");
                }
                Ok(None) => {}
                Err(error) => tracing::warn!("service certificate not renewed: {error:#}"),
            }
        }
    }

    /// Renews if it is time; returns until when the new certificate is in force.
    pub(crate) async fn renew_if_due(&self) -> anyhow::Result<Option<UnixTime>> {
        let current = Arc::clone(&self.identity.borrow());
        if !current.chain.leaf().is_due_for_renewal(self.clock.now()) {
            return Ok(None);
        }
        // Durable before it is used: a lost answer is asked for again with the same key.
        let key = self.files.next_key()?;
        let chain = self.authority.renew(create_request(&key)?).await?;
        self.check(&chain, &key, current.chain.leaf())?;
        self.files.install(&chain)?;
        let until = chain.leaf().not_after();
        self.identity
            .send_replace(Arc::new(Identity { chain, key }));
        Ok(Some(until))
    }

    fn check(&self, chain: &Chain, key: &SigningKey, old: &Certificate) -> anyhow::Result<()> {
        let (trust, now) = (self.authority.trust(), self.clock.now());
        let name = ServiceName::blackboard();
        trust
            .borrow()
            .verify_service(chain, &name, ServiceUsage::Server, now)?;
        let leaf = chain.leaf();
        ensure!(
            leaf.public_key()? == *key.public_key(),
            "it is for another key"
        );
        ensure!(
            leaf.not_after() > old.not_after(),
            "it ends no later than the old one"
        );
        Ok(())
    }
}
