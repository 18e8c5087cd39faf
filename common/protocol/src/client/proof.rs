//! The proof that completes a receipt, or what is kept of a refusal, comes: a message, and the
//! revocation lists that belong to it in chunks.

use super::Session;
use super::receipt::misbehaved;
use crate::message::blackboard::{CarriedProof, Reply};
use crate::message::unexpected;
use crate::receipt::{LogProof, MAX_RECEIPT};
use crate::{Refusal, Step};

/// Waits for the chunks of the lists, if any were announced.
#[derive(Debug)]
pub struct ReceivingProof {
    session: Session,
    proof: Option<CarriedProof>,
    size: usize,
    lists: Vec<u8>,
}

impl ReceivingProof {
    pub(super) fn new(session: Session, reply: Reply) -> Result<Self, Refusal> {
        let Reply::Proof { proof, lists } = reply else {
            return Err(unexpected("proof", &reply, Step::Six));
        };
        let size = usize::try_from(lists)
            .ok()
            .filter(|size| *size <= MAX_RECEIPT && (*size == 0 || proof.is_some()))
            .ok_or_else(|| {
                misbehaved("the revocation lists are too large, or belong to nothing")
            })?;
        Ok(Self {
            session,
            proof,
            size,
            lists: Vec::new(),
        })
    }

    /// Whether all of it has come.
    pub fn is_complete(&self) -> bool {
        self.lists.len() == self.size
    }

    /// Takes a chunk.
    ///
    /// # Errors
    ///
    /// `server_misbehaved` at the first byte too many.
    pub fn chunk(&mut self, chunk: &[u8]) -> Result<(), Refusal> {
        if self.lists.len() + chunk.len() > self.size {
            return Err(misbehaved(
                "the revocation lists are larger than was announced",
            ));
        }
        self.lists.extend_from_slice(chunk);
        Ok(())
    }

    /// The session goes on. No proof if it is still to come, or there is no such submission or
    /// refusal of these members; nothing of it is verified: for that it is put where it belongs.
    ///
    /// # Errors
    ///
    /// `server_misbehaved` if not all of it has come, or the lists are no text.
    pub fn finish(self) -> Result<(Session, Option<LogProof>), Refusal> {
        let lists = String::from_utf8(self.lists).ok();
        let lists = lists.filter(|lists| lists.len() == self.size);
        let lists = lists.ok_or_else(|| misbehaved("the revocation lists did not come whole"))?;
        let proof = self.proof.map(LogProof::from);
        let proof = proof.map(|proof| LogProof { lists, ..proof });
        Ok((self.session, proof))
    }
}
