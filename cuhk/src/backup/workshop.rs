//! Where a backup is made: a private directory beside the file that is going to be written.

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirEntry};
use std::path::{Path, PathBuf};

use scb_cli::{Role, create_private_dir};
use scb_storage::HomeLock;

use crate::Error;
use crate::draft;

/// How its name ends, with a number before it.
const MARK: &str = ".scb-draft";

/// The directory. It goes when this is dropped; one whose process was killed goes with the next backup
/// beside it, as it has the roster in it.
pub(super) struct Workshop {
    dir: PathBuf,
    // Held as long as somebody works here.
    _lock: HomeLock,
}

impl Workshop {
    /// Makes one beside this file.
    ///
    /// # Errors
    ///
    /// [`Error::BackupInvalid`] if it has no name; [`Error::Local`].
    pub(super) fn beside(file: &Path) -> Result<Self, Error> {
        let Some(name) = file.file_name() else {
            return Err(Error::BackupInvalid {
                path: file.to_owned(),
                reason: "this is no name of a file".to_owned(),
            });
        };
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}{MARK}", std::process::id()));
        let dir = file.with_file_name(hidden);
        // What a killed process of this number left.
        draft::remove(&dir)?;
        create_private_dir(&dir)?;
        remove_abandoned(&dir);
        let lock = HomeLock::acquire(&dir, Role::Cuhk.as_str())?;
        Ok(Self { dir, _lock: lock })
    }

    /// The directory.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        // The next backup beside it tries again.
        let _ = draft::remove(&self.dir);
    }
}

/// Removes what killed processes have left beside `own`. What cannot be removed is left to the next one:
/// it keeps no backup from being made.
fn remove_abandoned(own: &Path) {
    let siblings = own.parent().map(fs::read_dir);
    let Some(Ok(siblings)) = siblings else {
        return;
    };
    for entry in siblings.flatten() {
        if entry.path() != own && is_abandoned(&entry) {
            let _ = draft::remove(&entry.path());
        }
    }
}

/// Only what says that it is one, and was held by somebody who is gone.
fn is_abandoned(entry: &DirEntry) -> bool {
    let path = entry.path();
    is_name(&entry.file_name())
        && entry.file_type().is_ok_and(|kind| kind.is_dir())
        && path.join("lock").is_file()
        && !HomeLock::is_held(&path)
}

fn is_name(name: &OsStr) -> bool {
    let numbered = name.to_str().and_then(|name| name.strip_suffix(MARK));
    let parts = numbered.and_then(|numbered| numbered.rsplit_once('.'));
    parts.is_some_and(|(name, number)| name.starts_with('.') && number.parse::<u32>().is_ok())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// What somebody leaves who is killed amid a backup.
    fn left_by(dir: &Path, name: &str) -> PathBuf {
        let left = dir.join(name);
        fs::create_dir(&left).unwrap();
        drop(HomeLock::acquire(&left, "cuhk").unwrap());
        fs::write(left.join("cuhk.db"), b"the roster").unwrap();
        left
    }

    #[test]
    fn what_a_killed_one_left_goes_with_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let left = left_by(dir.path(), ".night.zip.4000000.scb-draft");
        let workshop = Workshop::beside(&dir.path().join("today.zip")).unwrap();
        assert!(!left.exists());
        assert!(workshop.dir().is_dir());
        let own = workshop.dir().to_owned();
        drop(workshop);
        assert!(!own.exists());
    }

    #[test]
    fn what_somebody_works_in_and_what_is_something_else_stays() {
        let dir = tempfile::tempdir().unwrap();
        let busy = left_by(dir.path(), ".night.zip.4000000.scb-draft");
        let _held = HomeLock::acquire(&busy, "cuhk").unwrap();
        let others = [
            left_by(dir.path(), "night.zip.4000000.scb-draft"),
            left_by(dir.path(), ".night.zip.scb-draft"),
            left_by(dir.path(), ".night.zip.4000000"),
        ];
        let unlocked = dir.path().join(".x.zip.1.scb-draft");
        fs::create_dir(&unlocked).unwrap();
        let _workshop = Workshop::beside(&dir.path().join("today.zip")).unwrap();
        for stays in others.iter().chain([&busy, &unlocked]) {
            assert!(stays.exists(), "{stays:?}");
        }
    }
}
