//! The ZIP file in which members keep a rejection.

use crate::error::Error;
use crate::log_leaf::Entry;
use crate::receipt::archive::{
    UnverifiedProof, check_missing, entered, holds, part, signed_leaf, text_part, unpack,
    unverified_proof, waiting, write,
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
    holds(bytes, |entry| matches!(entry, Entry::Refused(_)))
}

/// The file, with the proof, or with what says that it or cosignatures in it are still to come.
pub(super) fn build(
    statement: &[u8],
    leaf: &SignedLeaf,
    root: &str,
    proof: Option<&LogProof>,
) -> Result<Vec<u8>, Error> {
    let waiting = waiting(leaf, proof)?;
    let lists = proof.map_or("", |proof| &proof.lists);
    let lists = (!lists.is_empty()).then_some((file::CRLS, lists.as_bytes()));
    let statement = [(file::STATEMENT, statement)].into_iter();
    let files = statement.chain(entered(leaf, proof, &waiting));
    let root = [(file::ROOT, root.as_bytes())];
    write(files.chain(root).chain(lists))
}

pub(super) fn open(bytes: &[u8]) -> Result<Parts, String> {
    let mut archive = unpack(bytes)?;
    let leaf = signed_leaf(&mut archive)?;
    let mut proof = unverified_proof(&mut archive)?;
    let mut files = 5;
    if let UnverifiedProof::Here(proof) = &mut proof {
        check_missing(&mut archive, &leaf, proof)?;
        files = 9 + usize::from(!proof.missing.is_empty());
        if archive.index_for_name(file::CRLS).is_some() {
            proof.lists = text_part(&mut archive, file::CRLS)?;
            files += 1;
        }
    }
    if archive.len() != files {
        return Err("it does not have the files of a rejection".to_owned());
    }
    Ok(Parts {
        statement: part(&mut archive, file::STATEMENT)?,
        leaf,
        root: text_part(&mut archive, file::ROOT)?,
        proof,
    })
}
