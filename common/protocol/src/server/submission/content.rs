//! The content of a submission, and CUHK's word immediately before it is stored.

use rustls_pki_types::UnixTime;
use scb_certs::{Chain, Fingerprint, TrustStore};

use super::{AcceptedStatement, Commitment, verify_signers};
use crate::assurance::{Assurance, VerifiedTokens};
use crate::certificate::certificate_refusal;
use crate::message::blackboard::Request;
use crate::message::unexpected;
use crate::server::VerifiedMember;
use crate::server::verification::ask_about;
use crate::statement::Statement;
use crate::verification::{Question, VERIFICATION_LIFETIME, Verification};
use crate::{Code, Refusal, Step};

/// Waits for chunks of content, file after file, and then `end`.
#[derive(Debug)]
pub struct ReceivingContent {
    accepted: AcceptedStatement,
    commitment: Commitment,
    from: Vec<u64>,
    received: Vec<u64>,
}

impl ReceivingContent {
    pub(super) fn new(accepted: AcceptedStatement, commitment: Commitment, from: Vec<u64>) -> Self {
        Self {
            accepted,
            commitment,
            received: from.clone(),
            from,
        }
    }

    /// The statement.
    pub fn statement(&self) -> &Statement {
        &self.accepted.statement
    }

    /// From where each file comes: 0, or as much of it as was there.
    pub fn from(&self) -> &[u64] {
        &self.from
    }

    /// Counts a chunk of `bytes` bytes, and says of which file they are. No chunk holds bytes of
    /// two.
    ///
    /// # Errors
    ///
    /// `content_long` at the first byte too many.
    pub fn chunk(&mut self, bytes: usize) -> Result<usize, Refusal> {
        let files = &self.accepted.statement.files;
        let mut unfinished = files.iter().zip(&self.received);
        let index = unfinished.position(|(file, received)| *received < file.size);
        // With nothing missing, whatever comes is too much of the last file.
        let index = index.unwrap_or(files.len() - 1);
        let (file, received) = (&files[index], &mut self.received[index]);
        *received = received.saturating_add(bytes as u64);
        if *received > file.size {
            return Err(self
                .about(Code::ContentLong, index)
                .with("expected", file.size));
        }
        Ok(index)
    }

    /// Takes `end`, with the SHA-256 of each file, computed while it streamed in.
    ///
    /// # Errors
    ///
    /// `unexpected_message`, `content_short` or `content_altered`.
    pub fn handle(
        self,
        request: Request,
        received: &[Fingerprint],
    ) -> Result<AwaitReverification, Refusal> {
        let Request::End {} = request else {
            return Err(unexpected("end", &request, Step::Six));
        };
        for (index, file) in self.statement().files.iter().enumerate() {
            if self.received[index] != file.size {
                return Err(self
                    .about(Code::ContentShort, index)
                    .with("expected", file.size)
                    .with("got", self.received[index]));
            }
            if received.get(index) != Some(&file.sha256) {
                let refusal = self.about(Code::ContentAltered, index);
                let refusal = refusal.with("expected", file.sha256);
                return Err(match received.get(index) {
                    Some(got) => refusal.with("got", got),
                    None => refusal,
                });
            }
        }
        let members = &self.accepted.members;
        let question = ask_about(members.iter().map(VerifiedMember::student))?;
        Ok(AwaitReverification {
            accepted: self.accepted,
            commitment: self.commitment,
            question,
        })
    }

    /// A refusal about one file, named where there are several.
    fn about(&self, code: Code, index: usize) -> Refusal {
        let refusal = Refusal::new(code, Step::Six);
        match self.statement().files.single() {
            Some(_) => refusal,
            None => refusal.with("file", &self.statement().files[index].name),
        }
    }
}

/// Waits for CUHK's answer about the members, immediately before the submission is stored.
#[derive(Debug)]
pub struct AwaitReverification {
    accepted: AcceptedStatement,
    commitment: Commitment,
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
            commitment: self.commitment,
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
            commitment: self.commitment,
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
    commitment: Commitment,
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

    /// When it was committed: that is what counts for the deadline.
    pub fn commitment(&self) -> Commitment {
        self.commitment
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
