//! The log on disk. Its directory has the paths of C2SP tlog-tiles, so that it can be served as
//! it is: `checkpoint`, `tile/<L>/<N>[.p/<W>]`, `tile/entries/<N>[.p/<W>]`. Besides, a file
//! `head` records how far the log has grown.
//!
//! An entry counts once `head` covers it: the tiles are synced first, then `head`, and only
//! what `head` says is ever signed. What a crash leaves beyond `head` is written again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::frontier::Frontier;
use crate::tile::{TILE_WIDTH, Tile, TileKind};
use crate::tree::merkle;
use crate::{
    Checkpoint, Error, Hash, MAX_ENTRY, MAX_SIZE, NoteKey, Tiles, TreeHead, UnverifiedCheckpoint,
    VerifiedCheckpoint, root,
};

mod files;
mod inspect;

use files::{Batch, place, write};
pub use inspect::inspect;

const HEAD: &str = "head";
const HEAD_FORMAT: &str = "scb-tlog-head/1";
const CHECKPOINT: &str = "checkpoint";

/// A log that can be appended to. Only one at a time may be open on a directory.
#[derive(Debug)]
pub struct TileLog {
    directory: PathBuf,
    frontier: Frontier,
    /// The last bundle of entries, as long as it is not full.
    bundle: Vec<u8>,
}

impl TileLog {
    /// Opens the log in `directory`, or begins one there. Its right edge is checked against
    /// what was recorded; a torn tile is made anew from what is below it.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`] if the files contradict `head` or the checkpoint; [`Error::File`].
    pub fn open(directory: &Path) -> Result<Self, Error> {
        fs::create_dir_all(directory).map_err(Error::file("create", directory))?;
        let head = read_head(directory)?;
        let tiles = Tiles::new(directory, head.size);
        let frontier = match edge(&tiles) {
            Ok(frontier) if frontier.head() == head => frontier,
            _ => mend(directory, &tiles, &head)?,
        };
        check_published(directory, &tiles)?;
        Ok(Self {
            bundle: last_bundle(&tiles, &frontier)?,
            directory: directory.to_owned(),
            frontier,
        })
    }

    /// The tree with everything that was appended, all of it durable.
    pub fn head(&self) -> TreeHead {
        self.frontier.head()
    }

    /// The files as they are now, for proofs.
    pub fn tiles(&self) -> Tiles {
        Tiles::new(&self.directory, self.frontier.size())
    }

    /// Appends entries, in this order; they are durable when this returns. After an error none
    /// of them counts.
    ///
    /// # Errors
    ///
    /// [`Error::EntryTooLong`], [`Error::OutOfRange`] if the log is full, [`Error::File`].
    pub fn append(&mut self, entries: &[impl AsRef<[u8]>]) -> Result<TreeHead, Error> {
        let (before, mut frontier) = (self.frontier.size(), self.frontier.clone());
        let (mut bundle, mut batch) = (self.bundle.clone(), Batch::new(&self.directory));
        for entry in entries {
            add(&mut bundle, entry.as_ref())?;
            let leaf = Hash::of_entry(entry.as_ref());
            frontier.push(leaf, |tile, hashes| {
                batch.write(tile, Hash::concat(&hashes))
            });
            if frontier.size().is_multiple_of(TILE_WIDTH as u64) {
                let last = Tile::holding(TileKind::Entries, frontier.size() - 1, frontier.size());
                batch.extend(last, std::mem::take(&mut bundle));
            }
        }
        let after = frontier.size();
        if after > MAX_SIZE {
            let (asked, size) = (after, MAX_SIZE);
            return Err(Error::OutOfRange { asked, size });
        }
        for (tile, hashes) in frontier.partial().filter(|(tile, _)| is_new(tile, before)) {
            batch.write(tile, Hash::concat(hashes));
        }
        if !bundle.is_empty() {
            batch.extend(
                Tile::holding(TileKind::Entries, after - 1, after),
                bundle.clone(),
            );
        }
        let written = batch.finish()?;
        write_head(&self.directory, &frontier.head())?;
        written.remove_partial();
        (self.frontier, self.bundle) = (frontier, bundle);
        Ok(self.head())
    }

    /// Signs what was appended so far. It was recorded durably, so that no later signature can
    /// contradict this one.
    ///
    /// # Errors
    ///
    /// [`Error::File`].
    pub fn sign(&self, key: &NoteKey) -> Result<VerifiedCheckpoint, Error> {
        let head = self.head();
        if head.size == 0 {
            write_head(&self.directory, &head)?;
        }
        let origin = key.verifier().name().clone();
        Checkpoint { origin, head }.sign(key)
    }

    /// Replaces the file `checkpoint`.
    ///
    /// # Errors
    ///
    /// [`Error::GrowthUnproved`] if it is not about this log's tree or behind the one that is
    /// there; [`Error::File`].
    pub fn publish(&mut self, checkpoint: &VerifiedCheckpoint) -> Result<(), Error> {
        let head = checkpoint.head();
        let old = published(&self.directory)?.map_or(0, |checkpoint| checkpoint.head().size);
        if head.size < old || root(&self.tiles(), head.size)? != head.root {
            let new = head.size;
            return Err(Error::GrowthUnproved { old, new });
        }
        // The directory is not synced: what was recorded before it was signed is `head`, so that after
        // a power cut the checkpoint of before is as true as this one, and is replaced at the next start.
        let path = self.directory.join(CHECKPOINT);
        place(&path, checkpoint.to_string().as_bytes())
    }

    /// What is in the file `checkpoint`, if it is there.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`], [`Error::File`].
    pub fn published(&self) -> Result<Option<UnverifiedCheckpoint>, Error> {
        published(&self.directory)
    }
}

/// The right edge as the files have it.
fn edge(tiles: &Tiles) -> Result<Frontier, Error> {
    let size = crate::HashReader::size(tiles);
    let level = |level: u8| match Tile::partial(level, size) {
        Some(tile) => tiles.tile_hashes(level, tile.index * TILE_WIDTH as u64),
        None => Ok(Vec::new()),
    };
    let levels: Result<_, _> = levels_of(size).map(level).collect();
    Ok(Frontier::new(size, levels?))
}

/// The right edge made anew: leaves from the entries, every other hash from the full tile
/// below it.
fn mend(directory: &Path, tiles: &Tiles, head: &TreeHead) -> Result<Frontier, Error> {
    let level = |level: u8| {
        let Some(tile) = Tile::partial(level, head.size) else {
            return Ok(Vec::new());
        };
        let first = tile.index * TILE_WIDTH as u64;
        if level == 0 {
            let entries = tiles.bundle(first)?;
            return Ok(entries.iter().map(|entry| Hash::of_entry(entry)).collect());
        }
        let below = |number| {
            let hashes = tiles.tile_hashes(level - 1, number * TILE_WIDTH as u64);
            Ok(merkle(&hashes?))
        };
        (first..first + u64::from(tile.width)).map(below).collect()
    };
    let levels: Result<_, Error> = levels_of(head.size).map(level).collect();
    let frontier = Frontier::new(head.size, levels?);
    if frontier.head() != *head {
        let reason = "the tiles do not lead to the recorded root";
        return Err(damaged(directory, reason));
    }
    let mut batch = Batch::new(directory);
    for (tile, hashes) in frontier.partial() {
        batch.write(tile, Hash::concat(hashes));
    }
    batch.finish()?;
    Ok(frontier)
}

/// The entries after the last full bundle, which must be those of the leaves.
fn last_bundle(tiles: &Tiles, frontier: &Frontier) -> Result<Vec<u8>, Error> {
    let size = frontier.size();
    let mut bundle = Vec::new();
    if size.is_multiple_of(TILE_WIDTH as u64) {
        return Ok(bundle);
    }
    let entries = tiles.bundle(size - 1)?;
    let leaves = entries.iter().map(|entry| Hash::of_entry(entry));
    if !leaves.eq(tiles.tile_hashes(0, size - 1)?) {
        return Err(damaged(
            tiles.directory(),
            "the entries are not those of the leaves",
        ));
    }
    for entry in &entries {
        add(&mut bundle, entry)?;
    }
    Ok(bundle)
}

/// The tile levels that a tree of this size may have.
fn levels_of(size: u64) -> std::ops::Range<u8> {
    0..(u64::BITS - size.leading_zeros()).div_ceil(crate::tree::TILE_HEIGHT) as u8
}

/// Whether a partial tile was not there yet when the log had `before` entries.
fn is_new(tile: &Tile, before: u64) -> bool {
    let TileKind::Hashes(level) = tile.kind else {
        return true;
    };
    Tile::partial(level, before) != Some(*tile)
}

fn add(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), Error> {
    let length = u16::try_from(entry.len()).map_err(|_| Error::EntryTooLong(entry.len()))?;
    debug_assert!(entry.len() <= MAX_ENTRY);
    bundle.extend(length.to_be_bytes());
    bundle.extend(entry);
    Ok(())
}

/// What the log in `directory` has recorded of its growth: all that a checkpoint may cover.
///
/// # Errors
///
/// [`Error::Damaged`], [`Error::File`].
pub fn recorded(directory: &Path) -> Result<TreeHead, Error> {
    read_head(directory)
}

/// A log without `head` is empty; then there must be no checkpoint either.
fn read_head(directory: &Path) -> Result<TreeHead, Error> {
    let path = directory.join(HEAD);
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return match published(directory)? {
                None => Ok(TreeHead::empty()),
                Some(_) => Err(damaged(&path, "it is gone, but there is a checkpoint")),
            };
        }
        read => read.map_err(unreadable(&path))?,
    };
    let lines: Vec<&str> = text.lines().collect();
    let head = match lines[..] {
        [HEAD_FORMAT, size, root] => size.parse().ok().zip(root.parse().ok()),
        _ => None,
    };
    let (size, root) = head.ok_or_else(|| damaged(&path, "it names no tree"))?;
    Ok(TreeHead { size, root })
}

/// What the files `head` and `checkpoint` say that the tree in `directory` is, as far as they can be
/// read: whoever has the entries elsewhere compares. Neither is verified.
pub fn claimed(directory: &Path) -> Vec<TreeHead> {
    let checkpoint = published(directory).ok().flatten();
    let checkpoint = checkpoint.map(|checkpoint| checkpoint.head());
    let head = read_head(directory).ok().filter(|head| head.size > 0);
    head.into_iter().chain(checkpoint).collect()
}

fn write_head(directory: &Path, head: &TreeHead) -> Result<(), Error> {
    let TreeHead { size, root } = head;
    let text = format!("{HEAD_FORMAT}\n{size}\n{root}\n");
    write(&directory.join(HEAD), text.as_bytes())
}

fn published(directory: &Path) -> Result<Option<UnverifiedCheckpoint>, Error> {
    let path = directory.join(CHECKPOINT);
    match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => {
            let text = read.map_err(unreadable(&path))?;
            let checkpoint = text.parse();
            checkpoint
                .map(Some)
                .map_err(|_| damaged(&path, "it is no signed checkpoint"))
        }
    }
}

/// What is no text is damaged; for whatever else the system has a reason.
fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |error| match error.kind() {
        io::ErrorKind::InvalidData => damaged(path, "it is no text"),
        _ => Error::file("read", path)(error),
    }
}

/// What was signed once must still be so.
fn check_published(directory: &Path, tiles: &Tiles) -> Result<(), Error> {
    let Some(checkpoint) = published(directory)? else {
        return Ok(());
    };
    let head = checkpoint.head();
    match root(tiles, head.size) {
        Ok(root) if root == head.root => Ok(()),
        _ => Err(damaged(directory, "the tiles contradict the checkpoint")),
    }
}

fn damaged(path: &Path, reason: &'static str) -> Error {
    let path = path.to_owned();
    Error::Damaged { path, reason }
}
