//! Students who are not here, and whom somebody who is here waits for: CUHK says whether they are suspended.

use rustls_pki_types::UnixTime;
use scb_certs::{SpiffeId, StudentId, TrustStore};

use super::watch::LookAnswer;
use crate::message::cuhk::MemberQuestion;
use crate::values::Nonce;
use crate::verification::{InactiveReason, Question, Verification};
use crate::{Code, Refusal, Step};

/// For how many seconds it counts that CUHK called somebody suspended: as long as its answer is good for.
pub const SUSPENDED_FOR: u64 = crate::verification::VERIFICATION_LIFETIME;

/// Waits for CUHK's answers about students who are not here, one about each.
#[derive(Debug)]
pub struct AwaitAbsent {
    service: SpiffeId,
    questions: Vec<Question>,
}

impl AwaitAbsent {
    /// About these students, by certificates with which they have signed.
    ///
    /// # Errors
    ///
    /// `internal` if the system has no randomness to give.
    pub fn new(service: &SpiffeId, absent: Vec<MemberQuestion>) -> Result<Self, Refusal> {
        let ask = |member| {
            let nonce = Nonce::random()
                .map_err(|error| Refusal::new(Code::Internal, Step::Six).with("reason", error))?;
            let members = vec![member];
            Ok(Question {
                nonce,
                members,
                statement_sha256: None,
            })
        };
        Ok(Self {
            service: service.clone(),
            questions: absent
                .into_iter()
                .map(ask)
                .collect::<Result<_, Refusal>>()?,
        })
    }

    /// What to ask CUHK: about one student each.
    pub fn questions(&self) -> &[Question] {
        &self.questions
    }

    /// Of whom CUHK says that he is suspended, by answers in the order of the questions. What does not
    /// verify, and what is about somebody else, says nothing of anybody.
    pub fn suspended<'a>(
        self,
        answers: impl IntoIterator<Item = &'a LookAnswer>,
        trust: &TrustStore,
        now: UnixTime,
    ) -> Vec<StudentId> {
        let asked = self.questions.iter().zip(answers);
        let about_them =
            asked.filter(|(question, answer)| question.members == answer.question.members);
        let suspended = about_them.filter_map(
            |(
                _,
                LookAnswer {
                    question,
                    verification,
                },
            )| {
                let judged =
                    Verification::verify(verification, trust, &self.service, question, now);
                let refusal = judged
                    .err()
                    .filter(|refusal| refusal.code == Code::StudentInactive)?;
                let reason = refusal.params.get("reason")?;
                (*reason == InactiveReason::Suspended.to_string()).then_some(refusal.sid)?
            },
        );
        suspended.collect()
    }
}
