//! The server's side: who it is, and what a client must show.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::NoServerSessionStorage;
use scb_certs::{Certificate, Chain, SigningKey, TrustStore};

use super::verifier::ClientVerifier;
use super::{ALPN, HTTP_1, HTTP_2, provider};
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
    config: Arc<ServerConfig>,
    http: Arc<ServerConfig>,
    trust: Arc<TrustStore>,
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
        let verifier = ClientVerifier::new(Arc::clone(&trust), client_auth);
        let mut config = ServerConfig::builder_with_details(provider(), Arc::new(TlsTime(clock)))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(Error::Identity)?
            .with_client_cert_verifier(Arc::new(verifier))
            .with_single_cert(certificates, key.to_pkcs8_der())
            .map_err(Error::Identity)?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        // A resumed session would skip the certificate verifier.
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.max_early_data_size = 0;
        let mut http = config.clone();
        http.alpn_protocols = vec![HTTP_2.to_vec(), HTTP_1.to_vec()];
        Ok(Self {
            config: Arc::new(config),
            http: Arc::new(http),
            trust,
        })
    }

    /// What client certificates are judged by.
    pub fn trust(&self) -> &Arc<TrustStore> {
        &self.trust
    }

    /// For a client that asks for HTTP.
    pub(crate) fn http_config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.http)
    }

    /// As rustls takes it, for a handshake without a socket.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }
}
