//! A log whose entries a database has numbered: the tiles follow, and checkpoints are signed
//! over them. The database never waits for the tiles.

use std::future::Future;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use scb_tlog::{
    Checkpoint, Error as LogError, NoteKey, TileLog, Tiles, TreeHead, VerifiedCheckpoint,
    VerifierKey, root,
};
use tokio::sync::{Mutex as Turn, watch};
use tokio::task::spawn_blocking;

/// Entries in one append, at most.
pub const BATCH: usize = 4096;

/// What the public can see.
#[derive(Debug)]
pub struct Published {
    /// What the log says about itself.
    pub checkpoint: VerifiedCheckpoint,
    /// The files that it covers.
    pub tiles: Tiles,
}

/// A log at work. Only one at a time may be open on a directory.
#[derive(Debug)]
pub struct PublishedLog {
    key: Arc<NoteKey>,
    tiles: Arc<Mutex<TileLog>>,
    one_at_a_time: Turn<()>,
    current: watch::Sender<Arc<Published>>,
}

/// A thread that wrote tiles has died.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the thread that writes the log has stopped")]
pub struct LogStopped;

impl PublishedLog {
    /// Opens the log in `directory`, or begins one there, has `compare` compare its tiles with the
    /// database, and signs what is there. Holds up this thread while it reads.
    ///
    /// # Errors
    ///
    /// What `compare` returns; [`scb_tlog::Error`] if the files contradict each other, or the
    /// published checkpoint is not by this key.
    pub fn open<E: From<scb_tlog::Error>>(
        directory: &Path,
        key: NoteKey,
        compare: impl FnOnce(&Tiles) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut log = TileLog::open(directory)?;
        if let Some(checkpoint) = log.published()? {
            checkpoint.verify(key.verifier())?;
        }
        compare(&log.tiles())?;
        let published = publish(&mut log, &key)?;
        Ok(Self {
            key: Arc::new(key),
            tiles: Arc::new(Mutex::new(log)),
            one_at_a_time: Turn::default(),
            current: watch::Sender::new(Arc::new(published)),
        })
    }

    /// With what its checkpoints are verified.
    pub fn key(&self) -> &VerifierKey {
        self.key.verifier()
    }

    /// What was published last.
    pub fn published(&self) -> Arc<Published> {
        Arc::clone(&self.current.borrow())
    }

    /// A checkpoint of the first `size` entries that were published: for a witness who takes no
    /// more of them at a time. Reads files.
    ///
    /// # Errors
    ///
    /// [`LogError::OutOfRange`] if there are not that many; [`LogError::File`].
    pub fn checkpoint_of(&self, size: u64) -> Result<VerifiedCheckpoint, LogError> {
        let root = root(&self.published().tiles, size)?;
        let head = TreeHead { size, root };
        let origin = self.key().name().clone();
        Checkpoint { origin, head }.sign(&self.key)
    }

    /// A checkpoint that covers every entry that was durable when this was called. `entries`
    /// gives those from a number on, up to [`BATCH`]; none at the end. What an earlier call left
    /// half done, because it failed or was dropped, is finished.
    ///
    /// # Errors
    ///
    /// What `entries` returns; [`scb_tlog::Error`]; [`LogStopped`].
    pub async fn publish<E, F, N>(&self, entries: N) -> Result<Arc<Published>, E>
    where
        E: From<scb_tlog::Error> + From<LogStopped>,
        F: Future<Output = Result<Vec<[u8; 32]>, E>>,
        N: Fn(u64) -> F,
    {
        let _turn = self.one_at_a_time.lock().await;
        self.publish_in_turn(entries).await
    }

    /// A checkpoint that covers an entry that is durable. One is enough for all who wait at the
    /// same time.
    ///
    /// # Errors
    ///
    /// As for [`PublishedLog::publish`].
    pub async fn publish_entry<E, F, N>(&self, number: u64, entries: N) -> Result<Arc<Published>, E>
    where
        E: From<scb_tlog::Error> + From<LogStopped>,
        F: Future<Output = Result<Vec<[u8; 32]>, E>>,
        N: Fn(u64) -> F,
    {
        let _turn = self.one_at_a_time.lock().await;
        let published = self.published();
        if number < published.checkpoint.head().size {
            return Ok(published);
        }
        self.publish_in_turn(entries).await
    }

    async fn publish_in_turn<E, F, N>(&self, entries: N) -> Result<Arc<Published>, E>
    where
        E: From<scb_tlog::Error> + From<LogStopped>,
        F: Future<Output = Result<Vec<[u8; 32]>, E>>,
        N: Fn(u64) -> F,
    {
        loop {
            let size = lock(&self.tiles).head().size;
            let next = entries(size).await?;
            if next.is_empty() && self.current.borrow().checkpoint.head().size == size {
                return Ok(self.published());
            }
            if next.is_empty() {
                break;
            }
            self.append::<E>(size, next).await?;
        }
        self.sign().await
    }

    /// Appends entries whose first has this number. A call that was dropped may have done it
    /// meanwhile: then nothing is appended twice.
    async fn append<E>(&self, first: u64, entries: Vec<[u8; 32]>) -> Result<(), E>
    where
        E: From<scb_tlog::Error> + From<LogStopped>,
    {
        let tiles = Arc::clone(&self.tiles);
        let append = move || {
            let mut log = lock(&tiles);
            match log.head().size == first {
                true => log.append(&entries).map(drop),
                false => Ok(()),
            }
        };
        // Syncing files takes milliseconds: not on a thread that serves connections.
        let done = spawn_blocking(append).await.map_err(|_| LogStopped)?;
        Ok(done?)
    }

    async fn sign<E>(&self) -> Result<Arc<Published>, E>
    where
        E: From<scb_tlog::Error> + From<LogStopped>,
    {
        let (tiles, key) = (Arc::clone(&self.tiles), Arc::clone(&self.key));
        let sign = move || publish(&mut lock(&tiles), &key);
        let published = spawn_blocking(sign).await.map_err(|_| LogStopped)?;
        let published = Arc::new(published?);
        self.current.send_replace(Arc::clone(&published));
        Ok(published)
    }
}

fn publish(log: &mut TileLog, key: &NoteKey) -> Result<Published, scb_tlog::Error> {
    let checkpoint = log.sign(key)?;
    log.publish(&checkpoint)?;
    Ok(Published {
        checkpoint,
        tiles: log.tiles(),
    })
}

/// A panic while it was held leaves the log as it was: what counts is changed last.
fn lock(tiles: &Mutex<TileLog>) -> MutexGuard<'_, TileLog> {
    tiles.lock().unwrap_or_else(PoisonError::into_inner)
}
