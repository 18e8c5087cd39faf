//! What makes receipts, and what is kept of refusals, complete: told to the members whose they are.

use std::time::Duration;

use scb_protocol::log_leaf::{LogName, Refused};
use scb_protocol::message::blackboard::{CarriedProof, Reply};
use scb_protocol::receipt::LogProof;
use scb_protocol::server::{ExpectRequest, VerifiedMember};
use scb_protocol::statement::SubmissionId;
use scb_protocol::{Code, Fact, Proved, Refusal, Step};
use tokio::time::timeout;

use super::Handler;

impl Handler {
    /// The proof for a receipt of these very members. The answer is the same whether it is still
    /// to come, or there is no such submission, or it is others'.
    pub(super) async fn proof_for(
        &mut self,
        submission: SubmissionId,
        state: &ExpectRequest,
    ) -> Result<Fact, Refusal> {
        let asking: Vec<_> = state.members().iter().map(VerifiedMember::sid).collect();
        let (store, trust) = (self.shared.register.store(), self.trust());
        let mut proof = None;
        if let Some(record) = store.find(submission).await?
            && asking.iter().all(|sid| record.names(sid))
        {
            let (logs, witnessed) = (&self.shared.logs, &self.shared.witnessed);
            let proved = logs.proved(record, witnessed, &trust, Duration::ZERO);
            let proved = proved.await?;
            if proved.shown_proof().is_some() {
                proof = Some(proved.sound_proof(&trust)?);
            }
        }
        let proved = self.send_proof(proof).await?;
        Ok(Fact::ProofTold { submission, proved })
    }

    /// The proof of an entry that says that these very members were refused. The answer is the same
    /// whether it is still to come, or the entry says something else, or of others.
    pub(super) async fn refusal_proof(
        &mut self,
        (log, entry): (LogName, u64),
        state: &ExpectRequest,
    ) -> Result<Fact, Refusal> {
        let asking: Vec<_> = state.members().iter().map(VerifiedMember::sid).collect();
        let store = self.shared.register.store();
        let refused = store.refused_in(log.clone(), entry).await?;
        let is_theirs = |refused: Refused| asking.iter().all(|sid| refused.members.contains(sid));
        let proof = match refused.is_some_and(is_theirs) {
            true => {
                let logs = &self.shared.logs;
                let (witnessed, trust) = (&self.shared.witnessed, self.trust());
                logs.refusal_proof_of((&log, entry), witnessed, &trust)
                    .await
            }
            false => None,
        };
        let proved = self.send_proof(proof).await?;
        Ok(Fact::RefusalProofTold { log, entry, proved })
    }

    /// The message, and after it the revocation lists that belong to the proof.
    async fn send_proof(&mut self, proof: Option<LogProof>) -> Result<Proved, Refusal> {
        let Some(proof) = proof else {
            let nothing = Reply::Proof {
                proof: None,
                lists: 0,
            };
            return self.send(nothing).await.map(|()| Proved::NotYet);
        };
        let told = Reply::Proof {
            proof: Some(CarriedProof::from(&proof)),
            lists: proof.lists.len() as u64,
        };
        let limit = self.shared.limits.content;
        let sending = async {
            self.send(told).await?;
            match proof.lists.is_empty() {
                true => Ok(()),
                false => self.connection.send_chunk(proof.lists.clone().into()).await,
            }
        };
        let sent = timeout(limit, sending).await;
        sent.unwrap_or_else(|_| Err(Refusal::new(Code::Timeout, Step::Six)))?;
        Ok(match proof.missing.is_empty() {
            true => Proved::Yes,
            false => Proved::NotYet,
        })
    }
}
