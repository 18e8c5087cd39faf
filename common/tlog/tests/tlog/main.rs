//! The log against published vectors, against another implementation, and against a crash.
#![allow(clippy::unwrap_used, missing_docs)]

mod judge;
mod log;
mod notes;
mod paths;
mod proofs;
mod random;
mod vectors;
mod witness;

use std::collections::BTreeMap;

use scb_tlog::{Algorithm, Error, Hash, HashReader, KeyName, NoteKey};

/// All full subtrees of a tree, computed straight from the definition in RFC 6962.
pub(crate) struct Definition {
    leaves: Vec<Hash>,
    full: BTreeMap<(u8, u64), Hash>,
}

impl Definition {
    pub(crate) fn of(entries: &[Vec<u8>]) -> Self {
        let leaves: Vec<_> = entries.iter().map(|entry| Hash::of_entry(entry)).collect();
        let mut full = BTreeMap::new();
        for level in 0..3_u8 {
            let width = 256_usize.pow(level.into());
            for (number, chunk) in leaves.chunks_exact(width).enumerate() {
                full.insert((level, number as u64), root_of(chunk));
            }
        }
        Self { leaves, full }
    }

    pub(crate) fn root(&self, size: u64) -> Hash {
        root_of(&self.leaves[..size as usize])
    }
}

impl HashReader for Definition {
    fn size(&self) -> u64 {
        self.leaves.len() as u64
    }

    fn hashes(&self, level: u8, first: u64, count: usize) -> Result<Vec<Hash>, Error> {
        let number = first..first + count as u64;
        Ok(number.map(|number| self.full[&(level, number)]).collect())
    }
}

/// MTH of RFC 6962, section 2.1, over leaves that are hashed already.
pub(crate) fn root_of(leaves: &[Hash]) -> Hash {
    match leaves.len() {
        0 => Hash::of_nothing(),
        1 => leaves[0],
        count => {
            let (left, right) = leaves.split_at(count.next_power_of_two() / 2);
            Hash::of_node(&root_of(left), &root_of(right))
        }
    }
}

pub(crate) fn entries(count: usize) -> Vec<Vec<u8>> {
    (0..count)
        .map(|number| format!("entry {number}").into_bytes())
        .collect()
}

pub(crate) fn name(name: &str) -> KeyName {
    name.parse().unwrap()
}

pub(crate) fn log_key() -> NoteKey {
    NoteKey::from_seed(name("example.com/log"), Algorithm::Ed25519, &[1; 32]).unwrap()
}

pub(crate) fn witness_key() -> NoteKey {
    NoteKey::from_seed(
        name("witness.example/w1"),
        Algorithm::CosignatureV1,
        &[2; 32],
    )
    .unwrap()
}
