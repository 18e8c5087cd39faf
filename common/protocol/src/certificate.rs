//! What is said of a certificate that does not verify.

use scb_certs::{CertificateError, Chain};
use serde::{Deserialize, Deserializer, de};

use crate::{Code, Refusal, Step};

/// After how many seconds somebody may try again whose status could not be established.
const STATUS_RETRY_AFTER: u32 = 60;

/// The code of each reason why a chain does not verify.
pub fn certificate_code(error: &CertificateError) -> Code {
    match error {
        CertificateError::Expired => Code::CertificateExpired,
        CertificateError::NotYetValid => Code::CertificateNotYetValid,
        CertificateError::Revoked => Code::CertificateRevoked,
        CertificateError::OnHold => Code::CertificateOnHold,
        CertificateError::UnknownIssuer => Code::CertificateUnknownIssuer,
        CertificateError::IssuerNamesake => Code::CertificateIssuerNamesake,
        CertificateError::SelfSigned => Code::CertificateSelfSigned,
        CertificateError::IssuerNotAuthority => Code::CertificateIssuerNotCa,
        CertificateError::KeyMismatch => Code::CertificateKeyMismatch,
        CertificateError::NoUsage => Code::CertificateNoUsage,
        CertificateError::AnyUsage => Code::CertificateAnyUsage,
        CertificateError::WrongIssuer { .. } => Code::CertificateWrongIssuer,
        CertificateError::NameAmbiguous => Code::CertificateNameAmbiguous,
        CertificateError::BadSignature => Code::CertificateBadSignature,
        CertificateError::WrongUsage => Code::CertificateWrongUsage,
        CertificateError::WrongRole { .. } | CertificateError::WrongName { .. } => {
            Code::CertificateWrongRole
        }
        CertificateError::CrlUnavailable | CertificateError::CrlExpired => Code::StatusUnavailable,
        CertificateError::NameInvalid | CertificateError::Malformed => Code::CertificateInvalid,
    }
}

/// A refusal because of a chain that does not verify.
pub fn certificate_refusal(error: &CertificateError, step: Step) -> Refusal {
    let refusal = Refusal::new(certificate_code(error), step);
    match error {
        CertificateError::WrongRole { found } | CertificateError::WrongIssuer { found } => {
            refusal.with("found", found)
        }
        CertificateError::WrongName { expected, found } => {
            refusal.with("expected", expected).with("found", found)
        }
        // These codes alone have several reasons.
        _ if refusal.code == Code::CertificateInvalid => refusal.with("reason", error),
        _ if refusal.code == Code::StatusUnavailable => refusal
            .with("reason", error)
            .retry_after(STATUS_RETRY_AFTER),
        _ => refusal,
    }
}

/// Certificates in the chain of a message: leaf and issuing CA. The root is known to whoever
/// can judge them.
const IN_MESSAGES: usize = 2;

/// Whether a chain has the one length that chains in messages have.
pub(crate) fn is_leaf_and_issuer(chain: &Chain) -> bool {
    chain.certificates().len() == IN_MESSAGES
}

/// What chains in messages are, for people.
pub(crate) const LEAF_AND_ISSUER: &str = "2 certificates: leaf and issuing CA";

/// Reads a chain of exactly leaf and issuing CA.
pub(crate) fn leaf_and_issuer<'de, D: Deserializer<'de>>(from: D) -> Result<Chain, D::Error> {
    let chain = Chain::deserialize(from)?;
    match is_leaf_and_issuer(&chain) {
        true => Ok(chain),
        false => {
            let got = chain.certificates().len();
            Err(de::Error::invalid_length(got, &LEAF_AND_ISSUER))
        }
    }
}
