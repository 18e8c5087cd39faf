//! The TLS configuration, which follows the server's identity and the trust store.

use std::sync::Arc;

use anyhow::Context;
use scb_certs::{Certificate, TrustStore};
use scb_transport::{ClientAuth, Clock, ServerTls};
use tokio::sync::watch;

use crate::fault::Faults;
use crate::identity::Identity;

/// Makes the TLS configuration from the identity and the trust store of the moment.
pub(super) struct TlsMaker {
    pub(super) identity: watch::Receiver<Arc<Identity>>,
    pub(super) trust: watch::Receiver<Arc<TrustStore>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) faults: Faults,
}

impl TlsMaker {
    /// The root under which this server's certificate is.
    pub(super) fn root(&self) -> Certificate {
        let (identity, trust) = (self.identity.borrow(), self.trust.borrow());
        let issuer = identity.chain.certificates().get(1);
        let root = issuer.and_then(|issuer| trust.root_of(issuer));
        root.unwrap_or(trust.root()).clone()
    }

    pub(super) fn make(&self) -> anyhow::Result<Arc<ServerTls>> {
        let identity = self.faults.identity(Arc::clone(&self.identity.borrow()));
        let tls = ServerTls::new(
            (identity.chain.clone(), identity.key.clone()),
            &self.root(),
            Arc::clone(&self.trust.borrow()),
            ClientAuth::Required,
            Arc::clone(&self.clock),
        );
        tls.map(Arc::new)
            .context("cannot make the TLS configuration")
    }

    /// Publishes a new configuration whenever identity or trust store change.
    pub(super) async fn follow(mut self, tls: watch::Sender<Arc<ServerTls>>) {
        loop {
            let changed = tokio::select! {
                changed = self.identity.changed() => changed,
                changed = self.trust.changed() => changed,
            };
            if changed.is_err() {
                return;
            }
            match self.make() {
                Ok(new) => {
                    tls.send_replace(new);
                }
                Err(error) => tracing::error!("{error:#}"),
            }
        }
    }
}
