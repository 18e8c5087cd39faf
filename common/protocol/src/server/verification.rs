//! Steps 3 and 4: CUHK's answer, and a share for each member.

use std::sync::Arc;

use rustls_pki_types::UnixTime;
use scb_certs::{StudentId, TrustStore, VerifiedStudent};

use super::{ExpectConfirmation, MemberWatch, Policy, VerifiedPresentation};
use crate::message::blackboard::{Reply, SealedShare};
use crate::message::cuhk::MemberQuestion;
use crate::session::{SessionKey, Share, seal_share};
use crate::transcript::{Transcript1, Transcript2};
use crate::values::Nonce;
use crate::verification::{Question, Verification};
use crate::{Code, Error, Refusal, Step};

/// Waits for CUHK's answer about the members.
#[derive(Debug)]
pub struct AwaitVerification {
    policy: Arc<Policy>,
    t1: Transcript1,
    presentations: Vec<VerifiedPresentation>,
    question: Question,
}

impl AwaitVerification {
    pub(super) fn new(
        policy: Arc<Policy>,
        t1: Transcript1,
        presentations: Vec<VerifiedPresentation>,
    ) -> Result<Self, Refusal> {
        let question = ask_about(presentations.iter().map(VerifiedPresentation::student))?;
        Ok(Self {
            policy,
            t1,
            presentations,
            question,
        })
    }

    /// What to ask CUHK: all members at once, under a fresh nonce.
    pub fn question(&self) -> &Question {
        &self.question
    }

    /// What the members' proofs sign.
    pub fn transcript(&self) -> Transcript1 {
        self.t1
    }

    /// The members in order, as they were presented.
    pub fn sids(&self) -> impl Iterator<Item = &StudentId> {
        self.presentations
            .iter()
            .map(|member| member.student().sid())
    }

    /// The members, to be looked at again for as long as the connection is open.
    pub fn watch(&self) -> MemberWatch {
        let students = self.presentations.iter().map(|member| member.student());
        MemberWatch::new(self.policy.service.clone(), students.cloned().collect())
    }

    /// Verifies CUHK's answer, then seals one random share to each member.
    ///
    /// # Errors
    ///
    /// `verification_invalid`, `student_inactive`, or `share_invalid` (a session key of low
    /// order).
    pub fn handle(
        self,
        verification: &str,
        trust: &TrustStore,
        now: UnixTime,
    ) -> Result<(ExpectConfirmation, Reply), Refusal> {
        let service = &self.policy.service;
        let verification = Verification::verify(verification, trust, service, &self.question, now)?;
        let t2 = Transcript2::new(
            &self.t1,
            self.presentations
                .iter()
                .map(VerifiedPresentation::proof_text),
            self.presentations
                .iter()
                .map(VerifiedPresentation::token_text),
            verification.token(),
        );
        let (key, shares) = share_out(&t2, &self.presentations)?;
        let members = self
            .presentations
            .into_iter()
            .map(|member| VerifiedMember {
                student: member.into_student(),
            })
            .collect();
        let reply = Reply::Shares {
            verification: verification.token().to_owned(),
            shares,
        };
        let next = ExpectConfirmation::new(self.policy, members, key);
        Ok((next, reply))
    }
}

/// A question about these students under a fresh nonce.
pub(super) fn ask_about<'a>(
    students: impl Iterator<Item = &'a VerifiedStudent>,
) -> Result<Question, Refusal> {
    let members = students
        .map(|student| MemberQuestion {
            sid: student.sid().clone(),
            cert_sha256: student.certificate().fingerprint(),
        })
        .collect();
    let nonce = Nonce::random().map_err(internal)?;
    Ok(Question { nonce, members })
}

fn share_out(
    t2: &Transcript2,
    members: &[VerifiedPresentation],
) -> Result<(SessionKey, Vec<SealedShare>), Refusal> {
    let mut shares = Vec::with_capacity(members.len());
    let mut sealed = Vec::with_capacity(members.len());
    for (index, member) in (0..).zip(members) {
        let share = Share::random().map_err(internal)?;
        let sid = member.student().sid();
        sealed.push(seal_share(&share, member.session_key(), t2, sid, index)?);
        shares.push(share);
    }
    let key = SessionKey::derive(t2, &sealed, &shares).map_err(internal)?;
    Ok((key, sealed))
}

fn internal(error: Error) -> Refusal {
    Refusal::new(Code::Internal, Step::Four).with("reason", error)
}

/// Evidence: a member whose certificate, token and proof were verified here and whom CUHK
/// confirmed on this connection.
#[derive(Debug, Clone)]
pub struct VerifiedMember {
    student: VerifiedStudent,
}

impl VerifiedMember {
    /// The student.
    pub fn student(&self) -> &VerifiedStudent {
        &self.student
    }

    /// The student ID.
    pub fn sid(&self) -> &StudentId {
        self.student.sid()
    }
}
