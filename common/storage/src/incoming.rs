//! Content on its way in.

use std::{
    fs::{self, File},
    io::{self, Write},
    mem,
    path::{Path, PathBuf},
    thread,
};

use data_encoding::HEXLOWER;
use ring::digest::{Context, SHA256};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::{
    ContentStore, Error,
    durable::{self, TempFile},
};

/// Bytes that are hashed and written at a time.
pub(crate) const CHUNK: usize = 128 * 1024;

/// Takes in one content. Dropped without [`finish`](Self::finish), it leaves nothing.
///
/// Holds at most two chunks of 128 KiB, or of what one call of `write` was given.
#[derive(Debug)]
pub struct ContentWriter {
    store: ContentStore,
    limit: u64,
    taken: u64,
    buffer: Vec<u8>,
    stage: Stage,
}

/// Bytes of a part after which it is made durable while as many more may come: a power cut costs no more
/// than that.
pub(crate) const UNSYNCED: u64 = 64 * 1024 * 1024;

#[derive(Debug)]
enum Stage {
    Idle(Box<Incoming>),
    Writing(JoinHandle<Result<Box<Incoming>, Error>>),
    Failed,
}

impl ContentWriter {
    pub(crate) fn new(store: ContentStore, incoming: Incoming, limit: u64) -> Self {
        Self {
            store,
            limit,
            taken: 0,
            buffer: Vec::with_capacity(CHUNK),
            stage: Stage::Idle(Box::new(incoming)),
        }
    }

    /// So many bytes were there before.
    pub(crate) fn after(mut self, taken: u64) -> Self {
        self.taken = taken;
        self
    }

    /// Takes the next bytes. Cancel-safe: a future that was dropped took none of them.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] before anything beyond the limit is kept; [`Error::Io`]. After
    /// an error every further call gives [`Error::Closed`].
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if matches!(self.stage, Stage::Failed) {
            return Err(Error::Closed);
        }
        let taken = self.taken.saturating_add(bytes.len() as u64);
        if taken > self.limit {
            self.stage = Stage::Failed;
            return Err(Error::TooLarge { limit: self.limit });
        }
        if self.buffer.len() + bytes.len() > CHUNK {
            self.flush().await?;
        }
        self.buffer.extend_from_slice(bytes);
        self.taken = taken;
        Ok(())
    }

    /// Bytes taken so far.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// SHA-256 of the bytes taken so far, once they are written. Cancel-safe.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; [`Error::Closed`] after an earlier error.
    pub async fn sha256(&mut self) -> Result<[u8; 32], Error> {
        self.flush().await?;
        let incoming = self.idle().await?;
        let hash = incoming.sha256();
        self.stage = Stage::Idle(incoming);
        Ok(hash)
    }

    /// Stores the content if it has the expected SHA-256, and returns its size in bytes
    /// once it is durable. Content that is stored already is replaced by itself. If the
    /// future is dropped, the content may be stored or not.
    ///
    /// # Errors
    ///
    /// [`Error::HashMismatch`], [`Error::Io`]; nothing is left then.
    pub async fn finish(mut self, expected: [u8; 32]) -> Result<u64, Error> {
        self.flush().await?;
        let incoming = self.idle().await?;
        let store = self.store.clone();
        in_background(move || incoming.place(&store, &expected)).await?;
        Ok(self.taken)
    }

    /// Leaves what was taken where it is; how many bytes there are, their hash, and how many of them
    /// are not durable yet.
    pub(crate) async fn leave(mut self) -> Result<(u64, Context, u64), Error> {
        self.flush().await?;
        let incoming = self.idle().await?;
        let (hash, unsynced) = match incoming.syncing {
            Syncing(None) => incoming.leave()?,
            _ => in_background(move || incoming.leave()).await?,
        };
        Ok((self.taken, hash, unsynced))
    }

    /// Sends the buffer on its way, after the one before it.
    async fn flush(&mut self) -> Result<(), Error> {
        let mut incoming = self.idle().await?;
        // The two buffers take turns.
        let spare = mem::take(&mut incoming.spare);
        let mut bytes = mem::replace(&mut self.buffer, spare);
        self.stage = Stage::Writing(spawn_blocking(move || {
            incoming.append(&bytes)?;
            bytes.clear();
            incoming.spare = bytes;
            Ok(incoming)
        }));
        Ok(())
    }

    /// Waits until nothing is being written, and takes the file out.
    async fn idle(&mut self) -> Result<Box<Incoming>, Error> {
        if let Stage::Writing(writing) = &mut self.stage {
            let written = writing.await;
            self.stage = Stage::Failed;
            return written.unwrap_or_else(|error| Err(lost(error)));
        }
        match mem::replace(&mut self.stage, Stage::Failed) {
            Stage::Idle(incoming) => Ok(incoming),
            Stage::Writing(_) | Stage::Failed => Err(Error::Closed),
        }
    }
}

/// A file and the hash of what is in it.
pub(crate) struct Incoming {
    file: File,
    place: Place,
    hash: Context,
    unsynced: u64,
    /// Its name is durable.
    named: bool,
    /// Of what came before.
    syncing: Syncing,
    /// A buffer that nobody uses at the moment.
    spare: Vec<u8>,
}

/// What becomes of the file when nobody finishes it.
enum Place {
    /// It goes.
    Temp(TempFile),
    /// It stays: somebody will go on with it.
    Part(PathBuf),
}

impl Place {
    fn path(&self) -> &Path {
        match self {
            Self::Temp(temp) => temp.path(),
            Self::Part(path) => path,
        }
    }
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Incoming").field(&self.place.path()).finish()
    }
}

impl Incoming {
    pub(crate) fn create(tmp: &Path) -> Result<Self, Error> {
        let (file, temp) = TempFile::create(tmp.join(durable::random_name()?))?;
        let hash = Context::new(&SHA256);
        Ok(Self {
            file,
            place: Place::Temp(temp),
            hash,
            unsynced: 0,
            named: false,
            syncing: Syncing(None),
            spare: Vec::new(),
        })
    }

    /// Goes on with a part after its first `received` bytes, which have this hash.
    pub(crate) fn part(path: PathBuf, received: u64, hash: Context) -> Result<Self, Error> {
        if received == 0 {
            // A new file, never the old one cut short: other names may lead to its bytes.
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::io("remove", &path)(error));
                }
                _ => drop(durable::create_file(&path)?),
            }
        }
        let file = durable::open_to_append(&path)?;
        Ok(Self {
            file,
            place: Place::Part(path),
            hash,
            unsynced: 0,
            named: false,
            syncing: Syncing(None),
            spare: Vec::new(),
        })
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.hash.update(bytes);
        let path = self.place.path();
        self.file
            .write_all(bytes)
            .map_err(Error::io("write", path))?;
        self.unsynced += bytes.len() as u64;
        if self.unsynced >= UNSYNCED && matches!(self.place, Place::Part(_)) {
            self.settle()?;
        }
        Ok(())
    }

    fn leave(mut self) -> Result<(Context, u64), Error> {
        self.syncing.end()?;
        Ok((self.hash, self.unsynced))
    }

    /// Sees to it that what has come of a part survives a power cut, and the way to it, too: once is enough
    /// for the two directories, which get no other names that matter. More may come meanwhile, and
    /// what is on the disk needs no memory.
    fn settle(&mut self) -> Result<(), Error> {
        self.syncing.end()?;
        let path = self.place.path().to_owned();
        let file = self.file.try_clone().map_err(Error::io("sync", &path))?;
        let named = mem::replace(&mut self.named, true);
        self.unsynced = 0;
        self.syncing.begin(self.place.path(), move || {
            durable::sync_file(&file, &path)?;
            if !named {
                let dir = durable::parent(&path);
                durable::sync_dir(dir)?;
                durable::sync_dir(durable::parent(dir))?;
            }
            durable::forget_cached(&file, None);
            Ok(())
        })
    }

    fn sha256(&self) -> [u8; 32] {
        finished(&self.hash)
    }

    fn place(mut self, store: &ContentStore, expected: &[u8; 32]) -> Result<(), Error> {
        self.syncing.end()?;
        let found = self.sha256();
        if found != *expected {
            return Err(Error::HashMismatch {
                expected: HEXLOWER.encode(expected),
                found: HEXLOWER.encode(&found),
            });
        }
        durable::sync_file(&self.file, self.place.path())?;
        let target = store.path_of(expected);
        match self.place {
            Place::Temp(temp) => temp.place(&target)?,
            Place::Part(part) => TempFile::of(part).place(&target)?,
        }
        durable::sync_dir(durable::parent(&target))?;
        durable::sync_dir(&store.tmp())
    }
}

/// A sync that is under way, on a thread of its own: the runtime's may all be waiting for one.
struct Syncing(Option<thread::JoinHandle<Result<(), Error>>>);

impl Syncing {
    fn begin(
        &mut self,
        path: &Path,
        sync: impl FnOnce() -> Result<(), Error> + Send + 'static,
    ) -> Result<(), Error> {
        let thread = thread::Builder::new().name("scb-sync".to_owned());
        let started = thread.spawn(sync).map_err(Error::io("sync", path))?;
        self.0 = Some(started);
        Ok(())
    }

    /// Waits for it. What it says is said once.
    fn end(&mut self) -> Result<(), Error> {
        match self.0.take().map(thread::JoinHandle::join) {
            None => Ok(()),
            Some(synced) => synced.unwrap_or(Err(Error::JobPanicked)),
        }
    }
}

/// The hash so far; more may follow.
pub(crate) fn finished(hash: &Context) -> [u8; 32] {
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(hash.clone().finish().as_ref());
    sha256
}

/// Does blocking work on the runtime's threads for that.
pub(crate) async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(lost(error)))
}

fn lost(error: tokio::task::JoinError) -> Error {
    if error.is_panic() {
        return Error::JobPanicked;
    }
    Error::Closed
}
