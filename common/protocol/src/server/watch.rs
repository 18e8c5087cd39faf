//! The members of an open connection, looked at again whenever a status may have changed.

use rustls_pki_types::UnixTime;
use scb_certs::{SpiffeId, TrustStore, VerifiedStudent};

use super::verification::ask_about;
use crate::certificate::certificate_refusal;
use crate::verification::{Question, Verification};
use crate::{Refusal, Step};

/// The members who presented themselves on a connection, for as long as it is open.
#[derive(Debug, Clone)]
pub struct MemberWatch {
    service: SpiffeId,
    students: Vec<VerifiedStudent>,
}

impl MemberWatch {
    pub(super) fn new(service: SpiffeId, students: Vec<VerifiedStudent>) -> Self {
        Self { service, students }
    }

    /// Judges the members' chains by the revocation lists of this moment; CUHK is to be asked
    /// about all of them at once, under a fresh nonce. Refusals name `step`.
    ///
    /// # Errors
    ///
    /// A `certificate_…` code about the first member whose chain no longer holds, or
    /// `internal` if the system has no randomness to give.
    pub fn look(
        &self,
        trust: &TrustStore,
        now: UnixTime,
        step: Step,
    ) -> Result<AwaitLook<'_>, Refusal> {
        for student in &self.students {
            trust
                .verify_student(student.chain(), now)
                .map_err(|error| certificate_refusal(&error, step).about(student.sid()))?;
        }
        let question = ask_about(self.students.iter())?;
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
    /// `verification_invalid` or `student_inactive`.
    pub fn handle(
        self,
        verification: &str,
        trust: &TrustStore,
        now: UnixTime,
    ) -> Result<Verification, Refusal> {
        Verification::verify(verification, trust, self.service, &self.question, now).map_err(
            |refusal| Refusal {
                step: self.step,
                ..refusal
            },
        )
    }
}
