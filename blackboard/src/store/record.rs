//! What a submission is made of before it is accepted, afterwards, and in a list, each a type of its own.

use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, Fingerprint, StudentId, TrustStore, all_from_pem};
use scb_protocol::log_leaf::{Accepted, Leaf, LogName};
use scb_protocol::receipt::{
    CommittedAt, Evidence, LogProof, SignedEntry, SignedLeaf, VerifiedReceipt, build,
};
use scb_protocol::server::Commitment;
use scb_protocol::statement::{Statement, SubmissionNumber};
use scb_protocol::{Mode, Refusal};

use super::Error;
use crate::witnessed::Cosigned;

/// A submission that was verified and is about to be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Draft {
    /// What the members signed.
    pub(crate) statement: Statement,
    /// All that a receipt needs besides number and time.
    pub(crate) evidence: Evidence,
    /// When the signed statement had come, and where that was entered.
    pub(crate) committed: CommittedAt,
    /// The time of acceptance.
    pub(crate) accepted_at: UnixTime,
}

/// What a list shows of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Its number.
    pub(crate) number: SubmissionNumber,
    /// When its signed statement had come: what counts for lateness. If its log entry says so.
    pub(crate) committed_at: Option<UnixTime>,
    /// When it was accepted, with all of its files.
    pub(crate) accepted_at: UnixTime,
    /// What the members signed.
    pub(crate) statement: Statement,
    /// What stood behind the members.
    pub(crate) mode: Mode,
}

/// A submission that was accepted, with all that its receipt is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(super) number: SubmissionNumber,
    pub(super) accepted_at: UnixTime,
    pub(super) statement: Statement,
    pub(super) evidence: Evidence,
    pub(super) leaf: SignedLeaf,
    pub(super) proof: Option<LogProof>,
}

impl Record {
    /// Its number.
    pub(crate) fn number(&self) -> SubmissionNumber {
        self.number
    }

    /// When it was accepted.
    pub(crate) fn accepted_at(&self) -> UnixTime {
        self.accepted_at
    }

    /// When its signed statement had come, if its log entry says so.
    pub(crate) fn committed_at(&self) -> Option<UnixTime> {
        Some(self.leaf.accepted()?.committed_at)
    }

    /// Since when, and by which entry, it was committed; its files may come once more until then.
    ///
    /// # Errors
    ///
    /// [`Error::Altered`].
    pub(crate) fn commitment(&self, upload_until: UnixTime) -> Result<Commitment, Error> {
        let accepted = self.leaf.accepted().ok_or_else(|| self.altered())?;
        Ok(Commitment {
            index: accepted.committed_index.unwrap_or_default(),
            at: accepted.committed_at,
            upload_until,
        })
    }

    /// What its log entry says was accepted, if it says so.
    pub(crate) fn accepted(&self) -> Option<Accepted> {
        self.leaf.accepted()
    }

    /// Its entry in the log as it was signed, to be shown.
    ///
    /// # Errors
    ///
    /// [`Error::Altered`].
    pub(crate) fn signed_entry(&self) -> Result<SignedEntry, Error> {
        SignedEntry::try_from(self.leaf.clone()).map_err(|_| self.altered())
    }

    /// The entry of the same log that was made when its signed statement had come.
    pub(crate) fn committed_index(&self) -> Option<u64> {
        self.leaf.accepted()?.committed_index
    }

    /// What the members signed.
    pub(crate) fn statement(&self) -> &Statement {
        &self.statement
    }

    /// Whether this student is one of its members.
    pub(crate) fn names(&self, sid: &StudentId) -> bool {
        let mut members = self.statement.members.iter();
        members.any(|member| member.sid == *sid)
    }

    /// What a list shows of it.
    pub(crate) fn summary(&self) -> Summary {
        Summary {
            number: self.number,
            committed_at: self.committed_at(),
            accepted_at: self.accepted_at,
            statement: self.statement.clone(),
            mode: self.evidence.mode,
        }
    }

    /// The exact bytes that they signed.
    pub(crate) fn statement_bytes(&self) -> &[u8] {
        &self.evidence.statement
    }

    /// The members' detached CMS signatures of them, DER.
    pub(crate) fn signatures(&self) -> &[u8] {
        &self.evidence.signatures
    }

    /// The exact bytes of its entry in the log.
    pub(crate) fn leaf(&self) -> &[u8] {
        &self.leaf.leaf
    }

    /// The log in which it is entered, and its number there, from 0.
    ///
    /// # Errors
    ///
    /// [`Error::Altered`].
    pub(crate) fn entry(&self) -> Result<(LogName, u64), Error> {
        let leaf = Leaf::parse(&self.leaf.leaf).map_err(|_| self.altered())?;
        Ok((leaf.log, leaf.index))
    }

    /// The proof that makes its receipt complete, if it is there.
    pub(crate) fn proof(&self) -> Option<&LogProof> {
        let proof = self.proof.as_ref();
        proof.filter(|proof| proof.missing.is_empty())
    }

    /// The proof that its receipt has: that one, or while cosignatures besides CUHK's are missing, one
    /// that says whose.
    pub(crate) fn shown_proof(&self) -> Option<&LogProof> {
        self.proof.as_ref()
    }

    /// A proof of its entry with the revocation lists that its receipt needs then.
    ///
    /// # Errors
    ///
    /// [`Error::Altered`].
    pub(crate) fn with_lists(
        &self,
        proof: LogProof,
        cosigned: &Cosigned,
    ) -> Result<LogProof, Error> {
        // As nearly always: what was in force then is in force still.
        if *self.evidence.crls == **cosigned.lists.pem() {
            return Ok(proof);
        }
        let then = (cosigned.lists.lists(), cosigned.checkpoint.time());
        proof.for_receipt(&self.evidence, then).map_err(|reason| {
            tracing::error!("{}: {reason}", self.number);
            self.altered()
        })
    }

    /// With this proof.
    pub(crate) fn with(mut self, proof: LogProof) -> Self {
        self.proof = Some(proof);
        self
    }

    /// `receipt.zip`: of one record that is proved always the same bytes. Verified as an outsider
    /// would verify it who trusts these roots, so that nothing that was altered in the database is ever
    /// given out, a root that somebody put there included.
    ///
    /// # Errors
    ///
    /// [`Error::OtherRoot`], [`Error::Altered`], [`Error::Receipt`].
    pub(crate) fn receipt(&self, roots: &[Fingerprint]) -> Result<Vec<u8>, Error> {
        let own = all_from_pem(&self.evidence.root).map_err(|_| self.altered())?;
        let mut own = own.iter().map(Certificate::fingerprint);
        if let Some(found) = own.find(|root| !roots.contains(root)) {
            return Err(Error::OtherRoot {
                number: self.number,
                found,
                trusted: roots.to_vec(),
            });
        }
        let verify = |receipt: &[u8]| VerifiedReceipt::verify_under(receipt, roots);
        self.verified(verify).map(|(receipt, _)| receipt)
    }

    /// The same by the trust store in use, which has just verified most of a new receipt.
    ///
    /// # Errors
    ///
    /// As [`Record::receipt`].
    pub(crate) fn receipt_by(&self, trust: &TrustStore) -> Result<Vec<u8>, Error> {
        let verify = |receipt: &[u8]| VerifiedReceipt::verify_by(receipt, trust);
        self.verified(verify).map(|(receipt, _)| receipt)
    }

    /// The proof with which its receipt verifies by the trust store in use.
    ///
    /// # Errors
    ///
    /// As [`Record::receipt`]; [`Error::Altered`] without a proof.
    pub(crate) fn sound_proof(&self, trust: &TrustStore) -> Result<LogProof, Error> {
        let verify = |receipt: &[u8]| VerifiedReceipt::verify_by(receipt, trust);
        let (_, without) = self.verified(verify)?;
        let proof = without.map_or_else(|| self.proof.clone(), |without| without.proof);
        proof.ok_or_else(|| self.altered())
    }

    /// The receipt; if that does not verify with what CUHK said when it was committed, the one without it,
    /// and the record that is like that. A key of CUHK may have been withdrawn while the files came, and before
    /// CUHK was asked anew an answer could be old. What is of later than the entry stays: then that was altered.
    fn verified(
        &self,
        verify: impl Fn(&[u8]) -> Result<VerifiedReceipt, Refusal>,
    ) -> Result<(Vec<u8>, Option<Self>), Error> {
        let error = match self.judged(&verify) {
            Ok(receipt) => return Ok((receipt, None)),
            Err(error) => error,
        };
        let without = self.without_what_was_said().ok_or(error)?;
        let receipt = without.judged(&verify)?;
        Ok((receipt, Some(without)))
    }

    fn without_what_was_said(&self) -> Option<Self> {
        let committed = self.proof.as_ref()?.committed.as_ref()?;
        if committed.assurance.is_none() || committed.is_contradicted() {
            return None;
        }
        let mut without = self.clone();
        let proof = without.proof.as_mut()?;
        proof.committed.as_mut()?.assurance = None;
        Some(without)
    }

    fn judged(
        &self,
        verify: impl Fn(&[u8]) -> Result<VerifiedReceipt, Refusal>,
    ) -> Result<Vec<u8>, Error> {
        let receipt = build(&self.evidence, &self.leaf, self.proof.as_ref());
        let receipt = receipt.map_err(|error| match error {
            scb_protocol::Error::Leaf(_) => self.altered(),
            error => Error::Receipt(error),
        })?;
        let verified = verify(&receipt)
            .inspect_err(|refusal| tracing::error!("{}: {refusal}", self.number))
            .map_err(|_| self.altered())?;
        if verified.number() != self.number || verified.accepted_at() != self.accepted_at {
            return Err(self.altered());
        }
        Ok(receipt)
    }

    fn altered(&self) -> Error {
        Error::Altered {
            number: self.number,
        }
    }
}
