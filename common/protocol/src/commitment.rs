//! Commitments: Blackboard's signed word that it recorded a signed statement, as it entered it in the
//! log of the assignment. It comes before a byte of the files goes out, and the members keep it until
//! their receipt proves the same entry.

mod archive;
mod receipt;
mod verify;

pub use archive::is_commitment;
pub use receipt::Followed;
pub use verify::{Stated, VerifiedCommitment};

pub(crate) use verify::{check_stored, is_of_stored};
