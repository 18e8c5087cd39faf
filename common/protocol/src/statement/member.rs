//! How a statement names who signs it: by student ID and by the certificate that he signs with.

use scb_certs::{Fingerprint, Signer, StudentId};
use serde::{Deserialize, Serialize};

use crate::message::cuhk::MemberQuestion;
use crate::object::objects;

/// A member as a statement names him.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct StatedMember {
    /// The student ID.
    pub sid: StudentId,
    /// SHA-256 of the certificate (DER) with which he signs. Absent of a member who signs
    /// elsewhere: it is any of his own, and his signature says which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_sha256: Option<Fingerprint>,
}

objects!(StatedMember);

impl StatedMember {
    /// A member who signs elsewhere.
    pub fn elsewhere(sid: StudentId) -> Self {
        Self {
            sid,
            cert_sha256: None,
        }
    }

    /// Whether a signature with this certificate would be his. That the certificate is CUHK's is
    /// for its chain to show.
    pub(crate) fn is_signed_by(&self, signer: &Signer) -> bool {
        match self.cert_sha256 {
            Some(expected) => signer.certificate.fingerprint() == expected,
            None => signer
                .certificate
                .spiffe_id()
                .is_ok_and(|name| name.student() == Some(&self.sid)),
        }
    }
}

impl From<MemberQuestion> for StatedMember {
    fn from(member: MemberQuestion) -> Self {
        Self {
            sid: member.sid,
            cert_sha256: Some(member.cert_sha256),
        }
    }
}
