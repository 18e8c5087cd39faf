//! Step 3: the members present themselves.

use std::sync::Arc;

use rustls_pki_types::UnixTime;
use scb_certs::{TrustStore, VerifiedStudent};

use super::{AwaitVerification, Policy};
use crate::authority::first_repeated;
use crate::certificate::{LEAF_AND_ISSUER, certificate_refusal, is_leaf_and_issuer};
use crate::identity_token::{UnverifiedToken, VerifiedToken};
use crate::message::blackboard::{Presented, Reply, Request};
use crate::message::unexpected;
use crate::proof::{self, VerifiedProof};
use crate::transcript::{Channel, Transcript1, TranscriptMember};
use crate::values::{Challenge, SessionPublicKey};
use crate::{Code, Refusal, Step};

/// Waits for `present`.
#[derive(Debug)]
pub struct ExpectPresentation {
    policy: Arc<Policy>,
    channel: Channel,
    challenge: Challenge,
}

impl ExpectPresentation {
    /// A new connection, with a fresh challenge.
    ///
    /// # Errors
    ///
    /// `internal` if the system has no randomness to give.
    pub fn new(policy: Arc<Policy>, channel: Channel) -> Result<Self, Refusal> {
        let challenge = Challenge::random()
            .map_err(|error| Refusal::new(Code::Internal, Step::Three).with("reason", error))?;
        Ok(Self {
            policy,
            channel,
            challenge,
        })
    }

    /// The first message on the connection.
    pub fn greeting(&self, now: UnixTime) -> Reply {
        Reply::Greeting {
            v: 1,
            service: self.policy.service.clone(),
            time: now.as_secs(),
            challenge: self.challenge,
            max_members: self.policy.max_members,
            max_bytes: self.policy.max_bytes,
        }
    }

    /// Checks chain, revocation, token and proof of every member.
    ///
    /// # Errors
    ///
    /// `unexpected_message`, `member_count`, `duplicate_member`, `first_member`, a
    /// `certificate_…` or `token_…` code, or `proof_invalid`.
    pub fn handle(
        self,
        request: Request,
        trust: &TrustStore,
        now: UnixTime,
    ) -> Result<AwaitVerification, Refusal> {
        let Request::Present { members } = request else {
            return Err(unexpected("present", &request, Step::Three));
        };
        self.check_group(&members)?;
        let t1 = self.transcript(&members);
        let verified = members
            .into_iter()
            .enumerate()
            .map(|(index, member)| self.verify(index, member, &t1, trust, now))
            .collect::<Result<Vec<_>, Refusal>>()?;
        AwaitVerification::new(self.policy, t1, verified)
    }

    fn check_group(&self, members: &[Presented]) -> Result<(), Refusal> {
        let limit = usize::from(self.policy.max_members);
        if members.is_empty() || members.len() > limit {
            return Err(Refusal::new(Code::MemberCount, Step::Three)
                .with("got", members.len())
                .with("limit", limit));
        }
        if let Some(sid) = first_repeated(members.iter().map(|member| &member.sid)) {
            return Err(Refusal::new(Code::DuplicateMember, Step::Three).about(sid));
        }
        let first = &members[0];
        if first.chain.leaf().fingerprint() != self.channel.client_certificate {
            return Err(Refusal::new(Code::FirstMember, Step::Three).about(&first.sid));
        }
        Ok(())
    }

    fn transcript(&self, members: &[Presented]) -> Transcript1 {
        let members: Vec<TranscriptMember> = members
            .iter()
            .map(|member| TranscriptMember {
                sid: member.sid.clone(),
                certificate: member.chain.leaf().fingerprint(),
                session_key: member.session_key,
            })
            .collect();
        Transcript1::new(&self.channel, &self.challenge, &members)
    }

    fn verify(
        &self,
        index: usize,
        member: Presented,
        t1: &Transcript1,
        trust: &TrustStore,
        now: UnixTime,
    ) -> Result<VerifiedPresentation, Refusal> {
        let student = trust
            .verify_student(&member.chain, now)
            .map_err(|error| certificate_refusal(&error, Step::Three).about(&member.sid))?;
        if !is_leaf_and_issuer(&member.chain) {
            return Err(wrong_length(index).about(&member.sid));
        }
        if *student.sid() != member.sid {
            return Err(Refusal::new(Code::CertificateWrongRole, Step::Three)
                .about(&member.sid)
                .with("found", student.sid()));
        }
        let token =
            UnverifiedToken(&member.token).verify(trust, &self.policy.service, &student, now)?;
        let proof = proof::verify(&member.proof, t1, &student)?;
        Ok(VerifiedPresentation {
            student,
            token,
            _proof: proof,
            shown: member,
        })
    }
}

/// The root at the end does no harm, but there is one form only.
fn wrong_length(index: usize) -> Refusal {
    Refusal::new(Code::MalformedMessage, Step::Three)
        .with("message", "present")
        .with("field", format_args!("members[{index}].chain"))
        .with("reason", format_args!("expected {LEAF_AND_ISSUER}"))
}

/// Evidence: this member's certificate, token and proof of possession are in order. CUHK has
/// not been asked yet.
#[derive(Debug)]
pub struct VerifiedPresentation {
    student: VerifiedStudent,
    token: VerifiedToken,
    _proof: VerifiedProof,
    shown: Presented,
}

impl VerifiedPresentation {
    /// The student.
    pub fn student(&self) -> &VerifiedStudent {
        &self.student
    }

    pub(super) fn into_student(self) -> VerifiedStudent {
        self.student
    }

    pub(super) fn token(&self) -> &VerifiedToken {
        &self.token
    }

    pub(super) fn token_text(&self) -> &str {
        &self.shown.token
    }

    pub(super) fn proof_text(&self) -> &str {
        &self.shown.proof
    }

    pub(super) fn session_key(&self) -> &SessionPublicKey {
        &self.shown.session_key
    }
}
