//! The entry of the moment that counts, in a complete receipt: it was made when the signed statement
//! had come, and the log held it when witnesses saw the one that accepts.

use scb_certs::Fingerprint;
use serde::{Deserialize, Serialize};

use super::archive::UnverifiedProof;
use super::dating::{self, Behind};
use super::log_proof::{Entered, LogProof};
use super::{Check, Found, file};
use crate::log_leaf::{Accepted, Entry, Leaf};
use crate::object::objects;

/// The entry, and the proof that the log holds it; nothing of it is verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct CommittedEntry {
    /// The leaf's exact bytes (JSON, UTF-8): `committed.json`.
    pub leaf: String,
    /// C2SP tlog-proof, under the same checkpoint as the proof of the acceptance:
    /// `committed.tlog-proof`.
    pub proof: String,
    /// What CUHK said when it was made, of which it has the hash: its answer about the members (JWT)
    /// or, as it was away, their tokens, each followed by a line feed: `committed.jwt`. Without it the
    /// time is Blackboard's word alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assurance: Option<String>,
}

objects!(CommittedEntry);

/// What a receipt shows of the moment that counts, for a verdict; nothing if there is no entry of it.
pub(super) fn check(
    proof: &UnverifiedProof,
    accepted: &Accepted,
    (entered, behind): (&Entered<'_>, &Behind<'_>),
) -> Result<Vec<Check>, String> {
    let check = |what, found| Check { what, found };
    let found = match (proof, accepted.committed_index) {
        (UnverifiedProof::Pending(_), None) => return Ok(Vec::new()),
        (UnverifiedProof::Pending(_), Some(index)) => Found::EnteredLater { index },
        (UnverifiedProof::Here(proof), index) => match (&proof.committed, index) {
            (None, None) => return Ok(Vec::new()),
            (None, Some(index)) => Found::NotEntered { index },
            (Some(committed), _) => {
                let (leaf, entered) = committed.verify(accepted, entered, proof)?;
                let dated = dating::check(&leaf, committed.assurance.as_deref(), behind)?;
                return Ok(vec![check("entered", entered), check("dated", dated)]);
            }
        },
    };
    Ok(vec![check("entered", found)])
}

impl CommittedEntry {
    /// Name and bytes of each file.
    pub(super) fn files(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        let assurance = self.assurance.iter();
        let assurance = assurance.map(|it| (file::COMMITTED_ASSURANCE, it.as_bytes()));
        let both = [
            (file::COMMITTED, self.leaf.as_bytes()),
            (file::COMMITTED_PROOF, self.proof.as_bytes()),
        ];
        both.into_iter().chain(assurance)
    }

    /// Verifies that it is the entry which the acceptance names, of the same submission, statement
    /// and time, in the very tree in which that was proved. Says what was found.
    fn verify(
        &self,
        accepted: &Accepted,
        entered: &Entered<'_>,
        acceptance: &LogProof,
    ) -> Result<(Leaf, Found), String> {
        let leaf = Leaf::parse(self.leaf.as_bytes());
        let leaf = leaf.map_err(|error| format!("{}: {error}", file::COMMITTED))?;
        let is_named = Some(leaf.index) == accepted.committed_index && leaf.log == entered.leaf.log;
        if !is_named || leaf.at != accepted.committed_at || !is_of(&leaf.entry, accepted) {
            return Err(format!("{} is not what was accepted", file::COMMITTED));
        }
        let bytes = self.leaf.as_bytes();
        acceptance.holds((leaf.index, bytes), (file::COMMITTED_PROOF, &self.proof))?;
        let found = Found::Entered {
            index: leaf.index,
            kind: leaf.entry.name(),
            at: leaf.at,
            leaf_sha256: Fingerprint::of(bytes),
        };
        Ok((leaf, found))
    }
}

/// Whether it says when this very statement had come: from whoever brought it, or with the last
/// signature of those who signed elsewhere.
fn is_of(entry: &Entry, accepted: &Accepted) -> bool {
    match entry {
        Entry::Committed(committed) => {
            let statement: Option<&Fingerprint> = accepted.files.get(file::STATEMENT);
            committed.submission == accepted.submission
                && statement == Some(&committed.statement_sha256)
        }
        Entry::Signed(signed) => signed.submission == accepted.submission,
        _ => false,
    }
}
