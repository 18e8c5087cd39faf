//! Content files named by their SHA-256.

use std::{
    collections::HashSet,
    fs::{self, File, TryLockError},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use data_encoding::HEXLOWER;
use ring::digest::{Context, SHA256};

use crate::{
    ContentWriter, Error,
    durable::{self, TempFile},
    frozen::frozen_dir,
    incoming::{CHUNK, Incoming, in_background},
    sweep::sweep,
};

/// A directory of files `ab/abcdef…`, each named by the SHA-256 of its bytes, which is
/// checked whenever they are read. Clones share it; other processes may have it open.
///
/// The directory also holds `uploads/` for what comes in parts, `tmp/` for what is gone after a
/// crash, and `lock`. The async calls
/// need a tokio runtime, whose threads for blocking work they use.
#[derive(Debug, Clone)]
pub struct ContentStore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    dir: PathBuf,
    /// Held shared while the store is open, so that nobody clears `tmp/` meanwhile.
    _lock: File,
}

impl ContentStore {
    /// Opens the store, or creates it (0700) in a directory that exists. If nobody else
    /// has it open, what an interrupted process left in `tmp/` is removed.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn open(dir: &Path) -> Result<Self, Error> {
        durable::create_dir(dir)?;
        durable::create_dir(&dir.join("tmp"))?;
        durable::create_dir(&dir.join("uploads"))?;
        for prefix in 0..=u8::MAX {
            durable::create_dir(&dir.join(HEXLOWER.encode(&[prefix])))?;
        }
        durable::sync_dir(dir)?;
        durable::sync_dir(durable::parent(dir))?;
        let lock = lock_and_clear(dir)?;
        Ok(Self {
            shared: Arc::new(Shared {
                dir: dir.to_owned(),
                _lock: lock,
            }),
        })
    }

    /// As [`open`](Self::open); where nothing can be written, a store that exists is opened as it is.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn open_to_read(dir: &Path) -> Result<Self, Error> {
        if frozen_dir(dir).is_none() {
            return Self::open(dir);
        }
        let path = dir.join("lock");
        let lock = File::open(&path).map_err(Error::io("open", &path))?;
        lock.lock_shared().map_err(Error::io("lock", &path))?;
        Ok(Self {
            shared: Arc::new(Shared {
                dir: dir.to_owned(),
                _lock: lock,
            }),
        })
    }

    /// Begins to take in content of at most `limit` bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub async fn begin(&self, limit: u64) -> Result<ContentWriter, Error> {
        let tmp = self.tmp();
        let incoming = in_background(move || Incoming::create(&tmp)).await?;
        Ok(ContentWriter::new(self.clone(), incoming, limit))
    }

    /// Where content of this hash is, if it is stored.
    pub fn path_of(&self, sha256: &[u8; 32]) -> PathBuf {
        path_of(self.dir(), sha256)
    }

    /// All bytes of a content. Meant for small ones: they are held in memory.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`], [`Error::Altered`], [`Error::Io`].
    pub async fn read(&self, sha256: &[u8; 32]) -> Result<Vec<u8>, Error> {
        let (store, sha256) = (self.clone(), *sha256);
        in_background(move || store.read_blocking(&sha256)).await
    }

    /// [`read`](Self::read) for callers without a runtime.
    ///
    /// # Errors
    ///
    /// As for `read`.
    pub fn read_blocking(&self, sha256: &[u8; 32]) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        self.pour(sha256, |chunk| {
            bytes.extend_from_slice(chunk);
            Ok(())
        })?;
        Ok(bytes)
    }

    /// A content as a file to read from its start, after all of it was checked once.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`], [`Error::Altered`], [`Error::Io`].
    pub async fn open_verified(&self, sha256: &[u8; 32]) -> Result<File, Error> {
        let (store, sha256) = (self.clone(), *sha256);
        in_background(move || {
            let mut file = store.pour(&sha256, |_| Ok(()))?;
            file.rewind()
                .map_err(Error::io("read", &store.path_of(&sha256)))?;
            Ok(file)
        })
        .await
    }

    /// Copies a content to `dest` (0600, replaced if it exists), which appears only when
    /// all of it was checked. Returns its size in bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`], [`Error::Altered`], [`Error::Io`]; [`Error::Target`] if it is `dest`
    /// that cannot be written. `dest` is then as it was.
    pub async fn copy_to(&self, sha256: &[u8; 32], dest: &Path) -> Result<u64, Error> {
        let (store, sha256, dest) = (self.clone(), *sha256, dest.to_owned());
        in_background(move || store.copy_to_blocking(&sha256, &dest)).await
    }

    /// [`copy_to`](Self::copy_to) for callers without a runtime.
    ///
    /// # Errors
    ///
    /// As for `copy_to`.
    pub fn copy_to_blocking(&self, sha256: &[u8; 32], dest: &Path) -> Result<u64, Error> {
        // The name may be as long as any can be: nothing is added to it.
        let temporary = format!(".{}.part", durable::random_name()?);
        let (mut file, temp) =
            TempFile::create(dest.with_file_name(temporary)).map_err(Error::into_target(dest))?;
        let mut size = 0;
        self.pour(sha256, |chunk| {
            size += chunk.len() as u64;
            file.write_all(chunk).map_err(Error::target(dest))
        })?;
        file.sync_all().map_err(Error::target(dest))?;
        temp.place(dest).map_err(Error::into_target(dest))?;
        Ok(size)
    }

    /// Writes a content to `sink` while it is read and hashed. What the sink got counts only if this
    /// answers its size in bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`], [`Error::Altered`], [`Error::Io`]; [`Error::Target`] with the name
    /// `dest` if the sink fails.
    pub fn write_to_blocking(
        &self,
        sha256: &[u8; 32],
        sink: &mut impl Write,
        dest: &Path,
    ) -> Result<u64, Error> {
        let mut size = 0;
        self.pour(sha256, |chunk| {
            size += chunk.len() as u64;
            sink.write_all(chunk).map_err(Error::target(dest))
        })?;
        Ok(size)
    }

    /// Removes content that was written before this moment and that is not `named`; returns
    /// how many files. For a start, before anything is taken in: content on its way to being
    /// named is not told from content that never will be.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn sweep_blocking(
        &self,
        before: SystemTime,
        named: &HashSet<[u8; 32]>,
    ) -> Result<usize, Error> {
        sweep(self.dir(), before, named)
    }

    fn pour(
        &self,
        sha256: &[u8; 32],
        sink: impl FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<File, Error> {
        pour(&self.path_of(sha256), sha256, sink)
    }

    pub(crate) fn tmp(&self) -> PathBuf {
        self.dir().join("tmp")
    }

    pub(crate) fn uploads(&self) -> PathBuf {
        self.dir().join("uploads")
    }

    fn dir(&self) -> &Path {
        &self.shared.dir
    }
}

/// Where content of this hash belongs in a store.
pub(crate) fn path_of(dir: &Path, sha256: &[u8; 32]) -> PathBuf {
    let name = HEXLOWER.encode(sha256);
    dir.join(&name[..2]).join(name)
}

/// Hands all bytes of a content to `sink`; an error means that what it got is not
/// the content.
pub(crate) fn pour(
    path: &Path,
    sha256: &[u8; 32],
    mut sink: impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<File, Error> {
    let mut file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::Missing {
            sha256: HEXLOWER.encode(sha256),
        },
        _ => Error::io("open", path)(error),
    })?;
    let mut hash = Context::new(&SHA256);
    let mut buffer = vec![0; CHUNK];
    loop {
        let count = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Error::io("read", path)(error)),
        };
        hash.update(&buffer[..count]);
        sink(&buffer[..count])?;
    }
    if hash.finish().as_ref() != sha256 {
        return Err(Error::Altered {
            sha256: HEXLOWER.encode(sha256),
        });
    }
    Ok(file)
}

/// Takes the store's lock as one of several; clears `tmp/` if it is the only one.
fn lock_and_clear(dir: &Path) -> Result<File, Error> {
    let path = dir.join("lock");
    let lock = durable::open_or_create(&path)?;
    match lock.try_lock() {
        Ok(()) => {
            clear(&dir.join("tmp"))?;
            lock.unlock().map_err(Error::io("unlock", &path))?;
        }
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(Error::io("lock", &path)(error)),
    }
    lock.lock_shared().map_err(Error::io("lock", &path))?;
    Ok(lock)
}

fn clear(tmp: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(tmp).map_err(Error::io("list", tmp))? {
        let leftover = entry.map_err(Error::io("list", tmp))?.path();
        fs::remove_file(&leftover).map_err(Error::io("remove", &leftover))?;
        tracing::info!(path = %leftover.display(), "removed what an interrupted process left");
    }
    Ok(())
}
