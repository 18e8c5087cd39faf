//! The members of an open connection, looked at again whenever a status may have changed.

use rustls_pki_types::UnixTime;
use scb_certs::{SpiffeId, TrustStore, VerifiedStudent};

use super::presentation::VerifiedPresentation;
use super::verification::{ask_about, verify_answer};
use crate::certificate::certificate_refusal;
use crate::identity_token::VerifiedToken;
use crate::verification::{Question, Verification};
use crate::{Refusal, Step};

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
    /// their tokens; CUHK is to be asked about all of them at once, under a fresh nonce. Refusals
    /// name `step`.
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
                .check_signer(trust, now, step)
                .map_err(|refusal| refusal.about(student.sid()))?;
        }
        let question = ask_about(self.members.iter().map(|(student, _)| student))?;
        Ok(AwaitLook {
            service: &self.service,
            question,
            step,
        })
    }
}

/// Waits for CUHK's answer about the members of an open connection.
#[derive(Debug)]
pub struct AwaitLook<'a> {
    service: &'a SpiffeId,
    question: Question,
    step: Step,
}

impl AwaitLook<'_> {
    /// What to ask CUHK.
    pub fn question(&self) -> &Question {
        &self.question
    }

    /// Verifies CUHK's answer: every member is still active.
    ///
    /// # Errors
    ///
    /// `verification_invalid`, `signer_withdrawn` or `student_inactive`.
    pub fn handle(
        self,
        verification: &str,
        trust: &TrustStore,
        now: UnixTime,
    ) -> Result<Verification, Refusal> {
        let judge = (trust, self.service);
        verify_answer(verification, &self.question, self.step, judge, now)
    }
}
