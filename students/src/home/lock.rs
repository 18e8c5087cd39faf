//! One `student` at a time changes a home. While files are on their way, which takes long and changes nothing here,
//! others may.

use std::fs::{File, OpenOptions, TryLockError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::StudentHome;
use crate::{Error, Event, Observer};

/// How long to wait for another `student` in the same home.
const PATIENCE: Duration = Duration::from_secs(30);
/// The same with files that have come: their receipt is worth more.
const PATIENCE_FOR_A_RECEIPT: Duration = Duration::from_secs(10 * 60);
/// How often to look.
const PAUSE: Duration = Duration::from_millis(20);
/// After this it is said what is waited for.
const UNSAID: Duration = Duration::from_secs(1);

/// The lock of a home, while this program has it.
#[derive(Clone, Debug, Default)]
pub(super) struct Held(Arc<Mutex<Option<File>>>);

impl Held {
    fn replace(&self, file: Option<File>) -> Option<File> {
        std::mem::replace(
            &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner),
            file,
        )
    }
}

/// Keeps other programs from changing the home; the system frees it whatever happens.
#[derive(Debug)]
pub struct HomeLock(Held);

impl Drop for HomeLock {
    fn drop(&mut self) {
        self.0.replace(None);
    }
}

impl StudentHome {
    /// Waits until no other `student` changes this home, and keeps others out while the
    /// answer lives. Where nothing can be written there is nothing to wait for.
    ///
    /// # Errors
    ///
    /// [`Error::HomeBusy`] after half a minute, [`Error::Cli`].
    pub fn lock(&self) -> Result<HomeLock, Error> {
        if self.looks_only {
            return Ok(HomeLock(Held::default()));
        }
        let (lock, deadline) = (self.open_lock()?, Instant::now() + PATIENCE);
        while !self.is_taken(&lock)? {
            if Instant::now() > deadline {
                return Err(self.busy());
            }
            std::thread::sleep(PAUSE);
        }
        self.held.replace(Some(lock));
        Ok(HomeLock(self.held.clone()))
    }

    /// Lets others in, though what keeps them out lives. Answers whether they had been kept out.
    pub(crate) fn let_in(&self) -> bool {
        self.held.replace(None).is_some()
    }

    /// Keeps them out again, once they are done. What else this program does goes on meanwhile.
    ///
    /// # Errors
    ///
    /// [`Error::HomeBusy`] after ten minutes, [`Error::Cli`].
    pub(crate) async fn keep_out_again(&self, observer: &mut Observer<'_>) -> Result<(), Error> {
        let (lock, began) = (self.open_lock()?, tokio::time::Instant::now());
        let mut is_said = false;
        while !self.is_taken(&lock)? {
            let waited = began.elapsed();
            if waited > PATIENCE_FOR_A_RECEIPT {
                return Err(self.busy());
            }
            if waited >= UNSAID && !is_said {
                is_said = true;
                let dir = self.dir().to_owned();
                observer(&Event::HomeBusy { dir });
            }
            tokio::time::sleep(PAUSE).await;
        }
        self.held.replace(Some(lock));
        Ok(())
    }

    fn open_lock(&self) -> Result<File, Error> {
        let path = self.home.path("lock");
        let file = lock_options().open(&path);
        file.map_err(Error::file("open", &path))
    }

    /// Whether nobody else had it.
    fn is_taken(&self, lock: &File) -> Result<bool, Error> {
        match lock.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => {
                Err(Error::file("lock", &self.home.path("lock"))(error))
            }
        }
    }

    fn busy(&self) -> Error {
        let dir = self.dir().to_owned();
        Error::HomeBusy { dir }
    }
}

/// Only its owner can open the lock, and so keep others out.
#[cfg(unix)]
fn lock_options() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(0o600);
    options
}

#[cfg(not(unix))]
fn lock_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    options
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn home() -> (tempfile::TempDir, StudentHome, File) {
        let dir = tempfile::tempdir().unwrap();
        let home = StudentHome::create(&dir.path().join("home")).unwrap();
        let path = home.dir().join("lock");
        let options = lock_options().open(path).unwrap();
        (dir, home, options)
    }

    #[test]
    fn one_at_a_time() {
        let (_dir, home, other) = home();
        let held = home.lock().unwrap();
        assert!(other.try_lock().is_err());
        drop(held);
        assert!(other.try_lock().is_ok());
    }

    /// What others do of the same program goes on: one thread has to do.
    #[test]
    fn others_are_let_in_and_waited_for() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(let_in_and_waited_for());
    }

    async fn let_in_and_waited_for() {
        let (_dir, home, other) = home();
        assert!(!home.let_in(), "nobody was kept out");
        let held = home.lock().unwrap();
        assert!(home.let_in());
        other.try_lock().unwrap();
        let mut said = Vec::new();
        let mut observer = |event: &Event| said.push(event.clone());
        let done = async {
            tokio::time::sleep(3 * UNSAID).await;
            other.unlock().unwrap();
        };
        let (kept_out, ()) = tokio::join!(home.keep_out_again(&mut observer), done);
        kept_out.unwrap();
        assert!(matches!(&said[..], [Event::HomeBusy { dir }] if dir == home.dir()));
        assert!(other.try_lock().is_err(), "they are kept out again");
        drop(held);
        assert!(other.try_lock().is_ok());
    }
}
