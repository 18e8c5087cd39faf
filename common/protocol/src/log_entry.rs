//! What CUHK's issuance log holds: every certificate issued, and every time that a service asked
//! about a student.
//!
//! The log is public and shows nobody's name: it holds a commitment, SHA-256(salt ‖ content),
//! with 32 random bytes of salt. Content and salt go to the student whom they concern. The
//! content is JSON whose exact bytes count; nobody writes them anew.

use ring::digest;
use scb_certs::{Fingerprint, Serial, ServiceName};
use serde::{Deserialize, Serialize};

use crate::InactiveReason;
use crate::error::Error;
use crate::values::{Nonce, Salt};

/// Bytes of a commitment: what an entry is in the tiles.
pub const COMMITMENT_SIZE: usize = 32;

/// One entry's content. Times are seconds since 1970-01-01 UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum LogEntry {
    /// A certificate was issued.
    Certificate {
        /// Version: 1.
        v: u8,
        /// Whom it names: a student ID, or `service/` and a name.
        subject: String,
        /// Which entry about this subject it is, from 1: none can be left out.
        nth: u64,
        /// How many certificates were issued to this subject, with this one.
        certificates: u64,
        /// `student`, `service` or `token_signer`.
        profile: String,
        /// Its serial number.
        serial: Serial,
        /// SHA-256 of its DER.
        cert_sha256: Fingerprint,
        /// SHA-256 of its public key (SubjectPublicKeyInfo).
        key_sha256: Fingerprint,
        /// When it begins, in seconds of Unix time.
        not_before: u64,
        /// When it ends, in seconds of Unix time.
        not_after: u64,
    },
    /// A service asked whether a student is active, and got a signed answer.
    Verification {
        /// Version: 1.
        v: u8,
        /// The student ID that was asked about.
        subject: String,
        /// Which entry about this subject it is, from 1: none can be left out.
        nth: u64,
        /// How many certificates were issued to this subject until then: an entry about one
        /// cannot be passed off as a question that was removed.
        certificates: u64,
        /// Which service asked.
        asker: ServiceName,
        /// The question's nonce, which is in the signed answer, too.
        nonce: Nonce,
        /// The certificate that was asked about.
        cert_sha256: Fingerprint,
        /// Why the student is not active; absent if active.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        inactive: Option<InactiveReason>,
        /// When it was answered, in seconds of Unix time.
        at: u64,
    },
}

impl LogEntry {
    /// Whom it concerns.
    pub fn subject(&self) -> &str {
        match self {
            Self::Certificate { subject, .. } | Self::Verification { subject, .. } => subject,
        }
    }

    /// Which entry about its subject it is, from 1.
    pub fn nth(&self) -> u64 {
        match self {
            Self::Certificate { nth, .. } | Self::Verification { nth, .. } => *nth,
        }
    }

    /// How many certificates were issued to its subject, with this entry.
    pub fn certificates(&self) -> u64 {
        match self {
            Self::Certificate { certificates, .. } | Self::Verification { certificates, .. } => {
                *certificates
            }
        }
    }

    /// When it was made, seconds since 1970-01-01 UTC; of a certificate when it begins, which is
    /// some minutes earlier.
    pub fn at(&self) -> u64 {
        match self {
            Self::Certificate { not_before, .. } => *not_before,
            Self::Verification { at, .. } => *at,
        }
    }

    /// The content as it is stored, committed to and handed out.
    ///
    /// # Errors
    ///
    /// [`Error::Encode`].
    pub fn to_content(&self) -> Result<String, Error> {
        serde_json::to_string(self).map_err(|error| Error::Encode(error.to_string()))
    }

    /// Reads a content.
    ///
    /// # Errors
    ///
    /// [`Error::Form`] if it is not one of version 1.
    pub fn from_content(content: &str) -> Result<Self, Error> {
        let form = |reason| Error::Form {
            what: "log entry",
            reason,
        };
        let entry: Self =
            serde_json::from_str(content).map_err(|_| form("a field is missing or unknown"))?;
        match &entry {
            Self::Certificate { v: 1, .. } | Self::Verification { v: 1, .. } => Ok(entry),
            _ => Err(form("of another version")),
        }
    }
}

/// SHA-256(salt ‖ content): the entry in the log.
pub fn commitment(salt: &Salt, content: &str) -> [u8; COMMITMENT_SIZE] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(salt.as_bytes());
    context.update(content.as_bytes());
    let mut commitment = [0; COMMITMENT_SIZE];
    commitment.copy_from_slice(context.finish().as_ref());
    commitment
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn certificate() -> LogEntry {
        LogEntry::Certificate {
            v: 1,
            subject: "1155000001".into(),
            nth: 1,
            certificates: 1,
            profile: "student".into(),
            serial: Serial::from_bytes(&[1; 16]).unwrap(),
            cert_sha256: Fingerprint::from_bytes([2; 32]),
            key_sha256: Fingerprint::from_bytes([3; 32]),
            not_before: 1000,
            not_after: 2000,
        }
    }

    fn verification() -> LogEntry {
        LogEntry::Verification {
            v: 1,
            subject: "1155000001".into(),
            nth: 2,
            certificates: 1,
            asker: ServiceName::blackboard(),
            nonce: Nonce::from_bytes([4; 16]),
            cert_sha256: Fingerprint::from_bytes([2; 32]),
            inactive: Some(InactiveReason::Revoked),
            at: 1500,
        }
    }

    #[test]
    fn contents_are_as_documented() {
        let contents = [certificate(), verification()].map(|entry| entry.to_content().unwrap());
        insta::assert_snapshot!(contents.join("\n"));
        for (content, entry) in contents.iter().zip([certificate(), verification()]) {
            assert_eq!(LogEntry::from_content(content).unwrap(), entry);
        }
    }

    #[test]
    fn other_contents_are_refused() {
        let content = verification().to_content().unwrap();
        for bad in [
            content.replace("\"v\":1", "\"v\":2"),
            content.replace("\"nth\":2", "\"nth\":-2"),
            content.replace("\"at\":1500", "\"at\":1500,\"more\":1"),
            content.replace("verification", "vacation"),
            content.replace(",\"at\":1500", ""),
        ] {
            assert_ne!(bad, content);
            assert!(LogEntry::from_content(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_commitment_depends_on_salt_and_content() {
        let (one, other) = (Salt::from_bytes([1; 32]), Salt::from_bytes([2; 32]));
        let content = certificate().to_content().unwrap();
        let committed = commitment(&one, &content);
        assert_eq!(commitment(&one, &content), committed);
        assert_ne!(commitment(&other, &content), committed);
        assert_ne!(commitment(&one, &content[1..]), committed);
    }
}
