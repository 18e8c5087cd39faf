//! The one reader of certificates: everything that the other modules ask of X.509 is asked of what is decoded
//! and bounded here.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use der::Encode;
use der::pem::{LineEnding, encode_string};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_cert::ext::pkix::KeyUsages;

use crate::key_usage::KeyPurpose;
use crate::parse::{self, Parsed};
use crate::spiffe::parse_authority_uri;
use crate::{Error, Fingerprint, PublicKey, Serial, SpiffeId, TrustDomain};

/// Bytes that a certificate may have at most.
const MAX_CERTIFICATE_SIZE: usize = 16 * 1024;

/// An X.509 certificate that could be decoded. Whether to trust it is for
/// [`crate::TrustStore`] to say. Cheap to clone.
#[derive(Clone)]
pub struct Certificate(Arc<Inner>);

struct Inner {
    der: CertificateDer<'static>,
    fingerprint: Fingerprint,
    parsed: Parsed,
}

impl Certificate {
    /// Reads DER, strictly: at most [`MAX_CERTIFICATE_SIZE`], nothing after it, one encoding only.
    ///
    /// # Errors
    /// [`Error::CertificateMalformed`].
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        if der.len() > MAX_CERTIFICATE_SIZE {
            return Err(Error::CertificateMalformed("too large"));
        }
        let parsed = parse::parse(der)?;
        let fingerprint = Fingerprint::of(der);
        Ok(Self(Arc::new(Inner {
            der: CertificateDer::from(der.to_vec()),
            fingerprint,
            parsed,
        })))
    }

    /// Reads the one certificate in this PEM.
    ///
    /// # Errors
    /// [`Error::CertificateMalformed`], also when there is none or more than one.
    pub fn from_pem(pem: &str) -> Result<Self, Error> {
        match <[Self; 1]>::try_from(all_from_pem(pem)?) {
            Ok([certificate]) => Ok(certificate),
            Err(_) => Err(Error::CertificateMalformed("not exactly one in the PEM")),
        }
    }

    /// The certificate in DER.
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// The certificate in DER, as the TLS library wants it.
    pub fn to_rustls(&self) -> CertificateDer<'static> {
        self.0.der.clone()
    }

    /// The certificate in PEM, with a final line feed.
    pub fn to_pem(&self) -> String {
        // It fails only for a bad label or for input near the largest `usize`; ours is 16 KiB.
        encode_string("CERTIFICATE", LineEnding::LF, self.der()).expect("short input, good label")
    }

    /// SHA-256 of the DER.
    pub fn fingerprint(&self) -> Fingerprint {
        self.0.fingerprint
    }

    /// The serial number.
    pub fn serial(&self) -> Serial {
        self.parsed().serial
    }

    /// The certified public key.
    ///
    /// # Errors
    /// [`Error::KeyUnsupported`] if it is not P-256.
    pub fn public_key(&self) -> Result<PublicKey, Error> {
        self.parsed()
            .public_key
            .clone()
            .ok_or(Error::KeyUnsupported)
    }

    /// The SPIFFE ID: the one URI among the subject's alternative names.
    ///
    /// # Errors
    /// [`Error::NameInvalid`] if there is no URI, more than one, or one of another form.
    pub fn spiffe_id(&self) -> Result<SpiffeId, Error> {
        self.only_uri()?.parse()
    }

    /// The first second at which it is valid.
    pub fn not_before(&self) -> UnixTime {
        self.parsed().not_before
    }

    /// The last second at which it is valid.
    pub fn not_after(&self) -> UnixTime {
        self.parsed().not_after
    }

    /// From when on it is time for the next one: when a third of its life is left.
    pub fn renewal_due(&self) -> UnixTime {
        let (from, to) = (self.not_before().as_secs(), self.not_after().as_secs());
        let third = to.saturating_sub(from) / 3;
        UnixTime::since_unix_epoch(Duration::from_secs(to.saturating_sub(third)))
    }

    /// Whether it is time for the next one.
    pub fn is_due_for_renewal(&self, now: UnixTime) -> bool {
        now > self.renewal_due()
    }

    /// The DNS names of a service.
    pub fn dns_names(&self) -> Vec<String> {
        self.parsed().dns_names.clone()
    }

    /// The IP addresses of a service.
    pub fn ip_addresses(&self) -> Vec<IpAddr> {
        self.parsed().ip_addresses.clone()
    }

    /// Where it says that its issuer's revocation list is (RFC 5280, section 4.2.1.13).
    pub fn revocation_list_urls(&self) -> Vec<String> {
        parse::list_urls(self.der())
    }

    /// Where it says that its issuer's certificate is (RFC 5280, section 4.2.2.1).
    pub fn issuer_urls(&self) -> Vec<String> {
        parse::issuer_urls(self.der())
    }

    /// Whether it is the certificate of a certificate authority.
    pub fn is_ca(&self) -> bool {
        self.parsed().is_ca
    }

    /// How many authorities may follow this one; none if it does not say.
    pub fn path_length(&self) -> Option<u8> {
        self.parsed().path_length
    }

    /// The extended key usages, in the order in which the certificate has them; empty if it has
    /// no such extension.
    pub fn extended_key_usages(&self) -> &[KeyPurpose] {
        &self.parsed().purposes
    }

    /// The trust domain of a certificate authority: its one URI is `spiffe://<trust domain>`.
    ///
    /// # Errors
    /// [`Error::NameInvalid`].
    pub fn authority_trust_domain(&self) -> Result<TrustDomain, Error> {
        parse_authority_uri(self.only_uri()?)
    }

    /// The issuer's name in DER. Only for finding the issuer, never for deciding who somebody is.
    pub(crate) fn issuer(&self) -> &[u8] {
        &self.parsed().issuer
    }

    /// The subject's name in DER. Only for finding the issuer.
    pub(crate) fn subject(&self) -> &[u8] {
        &self.parsed().subject
    }

    /// The identifier of its key, by which its revocation list names it.
    pub fn subject_key_id(&self) -> Option<&[u8]> {
        self.parsed().subject_key_id.as_deref()
    }

    /// The identifier of the key that signed it (authority key identifier), if it says so.
    pub fn authority_key_id(&self) -> Option<&[u8]> {
        self.parsed().authority_key_id.as_deref()
    }

    /// Whether the key usages are exactly these.
    pub(crate) fn has_key_usages(&self, expected: &[KeyUsages]) -> bool {
        let found = &self.parsed().key_usages;
        found.len() == expected.len() && expected.iter().all(|usage| found.contains(usage))
    }

    pub(crate) fn is_self_issued(&self) -> bool {
        self.issuer() == self.subject()
    }

    /// Whether the names and the key identifiers say that `issuer` issued this. The signature is
    /// another matter.
    pub fn names_issuer(&self, issuer: &Self) -> bool {
        let key_ids_differ = match (&self.parsed().authority_key_id, issuer.subject_key_id()) {
            (Some(authority), Some(subject)) => authority != subject,
            _ => false,
        };
        self.issuer() == issuer.subject() && !key_ids_differ
    }

    /// Verifies that `issuer` signed this certificate. Nothing else about either is checked.
    ///
    /// # Errors
    /// [`Error::BadSignature`], [`Error::KeyUnsupported`].
    pub(crate) fn verify_signed_by(&self, issuer: &Self) -> Result<(), Error> {
        let certificate = parse::decode(self.der())?;
        let signed = certificate
            .tbs_certificate
            .to_der()
            .map_err(|_| Error::CertificateMalformed("not in DER"))?;
        let signature = certificate
            .signature
            .as_bytes()
            .ok_or(Error::BadSignature)?;
        issuer.public_key()?.verify_der(&signed, signature)
    }

    /// The URIs among the subject's alternative names.
    pub(crate) fn uris(&self) -> &[String] {
        &self.parsed().uris
    }

    fn only_uri(&self) -> Result<&str, Error> {
        match self.uris() {
            [uri] => Ok(uri),
            _ => Err(Error::NameInvalid {
                kind: "certificate name",
                expected: "exactly one URI",
            }),
        }
    }

    fn parsed(&self) -> &Parsed {
        &self.0.parsed
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der() == other.der()
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Certificate")
            .field("serial", &self.serial())
            .field("names", &self.parsed().uris)
            .finish_non_exhaustive()
    }
}

/// Every certificate in this PEM, in order.
///
/// # Errors
/// [`Error::CertificateMalformed`].
pub fn all_from_pem(pem: &str) -> Result<Vec<Certificate>, Error> {
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .map(|der| match der {
            Ok(der) => Certificate::from_der(&der),
            Err(_) => Err(Error::CertificateMalformed("not in PEM")),
        })
        .collect()
}
