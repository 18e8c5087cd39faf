//! One TLS configuration for both sides: TLS 1.3 only, P-256 signatures, no resumption.

mod client;
pub(crate) mod doubt;
mod server;
mod verifier;

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring};
use rustls::{CommonState, ConnectionCommon, SignatureScheme, SupportedCipherSuite};
use scb_certs::{Certificate, Chain, TrustStore};

pub use client::{ClientTls, ServerTrust};
pub use server::{ClientAuth, ServerTls};
pub(crate) use verifier::Verdict;

/// The application protocol (RFC 7301) of frames.
pub const ALPN: &[u8] = b"scb/1";
/// That of HTTP/1.1.
pub(crate) const HTTP_1: &[u8] = b"http/1.1";
/// That of HTTP/2.
pub(crate) const HTTP_2: &[u8] = b"h2";

/// The only signatures accepted, in certificates and in handshakes.
static SIGNATURES: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &[webpki::ring::ECDSA_P256_SHA256],
    mapping: &[(
        SignatureScheme::ECDSA_NISTP256_SHA256,
        &[webpki::ring::ECDSA_P256_SHA256],
    )],
};

fn provider() -> Arc<CryptoProvider> {
    let default = ring::default_provider();
    Arc::new(CryptoProvider {
        cipher_suites: only_tls13(default.cipher_suites),
        kx_groups: vec![ring::kx_group::X25519, ring::kx_group::SECP256R1],
        signature_verification_algorithms: SIGNATURES,
        ..default
    })
}

fn only_tls13(mut suites: Vec<SupportedCipherSuite>) -> Vec<SupportedCipherSuite> {
    suites.retain(|suite| suite.tls13().is_some());
    suites
}

/// What the peer sent, leaf first; empty if it sent none.
pub(crate) fn presented(session: &CommonState) -> Result<Vec<Certificate>, rustls::Error> {
    let sent = session.peer_certificates().unwrap_or_default();
    verifier::parse_all(sent.iter())
}

/// The presented chain without the root, which travels only for bootstrap; `None` if nothing
/// was presented.
pub(crate) fn chain_without(
    sent: Vec<Certificate>,
    roots: &[Certificate],
) -> Result<Option<Chain>, rustls::Error> {
    match sent.is_empty() {
        true => Ok(None),
        false => verifier::chain_below(sent, roots).map(Some),
    }
}

/// What a client presented, as a chain; `None` if nothing was presented.
pub(crate) fn chain_of(
    sent: Vec<Certificate>,
    trust: &TrustStore,
) -> Result<Option<Chain>, rustls::Error> {
    match sent.is_empty() {
        true => Ok(None),
        false => verifier::client_chain(sent, trust).map(Some),
    }
}

/// The channel binding `tls-exporter` (RFC 9266, section 2).
pub(crate) fn binding<D>(session: &ConnectionCommon<D>) -> Result<[u8; 32], rustls::Error> {
    session.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b""))
}
