//! What makes receipts, and what is kept of refusals, complete: told to the members whose they are.

use std::time::Duration;

use scb_protocol::log_leaf::{LogName, Refused};
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

    /// The proof of an entry that says that these very members were refused. The answer is the same
    /// whether it is still to come, or the entry says something else, or of others.
    pub(super) async fn refusal_proof(
        &mut self,
        (log, entry): (LogName, u64),
        state: &ExpectRequest,
    ) -> Result<(Reply, Fact), Refusal> {
        let asking: Vec<_> = state.members().iter().map(VerifiedMember::sid).collect();
        let store = self.shared.register.store();
        let refused = store.refused_in(log.clone(), entry).await?;
        let is_theirs = |refused: Refused| asking.iter().all(|sid| refused.members.contains(sid));
        let proof = match refused.is_some_and(is_theirs) {
            true => {
                let logs = &self.shared.logs;
                logs.proof_of(&log, entry, &self.shared.witnessed).await
            }
            false => None,
        };
        let proved = match proof {
            Some(_) => Proved::Yes,
            None => Proved::NotYet,
        };
        let fact = Fact::RefusalProofTold { log, entry, proved };
        let proof = proof.as_ref().map(CarriedProof::from);
        Ok((Reply::Proof { proof }, fact))
    }
}
