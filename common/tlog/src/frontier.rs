//! Appending needs the right edge of the tree only, so that its cost does not grow with the log.

use crate::tile::{TILE_WIDTH, Tile};
use crate::tree::merkle;
use crate::{Hash, TreeHead};

/// The right edge of a tree: of every tile level the hashes of its last, partial tile. It is
/// all that appending needs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Frontier {
    size: u64,
    levels: Vec<Vec<Hash>>,
}

impl Frontier {
    /// Puts a right edge together; each level has as many hashes as [`Tile::partial`] says.
    pub(crate) fn new(size: u64, levels: Vec<Vec<Hash>>) -> Self {
        Self { size, levels }
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn head(&self) -> TreeHead {
        let (size, root) = (self.size, self.root());
        TreeHead { size, root }
    }

    /// Appends a leaf. Tiles that this fills are handed to `filled`.
    pub(crate) fn push(&mut self, leaf: Hash, mut filled: impl FnMut(Tile, Vec<Hash>)) {
        let mut hash = leaf;
        self.size += 1;
        for level in 0_u8.. {
            let tile = self.level(level);
            tile.push(hash);
            if tile.len() < TILE_WIDTH {
                return;
            }
            let full = std::mem::take(tile);
            hash = merkle(&full);
            filled(Tile::last_full(level, self.size), full);
        }
    }

    /// The partial tiles, lowest level first.
    pub(crate) fn partial(&self) -> impl Iterator<Item = (Tile, &[Hash])> {
        let levels = self.levels.iter().enumerate();
        levels.filter_map(|(level, hashes)| {
            let tile = Tile::partial(level as u8, self.size)?;
            Some((tile, hashes.as_slice()))
        })
    }

    fn root(&self) -> Hash {
        let mut right = None;
        for level in &self.levels {
            let all: Vec<Hash> = level.iter().copied().chain(right).collect();
            if !all.is_empty() {
                right = Some(merkle(&all));
            }
        }
        right.unwrap_or_else(Hash::of_nothing)
    }

    fn level(&mut self, level: u8) -> &mut Vec<Hash> {
        let level = usize::from(level);
        if self.levels.len() <= level {
            self.levels.resize_with(level + 1, Vec::new);
        }
        &mut self.levels[level]
    }
}
