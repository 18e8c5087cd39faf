//! A look at all files of a log that changes none of them.

use std::path::Path;

use super::{damaged, published, read_head};
use crate::frontier::Frontier;
use crate::tile::TILE_WIDTH;
use crate::{Error, Hash, HashReader, Tile, Tiles, UnverifiedCheckpoint};

/// Reads every entry and every hash that the published checkpoint covers, and answers that
/// checkpoint; none if nothing was published yet. The log may grow meanwhile.
///
/// # Errors
///
/// [`Error::Damaged`] if anything contradicts the checkpoint or is missing; [`Error::File`].
pub fn inspect(directory: &Path) -> Result<Option<UnverifiedCheckpoint>, Error> {
    let found = published(directory)?;
    let recorded = read_head(directory)?;
    let Some(checkpoint) = found else {
        return Ok(None);
    };
    let head = checkpoint.head();
    if recorded.size < head.size {
        return Err(damaged(directory, "the checkpoint is ahead of `head`"));
    }
    let tiles = Tiles::new(directory, head.size);
    let computed = recompute(&tiles)?;
    for (tile, hashes) in computed.partial() {
        compare(&tiles, tile, hashes)?;
    }
    match computed.head() == head {
        true => Ok(Some(checkpoint)),
        false => Err(damaged(directory, "the entries contradict the checkpoint")),
    }
}

/// The right edge, computed from the entries; every full tile is compared on the way.
fn recompute(tiles: &Tiles) -> Result<Frontier, Error> {
    let mut frontier = Frontier::default();
    for first in (0..tiles.size()).step_by(TILE_WIDTH) {
        let mut full = Vec::new();
        for entry in tiles.bundle(first)? {
            frontier.push(Hash::of_entry(&entry), |tile, hashes| {
                full.push((tile, hashes));
            });
        }
        for (tile, hashes) in full {
            compare(tiles, tile, &hashes)?;
        }
    }
    Ok(frontier)
}

fn compare(tiles: &Tiles, tile: Tile, hashes: &[Hash]) -> Result<(), Error> {
    let crate::TileKind::Hashes(level) = tile.kind else {
        return Ok(());
    };
    match tiles.tile_hashes(level, tile.index * TILE_WIDTH as u64)? == hashes {
        true => Ok(()),
        false => Err(damaged(tiles.directory(), "a tile contradicts the entries")),
    }
}
