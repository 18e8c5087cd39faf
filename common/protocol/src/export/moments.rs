//! The moment that counts for lateness is said twice: by the entry that was made then, and by the
//! one that accepts the files. Both must say the same.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rustls_pki_types::UnixTime;
use scb_certs::Fingerprint;

use crate::log_leaf::{Accepted, Entry, Leaf};
use crate::receipt::file;
use crate::rfc3339;
use crate::statement::SubmissionId;

/// What an entry `committed` or `signed` says.
#[derive(Debug, Clone)]
struct Moment {
    submission: SubmissionId,
    at: UnixTime,
    /// SHA-256 of the statement; of a proposal whose first entry is lost nobody knows it.
    statement: Option<Fingerprint>,
}

/// The moments of the entries so far, by their numbers.
#[derive(Debug, Clone, Default)]
pub(super) struct Moments {
    found: BTreeMap<u64, Moment>,
    proposed: HashMap<SubmissionId, Fingerprint>,
    lost: BTreeSet<u64>,
    /// How many submissions name a lost entry: of them nothing could be compared.
    unknown: u64,
}

impl Moments {
    /// Reads an entry; one that accepts must say what the one it names says.
    pub(super) fn read(&mut self, leaf: &Leaf) -> Result<(), String> {
        match &leaf.entry {
            Entry::Proposed(proposed) => {
                self.proposed
                    .insert(proposed.submission, proposed.statement_sha256);
            }
            Entry::Committed(committed) => {
                self.add(leaf, committed.submission, Some(committed.statement_sha256));
            }
            Entry::Signed(signed) => {
                let statement = self.proposed.get(&signed.submission).copied();
                if statement.is_none() && self.lost.is_empty() {
                    return Err("signatures of what nobody had proposed".to_owned());
                }
                self.add(leaf, signed.submission, statement);
            }
            Entry::Accepted(accepted) => return self.compare(leaf, accepted),
            _ => {}
        }
        Ok(())
    }

    /// The entry with this number is lost.
    pub(super) fn lost(&mut self, index: u64) {
        self.lost.insert(index);
    }

    /// What the entry said that is lost is known again.
    pub(super) fn restored(&mut self, leaf: &Leaf) {
        match &leaf.entry {
            Entry::Committed(committed) => {
                self.add(leaf, committed.submission, Some(committed.statement_sha256));
            }
            Entry::Signed(signed) => {
                let statement = self.proposed.get(&signed.submission).copied();
                self.add(leaf, signed.submission, statement);
            }
            _ => {}
        }
    }

    pub(super) fn lost_entries(&self) -> u64 {
        self.lost.len() as u64
    }

    /// Of how many submissions the entry of the moment that counts is lost.
    pub(super) fn unknown(&self) -> u64 {
        self.unknown
    }

    fn add(&mut self, leaf: &Leaf, submission: SubmissionId, statement: Option<Fingerprint>) {
        let moment = Moment {
            submission,
            at: leaf.at,
            statement,
        };
        self.found.insert(leaf.index, moment);
    }

    /// The signatures may be others than came then: they are verified by themselves, and of the
    /// same statement.
    pub(super) fn compare(&mut self, leaf: &Leaf, accepted: &Accepted) -> Result<(), String> {
        let (number, at) = (accepted.number, accepted.committed_at);
        let Some(index) = accepted.committed_index else {
            return match at == leaf.at {
                true => Ok(()),
                false => Err(format!("no entry shows when {number} was committed")),
            };
        };
        let Some(moment) = self.found.get(&index) else {
            if self.lost.contains(&index) {
                self.unknown += 1;
                return Ok(());
            }
            return Err(format!(
                "{number} names entry {index}, which commits to nothing"
            ));
        };
        let statement = accepted.files.get(file::STATEMENT);
        let differs = moment
            .statement
            .is_some_and(|known| statement != Some(&known));
        if differs || moment.submission != accepted.submission {
            return Err(format!(
                "{number} names entry {index}, which is about another statement"
            ));
        }
        match moment.at == at {
            true => Ok(()),
            false => Err(format!(
                "{number} was committed at {} by entry {index}, not at {}",
                rfc3339(moment.at),
                rfc3339(at)
            )),
        }
    }
}
