//! Step 6: statement, signatures and content, and the last look before it is stored.

mod content;
mod signatures;

use std::sync::Arc;

use scb_certs::Signer;

use super::{Policy, VerifiedMember};
use crate::message::blackboard::Reply;
use crate::statement::Statement;
use crate::values::Mac;
use crate::{Code, Refusal, SignedStatement, Step};

pub use content::{AwaitReverification, ReceivingContent, VerifiedSubmission};
pub(crate) use signatures::{verify_signatures, verify_signers};

/// Checks a statement whose MAC was right, and every member's signature of it.
///
/// # Errors
///
/// `statement_invalid`, `member_mismatch`, `content_too_large`, `signature_invalid` or
/// `signature_missing`.
pub(super) fn accept_statement(
    policy: Arc<Policy>,
    members: Vec<VerifiedMember>,
    bytes: Vec<u8>,
    mac: Mac,
    signatures: Vec<u8>,
) -> Result<AcceptedStatement, Refusal> {
    let statement = Statement::parse(&bytes)?;
    check_terms(&statement, &policy)?;
    check_members(&statement, &members)?;
    let signers = verify_signatures(&bytes, &signatures, &statement.members)?;
    Ok(AcceptedStatement {
        policy,
        members,
        bytes,
        statement,
        mac,
        signatures,
        signers,
    })
}

fn check_terms(statement: &Statement, policy: &Policy) -> Result<(), Refusal> {
    if statement.service != policy.service {
        return Err(Refusal::new(Code::StatementInvalid, Step::Six)
            .with("expected", &policy.service)
            .with("got", &statement.service));
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
