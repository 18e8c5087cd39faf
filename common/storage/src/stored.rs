//! Looking at stored contents without changing anything, while others may store more.

use std::{
    fs::{self, DirEntry},
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use data_encoding::HEXLOWER;

use crate::{Error, UploadId, content, sweep::content_of, upload::upload_ids};

/// The directory of a [`ContentStore`](crate::ContentStore), only looked at: no lock is taken, and
/// nothing is made, repaired or removed.
#[derive(Debug, Clone)]
pub struct StoredContents {
    dir: PathBuf,
}

/// What lies where contents lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Where it is.
    pub path: PathBuf,
    /// The SHA-256 that its name says; none of what does not belong there.
    pub sha256: Option<[u8; 32]>,
    /// When it was written last.
    pub written: SystemTime,
}

impl StoredContents {
    /// The contents in `dir`.
    pub fn of(dir: &Path) -> Self {
        let dir = dir.to_owned();
        Self { dir }
    }

    /// Where content of this hash belongs.
    pub fn path_of(&self, sha256: &[u8; 32]) -> PathBuf {
        content::path_of(&self.dir, sha256)
    }

    /// Reads all of a content, in bounded memory, and compares its hash; `seen` is told of bytes
    /// as they are read. Answers its size.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`], [`Error::Altered`], [`Error::Io`].
    pub fn check(&self, sha256: &[u8; 32], mut seen: impl FnMut(u64)) -> Result<u64, Error> {
        let mut size = 0;
        content::pour(&self.path_of(sha256), sha256, |chunk| {
            size += chunk.len() as u64;
            seen(chunk.len() as u64);
            Ok(())
        })?;
        Ok(size)
    }

    /// Whatever lies where contents with this first byte of their hash belong, in any order.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn list(&self, first: u8) -> Result<Vec<Stored>, Error> {
        list(&self.dir.join(HEXLOWER.encode(&[first])), |entry| {
            content_of(entry, first)
        })
    }

    /// What a process that is at work, or was interrupted, has in hand.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn temporary(&self) -> Result<Vec<Stored>, Error> {
        list(&self.dir.join("tmp"), |_| None)
    }

    /// The uploads of which something is here, and when something of each came last.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn uploads(&self) -> Result<Vec<(UploadId, Stored)>, Error> {
        let dir = self.dir.join("uploads");
        let mut uploads = Vec::new();
        for id in upload_ids(&dir)? {
            let path = dir.join(HEXLOWER.encode(&id));
            let (parts, whole) = (list(&path, |_| None)?, stored(&path, None)?);
            let last = parts.into_iter().map(|part| part.written);
            uploads.extend(whole.map(|whole| {
                let written = last.fold(whole.written, SystemTime::max);
                (id, Stored { written, ..whole })
            }));
        }
        Ok(uploads)
    }
}

/// What is in a directory; nothing if it is not there.
fn list(dir: &Path, sha256: impl Fn(&DirEntry) -> Option<[u8; 32]>) -> Result<Vec<Stored>, Error> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(Error::io("list", dir))?,
    };
    let look = |entry: io::Result<DirEntry>| {
        let entry = entry.map_err(Error::io("list", dir))?;
        stored(&entry.path(), sha256(&entry))
    };
    entries
        .filter_map(|entry| look(entry).transpose())
        .collect()
}

/// Nothing if it is gone meanwhile.
fn stored(path: &Path, sha256: Option<[u8; 32]>) -> Result<Option<Stored>, Error> {
    match fs::symlink_metadata(path).and_then(|found| Ok((found.is_file(), found.modified()?))) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("look at", path)(error)),
        Ok((is_file, written)) => Ok(Some(Stored {
            path: path.to_owned(),
            sha256: sha256.filter(|_| is_file),
            written,
        })),
    }
}
