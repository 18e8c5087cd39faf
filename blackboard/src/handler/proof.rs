//! What makes receipts complete, told to the members whose they are.

use std::time::Duration;

use scb_protocol::message::blackboard::{CarriedProof, Reply};
use scb_protocol::server::{ExpectRequest, VerifiedMember};
use scb_protocol::statement::SubmissionId;
use scb_protocol::{Fact, Proved, Refusal};

use super::Handler;

impl Handler {
    /// The proof for a receipt of these very members. The answer is the same whether it is still
    /// to come, or there is no such submission, or it is others'.
    pub(super) async fn proof_for(
        &mut self,
        submission: SubmissionId,
        state: &ExpectRequest,
    ) -> Result<(Reply, Fact), Refusal> {
        let asking: Vec<_> = state.members().iter().map(VerifiedMember::sid).collect();
        let (store, trust) = (self.shared.register.store(), self.trust());
        let mut proof = None;
        if let Some(record) = store.find(submission).await?
            && asking.iter().all(|sid| record.names(sid))
        {
            let (logs, witnessed) = (&self.shared.logs, &self.shared.witnessed);
            let proved = logs.proved(record, witnessed, &trust, Duration::ZERO);
            proof = proved.await?.proof().map(CarriedProof::from);
        }
        let proved = match proof {
            Some(_) => Proved::Yes,
            None => Proved::NotYet,
        };
        let fact = Fact::ProofTold { submission, proved };
        Ok((Reply::Proof { proof }, fact))
    }
}
