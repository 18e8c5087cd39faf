//! The ZIP file in which students keep an announcement.

use crate::error::Error;
use crate::log_leaf::Entry;
use crate::receipt::archive::{holds, signed_leaf, text_part, unpack, write};
use crate::receipt::{SignedLeaf, file};

/// What an announcement is made of; nothing of it is verified.
pub(super) struct Parts {
    pub(super) leaf: SignedLeaf,
    /// The roots, PEM.
    pub(super) root: String,
}

/// Whether this is an announcement, whatever else is wrong with it.
pub fn is_announcement(bytes: &[u8]) -> bool {
    holds(bytes, |entry| {
        matches!(entry, Entry::Rules(_) | Entry::Extension(_))
    })
}

pub(super) fn build(parts: &Parts) -> Result<Vec<u8>, Error> {
    let files = [
        (file::LEAF, parts.leaf.leaf.as_slice()),
        (file::LEAF_SIGNATURE, &parts.leaf.signature),
        (file::ROOT, parts.root.as_bytes()),
    ];
    write(files.into_iter())
}

pub(super) fn open(bytes: &[u8]) -> Result<Parts, String> {
    let mut archive = unpack(bytes)?;
    if archive.len() != 3 {
        return Err("it does not have the files of an announcement".to_owned());
    }
    Ok(Parts {
        leaf: signed_leaf(&mut archive)?,
        root: text_part(&mut archive, file::ROOT)?,
    })
}
