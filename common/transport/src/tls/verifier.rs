//! rustls' certificate verifiers over a [`TrustStore`].

use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::verify_tls13_signature;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use scb_certs::{
    Certificate, CertificateError, Chain, Fingerprint, ServiceName, ServiceUsage, TrustStore,
    root_in_chain,
};

use super::SIGNATURES;
use super::client::ServerTrust;
use super::doubt;
use super::server::ClientAuth;
use crate::alert::to_tls;

/// Accepts a server only if it is the one service meant, under its own name or address.
#[derive(Debug)]
pub(super) struct ServerVerifier {
    trust: ServerTrust,
    expected: ServiceName,
}

impl ServerVerifier {
    pub(super) fn new(trust: ServerTrust, expected: ServiceName) -> Self {
        Self { trust, expected }
    }

    fn store(&self, presented: &[Certificate]) -> Result<Arc<TrustStore>, Error> {
        match &self.trust {
            ServerTrust::Pinned(store) => Ok(Arc::clone(store)),
            ServerTrust::Fingerprint(fingerprint) => root_among(presented, fingerprint)
                .and_then(|root| TrustStore::new(root).ok())
                .map(Arc::new)
                .ok_or_else(|| to_tls(CertificateError::UnknownIssuer)),
        }
    }
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let presented = parse(end_entity, intermediates)?;
        let store = self.store(&presented)?;
        let chain = chain_below(presented, store.roots())?;
        store
            .verify_service(&chain, &self.expected, ServiceUsage::Server, now)
            .map_err(|error| doubt::about_chain(error, &chain, now))?;
        webpki::EndEntityCert::try_from(end_entity)
            .and_then(|leaf| leaf.verify_is_valid_for_subject_name(server_name))
            .map_err(|_| doubt::about_name(server_name, chain.leaf()))?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &SIGNATURES)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        SIGNATURES.supported_schemes()
    }
}

/// What was found wrong with the client of one handshake; the first finding stays.
#[derive(Debug, Clone, Default)]
pub(crate) struct Verdict(Arc<OnceLock<CertificateError>>);

impl Verdict {
    /// What was found, if anything was.
    pub(crate) fn found(&self) -> Option<&CertificateError> {
        self.0.get()
    }

    fn refuse(&self, found: CertificateError) -> Error {
        to_tls(self.0.get_or_init(|| found).clone())
    }
}

/// How a client is told that this server has no revocation list in force, and can judge nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WithoutLists {
    /// By the alert `bad_certificate_status_response`, as of everything that is wrong.
    Alert,
    /// After the handshake, by whoever asks the verdict: it has the finding, and the client is nobody.
    Afterwards,
}

/// Accepts a client only if it is a student or a service of this CUHK.
#[derive(Debug)]
pub(super) struct ClientVerifier {
    trust: Arc<TrustStore>,
    client_auth: ClientAuth,
    verdict: Verdict,
    without_lists: WithoutLists,
}

impl ClientVerifier {
    pub(super) fn new(
        trust: Arc<TrustStore>,
        client_auth: ClientAuth,
        verdict: Verdict,
        without_lists: WithoutLists,
    ) -> Self {
        Self {
            trust,
            client_auth,
            verdict,
            without_lists,
        }
    }

    fn is_told_afterwards(&self, found: &CertificateError) -> bool {
        let is_for_want_of_lists = matches!(
            found,
            CertificateError::CrlUnavailable | CertificateError::CrlExpired
        );
        self.without_lists == WithoutLists::Afterwards && is_for_want_of_lists
    }

    fn verify(
        &self,
        presented: &[&CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), CertificateError> {
        let malformed = |_| CertificateError::Malformed;
        let presented = parse_all(presented.iter().copied()).map_err(malformed)?;
        let chain = client_chain(presented, &self.trust).map_err(malformed)?;
        self.trust.verify_any_client(&chain, now).map(drop)
    }
}

impl ClientCertVerifier for ClientVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.client_auth == ClientAuth::Required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let presented: Vec<_> = std::iter::once(end_entity).chain(intermediates).collect();
        if let Err(found) = self.verify(&presented, now) {
            let is_told_afterwards = self.is_told_afterwards(&found);
            let refused = self.verdict.refuse(found);
            if !is_told_afterwards {
                return Err(refused);
            }
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &SIGNATURES)
            .map_err(|_| self.verdict.refuse(CertificateError::KeyMismatch))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        SIGNATURES.supported_schemes()
    }
}

/// The certificate among `presented` whose SHA-256 is `fingerprint`.
pub(super) fn root_among(
    presented: &[Certificate],
    fingerprint: &Fingerprint,
) -> Option<Certificate> {
    root_in_chain(presented, fingerprint).cloned()
}

/// The chain without the root, which travels with it only for bootstrap.
pub(crate) fn chain_below(
    presented: Vec<Certificate>,
    roots: &[Certificate],
) -> Result<Chain, Error> {
    let not_root = |certificate: &Certificate| !roots.contains(certificate);
    let below: Vec<_> = presented.into_iter().filter(not_root).collect();
    Chain::new(below).map_err(|_| to_tls(CertificateError::Malformed))
}

/// The chain of a client, completed where the server knows who issued its certificate.
pub(crate) fn client_chain(
    presented: Vec<Certificate>,
    trust: &TrustStore,
) -> Result<Chain, Error> {
    trust
        .chain_of(presented)
        .map_err(|_| to_tls(CertificateError::Malformed))
}

/// Parses what a peer sent, leaf first.
pub(crate) fn parse_all<'a, 'b: 'a>(
    certificates: impl Iterator<Item = &'a CertificateDer<'b>>,
) -> Result<Vec<Certificate>, Error> {
    let parse = |der: &CertificateDer<'_>| Certificate::from_der(der);
    let parsed: Result<_, _> = certificates.map(parse).collect();
    parsed.map_err(|_| to_tls(CertificateError::Malformed))
}

fn parse(
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
) -> Result<Vec<Certificate>, Error> {
    parse_all(std::iter::once(end_entity).chain(intermediates))
}

/// Never asked for: both sides are configured for TLS 1.3 only.
fn tls12() -> Error {
    Error::PeerIncompatible(PeerIncompatible::Tls12NotOffered)
}
