//! A statement that everybody has signed, wherever they did.

use std::sync::Arc;

use scb_certs::{Signer, VerifiedStudent};

use super::AcceptedStatement;
use crate::server::{Policy, VerifiedMember};
use crate::statement::Statement;

/// A statement, all its signatures, and who they are.
#[derive(Debug)]
pub(in crate::server) struct Signed {
    pub(in crate::server) policy: Arc<Policy>,
    pub(in crate::server) bytes: Vec<u8>,
    pub(in crate::server) statement: Statement,
    pub(in crate::server) signatures: Vec<u8>,
    pub(in crate::server) signers: Vec<Signer>,
    pub(in crate::server) members: Vec<Signatory>,
}

impl From<AcceptedStatement> for Signed {
    fn from(accepted: AcceptedStatement) -> Self {
        Self {
            policy: accepted.policy,
            bytes: accepted.bytes,
            statement: accepted.statement,
            signatures: accepted.signatures,
            signers: accepted.signers,
            members: accepted.members.into_iter().map(Into::into).collect(),
        }
    }
}

/// A member whose certificate was verified; on this connection, or when it was asked what others
/// had signed before.
pub(in crate::server) enum Signatory {
    /// He is on this connection.
    Here(VerifiedMember),
    /// His signature came on another one.
    Elsewhere(VerifiedStudent),
}

impl Signatory {
    pub(in crate::server) fn student(&self) -> &VerifiedStudent {
        match self {
            Self::Here(member) => member.student(),
            Self::Elsewhere(student) => student,
        }
    }

    /// With the identity token that he has shown on this connection.
    pub(in crate::server) fn with_token(&self) -> Option<(&VerifiedStudent, &str)> {
        match self {
            Self::Here(member) => Some((member.student(), member.token_text())),
            Self::Elsewhere(_) => None,
        }
    }
}

impl From<VerifiedMember> for Signatory {
    fn from(member: VerifiedMember) -> Self {
        Self::Here(member)
    }
}

impl std::fmt::Debug for Signatory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Signatory").field(self.student()).finish()
    }
}
