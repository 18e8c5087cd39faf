//! Chains as they travel: bounded in length, the leaf first, before anybody verifies them.

use data_encoding::BASE64;
use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Serialize};

use crate::certificate::all_from_pem;
use crate::{Certificate, Error, Fingerprint};

/// Certificates that a chain may have at most.
pub(crate) const MAX_CHAIN_LENGTH: usize = 4;

/// One to four certificates, the leaf first, as somebody presents them. In JSON an array of DER in
/// standard base64, as in `x5c` (RFC 7515, section 4.1.6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Chain(Vec<Certificate>);

impl Chain {
    /// A chain of these certificates, the leaf first.
    ///
    /// # Errors
    /// [`Error::ChainLength`] if there are none or more than four.
    pub fn new(certificates: Vec<Certificate>) -> Result<Self, Error> {
        check_length(certificates.len())?;
        Ok(Self(certificates))
    }

    /// Reads concatenated PEM.
    ///
    /// # Errors
    /// [`Error::CertificateMalformed`], [`Error::ChainLength`].
    pub fn from_pem(pem: &str) -> Result<Self, Error> {
        Self::new(all_from_pem(pem)?)
    }

    /// Reads DER, as the TLS library hands it over.
    ///
    /// # Errors
    /// [`Error::CertificateMalformed`], [`Error::ChainLength`].
    pub fn from_ders<D: AsRef<[u8]>>(ders: impl IntoIterator<Item = D>) -> Result<Self, Error> {
        let mut certificates = Vec::new();
        for der in ders {
            check_length(certificates.len() + 1)?;
            certificates.push(Certificate::from_der(der.as_ref())?);
        }
        Self::new(certificates)
    }

    /// Reads [`Self::to_base64`].
    ///
    /// # Errors
    /// [`Error::CertificateMalformed`], [`Error::ChainLength`].
    pub fn from_base64(ders: &[String]) -> Result<Self, Error> {
        check_length(ders.len())?;
        let decode = |text: &String| {
            BASE64
                .decode(text.as_bytes())
                .map_err(|_| Error::CertificateMalformed("not in base64"))
                .and_then(|der| Certificate::from_der(&der))
        };
        Self::new(ders.iter().map(decode).collect::<Result<_, _>>()?)
    }

    /// The certificate of the one who presents the chain.
    pub fn leaf(&self) -> &Certificate {
        &self.0[0]
    }

    /// All of them, the leaf first.
    pub fn certificates(&self) -> &[Certificate] {
        &self.0
    }

    /// Concatenated PEM, the leaf first.
    pub fn to_pem(&self) -> String {
        self.0.iter().map(Certificate::to_pem).collect()
    }

    /// DER in standard base64, the leaf first.
    pub fn to_base64(&self) -> Vec<String> {
        self.0
            .iter()
            .map(|certificate| BASE64.encode(certificate.der()))
            .collect()
    }

    /// DER, the leaf first, as the TLS library wants it.
    pub fn to_rustls(&self) -> Vec<CertificateDer<'static>> {
        self.0.iter().map(Certificate::to_rustls).collect()
    }
}

impl TryFrom<Vec<String>> for Chain {
    type Error = Error;

    fn try_from(ders: Vec<String>) -> Result<Self, Error> {
        Self::from_base64(&ders)
    }
}

impl From<Chain> for Vec<String> {
    fn from(chain: Chain) -> Self {
        chain.to_base64()
    }
}

/// The certificate in a presented chain whose SHA-256 is `fingerprint`: how somebody who knows
/// only the root's fingerprint finds the root.
pub fn root_in_chain<'a>(
    chain: &'a [Certificate],
    fingerprint: &Fingerprint,
) -> Option<&'a Certificate> {
    chain
        .iter()
        .find(|certificate| certificate.fingerprint() == *fingerprint)
}

fn check_length(length: usize) -> Result<(), Error> {
    if (1..=MAX_CHAIN_LENGTH).contains(&length) {
        Ok(())
    } else {
        Err(Error::ChainLength(length))
    }
}
