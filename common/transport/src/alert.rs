//! Certificate errors, the TLS alerts that carry them, and the refusal codes they become.
//!
//! TLS 1.3 has fewer alerts than there are reasons (RFC 8446, section 6.2), so that the way
//! is: our error → the rustls error whose alert is closest → the alert → a refusal code.

use std::io;
use std::sync::Arc;

use rustls::{AlertDescription, CertificateError as TlsCertificateError, OtherError};
use scb_certs::CertificateError;
use scb_protocol::{Code, Refusal, Step};

/// The rustls error, and with it the alert, for a certificate that is refused.
pub(crate) fn to_tls(error: CertificateError) -> rustls::Error {
    use CertificateError as E;
    use TlsCertificateError as T;
    rustls::Error::InvalidCertificate(match error {
        E::Expired => T::Expired,
        E::NotYetValid => T::NotValidYet,
        E::Revoked => T::Revoked,
        E::UnknownIssuer => T::UnknownIssuer,
        E::BadSignature => T::BadSignature,
        E::WrongUsage => T::InvalidPurpose,
        E::WrongRole { .. } | E::WrongName { .. } => T::ApplicationVerificationFailure,
        E::NameInvalid | E::Malformed => T::BadEncoding,
        // `certificate_unknown`: its status cannot be established.
        error => T::Other(OtherError(Arc::new(error))),
    })
}

/// The refusal that a failed read, write or handshake amounts to.
pub(crate) fn refusal_of(error: &io::Error, step: Step) -> Refusal {
    match tls_error(error) {
        Some(rustls::Error::AlertReceived(alert)) => Refusal::new(code_of(*alert), step),
        Some(other) => Refusal::new(Code::ConnectionLost, step).with("reason", other),
        None => Refusal::new(Code::ConnectionLost, step),
    }
}

/// The TLS error inside `error`, if it is one.
pub(crate) fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// What the peer means by a fatal alert. Only about certificates is it sure.
fn code_of(alert: AlertDescription) -> Code {
    use AlertDescription as A;
    match alert {
        A::CertificateRequired => Code::CertificateMissing,
        A::CertificateExpired => Code::CertificateExpired,
        A::CertificateRevoked => Code::CertificateRevoked,
        A::UnknownCA => Code::CertificateUnknownIssuer,
        A::DecryptError => Code::CertificateBadSignature,
        A::UnsupportedCertificate => Code::CertificateWrongUsage,
        A::AccessDenied => Code::CertificateWrongRole,
        A::BadCertificate | A::CertificateUnknown => Code::CertificateInvalid,
        A::NoApplicationProtocol | A::ProtocolVersion => Code::ServerMisbehaved,
        _ => Code::ConnectionLost,
    }
}
