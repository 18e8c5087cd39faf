//! Inclusion and consistency proofs (RFC 6962, section 2.1): what shows, without the log at hand, that an
//! entry is in it or that it has only grown.

use ct_merkle::RootHash;
use ct_merkle::array::Array;
use sha2::Sha256;

use crate::{Error, Hash, MAX_SIZE};

/// How many entries a tree has, and its root: all that there is to say about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeHead {
    /// Entries.
    pub size: u64,
    /// The root (RFC 6962, section 2.1).
    pub root: Hash,
}

/// The hashes from an entry's sibling up to the child of the root (RFC 6962, section 2.1.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InclusionProof(Vec<Hash>);

/// The hashes that show that one tree begins with another (RFC 6962, section 2.1.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsistencyProof(Vec<Hash>);

impl InclusionProof {
    /// A proof of these hashes; nothing is believed before it is verified.
    pub fn new(hashes: Vec<Hash>) -> Self {
        Self(hashes)
    }

    /// The hashes, the sibling of the leaf first.
    pub fn hashes(&self) -> &[Hash] {
        &self.0
    }
}

impl ConsistencyProof {
    /// A proof of these hashes; nothing is believed before it is verified.
    pub fn new(hashes: Vec<Hash>) -> Self {
        Self(hashes)
    }

    /// The hashes, in the order of RFC 6962.
    pub fn hashes(&self) -> &[Hash] {
        &self.0
    }
}

impl TreeHead {
    /// The tree without entries.
    pub fn empty() -> Self {
        let root = Hash::of_nothing();
        Self { size: 0, root }
    }

    /// Checks that `entry` is number `index` (from 0) of this tree.
    ///
    /// # Errors
    ///
    /// [`Error::InclusionUnproved`].
    pub fn check_inclusion(
        &self,
        entry: &[u8],
        index: u64,
        proof: &InclusionProof,
    ) -> Result<(), Error> {
        let size = self.size;
        let unproved = || Error::InclusionUnproved { index, size };
        if size > MAX_SIZE {
            return Err(unproved());
        }
        let proof = ct_merkle::InclusionProof::try_from_bytes(Hash::concat(&proof.0));
        let proof = proof.map_err(|_| unproved())?;
        self.root_hash()
            .verify_inclusion(&entry, index, &proof)
            .map_err(|_| unproved())
    }

    /// Checks that `newer` begins with all the entries of this tree.
    ///
    /// # Errors
    ///
    /// [`Error::Shrunk`], [`Error::GrowthUnproved`].
    pub fn check_growth(&self, newer: &Self, proof: &ConsistencyProof) -> Result<(), Error> {
        let (old, new) = (self.size, newer.size);
        let unproved = || Error::GrowthUnproved { old, new };
        if new < old {
            return Err(Error::Shrunk { old, new });
        }
        if new > MAX_SIZE {
            return Err(unproved());
        }
        if old == 0 {
            // Everything extends nothing: there is nothing to prove and no proof to give.
            let nothing = self.root == Hash::of_nothing() && proof.0.is_empty();
            let same = new > 0 || newer.root == self.root;
            return if nothing && same {
                Ok(())
            } else {
                Err(unproved())
            };
        }
        let proof = ct_merkle::ConsistencyProof::try_from_bytes(Hash::concat(&proof.0));
        let proof = proof.map_err(|_| unproved())?;
        newer
            .root_hash()
            .verify_consistency(&self.root_hash(), &proof)
            .map_err(|_| unproved())
    }

    fn root_hash(&self) -> RootHash<Sha256> {
        RootHash::new(Array::from(*self.root.as_bytes()), self.size)
    }
}
