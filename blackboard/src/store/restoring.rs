//! A submission whose record and entry were lost, entered again from its receipt.
//!
//! The log has kept the 32 bytes of the lost entry, as its witness had seen them: only the leaf that leads
//! to them is taken, so that what comes back is what was there, with its number and its time. That it came
//! from a receipt is an entry of the log.

use rusqlite::{Connection, Transaction};
use rustls_pki_types::UnixTime;
use scb_certs::Fingerprint;
use scb_protocol::log_leaf::{Entry, LogName, Restored, leaf_commitment};
use scb_protocol::message::proposal::ProposalState;
use scb_protocol::receipt::{ReceiptParts, VerifiedReceipt};
use scb_protocol::statement::{SubmissionId, SubmissionNumber};

use super::{
    Error, Place, Record, Store, assignments, by_number, by_submission, insert, log, proof,
};

/// What a receipt proves, as it is entered again.
#[derive(Debug, Clone)]
pub(crate) struct FromReceipt {
    record: Record,
    log: LogName,
    index: u64,
    /// SHA-256 of the receipt as it came.
    sha256: Fingerprint,
}

/// How the log stands to what a receipt proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The entry is lost, and can be entered again.
    Lost,
    /// It is here already.
    Here,
    /// The log has not come so far.
    NotReached {
        /// How many entries it has.
        entries: u64,
    },
    /// It has another entry in that place.
    AnotherEntry,
    /// The entry is lost, and its number was given again, to this submission.
    NumberTaken(SubmissionId),
    /// The same submission was accepted anew, with this number.
    AcceptedAnew(SubmissionNumber),
    /// The same submission has ended since, without being accepted.
    Ended(ProposalState),
}

impl FromReceipt {
    /// Of a receipt that was verified, these bytes.
    pub(crate) fn new(receipt: &[u8], (verified, parts): (&VerifiedReceipt, ReceiptParts)) -> Self {
        let (log, index) = verified.entry();
        let ReceiptParts {
            evidence,
            leaf,
            proof,
        } = parts;
        Self {
            log: log.clone(),
            index,
            sha256: Fingerprint::of(receipt),
            record: Record {
                number: verified.number(),
                accepted_at: verified.accepted_at(),
                statement: verified.statement().clone(),
                evidence,
                leaf,
                proof: proof.filter(|proof| proof.missing.is_empty()),
            },
        }
    }

    fn standing(&self, connection: &Connection) -> Result<Standing, Error> {
        let entries = log::size(connection, &self.log)?;
        if entries <= self.index {
            return Ok(Standing::NotReached { entries });
        }
        if !self.is_held(connection, (self.index, &self.record.leaf.leaf))? {
            return Ok(Standing::AnotherEntry);
        }
        let (number, submission) = (self.record.number, self.record.statement.submission);
        match by_submission(connection, submission)? {
            Some(found) if found.number == number && found.leaf.leaf == self.record.leaf.leaf => {
                return Ok(Standing::Here);
            }
            Some(found) if found.number == number => return Err(Error::Altered { number }),
            Some(anew) => return Ok(Standing::AcceptedAnew(anew.number)),
            None => {}
        }
        if let Some(other) = by_number(connection, number)? {
            return Ok(Standing::NumberTaken(other.statement.submission));
        }
        assignments::require(connection, &self.place())?;
        let ended = log::ending(connection, &self.log, submission)?;
        Ok(ended.map_or(Standing::Lost, Standing::Ended))
    }

    fn place(&self) -> Place {
        let statement = &self.record.statement;
        Place {
            domain: statement.service.trust_domain().clone(),
            course: statement.course.clone(),
            assignment: statement.assignment.clone(),
        }
    }

    /// Whether the log holds the 32 bytes to which this leaf leads.
    fn is_held(&self, connection: &Connection, (index, leaf): (u64, &[u8])) -> Result<bool, Error> {
        let held = log::commitments(connection, &self.log, index, 1)?;
        Ok(held == [leaf_commitment(leaf)])
    }

    /// The entry of the moment that counts, if it was lost and the receipt has it.
    fn committed(&self, connection: &Connection) -> Result<Option<String>, Error> {
        let index = self.record.committed_index();
        let proof = self.record.proof.as_ref();
        let committed = proof.and_then(|proof| proof.committed.as_ref());
        let (Some(index), Some(committed)) = (index, committed) else {
            return Ok(None);
        };
        let is_lost = log::leaf(connection, &self.log, index)?.is_none()
            && self.is_held(connection, (index, committed.leaf.as_bytes()))?;
        Ok(is_lost.then(|| committed.leaf.clone()))
    }

    fn enter(&self, transaction: &Transaction<'_>, now: UnixTime) -> Result<u64, Error> {
        let number = self.record.number;
        let leaf = String::from_utf8(self.record.leaf.leaf.clone());
        let restored = Entry::Restored(Restored {
            number,
            submission: self.record.statement.submission,
            index: self.index,
            leaf: leaf.map_err(|_| Error::Altered { number })?,
            committed: self.committed(transaction)?,
            receipt_sha256: self.sha256,
        });
        insert(transaction, &self.record)?;
        if let Some(found) = &self.record.proof {
            proof::keep(transaction, number, found)?;
            let committed = found.committed.as_ref();
            if let Some(said) = committed.and_then(|committed| committed.assurance.as_ref()) {
                proof::keep_said_then(transaction, number, said)?;
            }
        }
        Ok(log::append(transaction, &self.log, now, restored)?.index)
    }
}

impl Store {
    /// How the log of this home stands to what a receipt proves.
    ///
    /// # Errors
    ///
    /// [`Error::NoCourse`], [`Error::NoAssignment`]; [`Error::Storage`], [`Error::Altered`].
    pub(crate) fn stands_to(&self, receipt: &FromReceipt) -> Result<Standing, Error> {
        let receipt = receipt.clone();
        self.database
            .read_blocking(move |connection| receipt.standing(connection))
    }

    /// Enters it again, if it is lost; the number of the entry that says so, or how else it stands. Its files
    /// are durable by now.
    ///
    /// # Errors
    ///
    /// As [`Store::stands_to`]; [`Error::PutBack`]; [`Error::ClockSetBack`], [`Error::Leaf`], [`Error::Storage`].
    pub(crate) fn restore(
        &self,
        receipt: FromReceipt,
        now: UnixTime,
    ) -> Result<Result<u64, Standing>, Error> {
        self.enter_blocking(move |transaction| match receipt.standing(transaction)? {
            Standing::Lost => receipt.enter(transaction, now).map(Ok),
            other => Ok(Err(other)),
        })
    }
}
