//! Blackboard's acceptance: the entry in the assignment's log that says what exactly was accepted,
//! and Blackboard's signature of it.

use std::collections::BTreeMap;

use rustls_pki_types::UnixTime;
use scb_certs::{Chain, Fingerprint, SigningKey, sign_detached};

use super::Evidence;
use crate::assurance::Mode;
use crate::error::Error;
use crate::log_leaf::{Accepted, Entry, Leaf, RulesEntry};
use crate::statement::{Statement, SubmissionNumber};

/// SHA-256 of each file of the evidence, by name.
pub(super) fn hashes(evidence: &Evidence) -> BTreeMap<String, Fingerprint> {
    evidence
        .files()
        .into_iter()
        .map(|(name, bytes)| (name.to_owned(), Fingerprint::of(bytes)))
        .collect()
}

/// When the signed statement had come, and where that was entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommittedAt {
    /// The number of the entry `committed` in the same log, if there is one.
    pub index: Option<u64>,
    /// When it came: what counts for lateness.
    pub at: UnixTime,
}

/// What is entered in the log about a submission that is accepted, and was committed under these
/// rules; nothing if their entry is lost.
pub fn accepted_entry(
    evidence: &Evidence,
    statement: &Statement,
    number: SubmissionNumber,
    committed: CommittedAt,
    rules: Option<RulesEntry>,
) -> Entry {
    Entry::Accepted(Accepted {
        number,
        submission: statement.submission,
        committed_index: committed.index,
        committed_at: committed.at,
        rules,
        extensions: Vec::new(),
        mode: evidence.mode,
        files: hashes(evidence),
    })
}

/// An entry of an assignment's log and Blackboard's signature of its exact bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedLeaf {
    /// The leaf's exact bytes (JSON).
    pub leaf: Vec<u8>,
    /// Detached CMS SignedData (RFC 5652), DER.
    pub signature: Vec<u8>,
}

impl SignedLeaf {
    /// Signs an entry. Takes microseconds, so that it can happen inside the transaction that
    /// numbers it.
    ///
    /// # Errors
    ///
    /// [`Error::Sign`].
    pub fn sign(
        leaf: Vec<u8>,
        (key, chain): (&SigningKey, &Chain),
        now: UnixTime,
    ) -> Result<Self, Error> {
        let signature = sign_detached(&leaf, &[(key, chain)], now).map_err(|_| Error::Sign)?;
        Ok(Self { leaf, signature })
    }

    /// Whether it speaks of this statement, number, time and mode. Whoever alters a record may
    /// alter this, too: only [`VerifiedReceipt`](super::VerifiedReceipt) is evidence.
    pub fn speaks_of(
        &self,
        statement: &[u8],
        number: SubmissionNumber,
        accepted_at: UnixTime,
        mode: Mode,
    ) -> bool {
        let Ok((leaf, accepted)) = accepted(&self.leaf) else {
            return false;
        };
        let hash = accepted.files.get(super::file::STATEMENT);
        hash == Some(&Fingerprint::of(statement))
            && accepted.number == number
            && leaf.at == accepted_at
            && accepted.mode == mode
    }

    /// What it says was accepted, if it says so. Nothing is verified.
    pub fn accepted(&self) -> Option<Accepted> {
        accepted(&self.leaf).ok().map(|(_, accepted)| accepted)
    }
}

/// The leaf, and what it says was accepted.
pub(super) fn accepted(bytes: &[u8]) -> Result<(Leaf, Accepted), String> {
    let leaf = Leaf::parse(bytes).map_err(|error| error.to_string())?;
    match &leaf.entry {
        Entry::Accepted(accepted) => {
            let accepted = accepted.clone();
            Ok((leaf, accepted))
        }
        other => Err(format!("the log entry says {}, not accepted", other.name())),
    }
}
