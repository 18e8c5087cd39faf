//! Messages between a student's or a service's program and CUHK.

use scb_certs::{Chain, Fingerprint, ServiceName, SpiffeId, StudentId};

use super::{messages, replies};
use crate::EnrolmentCode;
use crate::certificate::leaf_and_issuer;
use crate::object::objects;
use crate::values::{Der, Nonce};

/// A member about whom a service asks, and the certificate that it was shown.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct MemberQuestion {
    /// The student ID.
    pub sid: StudentId,
    /// SHA-256 of the certificate's DER.
    pub cert_sha256: Fingerprint,
}

objects!(MemberQuestion);

messages! {
    /// What CUHK is asked.
    Request {
        /// Steps 1 and 2: a first certificate, for a one-time code. No client certificate.
        "enrol" Enrol {
            /// The student ID.
            sid: StudentId,
            /// The one-time enrolment code.
            code: EnrolmentCode,
            /// PKCS#10 request (RFC 2986), DER.
            request: Der,
        }
        /// A fresh identity token for the student of the client certificate.
        "refresh_token" RefreshToken {}
        /// A service's first certificate, for a one-time code. No client certificate.
        "enrol_service" EnrolService {
            /// The service's name.
            name: ServiceName,
            /// The one-time enrolment code.
            code: EnrolmentCode,
            /// PKCS#10 request (RFC 2986), DER.
            request: Der,
        }
        /// The next certificate of the service of the client certificate.
        "renew_service" RenewService {
            /// PKCS#10 request (RFC 2986), DER.
            request: Der,
        }
        /// Step 3: are these members active, with these certificates?
        "verify" Verify {
            /// Fresh for each question; the answer repeats it.
            nonce: Nonce,
            /// The members, each once, 1 to 8.
            members: Vec<MemberQuestion>,
        }
        /// The number of the last change of any status.
        "status" Status {}
        /// The current certificate revocation lists.
        "crls" Crls {}
    }
}

replies! {
    /// What CUHK answers.
    Reply {
        /// The first message on every connection.
        "greeting" Greeting {
            /// Version of what is signed and stored: 1.
            v: u8,
            /// The server's name.
            service: SpiffeId,
            /// The server's time, seconds since 1970-01-01 UTC.
            time: u64,
        }
        /// Answer to `enrol`.
        "enrolled" Enrolled {
            /// Leaf and issuer, no more; the root is known already.
            #[serde(deserialize_with = "leaf_and_issuer")]
            chain: Chain,
            /// The identity token (JWT).
            token: String,
        }
        /// Answer to `refresh_token`.
        "token" Token {
            /// The identity token (JWT).
            token: String,
        }
        /// Answer to `enrol_service` and `renew_service`.
        "service_enrolled" ServiceEnrolled {
            /// Leaf and issuer, no more; the root is known already.
            #[serde(deserialize_with = "leaf_and_issuer")]
            chain: Chain,
        }
        /// Answer to `verify`.
        "verification" Verification {
            /// CUHK's signed answer (JWT).
            verification: String,
        }
        /// Answer to `status`.
        "status" Status {
            /// Grows by at least one with every change of a student's or certificate's status.
            epoch: u64,
        }
        /// Answer to `crls`; the lists follow in chunk frames, one after another, DER.
        "crls" Crls {
            /// The epoch that the lists cover.
            epoch: u64,
            /// The size of each list in bytes, in the order root, students, services.
            sizes: Vec<u64>,
        }
    }
}
