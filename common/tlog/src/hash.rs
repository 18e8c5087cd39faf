//! The hashes of leaves and nodes (RFC 6962, section 2.1), kept apart by a prefix.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64;
use sha2::{Digest, Sha256};

use crate::Error;

/// SHA-256 of a leaf, of a node or of a whole tree (RFC 6962, section 2.1). Written in base64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, std::hash::Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// Bytes in a hash.
    pub const SIZE: usize = 32;

    /// The hash of an entry as a leaf: SHA-256(0x00 ‖ entry).
    pub fn of_entry(entry: &[u8]) -> Self {
        let mut hasher = Sha256::new_with_prefix([0x00]);
        hasher.update(entry);
        Self(hasher.finalize().into())
    }

    /// The hash of a node over two subtrees: SHA-256(0x01 ‖ left ‖ right).
    pub fn of_node(left: &Self, right: &Self) -> Self {
        let mut hasher = Sha256::new_with_prefix([0x01]);
        hasher.update(left.0);
        hasher.update(right.0);
        Self(hasher.finalize().into())
    }

    /// The hash of the tree without entries: SHA-256 of nothing.
    pub fn of_nothing() -> Self {
        Self(Sha256::digest([]).into())
    }

    /// One after the other: a tile, or a proof as `ct-merkle` reads it.
    pub(crate) fn concat(hashes: &[Self]) -> Vec<u8> {
        hashes.iter().flat_map(|hash| hash.0).collect()
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Hash {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&BASE64.encode(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Hash({self})")
    }
}

impl FromStr for Hash {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let malformed = || Error::malformed("hash", "not 32 bytes in base64");
        let bytes = BASE64.decode(text.as_bytes()).map_err(|_| malformed())?;
        bytes.try_into().map(Self).map_err(|_| malformed())
    }
}
