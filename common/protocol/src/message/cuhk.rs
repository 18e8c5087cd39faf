//! Messages between a student's or a service's program and CUHK.

use scb_certs::{Chain, Fingerprint, ServiceName, SpiffeId, StudentId};

use super::{messages, replies};
use crate::certificate::leaf_and_issuer;
use crate::object::objects;
use crate::values::{Der, Nonce, Salt};
use crate::{EnrolmentCode, InactiveReason};

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

/// A checkpoint that a service cosigned.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct Witnessed {
    /// Which service.
    pub service: ServiceName,
    /// Its key for cosignatures (C2SP signed-note, verifier key).
    pub verifier_key: String,
    /// The last checkpoint that it cosigned (C2SP tlog-checkpoint), with the cosignature.
    pub checkpoint: String,
    /// The proof that the log grew out of it (RFC 6962), base64.
    pub growth: Vec<String>,
}

/// An entry of the issuance log, opened to whom it concerns.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct AuditedEntry {
    /// Its number in the log, from 0.
    pub index: u64,
    /// The salt of its commitment.
    pub salt: Salt,
    /// Its exact content, JSON.
    pub content: String,
    /// The proof that its commitment is in the log (RFC 6962), base64.
    pub path: Vec<String>,
    /// Of a certificate: why it is not active now; absent if active. It is no part of the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inactive: Option<InactiveReason>,
}

objects!(Witnessed);
objects!(AuditedEntry);

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
        /// The next certificate of the student of the client certificate.
        "renew" Renew {
            /// PKCS#10 request (RFC 2986), DER.
            request: Der,
        }
        /// The next certificate after one that has expired. No client certificate.
        "renew_expired" RenewExpired {
            /// The student ID.
            sid: StudentId,
            /// PKCS#10 request (RFC 2986), DER.
            request: Der,
            /// The request as the old key signed it for this connection (JWS).
            proof: String,
        }
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
            /// SHA-256 of the statement that it is about, if it is about one; the answer repeats it.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            statement_sha256: Option<Fingerprint>,
        }
        /// The number of the last change of any status.
        "status" Status {}
        /// The current certificate revocation lists.
        "crls" Crls {}
        /// The issuance log's checkpoint, covering everything until now.
        "checkpoint" Checkpoint {
            /// Entries that the asker knows of; 0 for nothing.
            old: u64,
        }
        /// Entries about the student of the client certificate, a page at a time.
        "audit" Audit {
            /// The size of the checkpoint that they are to be proved against.
            size: u64,
            /// Which entry about this student to begin with, from 1.
            from: u64,
        }
        /// A witness's word about a checkpoint that it got before.
        "cosign" Cosign {
            /// The witness's key (C2SP signed-note, verifier key).
            verifier_key: String,
            /// The checkpoint with the cosignature (C2SP tlog-cosignature).
            checkpoint: String,
        }
        /// Which roots are CUHK's.
        "trust_bundle" TrustBundle {
            /// Its number; 0 for the latest.
            sequence: u64,
        }
        /// Endorse the key of a log of the service of the client certificate.
        "endorse" Endorse {
            /// The log's key (C2SP signed-note, verifier key); its name is the log's.
            log: String,
        }
        /// Cosign a checkpoint of a log of the service of the client certificate.
        "witness" Witness {
            /// The checkpoint (C2SP tlog-checkpoint).
            checkpoint: String,
            /// How many of the log's entries CUHK has seen.
            old: u64,
            /// The proof that the checkpoint's tree begins with those (RFC 6962), base64.
            growth: Vec<String>,
            /// The entries in between, each 32 bytes, at most 512.
            entries: Vec<Fingerprint>,
        }
        /// What has CUHK seen of a log of the service of the client certificate?
        "witnessed" Witnessed {
            /// The log's name.
            log: String,
        }
        /// Entries of such a log that CUHK has kept, a page at a time.
        "witnessed_entries" WitnessedEntries {
            /// The log's name.
            log: String,
            /// The number of the first one, from 0.
            from: u64,
            /// The number after the last one.
            end: u64,
        }
        /// Which logs of the service of the client certificate CUHK knows, a page at a time.
        "witnessed_logs" WitnessedLogs {
            /// The name after which to begin; empty for the first page.
            after: String,
        }
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
        /// Answer to `enrol`, `renew` and `renew_expired`.
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
            /// The epoch that the lists cover, as in `status`.
            epoch: u64,
            /// The size of each list in bytes, those of roots first.
            sizes: Vec<u64>,
        }
        /// Answer to `checkpoint`.
        "checkpoint" Checkpoint {
            /// The log's key (C2SP signed-note, verifier key).
            verifier_key: String,
            /// The checkpoint (C2SP tlog-checkpoint).
            checkpoint: String,
            /// The proof that the log grew out of the size that was asked with, base64.
            growth: Vec<String>,
            /// What witnesses said last, each of a checkpoint of its own.
            witnessed: Vec<Witnessed>,
        }
        /// Answer to `audit`.
        "audit" Audit {
            /// How many entries about this student there are in all.
            count: u64,
            /// Questions that were answered before this second of Unix time are no longer kept, except for the
            /// newest entry about a student; absent if none was removed yet.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            removed_before: Option<u64>,
            /// The next of those that are kept, at most 16.
            entries: Vec<AuditedEntry>,
        }
        /// Answer to `cosign`: it is stored.
        "cosigned" Cosigned {}
        /// Answer to `trust_bundle`.
        "trust_bundle" TrustBundle {
            /// The bundle's exact bytes (JSON).
            bundle: String,
            /// Detached CMS SignedData (RFC 5652), DER, each by one root.
            signatures: Vec<Der>,
        }
        /// Answer to `endorse`.
        "endorsed" Endorsed {
            /// The endorsement's exact bytes (JSON).
            keys: String,
            /// Detached CMS SignedData (RFC 5652), DER, by the key that signs tokens.
            signature: Der,
        }
        /// Answer to `witness`.
        "cosignature" Cosignature {
            /// The signature line under the checkpoint (C2SP tlog-cosignature).
            cosignature: String,
        }
        /// Answer to `witnessed`, and to `witness` if CUHK has seen another number of entries.
        "witnessed" Witnessed {
            /// How many entries CUHK has seen; 0 if it knows nothing of the log.
            size: u64,
            /// The root of their tree (RFC 6962), base64.
            root: String,
            /// The checkpoint that says so, as the log signed it; absent if CUHK knows nothing of
            /// the log, or has not seen any under the key that it has now.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            signed: Option<String>,
        }
        /// Answer to `witnessed_entries`.
        "witnessed_entries" WitnessedEntries {
            /// The next entries, each 32 bytes, at most 512.
            entries: Vec<Fingerprint>,
        }
        /// Answer to `witnessed_logs`.
        "witnessed_logs" WitnessedLogs {
            /// The next names, in order, at most 128; none at the end.
            logs: Vec<String>,
        }
    }
}
