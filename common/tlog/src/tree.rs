//! Roots and proofs of a tree of which only the full subtrees of every eighth level are kept.

use ct_merkle::{indices_for_consistency_proof, indices_for_inclusion_proof};

use crate::{ConsistencyProof, Error, Hash, InclusionProof, MAX_SIZE};

/// Levels of the tree in one tile: a hash of tile level `l` covers 256^l entries.
pub(crate) const TILE_HEIGHT: u32 = 8;

/// Where the hashes of full subtrees come from.
pub trait HashReader {
    /// Entries in the tree.
    fn size(&self) -> u64;

    /// `count` neighbouring hashes of tile level `level`, from number `first` on. They are all
    /// of one tile, and all of full subtrees within the tree.
    ///
    /// # Errors
    ///
    /// [`Error::File`] or [`Error::Damaged`] if they cannot be read.
    fn hashes(&self, level: u8, first: u64, count: usize) -> Result<Vec<Hash>, Error>;
}

/// The root of the tree of the first `size` entries.
///
/// # Errors
///
/// [`Error::OutOfRange`] if there are not that many; what the reader says.
pub fn root(reader: &impl HashReader, size: u64) -> Result<Hash, Error> {
    check_size(reader, size)?;
    range(reader, 0, size)
}

/// The proof that an entry is in the tree of the first `size` entries.
///
/// # Errors
///
/// [`Error::OutOfRange`] unless `index` < `size` ≤ the entries there are; what the reader says.
pub fn inclusion_proof(
    reader: &impl HashReader,
    index: u64,
    size: u64,
) -> Result<InclusionProof, Error> {
    check_size(reader, size)?;
    if index >= size {
        return Err(Error::OutOfRange { asked: index, size });
    }
    let nodes = indices_for_inclusion_proof(size, index);
    nodes_of(reader, &nodes, size).map(InclusionProof::new)
}

/// The proof that the tree of the first `new` entries extends that of the first `old`. From no
/// entries it is empty.
///
/// # Errors
///
/// [`Error::OutOfRange`] unless `old` ≤ `new` ≤ the entries there are; what the reader says.
pub fn consistency_proof(
    reader: &impl HashReader,
    old: u64,
    new: u64,
) -> Result<ConsistencyProof, Error> {
    check_size(reader, new)?;
    if old > new {
        let (asked, size) = (old, new);
        return Err(Error::OutOfRange { asked, size });
    }
    if old == 0 {
        return Ok(ConsistencyProof::default());
    }
    let nodes = indices_for_consistency_proof(old, new - old);
    nodes_of(reader, &nodes, new).map(ConsistencyProof::new)
}

/// The root over hashes of neighbouring subtrees, of which only the last may be of another size
/// than the others, and smaller.
pub(crate) fn merkle(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => Hash::of_nothing(),
        [one] => *one,
        many => {
            let (left, right) = many.split_at(largest_power_below(many.len() as u64) as usize);
            Hash::of_node(&merkle(left), &merkle(right))
        }
    }
}

fn check_size(reader: &impl HashReader, size: u64) -> Result<(), Error> {
    let there = reader.size().min(MAX_SIZE);
    if size > there {
        let (asked, size) = (size, there);
        return Err(Error::OutOfRange { asked, size });
    }
    Ok(())
}

/// The hashes of nodes that are numbered as in an array-based tree (RFC 9420, appendix C): the
/// trailing ones of a number are the node's level.
fn nodes_of(reader: &impl HashReader, nodes: &[u64], size: u64) -> Result<Vec<Hash>, Error> {
    let hash = |node: &u64| {
        let level = node.trailing_ones();
        let first = (node >> (level + 1)) << level;
        let end = size.min(first + (1 << level));
        range(reader, first, end)
    };
    nodes.iter().map(hash).collect()
}

/// The root over the entries `first..end`, a subtree of a tree that ends at or after `end`.
fn range(reader: &impl HashReader, first: u64, end: u64) -> Result<Hash, Error> {
    let count = end - first;
    if count == 0 {
        return Ok(Hash::of_nothing());
    }
    if count.is_power_of_two() && first.is_multiple_of(count) {
        return full(reader, first, count.trailing_zeros());
    }
    let middle = first + largest_power_below(count);
    let (left, right) = (range(reader, first, middle)?, range(reader, middle, end)?);
    Ok(Hash::of_node(&left, &right))
}

/// The root of the full subtree of height `height` that begins at entry `first`.
fn full(reader: &impl HashReader, first: u64, height: u32) -> Result<Hash, Error> {
    let (level, below) = (height / TILE_HEIGHT, height % TILE_HEIGHT);
    let number = first >> (level * TILE_HEIGHT);
    let hashes = reader.hashes(level as u8, number, 1 << below)?;
    Ok(merkle(&hashes))
}

/// The largest power of two below a number of at least 2.
fn largest_power_below(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}
