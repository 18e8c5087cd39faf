//! Step 6: statement, signatures and content, and the last look before it is stored.

mod content;
mod signatures;

use std::sync::Arc;

use scb_certs::Signer;

use super::{Policy, VerifiedMember};
use crate::message::blackboard::{Reply, Request};
use crate::message::unexpected;
use crate::session::SessionKey;
use crate::statement::Statement;
use crate::values::Mac;
use crate::{Code, Refusal, SignedStatement, Step};

pub use content::{AwaitReverification, ReceivingContent, VerifiedSubmission};
pub(crate) use signatures::{verify_signatures, verify_signers};

/// Waits for `submit`.
#[derive(Debug)]
pub struct ExpectSubmission {
    policy: Arc<Policy>,
    members: Vec<VerifiedMember>,
    key: SessionKey,
}

impl ExpectSubmission {
    pub(super) fn new(policy: Arc<Policy>, members: Vec<VerifiedMember>, key: SessionKey) -> Self {
        Self {
            policy,
            members,
            key,
        }
    }

    /// The members who were verified on this connection, in order.
    pub fn members(&self) -> &[VerifiedMember] {
        &self.members
    }

    /// The confirmations that were exchanged: the client's and the server's.
    pub fn confirmations(&self) -> (Mac, Mac) {
        let key = &self.key;
        (key.client_confirmation(), key.server_confirmation())
    }

    /// Checks MAC, statement and every member's signature. The session key ends here.
    ///
    /// # Errors
    ///
    /// `unexpected_message`, `mac_invalid`, `statement_invalid`, `assignment_unknown`,
    /// `member_mismatch`, `content_too_large`, `signature_invalid` or `signature_missing`.
    pub fn handle(self, request: Request) -> Result<AcceptedStatement, Refusal> {
        let Request::Submit {
            statement,
            mac,
            signatures,
        } = request
        else {
            return Err(unexpected("submit", &request, Step::Six));
        };
        let bytes = statement.into_bytes();
        if !self.key.awaited_for_statement(&bytes).matches(&mac) {
            return Err(Refusal::new(Code::MacInvalid, Step::Six));
        }
        let statement = Statement::parse(&bytes)?;
        check_terms(&statement, &self.policy)?;
        check_members(&statement, &self.members)?;
        let signers = verify_signatures(&bytes, signatures.as_bytes(), &statement.members)?;
        Ok(AcceptedStatement {
            policy: self.policy,
            members: self.members,
            bytes,
            statement,
            mac,
            signatures: signatures.as_bytes().to_vec(),
            signers,
        })
    }
}

fn check_terms(statement: &Statement, policy: &Policy) -> Result<(), Refusal> {
    if statement.service != policy.service {
        return Err(Refusal::new(Code::StatementInvalid, Step::Six)
            .with("expected", &policy.service)
            .with("got", &statement.service));
    }
    if statement.course != policy.course || statement.assignment != policy.assignment {
        return Err(Refusal::new(Code::AssignmentUnknown, Step::Six)
            .with("course", &statement.course)
            .with("assignment", &statement.assignment));
    }
    if statement.file().size > policy.max_bytes {
        return Err(Refusal::new(Code::ContentTooLarge, Step::Six)
            .with("bytes", statement.file().size)
            .with("limit", policy.max_bytes));
    }
    Ok(())
}

/// The statement names exactly the verified members, in order, with the same certificates.
fn check_members(statement: &Statement, members: &[VerifiedMember]) -> Result<(), Refusal> {
    let named = statement
        .members
        .iter()
        .map(|member| (&member.sid, member.cert_sha256));
    let verified = members
        .iter()
        .map(|member| (member.sid(), member.student().certificate().fingerprint()));
    if named.eq(verified) {
        return Ok(());
    }
    Err(Refusal::new(Code::MemberMismatch, Step::Six))
}

/// A statement that all verified members have signed. Its content has not come yet.
#[derive(Debug)]
pub struct AcceptedStatement {
    policy: Arc<Policy>,
    members: Vec<VerifiedMember>,
    bytes: Vec<u8>,
    statement: Statement,
    mac: Mac,
    signatures: Vec<u8>,
    signers: Vec<Signer>,
}

impl AcceptedStatement {
    /// The statement.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// The statement's exact bytes. The same submission ID with other bytes is refused.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What the statement says, with how many signatures and which MAC.
    pub fn signed(&self) -> SignedStatement {
        SignedStatement {
            submission: self.statement.submission,
            file: self.statement.file().clone(),
            signatures: self.signers.len(),
            mac: self.mac,
        }
    }

    /// The submission is new: asks for the content.
    pub fn proceed(self) -> (ReceivingContent, Reply) {
        (ReceivingContent::new(self), Reply::Proceed {})
    }
}
