//! Step 6, for a group whose members are not on one machine: each signs over a connection of his
//! own, and the last one makes it a submission.

use std::sync::Arc;

use rustls_pki_types::UnixTime;
use scb_certs::{DetachedSignature, Fingerprint, Signer, StudentId, TrustStore, join_detached};

use super::submission::{Signed, check_terms};
use super::verification::{ask_about, verify_answer};
use super::{
    AwaitReverification, Commitment, ExpectUpload, Policy, VerifiedMember, WithFiles,
    verify_signatures, verify_signers,
};
use crate::assurance::{Assurance, Mode};
use crate::message::blackboard::{Received, Reply};
use crate::message::proposal::ProposalStanding;
use crate::server::submission::Signatory;
use crate::statement::{StatedMember, Statement};
use crate::transcript::Transcript2;
use crate::verification::{Question, Verification};
use crate::{Code, Refusal, Step};

/// A statement that every member of this connection has signed. It may name others besides.
#[derive(Debug)]
pub struct PartlySigned {
    pub(super) policy: Arc<Policy>,
    pub(super) members: Vec<VerifiedMember>,
    pub(super) assurance: Assurance,
    connection: Transcript2,
    bytes: Vec<u8>,
    statement: Statement,
    signatures: Vec<u8>,
}

/// Checks a statement whose MAC was right, and the signatures of the members of this connection:
/// theirs, and nobody else's.
///
/// # Errors
///
/// `statement_invalid`, `report_empty`, `member_count`, `member_mismatch`, `content_too_large`,
/// `signature_invalid` or `signature_missing`.
pub(super) fn accept_part(
    policy: Arc<Policy>,
    (members, assurance): (Vec<VerifiedMember>, Assurance),
    connection: Transcript2,
    bytes: Vec<u8>,
    signatures: Vec<u8>,
) -> Result<PartlySigned, Refusal> {
    let statement = Statement::parse(&bytes)?;
    check_terms(&statement, &policy)?;
    check_count(&statement, &policy)?;
    let here = members
        .iter()
        .map(|member| stated(&statement, member))
        .collect::<Result<Vec<_>, _>>()?;
    verify_signatures(&bytes, &signatures, &here)?;
    Ok(PartlySigned {
        policy,
        members,
        assurance,
        connection,
        bytes,
        statement,
        signatures,
    })
}

fn check_count(statement: &Statement, policy: &Policy) -> Result<(), Refusal> {
    let (count, limit) = (statement.members.len(), usize::from(policy.max_members));
    if (1..=limit).contains(&count) {
        return Ok(());
    }
    let refusal = Refusal::new(Code::MemberCount, Step::Six).with("got", count);
    Err(refusal.with("limit", limit))
}

/// The member as the statement must name him, with the certificate of this connection.
fn stated(statement: &Statement, member: &VerifiedMember) -> Result<StatedMember, Refusal> {
    let own = member.student().certificate().fingerprint();
    let mut named = statement.members.iter();
    match named.find(|named| named.sid == *member.sid()) {
        Some(named) if named.cert_sha256.is_none_or(|stated| stated == own) => Ok(StatedMember {
            sid: named.sid.clone(),
            cert_sha256: Some(own),
        }),
        _ => Err(Refusal::new(Code::MemberMismatch, Step::Six).about(member.sid())),
    }
}

impl PartlySigned {
    /// The statement.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// The statement's exact bytes. The same submission ID with other bytes is refused.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The detached CMS signatures of the members of this connection, DER.
    pub fn signatures(&self) -> &[u8] {
        &self.signatures
    }

    /// Who signed on this connection, and with which certificate.
    pub fn delivered(&self) -> Vec<DeliveredSignature> {
        let delivered = |member: &VerifiedMember| DeliveredSignature {
            sid: member.sid().clone(),
            certificate: member.student().certificate().fingerprint(),
            signatures: self.signatures.clone(),
        };
        self.members.iter().map(delivered).collect()
    }

    /// The members of this connection, in its order: the first one opened it.
    pub fn sids(&self) -> Vec<StudentId> {
        let members = self.members.iter();
        members.map(|member| member.sid().clone()).collect()
    }

    /// What tells this connection from every other: its T2.
    pub fn connection(&self) -> Fingerprint {
        Fingerprint::from_bytes(*self.connection.as_bytes())
    }

    /// What stood behind the members when they came, as it is kept.
    pub fn assurance(&self) -> (Mode, String) {
        (self.assurance.mode(), self.assurance.to_text())
    }

    /// With what others have signed before; of whoever has signed twice the earlier counts.
    ///
    /// # Errors
    ///
    /// As [`GatheredSignatures::new`]; `stored_damaged` if that is about what came before: it was right
    /// when it came, and who signs now is not to blame for it.
    pub fn gather(&self, before: &[DeliveredSignature]) -> Result<GatheredSignatures, Refusal> {
        if !before.is_empty() {
            GatheredSignatures::of_stored(Arc::clone(&self.policy), self.bytes.clone(), before)?;
        }
        let is_new = |new: &DeliveredSignature| before.iter().all(|one| one.sid != new.sid);
        let new = self.delivered().into_iter().filter(is_new);
        let all: Vec<_> = before.iter().cloned().chain(new).collect();
        GatheredSignatures::new(Arc::clone(&self.policy), self.bytes.clone(), &all)
    }

    /// The proposal is recorded, durably: tells so, and what of its files is here already.
    pub fn proposed(
        self,
        proposal: ProposalStanding,
        have: Vec<Received>,
    ) -> (ExpectUpload<Self>, Reply) {
        let reply = Reply::Proposed {
            proposal,
            have: have.clone(),
        };
        (ExpectUpload::new(self, have), reply)
    }
}

impl WithFiles for PartlySigned {
    type Next = Self;

    fn statement(&self) -> &Statement {
        &self.statement
    }

    fn received(self) -> Result<Self, Refusal> {
        Ok(self)
    }
}

/// A member's signature, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveredSignature {
    /// The member.
    pub sid: StudentId,
    /// SHA-256 of the certificate with which he signed.
    pub certificate: Fingerprint,
    /// The detached CMS in which it came, DER; others of the same connection may be in it, too.
    pub signatures: Vec<u8>,
}

/// All that has been signed of a statement so far: every signature verified, no chain judged.
#[derive(Debug)]
pub struct GatheredSignatures {
    policy: Arc<Policy>,
    bytes: Vec<u8>,
    statement: Statement,
    /// All of them in one detached CMS, DER.
    signatures: Vec<u8>,
    /// Who has signed, in the order of the statement.
    named: Vec<StatedMember>,
    signers: Vec<Signer>,
}

impl GatheredSignatures {
    /// Puts together what came on different connections.
    ///
    /// # Errors
    ///
    /// `statement_invalid`, `signature_invalid` or `signature_missing`: something of it was altered
    /// since.
    pub fn new(
        policy: Arc<Policy>,
        bytes: Vec<u8>,
        delivered: &[DeliveredSignature],
    ) -> Result<Self, Refusal> {
        let statement = Statement::parse(&bytes)?;
        let signed_by = |named: &StatedMember| {
            let mut delivered = delivered.iter();
            let one = delivered.find(|one| one.sid == named.sid)?;
            let signed = StatedMember {
                sid: named.sid.clone(),
                cert_sha256: Some(one.certificate),
            };
            Some((signed, one))
        };
        let found = statement.members.iter().filter_map(signed_by);
        let (named, parts): (Vec<_>, Vec<_>) = found.unzip();
        let signatures = join(&parts)?;
        let signers = verify_signatures(&bytes, &signatures, &named)?;
        Ok(Self {
            policy,
            bytes,
            statement,
            signatures,
            named,
            signers,
        })
    }

    /// As [`GatheredSignatures::new`], of what was verified when it came and was stored since.
    ///
    /// # Errors
    ///
    /// `stored_damaged`: something of it was altered. None of those who signed is to blame.
    pub fn of_stored(
        policy: Arc<Policy>,
        bytes: Vec<u8>,
        delivered: &[DeliveredSignature],
    ) -> Result<Self, Refusal> {
        let gathered = Self::new(policy, bytes, delivered);
        gathered
            .map_err(|why| Refusal::new(Code::StoredDamaged, Step::Six).with("reason", why.code))
    }

    /// Members who have not signed yet, in order.
    pub fn missing(&self) -> Vec<StudentId> {
        let has_signed = |sid: &StudentId| self.named.iter().any(|one| one.sid == *sid);
        let members = self.statement.members.iter().map(|member| &member.sid);
        members.filter(|sid| !has_signed(sid)).cloned().collect()
    }

    /// Judges the chains of all who have signed, and asks CUHK about them and the statement under a fresh
    /// nonce.
    ///
    /// # Errors
    ///
    /// A `certificate_…` code about the first whose chain does not hold any more.
    pub fn ask(&self, trust: &TrustStore, now: UnixTime) -> Result<AwaitCosigners, Refusal> {
        let students = verify_signers(&self.signers, &self.named, trust, now)?;
        Ok(AwaitCosigners {
            policy: Arc::clone(&self.policy),
            question: ask_about(students.iter(), Some(&self.bytes))?,
        })
    }

    /// Everybody has signed, and the files are here: what is left is CUHK's word about all.
    ///
    /// # Errors
    ///
    /// `signature_missing` about the first who has not signed; a `certificate_…` code.
    pub fn complete(
        self,
        commitment: Commitment,
        trust: &TrustStore,
        now: UnixTime,
    ) -> Result<AwaitReverification, Refusal> {
        if let Some(missing) = self.missing().first() {
            return Err(Refusal::new(Code::SignatureMissing, Step::Six).about(missing));
        }
        // With the very members of the statement, as a verifier of the receipt will do it.
        let named = &self.statement.members;
        let signers = verify_signatures(&self.bytes, &self.signatures, named)?;
        let students = verify_signers(&signers, named, trust, now)?;
        let signed = Signed {
            policy: self.policy,
            bytes: self.bytes,
            statement: self.statement,
            signatures: self.signatures,
            signers,
            members: students.into_iter().map(Signatory::Elsewhere).collect(),
        };
        AwaitReverification::new(signed, commitment)
    }
}

/// All of these in one detached CMS, DER; none of nobody's.
///
/// # Errors
///
/// `signature_invalid` if one of them cannot be read.
pub fn join_delivered(delivered: &[DeliveredSignature]) -> Result<Option<Vec<u8>>, Refusal> {
    match delivered {
        [] => Ok(None),
        all => join(&all.iter().collect::<Vec<_>>()).map(Some),
    }
}

fn join(parts: &[&DeliveredSignature]) -> Result<Vec<u8>, Refusal> {
    let invalid = |error: scb_certs::Error| {
        Refusal::new(Code::SignatureInvalid, Step::Six).with("reason", error)
    };
    let parsed = parts
        .iter()
        .map(|part| DetachedSignature::parse(&part.signatures))
        .collect::<Result<Vec<_>, _>>()
        .map_err(invalid)?;
    let parts: Vec<_> = parsed
        .iter()
        .zip(parts)
        .map(|(parsed, part)| (parsed, part.certificate))
        .collect();
    join_detached(&parts).map_err(invalid)
}

/// Waits for CUHK's answer about all who have signed so far.
#[derive(Debug)]
pub struct AwaitCosigners {
    policy: Arc<Policy>,
    question: Question,
}

impl AwaitCosigners {
    /// What to ask CUHK.
    pub fn question(&self) -> &Question {
        &self.question
    }

    /// Verifies CUHK's answer.
    ///
    /// # Errors
    ///
    /// `verification_invalid`, `signer_withdrawn`, or `student_inactive` about the first of whom
    /// CUHK says so.
    pub fn handle(
        self,
        verification: &str,
        trust: &TrustStore,
        now: UnixTime,
    ) -> Result<ConfirmedSigners, Refusal> {
        let service = &self.policy.service;
        let judge = (trust, service);
        let verification = verify_answer(verification, &self.question, Step::Six, judge, now)?;
        Ok(ConfirmedSigners(verification))
    }
}

/// Evidence: CUHK has just confirmed everybody who has signed so far.
#[derive(Debug)]
pub struct ConfirmedSigners(Verification);

impl ConfirmedSigners {
    /// As it is kept: CUHK's answer (JWT).
    pub fn assurance(&self) -> (Mode, String) {
        (Mode::Verified, self.0.token().to_owned())
    }
}
