//! Grades, told to those whose they are.

use scb_protocol::message::blackboard::{
    CarriedGrade, CarriedProof, CarriedRelease, Reply, that_fit,
};
use scb_protocol::server::{ExpectRequest, VerifiedMember};
use scb_protocol::statement::Label;
use scb_protocol::values::Der;
use scb_protocol::{Code, Fact, Refusal, Step};

use super::Handler;
use crate::store::grades::Graded;

impl Handler {
    /// The grades of these very members that were released, from index `from` on. The answer is the
    /// same whether there are none, or none that they may see.
    pub(super) async fn grades_for(
        &mut self,
        course: Option<Label>,
        from: u32,
        state: &ExpectRequest,
    ) -> Result<(Reply, Fact), Refusal> {
        let members = state.members().iter().map(VerifiedMember::sid);
        let sids = members.cloned().collect();
        let store = self.shared.register.store();
        let all = store.released_grades(sids, course).await?;
        let count = u32::try_from(all.len()).unwrap_or(u32::MAX);
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let mut grades = Vec::new();
        // No more of them fit into a message than this, whatever they say.
        for graded in all.into_iter().skip(from).take(AT_ONCE) {
            grades.push(self.carried(graded).await?);
        }
        let grades = that_fit(grades);
        let fact = Fact::GradesTold {
            grades: grades.len(),
        };
        Ok((Reply::Grades { count, grades }, fact))
    }

    async fn carried(&mut self, graded: Graded) -> Result<CarriedGrade, Refusal> {
        let (logs, witnessed) = (&self.shared.logs, &self.shared.witnessed);
        let (name, index) = &graded.entry;
        let proof = logs.proof_of(name, *index, witnessed).await;
        let released = graded.released;
        let released = released.ok_or_else(|| Refusal::new(Code::Internal, Step::Six))?;
        let release_proof = logs.proof_of(name, released.index, witnessed).await;
        let text = |bytes: Vec<u8>| {
            String::from_utf8(bytes).map_err(|_| Refusal::new(Code::Internal, Step::Six))
        };
        Ok(CarriedGrade {
            grade: text(graded.signed.grade)?,
            signature: Der::new(graded.signed.signature),
            leaf: text(graded.leaf)?,
            proof: proof.as_ref().map(CarriedProof::from),
            released: CarriedRelease {
                leaf: text(released.leaf.leaf)?,
                signature: Der::new(released.leaf.signature),
                proof: release_proof.as_ref().map(CarriedProof::from),
            },
        })
    }
}

/// How many grades are proved for one message.
const AT_ONCE: usize = 16;
