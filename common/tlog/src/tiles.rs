//! Reading a log's files while they grow, with no lock.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::tile::TILE_WIDTH;
use crate::{Error, Hash, HashReader, Tile, TileKind};

/// The files of a log, read as of a size that is durable. Needs no lock: what they hold of the
/// first `size` entries never changes again.
#[derive(Debug, Clone)]
pub struct Tiles {
    directory: PathBuf,
    size: u64,
}

impl Tiles {
    /// The log in `directory` when it had `size` entries; [`crate::TileLog::tiles`] knows the
    /// largest.
    pub fn new(directory: &Path, size: u64) -> Self {
        let directory = directory.to_owned();
        Self { directory, size }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// One entry, by its number from 0.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`], [`Error::File`], [`Error::Damaged`].
    pub fn entry(&self, index: u64) -> Result<Vec<u8>, Error> {
        let bundle = self.bundle(index)?;
        let place = (index % TILE_WIDTH as u64) as usize;
        let entry = bundle.into_iter().nth(place);
        // A bundle has as many entries as were asked of it.
        let tile = self.tile(TileKind::Entries, index)?;
        entry.ok_or_else(|| self.damaged(&tile, "an entry is missing"))
    }

    /// The entries of the bundle (256 of them) that holds number `index`, as many as there are.
    ///
    /// # Errors
    ///
    /// As for [`Tiles::entry`].
    pub fn bundle(&self, index: u64) -> Result<Vec<Vec<u8>>, Error> {
        let tile = self.tile(TileKind::Entries, index)?;
        let bytes = self.read(tile)?;
        let mut entries = split(&bytes).ok_or_else(|| self.damaged(&tile, "a torn bundle"))?;
        if entries.len() < usize::from(tile.width) {
            return Err(self.damaged(&tile, "a bundle with too few entries"));
        }
        entries.truncate(usize::from(tile.width));
        Ok(entries)
    }

    /// All hashes of the tile that holds number `number` of a level.
    pub(crate) fn tile_hashes(&self, level: u8, number: u64) -> Result<Vec<Hash>, Error> {
        let tile = self.tile(TileKind::Hashes(level), number)?;
        let bytes = self.read(tile)?;
        let (hashes, rest) = bytes.as_chunks::<{ Hash::SIZE }>();
        let width = usize::from(tile.width);
        if !rest.is_empty() || hashes.len() < width {
            return Err(self.damaged(&tile, "a torn tile"));
        }
        Ok(hashes[..width].iter().copied().map(Hash::from).collect())
    }

    fn tile(&self, kind: TileKind, number: u64) -> Result<Tile, Error> {
        Tile::holding(kind, number, self.size).ok_or(Error::OutOfRange {
            asked: number,
            size: self.size,
        })
    }

    /// A partial tile goes away once it is full: then the full one is read.
    fn read(&self, tile: Tile) -> Result<Vec<u8>, Error> {
        let path = self.directory.join(tile.to_string());
        let is_missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
        let read = match fs::read(&path) {
            Err(error) if is_missing(&error) && !tile.is_full() => {
                fs::read(self.directory.join(tile.filled().to_string()))
            }
            read => read,
        };
        read.map_err(|error| match is_missing(&error) {
            true => self.damaged(&tile, "it is missing"),
            false => Error::file("read", &path)(error),
        })
    }

    fn damaged(&self, tile: &Tile, reason: &'static str) -> Error {
        let path = self.directory.join(tile.to_string());
        Error::Damaged { path, reason }
    }
}

impl HashReader for Tiles {
    fn size(&self) -> u64 {
        self.size
    }

    fn hashes(&self, level: u8, first: u64, count: usize) -> Result<Vec<Hash>, Error> {
        let start = (first % TILE_WIDTH as u64) as usize;
        let tile = self.tile_hashes(level, first)?;
        let hashes = tile.get(start..start + count);
        let asked = first + count as u64;
        let missing = Error::OutOfRange {
            asked,
            size: self.size,
        };
        hashes.map(<[Hash]>::to_vec).ok_or(missing)
    }
}

/// A bundle's entries, each after its length in 16 bits, big-endian.
fn split(mut bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut entries = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk()?;
        let (entry, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        entries.push(entry.to_vec());
        bytes = rest;
    }
    Some(entries)
}
