//! The ZIP file in which members keep a commitment.

use crate::error::Error;
use crate::log_leaf::Entry;
use crate::receipt::archive::{holds, part, signed_leaf, text_part, unpack, write};
use crate::receipt::{SignedLeaf, file};

/// What a commitment is made of; nothing of it is verified.
pub(super) struct Parts {
    pub(super) statement: Vec<u8>,
    pub(super) signatures: Vec<u8>,
    pub(super) leaf: SignedLeaf,
    /// The roots, PEM.
    pub(super) root: String,
}

/// Whether this is a commitment and neither receipt nor rejection, whatever else is wrong with it.
pub fn is_commitment(bytes: &[u8]) -> bool {
    holds(bytes, |entry| {
        matches!(entry, Entry::Committed(_) | Entry::Signed(_))
    })
}

pub(super) fn build(parts: &Parts) -> Result<Vec<u8>, Error> {
    let files = [
        (file::STATEMENT, parts.statement.as_slice()),
        (file::SIGNATURES, &parts.signatures),
        (file::LEAF, &parts.leaf.leaf),
        (file::LEAF_SIGNATURE, &parts.leaf.signature),
        (file::ROOT, parts.root.as_bytes()),
    ];
    write(files.into_iter())
}

pub(super) fn open(bytes: &[u8]) -> Result<Parts, String> {
    let mut archive = unpack(bytes)?;
    if archive.len() != 5 {
        return Err("it does not have the files of a commitment".to_owned());
    }
    Ok(Parts {
        statement: part(&mut archive, file::STATEMENT)?,
        signatures: part(&mut archive, file::SIGNATURES)?,
        leaf: signed_leaf(&mut archive)?,
        root: text_part(&mut archive, file::ROOT)?,
    })
}
