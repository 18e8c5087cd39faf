//! Content that comes in parts: what has come stays, whoever is interrupted.
//!
//! An upload is a directory `uploads/<its ID>` with a file for each part, by its place. What of
//! it can be trusted is not noted anywhere: it is hashed when somebody goes on with it.

use std::{
    collections::{BTreeSet, HashSet},
    fs::{self, File},
    io::{self, Read},
    num::NonZeroU64,
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;
use ring::digest::{Context, SHA256};

use crate::{
    ContentStore, ContentWriter, Error,
    durable::{self, TempFile},
    incoming::{CHUNK, Incoming, UNSYNCED, finished, in_background},
};

/// Bytes of a content that are left in the system's cache while it is read once, from one end to the other.
const CACHED: usize = 8 * 1024 * 1024;

/// 128 bits that name an upload.
pub type UploadId = [u8; 16];

/// Some contents on their way in. Dropped, everything that was kept stays for the next time.
/// Only one at a time may exist of an ID; the caller sees to that.
#[derive(Debug)]
pub struct Upload {
    store: ContentStore,
    dir: PathBuf,
    parts: Vec<Part>,
    /// Parts that came since anything was made durable, and their bytes.
    unsettled: (BTreeSet<usize>, u64),
}

/// What is here of one content.
#[derive(Clone)]
struct Part {
    received: u64,
    hash: Context,
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Part").field(&self.received).finish()
    }
}

impl ContentStore {
    /// Begins an upload of contents of these sizes, or goes on with it: whatever is here of them
    /// is hashed. Nothing is written yet.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub async fn upload(&self, id: &UploadId, sizes: Vec<u64>) -> Result<Upload, Error> {
        let (store, dir) = (self.clone(), self.upload_dir(id));
        in_background(move || {
            let parts = sizes.iter().enumerate();
            let parts = parts.map(|(index, size)| Part::find(&part_path(&dir, index), *size));
            let parts = parts.collect::<Result<_, _>>()?;
            let unsettled = (BTreeSet::new(), 0);
            Ok(Upload {
                store,
                dir,
                parts,
                unsettled,
            })
        })
        .await
    }

    /// The IDs of all uploads of which something is here.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn uploads_blocking(&self) -> Result<Vec<UploadId>, Error> {
        upload_ids(&self.uploads())
    }

    /// How many bytes are here of each upload.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub async fn upload_sizes(&self) -> Result<Vec<(UploadId, u64)>, Error> {
        let store = self.clone();
        in_background(move || store.upload_sizes_blocking()).await
    }

    /// The same, for whoever may wait for the disk.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn upload_sizes_blocking(&self) -> Result<Vec<(UploadId, u64)>, Error> {
        let ids = self.uploads_blocking()?.into_iter();
        ids.map(|id| Ok((id, size_of(&self.upload_dir(&id))?)))
            .collect()
    }

    /// Forgets an upload that nobody goes on with, if it is here.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn discard_upload_blocking(&self, id: &UploadId) -> Result<(), Error> {
        remove_dir(&self.upload_dir(id))
    }

    fn upload_dir(&self, id: &UploadId) -> PathBuf {
        self.uploads().join(HEXLOWER.encode(id))
    }
}

/// Bytes of all parts in a directory, which may be removed meanwhile.
fn size_of(dir: &Path) -> Result<u64, Error> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries.map_err(Error::io("list", dir))?,
    };
    let sizes = entries.filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len()));
    Ok(sizes.fold(0, u64::saturating_add))
}

/// The IDs of the uploads in this directory; none before it is made.
pub(crate) fn upload_ids(dir: &Path) -> Result<Vec<UploadId>, Error> {
    let id = |entry: io::Result<fs::DirEntry>| -> Result<Option<UploadId>, Error> {
        let name = entry.map_err(Error::io("list", dir))?.file_name();
        let id = HEXLOWER.decode(name.as_encoded_bytes()).ok();
        Ok(id.and_then(|id| id.try_into().ok()))
    };
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(Error::io("list", dir))?,
    };
    entries.filter_map(|entry| id(entry).transpose()).collect()
}

impl Upload {
    /// Of each content how many bytes are here, and their SHA-256.
    pub fn received(&self) -> impl Iterator<Item = (u64, [u8; 32])> + '_ {
        let told = |part: &Part| (part.received, finished(&part.hash));
        self.parts.iter().map(told)
    }

    /// Takes in the rest of a content, of at most `size` bytes in all: what is here stays, or
    /// goes if it is to come from its beginning.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; [`Error::Missing`] for a place beyond the last.
    pub async fn writer(
        &mut self,
        index: usize,
        from_beginning: bool,
        size: u64,
    ) -> Result<ContentWriter, Error> {
        let Some(part) = self.parts.get_mut(index) else {
            return Err(Error::Closed);
        };
        if from_beginning {
            *part = Part::empty();
        }
        let (part, path) = (part.clone(), part_path(&self.dir, index));
        let received = part.received;
        let dir = self.dir.clone();
        let incoming = in_background(move || {
            durable::create_dir(&dir)?;
            Incoming::part(path, part.received, part.hash)
        })
        .await?;
        Ok(ContentWriter::new(self.store.clone(), incoming, size).after(received))
    }

    /// A content has come to its end; its SHA-256. It is durable once it is stored, or once
    /// [`Upload::settle`] has returned: whoever stores at once waits for the disk once. What a power cut
    /// takes before is sent again, and is no more than if a single content had been interrupted.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; [`Error::Closed`] after an earlier error.
    pub async fn end(&mut self, index: usize, writer: ContentWriter) -> Result<[u8; 32], Error> {
        let (received, hash, unsynced) = writer.leave().await?;
        let sha256 = finished(&hash);
        if let Some(part) = self.parts.get_mut(index) {
            *part = Part { received, hash };
        }
        self.unsettled.0.insert(index);
        self.unsettled.1 += unsynced;
        if self.unsettled.1 >= UNSYNCED {
            self.settle().await?;
        }
        Ok(sha256)
    }

    /// A content has come to where it was interrupted: all that has come is durable when this
    /// returns; SHA-256 of what there is of this one.
    ///
    /// # Errors
    ///
    /// As for [`Upload::end`].
    pub async fn keep(&mut self, index: usize, writer: ContentWriter) -> Result<[u8; 32], Error> {
        let sha256 = self.end(index, writer).await?;
        self.settle().await?;
        Ok(sha256)
    }

    /// Whatever has come is durable when this returns.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub async fn settle(&mut self) -> Result<(), Error> {
        let (unsettled, _) = std::mem::take(&mut self.unsettled);
        if unsettled.is_empty() {
            return Ok(());
        }
        let (dir, uploads) = (self.dir.clone(), self.store.uploads());
        in_background(move || {
            for index in unsettled {
                let path = part_path(&dir, index);
                let part = File::open(&path).map_err(Error::io("open", &path))?;
                durable::sync_file(&part, &path)?;
            }
            durable::sync_dir(&dir)?;
            durable::sync_dir(&uploads)
        })
        .await
    }

    /// Stores every content under its hash, once it was read back from the disk and found to have
    /// it. Durable when this returns. The upload stays until it is discarded, so that nothing is
    /// lost if what names the contents cannot be written.
    ///
    /// # Errors
    ///
    /// [`Error::HashMismatch`] if the disk gives back something else, which is then removed;
    /// [`Error::Io`].
    pub async fn store(&self, contents: Vec<[u8; 32]>) -> Result<(), Error> {
        let (store, dir) = (self.store.clone(), self.dir.clone());
        in_background(move || {
            durable::create_dir(&dir)?;
            let (mut done, mut dirs) = (HashSet::new(), BTreeSet::new());
            for (index, sha256) in contents.iter().enumerate() {
                if done.insert(*sha256) {
                    place(&store, &part_path(&dir, index), sha256)?;
                    dirs.insert(durable::parent(&store.path_of(sha256)).to_owned());
                }
            }
            dirs.iter().try_for_each(|dir| durable::sync_dir(dir))
        })
        .await
    }

    /// What was to come has come, and is named: the upload is no longer needed.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub async fn discard(self) -> Result<(), Error> {
        in_background(move || remove_dir(&self.dir)).await
    }

    /// Removes what is here of one content.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub async fn forget(&mut self, index: usize) -> Result<(), Error> {
        if let Some(part) = self.parts.get_mut(index) {
            *part = Part::empty();
        }
        self.unsettled.0.remove(&index);
        let path = part_path(&self.dir, index);
        in_background(move || remove_file(&path)).await
    }
}

impl Part {
    fn empty() -> Self {
        Self {
            received: 0,
            hash: Context::new(&SHA256),
        }
    }

    /// What is in the file. One that is longer than it may be is not this content's.
    fn find(path: &Path, size: u64) -> Result<Self, Error> {
        let mut file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::empty()),
            opened => opened.map_err(Error::io("open", path))?,
        };
        let (received, hash) = hash(&mut file, path)?;
        if received > size {
            remove_file(path)?;
            return Ok(Self::empty());
        }
        Ok(Self { received, hash })
    }
}

fn part_path(dir: &Path, index: usize) -> PathBuf {
    dir.join(index.to_string())
}

/// Reads back what is on the disk, and gives it its name if it is what it should be.
fn place(store: &ContentStore, part: &Path, sha256: &[u8; 32]) -> Result<(), Error> {
    let mut file = match File::open(part) {
        // Nothing was written of a content without a byte.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            drop(durable::create_file(part)?);
            File::open(part)
        }
        opened => opened,
    }
    .map_err(Error::io("open", part))?;
    durable::sync_file(&file, part)?;
    durable::forget_cached(&file, None);
    let (_, found) = hash(&mut file, part)?;
    let found = finished(&found);
    if found != *sha256 {
        remove_file(part)?;
        return Err(Error::HashMismatch {
            expected: HEXLOWER.encode(sha256),
            found: HEXLOWER.encode(&found),
        });
    }
    let temporary = store.tmp().join(durable::random_name()?);
    // The part keeps its name: a second link to the same bytes. Where there are no links it moves.
    if fs::hard_link(part, &temporary).is_err() {
        fs::rename(part, &temporary).map_err(Error::io("rename", part))?;
    }
    TempFile::of(temporary.clone()).place(&store.path_of(sha256))?;
    // Where the name leads to these very bytes already, as after a crash, nothing was moved.
    remove_file(&temporary)
}

fn hash(file: &mut File, path: &Path) -> Result<(u64, Context), Error> {
    let mut hash = Context::new(&SHA256);
    let (mut buffer, mut size, mut unneeded) = (vec![0; CHUNK], 0, 0);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok((size, hash)),
            Ok(count) => {
                hash.update(&buffer[..count]);
                size += count as u64;
                unneeded += count;
                if unneeded >= CACHED {
                    durable::forget_cached(file, NonZeroU64::new(size));
                    unneeded = 0;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::io("read", path)(error)),
        }
    }
}

fn remove_file(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

fn remove_dir(path: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}
