//! The server's side: who it is, and what a client must show.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::NoServerSessionStorage;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use scb_certs::{Certificate, Chain, SigningKey, TrustStore};

use super::verifier::{ClientVerifier, Verdict, WithoutLists};
use super::{ALPN, provider};
use crate::clock::{Clock, TlsTime};
use crate::error::Error;

/// Whether a client must have a certificate. One that it sends must always be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuth {
    /// It may come without; what it may then ask for is decided per message.
    Optional,
    /// Without one the handshake ends with the alert `certificate_required`.
    Required,
}

/// A server's TLS configuration. To change certificate or CRLs, build a new one.
#[derive(Debug, Clone)]
pub struct ServerTls {
    provider: Arc<CryptoProvider>,
    certified: CertifiedKey,
    identity: Arc<SingleCertAndKey>,
    /// With what only clients with standard programs are shown.
    identity_for_http: Arc<SingleCertAndKey>,
    trust: Arc<TrustStore>,
    client_auth: ClientAuth,
    time: Arc<TlsTime>,
}

impl ServerTls {
    /// For the server `identity`; `root` is appended to the chain it sends, so that clients
    /// that know only the root's fingerprint can begin.
    ///
    /// # Errors
    ///
    /// [`Error::Identity`] if the chain and the key cannot be used together.
    pub fn new(
        identity: (Chain, SigningKey),
        root: &Certificate,
        trust: Arc<TrustStore>,
        client_auth: ClientAuth,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        let (chain, key) = identity;
        let mut certificates = chain.to_rustls();
        certificates.push(root.to_rustls());
        let provider = provider();
        let certified = CertifiedKey::from_der(certificates, key.to_pkcs8_der(), &provider)
            .map_err(Error::Identity)?;
        let identity = Arc::new(SingleCertAndKey::from(certified.clone()));
        Ok(Self {
            provider,
            certified,
            identity_for_http: Arc::clone(&identity),
            identity,
            trust,
            client_auth,
            time: Arc::new(TlsTime(clock)),
        })
    }

    /// Shows clients that speak HTTP, and those alone, these certificates for the root's key as well, before the
    /// root: whoever knows another root follows them. Clients that speak frames take no such chain.
    #[must_use]
    pub fn with_cross_certificates<'a>(
        mut self,
        cross: impl IntoIterator<Item = &'a Certificate>,
    ) -> Self {
        let mut certified = self.certified.clone();
        let root = certified.cert.pop();
        certified
            .cert
            .extend(cross.into_iter().map(Certificate::to_rustls));
        certified.cert.extend(root);
        self.identity_for_http = Arc::new(SingleCertAndKey::from(certified));
        self
    }

    /// What client certificates are judged by.
    pub fn trust(&self) -> &Arc<TrustStore> {
        &self.trust
    }

    /// As rustls takes it, for a handshake without a socket.
    ///
    /// # Errors
    ///
    /// [`rustls::Error`] if it has no TLS 1.3, which it has.
    pub fn config(&self) -> Result<Arc<ServerConfig>, rustls::Error> {
        self.for_handshake(&[ALPN], &Verdict::default())
    }

    /// For one handshake that ends in one of these application protocols. What is found wrong
    /// with the client is kept in `verdict`, since the alert and the error that rustls returns
    /// say less. Without the frames among the protocols the handshake also ends well for a client that
    /// cannot be judged for want of lists: then `verdict` has that, and the client must be taken for nobody.
    pub(crate) fn for_handshake(
        &self,
        protocols: &[&[u8]],
        verdict: &Verdict,
    ) -> Result<Arc<ServerConfig>, rustls::Error> {
        let trust = Arc::clone(&self.trust);
        let (without_lists, identity) = match protocols.contains(&ALPN) {
            true => (WithoutLists::Alert, &self.identity),
            false => (WithoutLists::Afterwards, &self.identity_for_http),
        };
        let verdict = verdict.clone();
        let verifier = ClientVerifier::new(trust, self.client_auth, verdict, without_lists);
        let (provider, time) = (Arc::clone(&self.provider), Arc::clone(&self.time));
        let mut config = ServerConfig::builder_with_details(provider, time)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(Arc::new(verifier))
            .with_cert_resolver(Arc::clone(identity) as Arc<_>);
        config.alpn_protocols = protocols.iter().map(|one| one.to_vec()).collect();
        // A resumed session would skip the certificate verifier.
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.max_early_data_size = 0;
        Ok(Arc::new(config))
    }
}
