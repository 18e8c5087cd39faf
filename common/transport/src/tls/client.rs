//! The client's side: whom it trusts, whom it means, and who it is.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use scb_certs::{Certificate, Chain, Fingerprint, ServiceName, SigningKey, TrustStore};

use super::verifier::{ServerVerifier, root_among};
use super::{ALPN, provider};
use crate::clock::{Clock, SystemClock, TlsTime};
use crate::error::Error;
use crate::own::OwnIdentity;

/// How a client knows the root under which the server's certificate must be.
#[derive(Debug, Clone)]
pub enum ServerTrust {
    /// It has the root, and possibly CRLs.
    Pinned(Arc<TrustStore>),
    /// It knows only the root's SHA-256; the server sends the root in its chain.
    Fingerprint(Fingerprint),
}

/// A client's TLS configuration for one service. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ClientTls {
    config: Arc<ClientConfig>,
    trust: ServerTrust,
    own: Option<OwnIdentity>,
}

impl ClientTls {
    /// For the service `expected`, with or without a client certificate; system clock. Whether
    /// the key is the certificate's is for the server to say, as all else about them.
    ///
    /// # Errors
    ///
    /// [`Error::Identity`] if TLS cannot use the key.
    pub fn new(
        trust: ServerTrust,
        expected: ServiceName,
        identity: Option<(Chain, SigningKey)>,
    ) -> Result<Self, Error> {
        Self::with_clock(trust, expected, identity, Arc::new(SystemClock))
    }

    /// The same with another clock.
    ///
    /// # Errors
    ///
    /// As for [`ClientTls::new`].
    pub fn with_clock(
        trust: ServerTrust,
        expected: ServiceName,
        identity: Option<(Chain, SigningKey)>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        let verifier = ServerVerifier::new(trust.clone(), expected);
        let provider = provider();
        let own = identity.as_ref().map(|(chain, key)| OwnIdentity {
            chain: chain.clone(),
            key: key.public_key().clone(),
            clock: Arc::clone(&clock),
        });
        let time = Arc::new(TlsTime(clock));
        let builder = ClientConfig::builder_with_details(Arc::clone(&provider), time)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(Error::Identity)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let key = provider.key_provider.load_private_key(key.to_pkcs8_der());
                let key = key.map_err(Error::Identity)?;
                let pair = SingleCertAndKey::from(CertifiedKey::new(chain.to_rustls(), key));
                builder.with_client_cert_resolver(Arc::new(pair))
            }
        };
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.resumption = Resumption::disabled();
        let config = Arc::new(config);
        Ok(Self { config, trust, own })
    }

    /// Who the client is, if it shows a certificate.
    pub(crate) fn own(&self) -> Option<&OwnIdentity> {
        self.own.as_ref()
    }

    /// As rustls takes it, for a handshake without a socket.
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }

    /// The root under which the server that sent `presented` was accepted.
    pub(crate) fn root(&self, presented: &[Certificate]) -> Option<Certificate> {
        match &self.trust {
            ServerTrust::Pinned(store) => {
                let issuer = presented.get(1);
                let root = issuer.and_then(|issuer| store.root_of(issuer));
                Some(root.unwrap_or(store.root()).clone())
            }
            ServerTrust::Fingerprint(fingerprint) => root_among(presented, fingerprint),
        }
    }
}
