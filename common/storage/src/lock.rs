//! One server per home.

use std::{
    fs::{self, File, TryLockError},
    io::{Read, Write},
    path::Path,
    thread,
    time::{Duration, Instant, SystemTime},
};

use crate::{Error, durable};

/// How long to try: somebody may only be looking whether the home is held.
const PATIENCE: Duration = Duration::from_millis(200);

/// What is read of a lock file, in bytes.
const NOTE: u64 = 4096;

/// Holds a home directory against a second server while it lives, by an advisory lock
/// on `HOME/lock`. The system releases it when the process ends, however it ends.
#[derive(Debug)]
pub struct HomeLock {
    file: File,
}

impl HomeLock {
    /// Takes the home, which must exist, and notes this process and its `role` in the
    /// lock file for people to read.
    ///
    /// # Errors
    ///
    /// [`Error::HomeInUse`] if another process, or another lock in this one, holds it.
    pub fn acquire(home: &Path, role: &str) -> Result<Self, Error> {
        let path = home.join("lock");
        let mut file = durable::open_or_create(&path)?;
        match lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::HomeInUse {
                    path: home.to_owned(),
                    pid: noted_pid(file),
                });
            }
            Err(TryLockError::Error(error)) => return Err(Error::io("lock", &path)(error)),
        }
        file.set_len(0)
            .and_then(|()| writeln!(file, "{} {role}", std::process::id()))
            .map_err(Error::io("write", &path))?;
        Ok(Self { file })
    }

    /// Adds a line to the lock file of this home: [`HomeLock::noted`] is the first that is added.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn note(&mut self, home: &Path, line: &str) -> Result<(), Error> {
        self.file
            .write_all(format!("{line}\n").as_bytes())
            .map_err(Error::io("write", &home.join("lock")))
    }

    /// What whoever holds the home has noted; empty if that is nothing yet, and none if nobody holds it.
    pub fn noted(home: &Path) -> Option<String> {
        let file = File::open(home.join("lock")).ok()?;
        let mut lines = String::new();
        file.take(NOTE).read_to_string(&mut lines).ok()?;
        let noted = lines.lines().nth(1).unwrap_or_default().to_owned();
        Self::is_held(home).then_some(noted)
    }

    /// Whether somebody holds the home at this moment.
    pub fn is_held(home: &Path) -> bool {
        let shared = File::open(home.join("lock")).map(|file| file.try_lock_shared());
        matches!(shared, Ok(Err(TryLockError::WouldBlock)))
    }

    /// Since when somebody holds the home, by the clock of this machine; nothing if nobody does.
    pub fn held_since(home: &Path) -> Option<SystemTime> {
        let noted = fs::metadata(home.join("lock")).and_then(|file| file.modified());
        noted.ok().filter(|_| Self::is_held(home))
    }
}

fn lock(file: &File) -> Result<(), TryLockError> {
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if started.elapsed() < PATIENCE => {
                thread::sleep(Duration::from_millis(5));
            }
            done => return done,
        }
    }
}

fn noted_pid(file: File) -> Option<u32> {
    let mut note = String::new();
    file.take(64).read_to_string(&mut note).ok()?;
    note.split_whitespace().next()?.parse().ok()
}
