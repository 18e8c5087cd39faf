//! The ZIP file in which members keep a rejection.

use crate::error::Error;
use crate::log_leaf::{Entry, Leaf};
use crate::receipt::archive::{
    UnverifiedProof, entered, part, unpack, unverified_proof, waiting, write,
};
use crate::receipt::{LogProof, SignedLeaf, file};

/// What a rejection is made of; nothing of it is verified.
pub(super) struct Parts {
    pub(super) statement: Vec<u8>,
    pub(super) leaf: SignedLeaf,
    /// The roots, PEM.
    pub(super) root: String,
    pub(super) proof: UnverifiedProof,
}

/// Whether this is a rejection and no receipt, whatever else is wrong with it.
pub fn is_rejection(bytes: &[u8]) -> bool {
    let leaf = unpack(bytes).and_then(|mut archive| part(&mut archive, file::LEAF));
    let leaf = leaf.ok().and_then(|leaf| Leaf::parse(&leaf).ok());
    leaf.is_some_and(|leaf| matches!(leaf.entry, Entry::Refused(_)))
}

/// The file, with the proof or with what says that it is still to come.
pub(super) fn build(
    statement: &[u8],
    leaf: &SignedLeaf,
    root: &str,
    proof: Option<&LogProof>,
) -> Result<Vec<u8>, Error> {
    let waiting = waiting(leaf)?;
    let statement = [(file::STATEMENT, statement)].into_iter();
    let files = statement.chain(entered(leaf, proof, &waiting));
    write(files.chain([(file::ROOT, root.as_bytes())]))
}

pub(super) fn open(bytes: &[u8]) -> Result<Parts, String> {
    let mut archive = unpack(bytes)?;
    let proof = unverified_proof(&mut archive)?;
    let files = match proof {
        UnverifiedProof::Pending(_) => 5,
        UnverifiedProof::Here(_) => 9,
    };
    if archive.len() != files {
        return Err("it does not have the files of a rejection".to_owned());
    }
    let root = String::from_utf8(part(&mut archive, file::ROOT)?);
    Ok(Parts {
        statement: part(&mut archive, file::STATEMENT)?,
        leaf: SignedLeaf {
            leaf: part(&mut archive, file::LEAF)?,
            signature: part(&mut archive, file::LEAF_SIGNATURE)?,
        },
        root: root.map_err(|_| format!("{} is not UTF-8", file::ROOT))?,
        proof,
    })
}
