//! What went wrong, for whoever wrote or runs a service that asks about tokens: the registry's
//! remedies speak to the user of our own programs.

use scb_protocol::Code;

/// What was wrong, and what to do.
pub(super) fn told(code: Code) -> (&'static str, &'static str) {
    let sentence = match code {
        Code::CertificateMissing => "no service has shown a certificate (RFC 8705)",
        Code::MalformedMessage => "the form is not what RFC 7662 asks for",
        Code::NotPermitted => "only services ask about tokens, not students",
        code => code.sentence(),
    };
    (sentence, remedy(code))
}

fn remedy(code: Code) -> &'static str {
    match code {
        Code::CertificateMissing => {
            "connect with your service's certificate (TLS client certificate); the first one comes \
             from /.well-known/est/simpleenroll for the code that campus IT gave you"
        }
        Code::MalformedMessage => {
            "send a form with one parameter named token (RFC 7662, section 2.1)"
        }
        Code::MediaTypeUnsupported => {
            "send the header Content-Type: application/x-www-form-urlencoded"
        }
        Code::BodyTooLarge => "send one token and nothing else",
        Code::NotPermitted => "connect with the certificate of a service",
        Code::CertificateExpired | Code::CertificateRevoked => {
            "ask campus IT for a new code for your service and enrol again at \
             /.well-known/est/simpleenroll"
        }
        Code::CertificateUnknownIssuer | Code::CertificateNotYetValid => {
            "connect with a certificate that this CUHK has issued, and with a clock that is right"
        }
        code => code.remedy(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_told_of_a_program_that_was_not_used() {
        for code in [
            Code::CertificateMissing,
            Code::MalformedMessage,
            Code::MediaTypeUnsupported,
            Code::BodyTooLarge,
            Code::NotPermitted,
            Code::CertificateExpired,
            Code::CertificateRevoked,
            Code::CertificateUnknownIssuer,
            Code::CertificateNotYetValid,
            Code::Busy,
            Code::StatusUnavailable,
            Code::StorageFull,
            Code::Internal,
        ] {
            let (sentence, remedy) = told(code);
            for ours in ["this program", "command", "student enrol", "student renew"] {
                assert!(!sentence.contains(ours), "{code}: {sentence}");
                assert!(!remedy.contains(ours), "{code}: {remedy}");
            }
        }
    }
}
