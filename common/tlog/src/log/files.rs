//! Files that are there completely or not at all, and durably.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::{Error, Tile};

/// The tiles of one append. They are durable once [`Batch::finish`] has returned.
pub(super) struct Batch<'a> {
    directory: &'a Path,
    tiles: Vec<(Tile, Vec<u8>)>,
}

/// Tiles that are on disk.
pub(super) struct Written<'a> {
    directory: &'a Path,
    full: Vec<Tile>,
}

impl<'a> Batch<'a> {
    pub(super) fn new(directory: &'a Path) -> Self {
        let tiles = Vec::new();
        Self { directory, tiles }
    }

    pub(super) fn write(&mut self, tile: Tile, bytes: Vec<u8>) {
        self.tiles.push((tile, bytes));
    }

    pub(super) fn extend(&mut self, tile: Option<Tile>, bytes: Vec<u8>) {
        self.tiles.extend(tile.map(|tile| (tile, bytes)));
    }

    /// Writes the files, each under another name first, and syncs the directories after.
    pub(super) fn finish(self) -> Result<Written<'a>, Error> {
        let mut directories = BTreeSet::new();
        for (tile, bytes) in &self.tiles {
            let path = self.directory.join(tile.to_string());
            create_parents(self.directory, &path, &mut directories)?;
            place(&path, bytes)?;
        }
        directories.iter().try_for_each(|path| sync(path))?;
        let full = self.tiles.into_iter().map(|(tile, _)| tile);
        Ok(Written {
            directory: self.directory,
            full: full.filter(Tile::is_full).collect(),
        })
    }
}

impl Written<'_> {
    /// Removes the partial forms of tiles that have a full one for long enough: the one before
    /// what is full now. Whoever copies the directory meanwhile finds what was listed. They take
    /// room and harm nobody.
    pub(super) fn remove_partial(&self) {
        for tile in &self.full {
            if let Some(index) = tile.index.checked_sub(1) {
                let before = Tile { index, ..*tile };
                let _ = fs::remove_dir_all(self.directory.join(before.partial_directory()));
            }
        }
    }
}

/// Replaces a file durably.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    place(path, bytes)?;
    sync(parent(path))
}

/// Replaces a file by a whole one; a power cut may bring back the one before. There is one writer, so
/// that one temporary name is enough.
pub(super) fn place(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = PathBuf::from(temporary);
    let written = File::create(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(Error::file("write", &temporary))?;
    fs::rename(&temporary, path).map_err(Error::file("write", path))
}

/// Notes every directory that gets a new name in it.
fn create_parents(
    log: &Path,
    path: &Path,
    directories: &mut BTreeSet<PathBuf>,
) -> Result<(), Error> {
    let directory = parent(path);
    directories.insert(directory.to_owned());
    if directory.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(directory).map_err(Error::file("create", directory))?;
    let above = directory
        .ancestors()
        .take_while(|above| above.starts_with(log));
    directories.extend(above.map(Path::to_owned));
    Ok(())
}

fn sync(directory: &Path) -> Result<(), Error> {
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(Error::file("sync", directory))
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
