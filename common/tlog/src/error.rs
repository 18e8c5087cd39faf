//! What is not believed and what was not done, told apart, since only the one says something about a log.

use std::io;
use std::path::{Path, PathBuf};

use crate::KeyName;

/// Why something is not believed, or was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is none of the format meant.
    #[error("not a {format}: {reason}")]
    Malformed {
        /// The format: `signed note`, `checkpoint`, …
        format: &'static str,
        /// What is wrong.
        reason: &'static str,
    },
    /// No signature by the key that is trusted.
    #[error("no signature by {name}")]
    SignatureMissing {
        /// The key's name.
        name: KeyName,
    },
    /// A signature that claims to be by a trusted key is not.
    #[error("the signature by {name} is wrong")]
    SignatureInvalid {
        /// The key's name.
        name: KeyName,
    },
    /// The checkpoint is of another log.
    #[error("a checkpoint of {got:?}, expected one of {expected}")]
    OtherOrigin {
        /// The origin that was expected.
        expected: KeyName,
        /// The origin that it names.
        got: String,
    },
    /// The entry is not in the tree, at this index.
    #[error("the entry is not proved to be number {index} of {size}")]
    InclusionUnproved {
        /// The index claimed, from 0.
        index: u64,
        /// Entries in the tree.
        size: u64,
    },
    /// The larger tree is not proved to extend the smaller one: history may have been rewritten.
    #[error("the tree of {new} entries is not proved to extend the one of {old}")]
    GrowthUnproved {
        /// Entries in the earlier tree.
        old: u64,
        /// Entries in the later tree.
        new: u64,
    },
    /// The later tree is smaller than the earlier one.
    #[error("the tree has {new} entries, but had {old} before")]
    Shrunk {
        /// Entries in the earlier tree.
        old: u64,
        /// Entries in the later tree.
        new: u64,
    },
    /// A proof or hash was asked for that this tree does not have.
    #[error("the tree has {size} entries: nothing can be proved about {asked}")]
    OutOfRange {
        /// What was asked about: an index or a size.
        asked: u64,
        /// Entries in the tree.
        size: u64,
    },
    /// An entry is longer than 65,535 bytes.
    #[error("an entry of {0} bytes is too long for the log")]
    EntryTooLong(usize),
    /// Not a private key for this purpose.
    #[error("not an Ed25519 private key")]
    KeyMalformed,
    /// The operating system has no random bytes.
    #[error("no random bytes")]
    Random,
    /// The files contradict what was recorded before the last checkpoint was signed.
    #[error("{} is damaged ({reason})", .path.display())]
    Damaged {
        /// The file; the log's directory if several contradict each other.
        path: PathBuf,
        /// What was found.
        reason: &'static str,
    },
    /// A file could not be read or written.
    #[error("cannot {action} {}", .path.display())]
    File {
        /// The verb.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl Error {
    /// Whether there was no room on the disk.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::File { source, .. }
            if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
    }

    pub(crate) fn malformed(format: &'static str, reason: &'static str) -> Self {
        Self::Malformed { format, reason }
    }

    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File {
            action,
            path,
            source,
        }
    }
}
