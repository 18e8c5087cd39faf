//! What a lost entry said, told anew: of the entry itself the log has kept the 32 bytes, and whoever has the
//! leaf that leads to them shows what it said.

use scb_certs::Fingerprint;
use serde::{Deserialize, Serialize};

use super::{Accepted, Entry, Leaf, LogName, leaf_commitment};
use crate::COMMITMENT_SIZE;
use crate::object::objects;
use crate::receipt::file;
use crate::statement::{SubmissionId, SubmissionNumber};

/// A submission whose entry `accepted` was lost, entered again from a receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct Restored {
    /// Its number, which stays.
    pub number: SubmissionNumber,
    /// The submission.
    pub submission: SubmissionId,
    /// The number of the lost entry in the same log.
    pub index: u64,
    /// That entry's leaf, its exact bytes: SHA-256 of them is what the log holds there.
    pub leaf: String,
    /// The same of the lost entry of the moment that counts, if the receipt has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committed: Option<String>,
    /// SHA-256 of the receipt from which it was restored, as it came.
    pub receipt_sha256: Fingerprint,
}

objects!(Restored);

/// What a [`Restored`] entry brings back. That the log held these entries is for whoever has the log to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Again {
    /// The entry that was lost.
    pub leaf: Leaf,
    /// What the log holds in its place.
    pub commitment: [u8; COMMITMENT_SIZE],
    /// What it accepted.
    pub accepted: Accepted,
    /// The entry of the moment that counts, and what the log holds in its place.
    pub committed: Option<(Leaf, [u8; COMMITMENT_SIZE])>,
}

impl Restored {
    /// Reads what it brings back, which is of the same log, entry, number and submission.
    ///
    /// # Errors
    ///
    /// What contradicts itself.
    pub fn again(&self, log: &LogName) -> Result<Again, String> {
        let (leaf, commitment) = read(&self.leaf, log, self.index)?;
        let Entry::Accepted(accepted) = &leaf.entry else {
            return Err(format!("it restores an entry {}", leaf.entry.name()));
        };
        if (accepted.number, accepted.submission) != (self.number, self.submission) {
            return Err("it restores another submission than it says".to_owned());
        }
        let accepted = accepted.clone();
        let committed = match (&self.committed, accepted.committed_index) {
            (None, _) => None,
            (Some(text), Some(index)) if index < self.index => Some(read(text, log, index)?),
            (Some(_), _) => return Err(format!("{} is of no entry", file::COMMITTED)),
        };
        Ok(Again {
            leaf,
            commitment,
            accepted,
            committed,
        })
    }
}

fn read(text: &str, log: &LogName, index: u64) -> Result<(Leaf, [u8; COMMITMENT_SIZE]), String> {
    let leaf = Leaf::parse(text.as_bytes()).map_err(|error| error.to_string())?;
    match leaf.log == *log && leaf.index == index {
        true => Ok((leaf, leaf_commitment(text.as_bytes()))),
        false => Err("it restores an entry of another place".to_owned()),
    }
}
