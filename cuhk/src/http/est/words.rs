//! What went wrong, for whoever wrote or runs a client of EST: the registry's sentences speak to the
//! user of our own program.

use scb_protocol::Code;

/// What was wrong, and what to send instead. It says no more about students, codes and certificates
/// than the registry does.
pub(super) fn told(code: Code) -> (&'static str, &'static str) {
    let sentence = match code {
        Code::MediaTypeUnsupported => "the body is not said to be a PKCS#10 request",
        Code::MalformedMessage => "the body is not base64",
        Code::EnrolmentRefused => "CUHK does not accept this user with this enrolment code",
        Code::RequestInvalid => {
            "the body is no PKCS#10 request (RFC 2986) in DER, or not signed by the key that is in it \
             with SHA-256"
        }
        code => code.sentence(),
    };
    (sentence, remedy(code))
}

fn remedy(code: Code) -> &'static str {
    match code {
        Code::MediaTypeUnsupported => "send the header Content-Type: application/pkcs10",
        Code::MalformedMessage => {
            "send the DER in base64, without the BEGIN and END lines of PEM (RFC 8951, section 3): \
             openssl req -in request.pem -outform DER | openssl base64"
        }
        Code::RequestInvalid => {
            "make the request with the private key of its own public key and with SHA-256: openssl \
             req -new -sha256 -key key.pem -subj / -outform DER | openssl base64"
        }
        Code::KeyUnsupported => {
            "make a key on P-256, as csrattrs says: openssl genpkey -algorithm EC -pkeyopt \
             ec_paramgen_curve:P-256"
        }
        Code::BodyTooLarge => "send a PKCS#10 request and nothing else: it has a few hundred bytes",
        Code::EnrolmentRefused => {
            "give them by HTTP Basic authentication: the user is the student ID, for a service \
             service/NAME, the password the enrolment code. A new code comes from your department, \
             for a service from campus IT"
        }
        Code::CertificateMissing => {
            "connect with the certificate that is to be renewed (TLS client certificate); the first \
             one comes from simpleenroll, for a code"
        }
        Code::CertificateExpired | Code::CertificateRevoked | Code::RenewalTooLate => {
            "ask your department for a new code and send a new request to simpleenroll"
        }
        Code::StudentUnlisted => "ask your department; once you are listed again, ask once more",
        Code::TermOver => "ask your department when the next term is opened, then ask once more",
        code => code.remedy(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `simpleenroll` and `simplereenroll` may refuse.
    const REFUSED: [Code; 26] = [
        Code::MediaTypeUnsupported,
        Code::MalformedMessage,
        Code::RequestInvalid,
        Code::KeyUnsupported,
        Code::KeyRefused,
        Code::BodyTooLarge,
        Code::EnrolmentRefused,
        Code::CodeExpired,
        Code::CodeUsed,
        Code::CodeWithdrawn,
        Code::TooManyCodes,
        Code::TooManyDevices,
        Code::StudentInactive,
        Code::StudentUnlisted,
        Code::TermOver,
        Code::CertificateMissing,
        Code::CertificateExpired,
        Code::CertificateRevoked,
        Code::CertificateSuperseded,
        Code::CertificateUnknownIssuer,
        Code::RenewalNotLonger,
        Code::RenewalTooLate,
        Code::Busy,
        Code::StatusUnavailable,
        Code::StorageFull,
        Code::Internal,
    ];

    #[test]
    fn a_full_disk_and_a_wrong_code_are_told_with_what_to_send_or_when() {
        let full = (
            "the server has no space left",
            "try again later; tell your IT service",
        );
        assert_eq!(told(Code::StorageFull), full);
        let (sentence, remedy) = told(Code::EnrolmentRefused);
        assert_eq!(
            sentence,
            "CUHK does not accept this user with this enrolment code"
        );
        for what in ["HTTP Basic", "the student ID", "service/NAME", "campus IT"] {
            assert!(remedy.contains(what), "{remedy}");
        }
    }

    #[test]
    fn nobody_is_told_of_a_program_that_was_not_used() {
        for code in REFUSED {
            let (sentence, remedy) = told(code);
            for ours in ["this program", "command", "student enrol", "student renew"] {
                assert!(!sentence.contains(ours), "{code}: {sentence}");
                assert!(!remedy.contains(ours), "{code}: {remedy}");
            }
            // RFC 8951, section 4: people read it, wherever they are.
            assert!(sentence.is_ascii() && remedy.is_ascii(), "{code}");
        }
    }
}
