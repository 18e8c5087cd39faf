//! Step 6: statement, signatures and content, and the last look before it is stored.

mod content;
mod reverification;
mod signatures;
mod signed;
mod upload;

use std::sync::Arc;

use rustls_pki_types::UnixTime;
use scb_certs::Signer;

use super::{Policy, VerifiedMember};
use crate::assurance::{Assurance, Mode};
use crate::message::blackboard::{Received, Reply};
use crate::receipt::SignedEntry;
use crate::rules::check_size;
use crate::statement::Statement;
use crate::values::Mac;
use crate::{Code, Refusal, SignedStatement, Step};

pub use content::ReceivingContent;
pub use reverification::{AwaitReverification, VerifiedSubmission};
pub(crate) use signatures::{verify_signatures, verify_signers};
pub(super) use signed::{Signatory, Signed};
pub use upload::{ExpectUpload, WithFiles};

/// Checks a statement whose MAC was right, and every member's signature of it.
///
/// # Errors
///
/// `statement_invalid`, `report_empty`, `member_mismatch`, `content_too_large`, `signature_invalid`
/// or `signature_missing`.
pub(super) fn accept_statement(
    policy: Arc<Policy>,
    (members, assurance): (Vec<VerifiedMember>, Assurance),
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
        assurance,
        bytes,
        statement,
        mac,
        signatures,
        signers,
    })
}

pub(super) fn check_terms(statement: &Statement, policy: &Policy) -> Result<(), Refusal> {
    if statement.service != policy.service {
        return Err(Refusal::new(Code::StatementInvalid, Step::Six)
            .with("expected", &policy.service)
            .with("got", &statement.service));
    }
    statement.check_new()?;
    let files = statement.files.iter().map(|file| (&file.name, file.size));
    check_size(files, policy.max_bytes)
}

/// The statement names exactly the verified members, in order, with the same certificates.
fn check_members(statement: &Statement, members: &[VerifiedMember]) -> Result<(), Refusal> {
    let named = statement
        .members
        .iter()
        .map(|member| (&member.sid, member.cert_sha256));
    let certificate = |member: &VerifiedMember| member.student().certificate().fingerprint();
    let verified = members
        .iter()
        .map(|member| (member.sid(), Some(certificate(member))));
    if named.eq(verified) {
        return Ok(());
    }
    Err(Refusal::new(Code::MemberMismatch, Step::Six))
}

/// A statement that all verified members have signed. Its content has not come yet.
#[derive(Debug)]
pub struct AcceptedStatement {
    pub(super) policy: Arc<Policy>,
    pub(super) members: Vec<VerifiedMember>,
    pub(super) assurance: Assurance,
    pub(super) bytes: Vec<u8>,
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
            course: self.statement.course.clone(),
            assignment: self.statement.assignment.clone(),
            files: self.statement.files.clone(),
            signatures: self.signers.len(),
            mac: self.mac,
        }
    }

    /// The members' detached CMS signatures, DER.
    pub fn signatures(&self) -> &[u8] {
        &self.signatures
    }

    /// What stood behind the members when they came, as it is kept.
    pub fn assurance(&self) -> (Mode, String) {
        (self.assurance.mode(), self.assurance.to_text())
    }

    /// The statement is committed, durably: tells so, with the entry of the log that says it, and what
    /// of its files is here already.
    pub fn committed(
        self,
        commitment: Commitment,
        entry: SignedEntry,
        have: Vec<Received>,
    ) -> (ExpectUpload, Reply) {
        let reply = Reply::Committed {
            committed_at: commitment.at.as_secs(),
            upload_until: commitment.upload_until.as_secs(),
            entry,
            have: have.clone(),
        };
        let committed = CommittedStatement {
            accepted: self,
            commitment,
        };
        (ExpectUpload::new(committed, have), reply)
    }
}

/// A statement that is committed. Its content has not come yet.
#[derive(Debug)]
pub struct CommittedStatement {
    accepted: AcceptedStatement,
    commitment: Commitment,
}

impl WithFiles for CommittedStatement {
    type Next = AwaitReverification;

    fn statement(&self) -> &Statement {
        &self.accepted.statement
    }

    fn received(self) -> Result<AwaitReverification, Refusal> {
        AwaitReverification::new(self.accepted.into(), self.commitment)
    }
}

/// When a statement was committed: that is what counts for the deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commitment {
    /// The number of its entry in the log of the assignment, from 0.
    pub index: u64,
    /// When it was recorded.
    pub at: UnixTime,
    /// Until when its files may come.
    pub upload_until: UnixTime,
}
