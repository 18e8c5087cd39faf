//! Steps 3 and 4: CUHK's answer, and a share for each member.

use std::fmt;
use std::sync::Arc;

use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, SpiffeId, StudentId, TrustStore, VerifiedStudent};

use super::{ExpectConfirmation, MemberWatch, Policy, VerifiedPresentation};
use crate::assurance::{Assurance, VerifiedTokens};
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
        let students = presentations.iter().map(VerifiedPresentation::student);
        let question = ask_about(students, None)?;
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
        MemberWatch::new(self.policy.service.clone(), &self.presentations)
    }

    /// Verifies CUHK's answer, then seals one random share to each member.
    ///
    /// # Errors
    ///
    /// `verification_invalid`, `platform_clock`, `student_inactive`, or `share_invalid` (a session key of low
    /// order).
    pub fn handle(
        self,
        verification: &str,
        trust: &TrustStore,
        now: UnixTime,
    ) -> Result<(ExpectConfirmation, Reply), Refusal> {
        let service = &self.policy.service;
        let verification = Verification::verify(verification, trust, service, &self.question, now)?;
        self.share(Assurance::Verified(verification))
    }

    /// Goes on without CUHK, which could not be reached, if the policy is so: the members'
    /// identity tokens, which have not expired, count as long as all revocation lists are in
    /// force. `away` is what the members are told otherwise.
    ///
    /// # Errors
    ///
    /// `away`, or a `token_…` code.
    pub fn without_cuhk(
        self,
        away: Refusal,
        trust: &TrustStore,
        now: UnixTime,
    ) -> Result<(ExpectConfirmation, Reply), Refusal> {
        self.policy.outage.allows_tokens(away, trust, now)?;
        let shown = self
            .presentations
            .iter()
            .map(|member| (member.student(), member.token_text()));
        let service = &self.policy.service;
        let tokens = VerifiedTokens::verify(shown, trust, service, now, Step::Three)?;
        self.share(Assurance::Tokens(tokens))
    }

    /// Seals a share to each member.
    fn share(self, assurance: Assurance) -> Result<(ExpectConfirmation, Reply), Refusal> {
        let verification = assurance.verification().map(Verification::token);
        let t2 = Transcript2::new(
            &self.t1,
            self.presentations
                .iter()
                .map(VerifiedPresentation::proof_text),
            self.presentations
                .iter()
                .map(VerifiedPresentation::token_text),
            verification,
        );
        let (key, shares) = share_out(&t2, &self.presentations)?;
        let members = self
            .presentations
            .into_iter()
            .map(|member| VerifiedMember {
                token: member.token_text().to_owned(),
                student: member.into_student(),
            })
            .collect();
        let reply = Reply::Shares {
            mode: assurance.mode(),
            verification: verification.map(str::to_owned),
            shares,
        };
        let next = ExpectConfirmation::new(self.policy, members, assurance, key);
        Ok((next, reply))
    }
}

/// CUHK's answer to this question, verified; a refusal names the step in which it was asked.
pub(super) fn verify_answer(
    verification: &str,
    question: &Question,
    step: Step,
    (trust, service): (&TrustStore, &SpiffeId),
    now: UnixTime,
) -> Result<Verification, Refusal> {
    Verification::verify(verification, trust, service, question, now)
        .map_err(|refusal| Refusal { step, ..refusal })
}

/// A question about these students under a fresh nonce, and about the statement with these bytes if there is
/// one.
pub(super) fn ask_about<'a>(
    students: impl Iterator<Item = &'a VerifiedStudent>,
    statement: Option<&[u8]>,
) -> Result<Question, Refusal> {
    let members = questions(students);
    let nonce = Nonce::random().map_err(internal)?;
    Ok(Question {
        nonce,
        members,
        statement_sha256: statement.map(Fingerprint::of),
    })
}

/// The students and their certificates, as CUHK is asked about them.
pub(crate) fn questions<'a>(
    students: impl IntoIterator<Item = &'a VerifiedStudent>,
) -> Vec<MemberQuestion> {
    let question = |student: &VerifiedStudent| MemberQuestion {
        sid: student.sid().clone(),
        cert_sha256: student.certificate().fingerprint(),
    };
    students.into_iter().map(question).collect()
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
/// confirmed on this connection, unless it was away. `Debug` does not print the token.
#[derive(Clone)]
pub struct VerifiedMember {
    student: VerifiedStudent,
    token: String,
}

impl fmt::Debug for VerifiedMember {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedMember")
            .field("student", &self.student)
            .finish_non_exhaustive()
    }
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

    pub(super) fn token_text(&self) -> &str {
        &self.token
    }
}
