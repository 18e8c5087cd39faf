//! Whether a receipt keeps what the commitment before it said.

use scb_certs::Fingerprint;

use super::VerifiedCommitment;
use crate::receipt::VerifiedReceipt;
use crate::rfc3339;
use crate::{Code, Refusal, Step};

/// How a receipt stands to a commitment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Followed {
    /// It is about something else.
    Not,
    /// It names the same entry, and that the log holds it is still to come; or it is of the same work,
    /// recorded by another statement.
    Named,
    /// It proves that the log holds the same entry, byte by byte, or the one of the same work that came
    /// first: with it the commitment has done its work.
    Proved,
}

impl VerifiedCommitment {
    /// Compares a receipt with this: number, log and time of the entry and, once that is proved, its
    /// hash.
    ///
    /// # Errors
    ///
    /// `commitment_broken` if it is about the same statement and says something else.
    pub fn followed_by(&self, receipt: &VerifiedReceipt) -> Result<Followed, Refusal> {
        let is_this = Fingerprint::of(receipt.statement_bytes()) == self.statement_sha256();
        let is_same = receipt.statement().is_same_version(&self.statement);
        let is_as_good = receipt.committed_at() <= self.committed_at();
        match (is_this, is_same) {
            (true, _) => self.kept_by(receipt),
            (false, true) if is_as_good && receipt.entered().is_some() => Ok(Followed::Proved),
            (false, true) => Ok(Followed::Named),
            (false, false) => Ok(Followed::Not),
        }
    }

    /// The same of a receipt of this very submission.
    fn kept_by(&self, receipt: &VerifiedReceipt) -> Result<Followed, Refusal> {
        let (log, index) = self.entry();
        let names_it = receipt.committed_index() == Some(index) && receipt.entry().0 == log;
        let is_of_then = receipt.committed_at() == self.committed_at();
        let entered = receipt.entered();
        let is_other = entered.is_some_and(|leaf_sha256| leaf_sha256 != self.leaf_sha256());
        if !names_it || !is_of_then || is_other {
            return Err(self.broken(receipt));
        }
        Ok(match entered {
            Some(_) => Followed::Proved,
            None => Followed::Named,
        })
    }

    fn broken(&self, receipt: &VerifiedReceipt) -> Refusal {
        let entry = receipt.committed_index();
        let entry = entry.map_or_else(|| "none".to_owned(), |index| index.to_string());
        Refusal::new(Code::CommitmentBroken, Step::Six)
            .with("submission", receipt.number())
            .with("recorded", rfc3339(self.committed_at()))
            .with("entry", self.entry().1)
            .with("receipt_recorded", rfc3339(receipt.committed_at()))
            .with("receipt_entry", entry)
    }
}
