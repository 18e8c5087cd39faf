//! An append-only log whose history can be checked: a Merkle tree (RFC 6962, section 2.1) in
//! the public formats of C2SP: tlog-tiles on disk, tlog-checkpoint over signed-note,
//! tlog-cosignature, tlog-witness and tlog-proof.
//!
//! Everything but [`TileLog`] and [`Tiles`] is bytes in, values out. What was verified is a
//! type: a [`VerifiedCheckpoint`] is signed by the log's key, [`Growth`] is a checkpoint that
//! provably extends an earlier one, and only that is ever cosigned.
//!
//! This crate knows no clock, no socket, no database and no role. It never signs two
//! checkpoints that contradict each other: what a checkpoint says is on disk before it is
//! signed.

mod add_checkpoint;
mod checkpoint;
mod cosignature;
mod error;
mod frontier;
mod hash;
mod key;
mod log;
mod note;
mod proof;
mod streamed;
mod tile;
mod tiles;
mod tlog_proof;
mod tree;

pub use add_checkpoint::{AddCheckpoint, read_tree_size};
pub use checkpoint::{Checkpoint, UnverifiedCheckpoint, VerifiedCheckpoint};
pub use cosignature::{Cosignature, Cosigner, Growth, verify_growth};
pub use error::Error;
pub use hash::Hash;
pub use key::{Algorithm, KeyName, NoteKey, VerifierKey};
pub use log::{TileLog, claimed, inspect, recorded};
pub use note::{SignatureLine, SignedNote};
pub use proof::{ConsistencyProof, InclusionProof, TreeHead};
pub use streamed::StreamedTree;
pub use tile::{Tile, TileKind};
pub use tiles::Tiles;
pub use tlog_proof::{TlogProof, VerifiedInclusion};
pub use tree::{HashReader, consistency_proof, inclusion_proof, root};

/// Most entries of a log: 2^56, so that no index overflows.
pub const MAX_SIZE: u64 = 1 << 56;
/// Most bytes of one entry: its length stands in 16 bits.
pub const MAX_ENTRY: usize = u16::MAX as usize;
