//! What is said of a certificate that does not verify.

use scb_certs::CertificateError;

use crate::{Code, Refusal, Step};

/// The code of each reason why a chain does not verify.
pub fn certificate_code(error: &CertificateError) -> Code {
    match error {
        CertificateError::Expired => Code::CertificateExpired,
        CertificateError::NotYetValid => Code::CertificateNotYetValid,
        CertificateError::Revoked => Code::CertificateRevoked,
        CertificateError::UnknownIssuer => Code::CertificateUnknownIssuer,
        CertificateError::BadSignature => Code::CertificateBadSignature,
        CertificateError::WrongUsage => Code::CertificateWrongUsage,
        CertificateError::WrongRole { .. } | CertificateError::WrongName { .. } => {
            Code::CertificateWrongRole
        }
        _ => Code::CertificateInvalid,
    }
}

/// A refusal because of a chain that does not verify.
pub fn certificate_refusal(error: &CertificateError, step: Step) -> Refusal {
    let refusal = Refusal::new(certificate_code(error), step);
    match error {
        CertificateError::WrongRole { found } => refusal.with("found", found),
        CertificateError::WrongName { expected, found } => {
            refusal.with("expected", expected).with("found", found)
        }
        _ => refusal.with("reason", error),
    }
}
