//! One `student` at a time changes a home. While files are on their way, which takes long and changes nothing here,
//! others may.

use std::fs::{File, OpenOptions, TryLockError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::StudentHome;
use crate::Error;

/// How long to wait for another `student` in the same home.
const PATIENCE: Duration = Duration::from_secs(30);
/// The same with files that have come: their receipt is worth more.
const PATIENCE_FOR_A_RECEIPT: Duration = Duration::from_secs(10 * 60);
/// How often to look.
const PAUSE: Duration = Duration::from_millis(20);

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
        self.held.replace(Some(self.locked(PATIENCE)?));
        Ok(HomeLock(self.held.clone()))
    }

    /// Lets others in, though what keeps them out lives. Answers whether they had been kept out.
    pub(crate) fn let_in(&self) -> bool {
        self.held.replace(None).is_some()
    }

    /// Keeps them out again, once they are done.
    ///
    /// # Errors
    ///
    /// [`Error::HomeBusy`] after ten minutes, [`Error::Cli`].
    pub(crate) fn keep_out_again(&self) -> Result<(), Error> {
        self.held
            .replace(Some(self.locked(PATIENCE_FOR_A_RECEIPT)?));
        Ok(())
    }

    fn locked(&self, patience: Duration) -> Result<File, Error> {
        let path = self.home.path("lock");
        let file = lock_options().open(&path);
        let file = file.map_err(Error::file("open", &path))?;
        let deadline = Instant::now() + patience;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(error)) => return Err(Error::file("lock", &path)(error)),
                Err(TryLockError::WouldBlock) if Instant::now() > deadline => {
                    return Err(Error::HomeBusy {
                        dir: self.dir().to_owned(),
                    });
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            }
        }
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

    #[test]
    fn others_are_let_in_and_waited_for() {
        let (_dir, home, other) = home();
        assert!(!home.let_in(), "nobody was kept out");
        let held = home.lock().unwrap();
        assert!(home.let_in());
        other.try_lock().unwrap();
        let waits = std::thread::spawn({
            let home = home.clone();
            move || home.keep_out_again()
        });
        assert!(!waits.is_finished());
        other.unlock().unwrap();
        waits.join().unwrap().unwrap();
        assert!(other.try_lock().is_err(), "they are kept out again");
        drop(held);
        assert!(other.try_lock().is_ok());
    }
}
