//! Why a server's certificate is not accepted, with what a person needs in order to mend it.

use std::sync::Arc;

use rustls::{CertificateError as TlsCertificateError, Error, OtherError};
use rustls_pki_types::{ServerName, UnixTime};
use scb_certs::{Certificate, CertificateError, Chain};
use scb_protocol::{Code, Refusal, Step, in_words, rfc3339};

use crate::alert::to_tls;

/// The rustls error for a chain that is refused; keeps times and names.
pub(super) fn about_chain(error: CertificateError, chain: &Chain, now: UnixTime) -> Error {
    use TlsCertificateError as T;
    let all = chain.certificates().iter();
    Error::InvalidCertificate(match error {
        CertificateError::Expired => T::ExpiredContext {
            time: now,
            not_after: earliest(all.map(Certificate::not_after)).unwrap_or(now),
        },
        CertificateError::NotYetValid => T::NotValidYetContext {
            time: now,
            not_before: latest(all.map(Certificate::not_before)).unwrap_or(now),
        },
        error @ (CertificateError::WrongName { .. }
        | CertificateError::WrongRole { .. }
        | CertificateError::WrongIssuer { .. }) => T::Other(OtherError(Arc::new(error))),
        other => return to_tls(other),
    })
}

/// The rustls error for a certificate that does not cover the address.
pub(super) fn about_name(expected: &ServerName<'_>, leaf: &Certificate) -> Error {
    let addresses = leaf.ip_addresses().into_iter().map(|ip| ip.to_string());
    Error::InvalidCertificate(TlsCertificateError::NotValidForNameContext {
        expected: expected.to_owned(),
        presented: leaf.dns_names().into_iter().chain(addresses).collect(),
    })
}

/// `server_identity`, with what was expected and what was found.
pub(crate) fn refusal(reason: &TlsCertificateError, step: Step) -> Refusal {
    let refusal = Refusal::new(Code::ServerIdentity, step).with("reason", why(reason));
    match reason {
        TlsCertificateError::ExpiredContext { time, not_after } => refusal
            .with("not_after", rfc3339(*not_after))
            .with("time_here", rfc3339(*time)),
        TlsCertificateError::NotValidYetContext { time, not_before } => refusal
            .with("not_before", rfc3339(*not_before))
            .with("time_here", rfc3339(*time)),
        TlsCertificateError::NotValidForNameContext {
            expected,
            presented,
        } => refusal
            .with("expected", expected.to_str())
            .with("found", presented.join(", ")),
        TlsCertificateError::Other(other) => match other.0.downcast_ref() {
            Some(CertificateError::WrongName { expected, found }) => {
                refusal.with("expected", expected).with("found", found)
            }
            Some(
                CertificateError::WrongRole { found } | CertificateError::WrongIssuer { found },
            ) => refusal.with("found", found),
            _ => refusal,
        },
        _ => refusal,
    }
}

/// For people; rustls names most of its variants only.
fn why(reason: &TlsCertificateError) -> String {
    use TlsCertificateError as T;
    let text = match reason {
        T::ExpiredContext { time, not_after } => {
            let by = between(*not_after, *time);
            return format!(
                "its certificate has expired, or this machine's clock is at least {by} ahead"
            );
        }
        T::NotValidYetContext { time, not_before } => {
            let by = between(*time, *not_before);
            return format!(
                "its certificate is not valid yet: this machine's clock seems to be at least \
                 {by} behind"
            );
        }
        T::Revoked => "its certificate has been revoked",
        T::UnknownIssuer => "its certificate is not under the expected root",
        T::BadSignature => "a signature in its chain or in the handshake does not verify",
        T::InvalidPurpose => "its certificate is not a server's",
        T::InvalidOcspResponse => {
            "whether its certificate was revoked cannot be told: the revocation list for it here has \
             ended, or is missing"
        }
        T::NotValidForNameContext { .. } => "its certificate is for another host name or address",
        T::BadEncoding => "its certificate is not well-formed",
        T::Other(other) if other.0.is::<CertificateError>() => {
            "its certificate is that of another party"
        }
        other => return other.to_string(),
    };
    text.to_owned()
}

fn between(earlier: UnixTime, later: UnixTime) -> String {
    in_words(later.as_secs().saturating_sub(earlier.as_secs()))
}

fn earliest(times: impl Iterator<Item = UnixTime>) -> Option<UnixTime> {
    times.min_by_key(UnixTime::as_secs)
}

fn latest(times: impl Iterator<Item = UnixTime>) -> Option<UnixTime> {
    times.max_by_key(UnixTime::as_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_that_have_ended_are_told_in_words() {
        for error in [
            CertificateError::CrlExpired,
            CertificateError::CrlUnavailable,
        ] {
            let Error::InvalidCertificate(reason) = to_tls(error) else {
                panic!("about a certificate");
            };
            let refused = refusal(&reason, Step::Three);
            let told = &refused.params["reason"];
            assert!(told.contains("revocation list"), "{told}");
            assert!(!told.contains("Ocsp"), "{told}");
        }
    }
}
