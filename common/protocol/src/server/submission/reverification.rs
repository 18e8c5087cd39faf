//! CUHK's word about all members, immediately before a submission is stored.

use rustls_pki_types::UnixTime;
use scb_certs::{Chain, TrustStore};

use super::signed::{Signatory, Signed};
use super::{Commitment, verify_signers};
use crate::assurance::{Assurance, VerifiedTokens};
use crate::certificate::certificate_refusal;
use crate::server::verification::{ask_about, verify_answer};
use crate::statement::Statement;
use crate::verification::{Question, VERIFICATION_LIFETIME};
use crate::{Code, Refusal, Step};

/// Waits for CUHK's answer about the members, immediately before the submission is stored.
#[derive(Debug)]
pub struct AwaitReverification {
    signed: Signed,
    commitment: Commitment,
    question: Question,
}

impl AwaitReverification {
    pub(in crate::server) fn new(signed: Signed, commitment: Commitment) -> Result<Self, Refusal> {
        let students = signed.members.iter().map(Signatory::student);
        let question = ask_about(students, Some(&signed.bytes))?;
        Ok(Self {
            signed,
            commitment,
            question,
        })
    }

    /// What to ask CUHK about members and statement, under a fresh nonce.
    pub fn question(&self) -> &Question {
        &self.question
    }

    /// Verifies CUHK's answer, and the chains that the signatures carry.
    ///
    /// # Errors
    ///
    /// `verification_invalid`, `platform_clock`, `signer_withdrawn`, `student_inactive` or a
    /// `certificate_…` code, in step 6.
    pub fn handle(
        self,
        verification: &str,
        trust: &TrustStore,
        now: UnixTime,
    ) -> Result<VerifiedSubmission, Refusal> {
        let service = &self.signed.policy.service;
        let judge = (trust, service);
        let verification = verify_answer(verification, &self.question, Step::Six, judge, now)?;
        let signed = &self.signed;
        verify_signers(&signed.signers, &signed.statement.members, trust, now)?;
        Ok(VerifiedSubmission {
            signed: self.signed,
            commitment: self.commitment,
            assurance: Assurance::Verified(verification),
            judged_at: now,
        })
    }

    /// Goes on without CUHK, as [`AwaitVerification::without_cuhk`] does, in step 6; never if a
    /// member is elsewhere and has shown no token here.
    ///
    /// [`AwaitVerification::without_cuhk`]: crate::server::AwaitVerification::without_cuhk
    ///
    /// # Errors
    ///
    /// `away`, a `token_…` or a `certificate_…` code.
    pub fn without_cuhk(
        self,
        away: Refusal,
        trust: &TrustStore,
        now: UnixTime,
    ) -> Result<VerifiedSubmission, Refusal> {
        let signed = &self.signed;
        let policy = &signed.policy;
        policy.outage.allows_tokens(away.clone(), trust, now)?;
        verify_signers(&signed.signers, &signed.statement.members, trust, now)?;
        let shown = signed.members.iter().map(Signatory::with_token);
        let Some(shown) = shown.collect::<Option<Vec<_>>>() else {
            return Err(away);
        };
        let tokens = VerifiedTokens::verify(shown, trust, &policy.service, now, Step::Six)?;
        Ok(VerifiedSubmission {
            signed: self.signed,
            commitment: self.commitment,
            assurance: Assurance::Tokens(tokens),
            judged_at: now,
        })
    }
}

/// Evidence: statement, MAC, signatures and content are in order, and CUHK has just
/// confirmed every member or, while it is away, their tokens count. What is stored and
/// answered with a receipt.
#[derive(Debug)]
pub struct VerifiedSubmission {
    signed: Signed,
    commitment: Commitment,
    assurance: Assurance,
    /// When that was found, by the clock here.
    judged_at: UnixTime,
}

impl VerifiedSubmission {
    /// The statement.
    pub fn statement(&self) -> &Statement {
        &self.signed.statement
    }

    /// The statement's exact bytes.
    pub fn statement_bytes(&self) -> &[u8] {
        &self.signed.bytes
    }

    /// When it was committed: that is what counts for the deadline.
    pub fn commitment(&self) -> Commitment {
        self.commitment
    }

    /// The members' detached CMS signatures, DER.
    pub fn signatures(&self) -> &[u8] {
        &self.signed.signatures
    }

    /// What stood behind the members immediately before.
    pub fn assurance(&self) -> &Assurance {
        &self.assurance
    }

    /// Looks once more, immediately before it is stored, by the revocation lists that the receipt
    /// will carry: large reports take a while to become durable. Whoever was revoked meanwhile is
    /// refused, and so are a word of CUHK whose key was withdrawn and one that is no longer recent.
    ///
    /// # Errors
    ///
    /// `timeout`, `signer_withdrawn` or a `certificate_…` code, in step 6.
    pub fn check_again(&self, trust: &TrustStore, now: UnixTime) -> Result<(), Refusal> {
        // By one clock: how far CUHK's is from it was judged when the answer came.
        let age = now.as_secs().saturating_sub(self.judged_at.as_secs());
        if age > VERIFICATION_LIFETIME {
            return Err(Refusal::new(Code::Timeout, Step::Six).with("verification_age", age));
        }
        for member in &self.signed.members {
            trust
                .verify_student(member.student().chain(), now)
                .map_err(|error| {
                    certificate_refusal(&error, Step::Six).about(member.student().sid())
                })?;
        }
        self.assurance.check_signers(trust, now, Step::Six)
    }

    /// The members' certificate chains, in order.
    pub fn chains(&self) -> impl Iterator<Item = &Chain> {
        let members = self.signed.members.iter();
        members.map(|member| member.student().chain())
    }
}
