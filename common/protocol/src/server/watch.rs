//! The members of an open connection, looked at again whenever a status may have changed.

use rustls_pki_types::UnixTime;
use scb_certs::{SpiffeId, TrustStore, VerifiedStudent};

use super::presentation::VerifiedPresentation;
use super::verification::{ask_about, verify_answer};
use crate::certificate::certificate_refusal;
use crate::identity_token::VerifiedToken;
use crate::verification::Question;
use crate::{Code, Refusal, Step};

/// The members who presented themselves on a connection, for as long as it is open.
#[derive(Debug, Clone)]
pub struct MemberWatch {
    service: SpiffeId,
    members: Vec<(VerifiedStudent, VerifiedToken)>,
}

impl MemberWatch {
    pub(super) fn new(service: SpiffeId, members: &[VerifiedPresentation]) -> Self {
        let members = members
            .iter()
            .map(|member| (member.student().clone(), member.token().clone()))
            .collect();
        Self { service, members }
    }

    /// Judges by the revocation lists of this moment the members' chains and the keys that signed
    /// their tokens; CUHK is to be asked about each of them, under a fresh nonce. Refusals name `step`.
    ///
    /// # Errors
    ///
    /// A `certificate_…` code or `signer_withdrawn` about the first member of whom something no
    /// longer holds, or `internal` if the system has no randomness to give.
    pub fn look(
        &self,
        trust: &TrustStore,
        now: UnixTime,
        step: Step,
    ) -> Result<AwaitLook<'_>, Refusal> {
        for (student, token) in &self.members {
            trust
                .verify_student(student.chain(), now)
                .map_err(|error| certificate_refusal(&error, step).about(student.sid()))?;
            token
                .signer()
                .check(trust, now, step)
                .map_err(|refusal| refusal.about(student.sid()))?;
        }
        let students = self.members.iter().map(|(student, _)| student);
        let questions = students.map(|student| ask_about(std::iter::once(student), None));
        Ok(AwaitLook {
            service: &self.service,
            questions: questions.collect::<Result<_, _>>()?,
            step,
        })
    }
}

/// Waits for CUHK's answers about the members of an open connection: one about each, so that the same
/// answer does for every connection on which the same member is.
#[derive(Debug)]
pub struct AwaitLook<'a> {
    service: &'a SpiffeId,
    questions: Vec<Question>,
    step: Step,
}

/// CUHK's answer, not yet verified, and what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookAnswer {
    /// The question of this connection, or one about the very same member that this server asked for
    /// another connection, under a nonce of its own.
    pub question: Question,
    /// The answer.
    pub verification: String,
}

impl AwaitLook<'_> {
    /// What to ask CUHK: about one member each.
    pub fn questions(&self) -> &[Question] {
        &self.questions
    }

    /// Verifies CUHK's answers, in the order of the questions: every member is still active.
    ///
    /// # Errors
    ///
    /// `verification_invalid`, `platform_clock`, `signer_withdrawn` or `student_inactive`; `internal` where answers are not
    /// about these members.
    pub fn handle<'a>(
        self,
        answers: impl IntoIterator<Item = &'a LookAnswer>,
        trust: &TrustStore,
        now: UnixTime,
    ) -> Result<(), Refusal> {
        let mut answers = answers.into_iter();
        for question in &self.questions {
            let answer = answers.next();
            let answer = answer.filter(|answer| answer.question.members == question.members);
            let answer = answer.ok_or_else(|| Refusal::new(Code::Internal, self.step))?;
            let judge = (trust, self.service);
            verify_answer(
                &answer.verification,
                &answer.question,
                self.step,
                judge,
                now,
            )?;
        }
        Ok(())
    }
}
