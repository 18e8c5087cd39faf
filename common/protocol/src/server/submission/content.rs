//! The content of a submission, and CUHK's word immediately before it is stored.

use rustls_pki_types::UnixTime;
use scb_certs::{Chain, Fingerprint, TrustStore};

use super::{AcceptedStatement, verify_signers};
use crate::assurance::{Assurance, VerifiedTokens};
use crate::certificate::certificate_refusal;
use crate::message::blackboard::Request;
use crate::message::unexpected;
use crate::server::VerifiedMember;
use crate::server::verification::ask_about;
use crate::statement::Statement;
use crate::verification::{Question, VERIFICATION_LIFETIME, Verification};
use crate::{Code, Refusal, Step};

/// Waits for chunks of content and then `end`.
#[derive(Debug)]
pub struct ReceivingContent {
    accepted: AcceptedStatement,
    received: u64,
}

impl ReceivingContent {
    pub(super) fn new(accepted: AcceptedStatement) -> Self {
        Self {
            accepted,
            received: 0,
        }
    }

    /// The statement.
    pub fn statement(&self) -> &Statement {
        &self.accepted.statement
    }

    /// Counts a chunk of `bytes` bytes.
    ///
    /// # Errors
    ///
    /// `content_long` at the first byte too many.
    pub fn chunk(&mut self, bytes: usize) -> Result<(), Refusal> {
        let expected = self.statement().file().size;
        self.received = self.received.saturating_add(bytes as u64);
        if self.received > expected {
            return Err(Refusal::new(Code::ContentLong, Step::Six).with("expected", expected));
        }
        Ok(())
    }

    /// Takes `end`, with the SHA-256 of all chunks, computed while they streamed in.
    ///
    /// # Errors
    ///
    /// `unexpected_message`, `content_short` or `content_altered`.
    pub fn handle(
        self,
        request: Request,
        received: Fingerprint,
    ) -> Result<AwaitReverification, Refusal> {
        let Request::End {} = request else {
            return Err(unexpected("end", &request, Step::Six));
        };
        let file = self.statement().file();
        if self.received != file.size {
            return Err(Refusal::new(Code::ContentShort, Step::Six)
                .with("expected", file.size)
                .with("got", self.received));
        }
        if received != file.sha256 {
            return Err(Refusal::new(Code::ContentAltered, Step::Six)
                .with("expected", file.sha256)
                .with("got", received));
        }
        let members = &self.accepted.members;
        let question = ask_about(members.iter().map(VerifiedMember::student))?;
        Ok(AwaitReverification {
            accepted: self.accepted,
            question,
        })
    }
}

/// Waits for CUHK's answer about the members, immediately before the submission is stored.
#[derive(Debug)]
pub struct AwaitReverification {
    accepted: AcceptedStatement,
    question: Question,
}

impl AwaitReverification {
    /// What to ask CUHK, under a fresh nonce.
    pub fn question(&self) -> &Question {
        &self.question
    }

    /// Verifies CUHK's answer, and the chains that the signatures carry.
    ///
    /// # Errors
    ///
    /// `verification_invalid`, `signer_withdrawn`, `student_inactive` or a `certificate_…` code, in
    /// step 6.
    pub fn handle(
        self,
        verification: &str,
        trust: &TrustStore,
        now: UnixTime,
    ) -> Result<VerifiedSubmission, Refusal> {
        let service = &self.accepted.policy.service;
        let verification = Verification::verify(verification, trust, service, &self.question, now)
            .map_err(|refusal| Refusal {
                step: Step::Six,
                ..refusal
            })?;
        let accepted = &self.accepted;
        verify_signers(&accepted.signers, &accepted.statement.members, trust, now)?;
        Ok(VerifiedSubmission {
            accepted: self.accepted,
            assurance: Assurance::Verified(verification),
        })
    }

    /// Goes on without CUHK, as [`AwaitVerification::without_cuhk`] does, in step 6.
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
        let accepted = &self.accepted;
        let policy = &accepted.policy;
        policy.outage.allows_tokens(away, trust, now)?;
        verify_signers(&accepted.signers, &accepted.statement.members, trust, now)?;
        let shown = accepted
            .members
            .iter()
            .map(|member| (member.student(), member.token_text()));
        let tokens = VerifiedTokens::verify(shown, trust, &policy.service, now, Step::Six)?;
        Ok(VerifiedSubmission {
            accepted: self.accepted,
            assurance: Assurance::Tokens(tokens),
        })
    }
}

/// Evidence: statement, MAC, signatures and content are in order, and CUHK has just
/// confirmed every member or, while it is away, their tokens count. What is stored and
/// answered with a receipt.
#[derive(Debug)]
pub struct VerifiedSubmission {
    accepted: AcceptedStatement,
    assurance: Assurance,
}

impl VerifiedSubmission {
    /// The statement.
    pub fn statement(&self) -> &Statement {
        &self.accepted.statement
    }

    /// The statement's exact bytes.
    pub fn statement_bytes(&self) -> &[u8] {
        &self.accepted.bytes
    }

    /// The members' detached CMS signatures, DER.
    pub fn signatures(&self) -> &[u8] {
        &self.accepted.signatures
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
        let age = now.as_secs().saturating_sub(self.assurance.at().as_secs());
        if age > VERIFICATION_LIFETIME {
            return Err(Refusal::new(Code::Timeout, Step::Six).with("verification_age", age));
        }
        for member in &self.accepted.members {
            trust
                .verify_student(member.student().chain(), now)
                .map_err(|error| certificate_refusal(&error, Step::Six).about(member.sid()))?;
        }
        self.assurance.check_signers(trust, now, Step::Six)
    }

    /// The members' certificate chains, in order.
    pub fn chains(&self) -> impl Iterator<Item = &Chain> {
        self.accepted
            .members
            .iter()
            .map(|member| member.student().chain())
    }
}
