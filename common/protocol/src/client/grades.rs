//! Step 6: grades come, and are verified before they are shown.

use scb_certs::StudentId;

use super::confirmation::Session;
use super::receipt::misbehaved;
use crate::grade::{Release, SignedGrade, VerifiedGrade};
use crate::message::blackboard::{CarriedGrade, Reply};
use crate::message::{Reply as _, unexpected};
use crate::receipt::LogProof;
use crate::{Refusal, Step};

/// Waits for `grades`.
#[derive(Debug)]
pub struct ExpectGrades {
    session: Session,
    from: u32,
}

/// Some of the members' grades.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// From the one that was asked for on; each is verified.
    pub grades: Vec<VerifiedGrade>,
    /// From which one to ask on, counted from 0; `None` if these were the last.
    pub next: Option<u32>,
}

impl ExpectGrades {
    pub(super) fn new(session: Session, from: u32) -> Self {
        Self { session, from }
    }

    /// The session goes on. Every grade is verified, and is one of these students.
    ///
    /// # Errors
    ///
    /// The server's refusal, `unexpected_message`, or `server_misbehaved`: a grade does not verify,
    /// is somebody else's, or there are more, but none was told.
    pub fn handle(self, reply: Reply, members: &[StudentId]) -> Result<(Session, Told), Refusal> {
        let reply = reply.accepted()?;
        let Reply::Grades { count, grades } = reply else {
            return Err(unexpected("grades", &reply, Step::Six));
        };
        let told = u32::try_from(grades.len()).unwrap_or(u32::MAX);
        let reached = self.from.saturating_add(told);
        if told == 0 && reached < count {
            return Err(misbehaved("there are more grades, but none was told"));
        }
        let grades = grades.into_iter().map(|grade| self.verify(grade, members));
        let told = Told {
            grades: grades.collect::<Result<_, _>>()?,
            next: (reached < count).then_some(reached),
        };
        Ok((self.session, told))
    }

    fn verify(
        &self,
        carried: CarriedGrade,
        members: &[StudentId],
    ) -> Result<VerifiedGrade, Refusal> {
        let signed = SignedGrade {
            grade: carried.grade.into_bytes(),
            signature: carried.signature.as_bytes().to_vec(),
        };
        let proof = carried.proof.map(LogProof::from);
        let leaf = carried.leaf.as_bytes();
        let release = Release::from(carried.released);
        let by = self.session.trust();
        let verified = VerifiedGrade::verify(&signed, leaf, proof.as_ref(), &release, by);
        let verified = verified.map_err(|error| misbehaved(&error.to_string()))?;
        match members.contains(&verified.grade().sid) {
            true => Ok(verified),
            false => Err(misbehaved("it told the grade of somebody else")),
        }
    }
}
