//! What a client makes of the alert by which a server refused its certificate. TLS has fewer
//! alerts than there are reasons: the alert gives the class, and the client, who has its own
//! certificate and key before it, finds the reason within it.

use std::fmt;
use std::sync::Arc;

use rustls::AlertDescription;
use scb_certs::{Certificate, Chain, PublicKey, TrustStore, examine_client};
use scb_protocol::{Refusal, Step, certificate_refusal};

use crate::alert::alert_of;
use crate::clock::Clock;

/// A client's own certificate and the public half of its key.
#[derive(Clone)]
pub(crate) struct OwnIdentity {
    pub(crate) chain: Chain,
    pub(crate) key: PublicKey,
    pub(crate) clock: Arc<dyn Clock>,
}

/// The same, beside the root under which the server was accepted.
#[derive(Debug)]
pub(crate) struct Examiner {
    identity: OwnIdentity,
    trust: TrustStore,
}

impl OwnIdentity {
    /// `None` if that root can be none, which no accepted server's can.
    pub(crate) fn under(self, root: &Certificate) -> Option<Examiner> {
        let trust = TrustStore::new(root.clone()).ok()?;
        let identity = self;
        Some(Examiner { identity, trust })
    }
}

impl Examiner {
    /// The exact refusal, if something is found that the server would tell by this alert.
    pub(crate) fn refusal(&self, alert: AlertDescription, step: Step) -> Option<Refusal> {
        let OwnIdentity { chain, key, clock } = &self.identity;
        let found = examine_client(&self.trust, chain, key, clock.now());
        let reason = found
            .iter()
            .find(|reason| alert_of(reason) == Some(alert))?;
        Some(certificate_refusal(reason, step))
    }
}

impl fmt::Debug for OwnIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnIdentity")
            .field("chain", &self.chain)
            .finish_non_exhaustive()
    }
}
