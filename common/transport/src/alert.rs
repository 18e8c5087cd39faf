//! Certificate errors, the TLS alerts that carry them, and the refusal codes they become.
//!
//! TLS 1.3 has fewer alerts than there are reasons (RFC 8446, section 6.2), so that the way
//! is: our error → the rustls error whose alert is closest → the alert → a refusal code. The
//! server logs the exact code; a client that finds the reason arrives at the same (`own`).

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
        E::Revoked => T::Revoked,
        E::UnknownIssuer | E::IssuerNamesake | E::SelfSigned | E::IssuerNotAuthority => {
            T::UnknownIssuer
        }
        E::BadSignature | E::KeyMismatch => T::BadSignature,
        E::WrongUsage | E::NoUsage | E::AnyUsage => T::InvalidPurpose,
        // `access_denied`, "a valid certificate was received, but": of these only the hold is not
        // to be found in the certificate itself.
        E::OnHold | E::WrongRole { .. } | E::WrongIssuer { .. } | E::WrongName { .. } => {
            T::ApplicationVerificationFailure
        }
        E::NameInvalid | E::NameAmbiguous | E::Malformed => T::BadEncoding,
        // TLS has `certificate_expired` for this as well; `certificate_unknown`, "some other
        // issue", keeps the two apart.
        error @ E::NotYetValid => T::Other(OtherError(Arc::new(error))),
        // `bad_certificate_status_response`: its status cannot be established.
        E::CrlUnavailable | E::CrlExpired => T::InvalidOcspResponse,
    })
}

/// The alert by which a client is told of this.
pub(crate) fn alert_of(error: &CertificateError) -> Option<AlertDescription> {
    match to_tls(error.clone()) {
        rustls::Error::InvalidCertificate(reason) => Some(reason.into()),
        _ => None,
    }
}

/// The alert that the peer sent, if that is what went wrong.
pub(crate) fn received(error: &io::Error) -> Option<AlertDescription> {
    match tls_error(error) {
        Some(rustls::Error::AlertReceived(alert)) => Some(*alert),
        _ => None,
    }
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
        A::AccessDenied => Code::CertificateOnHold,
        A::CertificateUnknown => Code::CertificateNotYetValid,
        A::BadCertificate => Code::CertificateInvalid,
        // The server's own want of lists: no certificate is refused for what it is.
        A::BadCertificateStatusResponse => Code::StatusUnavailable,
        A::NoApplicationProtocol | A::ProtocolVersion => Code::ServerMisbehaved,
        _ => Code::ConnectionLost,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_protocol::certificate_code;

    use super::*;

    /// The code that a client ends up with when its certificate is refused for this reason, and
    /// it cannot find out more.
    fn over_the_wire(error: &CertificateError) -> Code {
        code_of(alert_of(error).expect("about a certificate"))
    }

    #[test]
    fn an_alert_says_of_what_kind_a_refusal_would_have_been() {
        for (reason, code) in [
            (CertificateError::SelfSigned, Code::CertificateUnknownIssuer),
            (
                CertificateError::IssuerNotAuthority,
                Code::CertificateUnknownIssuer,
            ),
            (
                CertificateError::IssuerNamesake,
                Code::CertificateUnknownIssuer,
            ),
            (CertificateError::KeyMismatch, Code::CertificateBadSignature),
            (CertificateError::NoUsage, Code::CertificateWrongUsage),
            (CertificateError::AnyUsage, Code::CertificateWrongUsage),
            (
                CertificateError::WrongIssuer {
                    found: String::new(),
                },
                Code::CertificateOnHold,
            ),
            (CertificateError::NameAmbiguous, Code::CertificateInvalid),
        ] {
            assert_eq!(over_the_wire(&reason), code, "{reason}");
        }
    }

    #[test]
    fn an_alert_says_what_a_refusal_would_have_said() {
        let reasons = [
            CertificateError::Expired,
            CertificateError::NotYetValid,
            CertificateError::Revoked,
            CertificateError::OnHold,
            CertificateError::UnknownIssuer,
            CertificateError::BadSignature,
            CertificateError::WrongUsage,
            CertificateError::NameInvalid,
            CertificateError::CrlUnavailable,
            CertificateError::CrlExpired,
            CertificateError::Malformed,
        ];
        for reason in reasons {
            assert_eq!(
                over_the_wire(&reason),
                certificate_code(&reason),
                "{reason}"
            );
        }
    }

    #[test]
    fn other_failures_are_a_lost_connection() {
        let reset = io::Error::from(io::ErrorKind::ConnectionReset);
        assert_eq!(refusal_of(&reset, Step::Three).code, Code::ConnectionLost);
        let alert = rustls::Error::AlertReceived(AlertDescription::InternalError);
        let alert = io::Error::other(alert);
        assert_eq!(refusal_of(&alert, Step::Three).code, Code::ConnectionLost);
    }
}
