//! Certificates that no honest issuer would sign.

use std::net::IpAddr;

use rcgen::{CertificateParams, DnType, IsCa, KeyPair, KeyUsagePurpose, SanType, SerialNumber};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use scb_certs::{Certificate, Chain, IssuerKind, Serial, SigningKey, Validity};
use time::OffsetDateTime;

use crate::campus::{TestCampus, TestIdentity, new_key};

/// An extended key usage.
pub use rcgen::ExtendedKeyUsagePurpose as Purpose;

/// documentSigning (RFC 9336).
const DOCUMENT_SIGNING: [u64; 9] = [1, 3, 6, 1, 5, 5, 7, 3, 36];

/// Who signs.
enum Signer<'a> {
    Issuer(IssuerKind),
    Impostor(IssuerKind, &'a SigningKey),
    Somebody(&'a TestIdentity),
    Itself,
}

/// Builds a certificate field by field. Begins as that of student 1155000001.
#[must_use]
pub struct Forge<'a> {
    campus: &'a TestCampus,
    uris: Vec<String>,
    names: Vec<SanType>,
    purposes: Vec<Purpose>,
    ca: bool,
    validity: Validity,
    signer: Signer<'a>,
}

impl<'a> Forge<'a> {
    pub(crate) fn new(campus: &'a TestCampus) -> Self {
        let issuer = campus.issuer(IssuerKind::Students);
        let domain = issuer.trust_domain();
        Self {
            campus,
            uris: vec![format!("spiffe://{domain}/student/1155000001")],
            names: Vec::new(),
            purposes: vec![Purpose::ClientAuth, Self::document_signing()],
            ca: false,
            validity: campus.validity(std::time::Duration::from_secs(24 * 3600)),
            signer: Signer::Issuer(IssuerKind::Students),
        }
    }

    /// documentSigning (RFC 9336), which `Purpose` does not know by name.
    pub fn document_signing() -> Purpose {
        Purpose::Other(DOCUMENT_SIGNING.to_vec())
    }

    /// Exactly these URIs as names.
    pub fn uris(mut self, uris: &[&str]) -> Self {
        self.uris = uris.iter().map(ToString::to_string).collect();
        self
    }

    /// This address as a name besides.
    pub fn ip(mut self, ip: IpAddr) -> Self {
        self.names.push(SanType::IpAddress(ip));
        self
    }

    /// Exactly these extended key usages; none: no such extension.
    pub fn purposes(mut self, purposes: &[Purpose]) -> Self {
        self.purposes = purposes.to_vec();
        self
    }

    /// CA:TRUE.
    pub fn ca(mut self) -> Self {
        self.ca = true;
        self
    }

    /// Valid for this time.
    pub fn valid(mut self, validity: Validity) -> Self {
        self.validity = validity;
        self
    }

    /// Signed by this issuer of the campus.
    pub fn issued_by(mut self, kind: IssuerKind) -> Self {
        self.signer = Signer::Issuer(kind);
        self
    }

    /// In the name of this issuer, whose certificate follows, but signed with another key.
    pub fn signed_in_the_name_of(mut self, kind: IssuerKind, key: &'a SigningKey) -> Self {
        self.signer = Signer::Impostor(kind, key);
        self
    }

    /// Signed by somebody who is no CA; their chain follows.
    pub fn signed_by(mut self, somebody: &'a TestIdentity) -> Self {
        self.signer = Signer::Somebody(somebody);
        self
    }

    /// Signed with its own key.
    pub fn self_signed(mut self) -> Self {
        self.signer = Signer::Itself;
        self
    }

    /// The certificate, its chain and its key.
    pub fn build(self) -> TestIdentity {
        let key = new_key();
        let own = key_pair(&key);
        let parameters = self.parameters();
        let (certificate, rest) = match &self.signer {
            Signer::Itself => (parameters.self_signed(&own), Vec::new()),
            Signer::Issuer(kind) => {
                let issuer = self.campus.issuer(*kind);
                let rest = vec![issuer.certificate().clone()];
                (signed_by(&parameters, &own, &rest[0], issuer.key()), rest)
            }
            Signer::Impostor(kind, key) => {
                let rest = vec![self.campus.issuer(*kind).certificate().clone()];
                (signed_by(&parameters, &own, &rest[0], key), rest)
            }
            Signer::Somebody(somebody) => {
                let rest = somebody.chain.certificates().to_vec();
                (signed_by(&parameters, &own, &rest[0], &somebody.key), rest)
            }
        };
        let der = certificate.expect("a certificate").der().to_vec();
        let leaf = Certificate::from_der(&der).expect("well-formed");
        let chain = std::iter::once(leaf).chain(rest).collect();
        TestIdentity {
            chain: Chain::new(chain).expect("at most four"),
            key,
        }
    }

    fn parameters(&self) -> CertificateParams {
        let mut parameters = CertificateParams::default();
        let serial = Serial::random().expect("randomness");
        parameters.serial_number = Some(SerialNumber::from_slice(serial.as_bytes()));
        parameters.not_before = instant(self.validity.not_before);
        parameters.not_after = instant(self.validity.not_after);
        parameters
            .distinguished_name
            .push(DnType::CommonName, "forged");
        let uri = |uri: &String| SanType::URI(uri.as_str().try_into().expect("ASCII"));
        parameters.subject_alt_names = self.uris.iter().map(uri).collect();
        parameters
            .subject_alt_names
            .extend(self.names.iter().cloned());
        parameters.extended_key_usages = self.purposes.clone();
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.use_authority_key_identifier_extension = true;
        parameters.is_ca = IsCa::ExplicitNoCa;
        if self.ca {
            parameters.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            parameters.key_usages.push(KeyUsagePurpose::KeyCertSign);
        }
        parameters
    }
}

fn signed_by(
    parameters: &CertificateParams,
    own: &KeyPair,
    issuer: &Certificate,
    issuer_key: &SigningKey,
) -> Result<rcgen::Certificate, rcgen::Error> {
    let der = CertificateDer::from(issuer.der());
    let issuer = rcgen::Issuer::from_ca_cert_der(&der, key_pair(issuer_key))?;
    parameters.signed_by(own, &issuer)
}

fn key_pair(key: &SigningKey) -> KeyPair {
    let der: PrivateKeyDer<'static> = key.to_pkcs8_der();
    KeyPair::try_from(&der).expect("a P-256 key")
}

fn instant(time: UnixTime) -> OffsetDateTime {
    let seconds = i64::try_from(time.as_secs()).expect("before the end of time");
    OffsetDateTime::from_unix_timestamp(seconds).expect("a year of four digits")
}
