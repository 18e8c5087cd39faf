//! Work that only one process at a time may do in a home, kept apart by lock files. A server may run
//! meanwhile.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::Path;

use crate::Error;
use crate::passphrase_change::finish;
use crate::store::Store;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// A roster is imported.
    Import,
    /// Keys or lists of authorities are made, certified, taken in or withdrawn.
    Ceremony,
}

impl Work {
    /// The lock file in the home.
    fn file(self) -> &'static str {
        match self {
            Self::Import => "import.lock",
            Self::Ceremony => "ceremony.lock",
        }
    }

    fn running(self, by: Option<u32>) -> Error {
        match self {
            Self::Import => Error::ImportRunning,
            Self::Ceremony => Error::CeremonyRunning { by },
        }
    }
}

/// One at a time, by an advisory lock that the system releases when the process ends.
#[derive(Debug)]
pub(crate) struct Turn {
    _file: File,
}

impl Turn {
    /// # Errors
    ///
    /// [`Error::ImportRunning`] or [`Error::CeremonyRunning`]; [`Error::Local`] if the lock file cannot be
    /// written.
    pub(crate) fn take(store: &Store, work: Work) -> Result<Self, Error> {
        let database = store.path();
        Self::take_in(database.parent().unwrap_or(database), work)
    }

    /// [`Turn::take`], in this home. A ceremony finds all keys under one passphrase: a change that was
    /// interrupted is finished first.
    ///
    /// # Errors
    ///
    /// As for [`Turn::take`]; [`Error::PassphraseChangeDamaged`].
    pub(crate) fn take_in(home: &Path, work: Work) -> Result<Self, Error> {
        let path = home.join(work.file());
        let failed = |action| {
            let path = path.clone();
            move |source| scb_cli::Error::File {
                action,
                path,
                source,
            }
        };
        let file = open_lock(&path).map_err(failed("open"))?;
        match file.try_lock() {
            Ok(()) => {
                note_process(&file).map_err(failed("write"))?;
                if work == Work::Ceremony {
                    finish(home)?;
                }
                Ok(Self { _file: file })
            }
            Err(TryLockError::WouldBlock) => Err(work.running(noted_process(&file))),
            Err(TryLockError::Error(source)) => Err(failed("lock")(source).into()),
        }
    }

    /// Whether somebody is at it.
    pub(crate) fn is_taken(store: &Store, work: Work) -> bool {
        let file = File::open(store.beside(work.file()));
        let shared = file.map(|file| file.try_lock_shared());
        matches!(shared, Ok(Err(TryLockError::WouldBlock)))
    }
}

fn open_lock(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// For whoever finds the turn taken.
fn note_process(mut file: &File) -> std::io::Result<()> {
    file.set_len(0)?;
    writeln!(file, "{}", std::process::id())
}

/// Who has the turn, if that can be told.
fn noted_process(file: &File) -> Option<u32> {
    let mut noted = String::new();
    file.take(16).read_to_string(&mut noted).ok()?;
    noted.trim().parse().ok()
}
