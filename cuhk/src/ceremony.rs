//! The few moments in which the root signs: a new issuing authority comes into being.
//!
//! Three acts, so that the root's key may lie on another machine: a request is made where the new
//! key is, the root signs it where the root is, and the answer is taken in where the request was
//! made. `cuhk keys rotate` does all three at one place.

mod cross;
mod import;
mod in_force;
mod request;
mod revoked;
mod room;
mod root;
mod sign;

use scb_certs::{Certificate, Fingerprint, TrustDomain, VerifiedRequest};
use scb_protocol::values::Der;
use serde::{Deserialize, Serialize};

pub use import::import;
pub(crate) use import::{is_imported, is_root_imported, try_key};
pub(crate) use in_force::InForce;
pub use in_force::NotInForce;
pub use request::request;
pub(crate) use request::{newest_root, next_key};
pub use revoked::Revoked as RevokedAuthority;
pub(crate) use revoked::unlisted;
pub(crate) use room::{Ending, Room, lists, room_at};
pub use root::{RootAnswer, RootRequest, import_root, request_root, sign_root};
pub(crate) use sign::require_in_force;
pub use sign::{open_root, sign};

use crate::Error;
use crate::store::CrlSigner;

const REQUEST: &str = "scb-signing-request";
const ANSWER: &str = "scb-signing-answer";

/// What is carried to the root: the public key of a new issuing authority, nothing secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SigningRequest {
    #[serde(rename = "type")]
    kind: String,
    v: u8,
    /// Of whom it is.
    pub trust_domain: TrustDomain,
    /// The name of the new authority, such as `students-2`.
    pub authority: CrlSigner,
    /// SHA-256 of the certificate of the root that is to sign.
    pub root: Fingerprint,
    /// PKCS#10 request (RFC 2986), DER, signed by the new key.
    request: Der,
    /// Where its root's revocation list and certificate are published, if anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    crl_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ca_url: Option<String>,
}

impl SigningRequest {
    /// SHA-256 of the new public key, by which two people compare it.
    ///
    /// # Errors
    ///
    /// [`Error::CeremonyInvalid`] if the request is not signed by its own key.
    pub fn key(&self) -> Result<Fingerprint, Error> {
        self.verified()
            .map(|request| request.public_key().fingerprint())
    }

    /// The addresses of the root's list and certificate that the new one will name.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = &str> {
        [&self.crl_url, &self.ca_url]
            .into_iter()
            .filter_map(|url| url.as_deref())
    }

    fn verified(&self) -> Result<VerifiedRequest, Error> {
        VerifiedRequest::verify(self.request.as_bytes())
            .map_err(|_| Error::CeremonyInvalid("the request is not signed by its own key"))
    }
}

/// What is carried back: certificates, nothing secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SigningAnswer {
    #[serde(rename = "type")]
    kind: String,
    v: u8,
    /// The name of the new authority.
    pub authority: CrlSigner,
    /// Its certificate, PEM.
    certificate: String,
}

impl SigningAnswer {
    /// When the certificate counts.
    ///
    /// # Errors
    ///
    /// [`Error::CeremonyInvalid`] if it cannot be decoded.
    pub(crate) fn in_force(&self) -> Result<InForce, Error> {
        let certificate = Certificate::from_pem(&self.certificate).map_err(import::altered)?;
        Ok(InForce::of(&certificate))
    }
}
