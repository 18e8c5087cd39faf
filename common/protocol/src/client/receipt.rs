//! Step 6: the receipt comes back and is verified before it counts.

use std::sync::Arc;

use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, Fingerprint, TrustStore};

use crate::message::blackboard::Reply;
use crate::message::{Reply as _, unexpected};
use crate::receipt::{MAX_RECEIPT, VerifiedReceipt};
use crate::statement::{Statement, SubmissionNumber};
use crate::{Code, Refusal, Step};

/// What [`SendingContent::end`](super::SendingContent::end) hands to whoever expects the answer: what that must be
/// about.
#[derive(Debug)]
pub struct Sent {
    pub(super) trust: Arc<TrustStore>,
    pub(super) statement: Statement,
    /// When the server said that it had recorded the statement.
    pub(super) committed_at: Option<UnixTime>,
}

/// Waits for `receipt`.
#[derive(Debug)]
pub struct ExpectReceipt {
    sent: Sent,
}

impl ExpectReceipt {
    pub(super) fn new(sent: Sent) -> Self {
        Self { sent }
    }

    /// # Errors
    ///
    /// The server's refusal, `unexpected_message` or `server_misbehaved` (too large).
    pub fn handle(self, reply: Reply) -> Result<ReceivingReceipt, Refusal> {
        ReceivingReceipt::new(self.sent, reply.accepted()?)
    }
}

impl From<Sent> for ExpectReceipt {
    fn from(sent: Sent) -> Self {
        Self::new(sent)
    }
}

/// Waits for the receipt's chunks.
#[derive(Debug)]
pub struct ReceivingReceipt {
    sent: Sent,
    number: SubmissionNumber,
    size: usize,
    sha256: Fingerprint,
    bytes: Vec<u8>,
}

impl ReceivingReceipt {
    pub(super) fn new(sent: Sent, reply: Reply) -> Result<Self, Refusal> {
        let Reply::Receipt {
            number,
            size,
            sha256,
        } = reply
        else {
            return Err(unexpected("receipt", &reply, Step::Six));
        };
        let size = usize::try_from(size)
            .ok()
            .filter(|size| *size <= MAX_RECEIPT)
            .ok_or_else(|| misbehaved("the receipt is too large"))?;
        Ok(Self {
            sent,
            number,
            size,
            sha256,
            bytes: Vec::new(),
        })
    }

    /// Whether all of it has come.
    pub fn is_complete(&self) -> bool {
        self.bytes.len() == self.size
    }

    /// Takes a chunk.
    ///
    /// # Errors
    ///
    /// `server_misbehaved` at the first byte too many.
    pub fn chunk(&mut self, chunk: &[u8]) -> Result<(), Refusal> {
        if self.bytes.len() + chunk.len() > self.size {
            return Err(misbehaved("the receipt is larger than was announced"));
        }
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }

    /// Verifies the receipt: that it is what was announced, and that it proves exactly what
    /// was sent, or that the same students handed in the same before, be it while this was on its
    /// way. Returns its bytes, to be kept, and the evidence.
    ///
    /// # Errors
    ///
    /// `server_misbehaved` or `receipt_invalid`.
    pub fn finish(self) -> Result<(Vec<u8>, VerifiedReceipt), Refusal> {
        if !self.is_complete() || Fingerprint::of(&self.bytes) != self.sha256 {
            return Err(misbehaved("the receipt is not the one that was announced"));
        }
        let roots = self.sent.trust.roots().iter();
        let roots: Vec<_> = roots.map(Certificate::fingerprint).collect();
        let receipt = VerifiedReceipt::verify_under(&self.bytes, &roots)?;
        let is_meant = receipt.statement().is_same_version(&self.sent.statement);
        if receipt.number() != self.number || !is_meant {
            return Err(misbehaved("the receipt is about something else"));
        }
        let is_this = receipt.statement().submission == self.sent.statement.submission;
        let said = self.sent.committed_at.filter(|_| is_this);
        if said.is_some_and(|at| at != receipt.committed_at()) {
            return Err(misbehaved(
                "the receipt has another time of commitment than it said before",
            ));
        }
        Ok((self.bytes, receipt))
    }
}

pub(super) fn misbehaved(reason: &str) -> Refusal {
    Refusal::new(Code::ServerMisbehaved, Step::Six).with("reason", reason)
}
