//! How this server opens a connection to CUHK: where CUHK is, as whom, and by what it is recognised.
//!
//! What must not wait for the members' verification has a connection of its own, opened here.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_certs::{ServiceName, TrustStore};
use scb_protocol::Refusal;
use scb_transport::{ClientTls, Clock, ServerTrust};
use tokio::sync::watch;
use tokio::time::Instant;

use super::CuhkAddress;
use super::link::Link;
use super::worker::unusable;
use crate::identity::Identity;

/// Opens connections to CUHK, each with the certificate and the trust store of the moment.
#[derive(Clone)]
pub(crate) struct Dialer {
    /// Where CUHK listens.
    pub(crate) address: CuhkAddress,
    /// Who asks.
    pub(crate) identity: watch::Receiver<Arc<Identity>>,
    /// By what CUHK is recognised.
    pub(crate) trust: watch::Receiver<Arc<TrustStore>>,
    /// The time.
    pub(crate) clock: Arc<dyn Clock>,
}

impl Dialer {
    /// Connects and waits for the greeting, as long as that takes no longer than `patience`.
    pub(super) async fn dial(&mut self, patience: Duration) -> Result<Link, Refusal> {
        let trust = Arc::clone(&self.trust.borrow_and_update());
        let tls = tls(&mut self.identity, trust, &self.clock)?;
        let address = self.address.current().to_owned();
        Link::open(&address, &tls, Instant::now() + patience).await
    }

    /// Whether this server has another certificate than the one that it last connected with.
    pub(super) fn has_another_certificate(&self) -> bool {
        self.identity.has_changed().unwrap_or(false)
    }

    /// Waits for what may end the next attempt otherwise than in this refusal: another certificate of this
    /// server, or other lists, unless it was the certificate that was refused.
    pub(super) async fn news(&mut self, of: &Refusal) {
        let waits_for_lists = !of.code.is_about_certificate();
        tokio::select! {
            Ok(()) = self.identity.changed() => {}
            Ok(()) = self.trust.changed(), if waits_for_lists => {}
            // Nobody is left who would tell.
            else => pending().await,
        }
    }

    /// The roots and revocation lists of the moment.
    pub(super) fn trust(&self) -> Arc<TrustStore> {
        Arc::clone(&self.trust.borrow())
    }

    pub(super) fn now(&self) -> UnixTime {
        self.clock.now()
    }
}

/// As this server, to CUHK and nobody else. The certificate counts as seen from now on.
pub(super) fn tls(
    identity: &mut watch::Receiver<Arc<Identity>>,
    trust: Arc<TrustStore>,
    clock: &Arc<dyn Clock>,
) -> Result<ClientTls, Refusal> {
    let identity = Arc::clone(&identity.borrow_and_update());
    let identity = (identity.chain.clone(), identity.key.clone());
    let trust = ServerTrust::Pinned(trust);
    ClientTls::with_clock(
        trust,
        ServiceName::cuhk(),
        Some(identity),
        Arc::clone(clock),
    )
    .map_err(|error| unusable(&error))
}
