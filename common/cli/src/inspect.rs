//! What the system says about a file: who may touch it, and how much room there is beside it.

use std::fs;
use std::path::{self, Path};

use crate::{Error, Role};

/// Who may touch a file or directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// The Unix permission bits, `0o600` for instance; on other systems those of a private file.
    pub mode: u32,
    /// Whether it belongs to the user who runs this program.
    pub is_own: bool,
}

impl Access {
    /// Of what is at `path`; a symbolic link is followed.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn of(path: &Path) -> Result<Self, Error> {
        let found = fs::metadata(path).map_err(Error::file("look at", path))?;
        Ok(Self::from(&found))
    }

    /// Whether the group or others have any right to it.
    pub fn is_shared(&self) -> bool {
        self.mode & 0o077 != 0
    }
}

#[cfg(unix)]
impl From<&fs::Metadata> for Access {
    fn from(found: &fs::Metadata) -> Self {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        Self {
            mode: found.permissions().mode() & 0o7777,
            is_own: found.uid() == rustix::process::geteuid().as_raw(),
        }
    }
}

#[cfg(not(unix))]
impl From<&fs::Metadata> for Access {
    fn from(_found: &fs::Metadata) -> Self {
        Self {
            mode: 0o600,
            is_own: true,
        }
    }
}

/// Refuses to write into the home of another user: only root gets so far, and would leave files that its
/// server could not open. `records` is the file that a home has once something was recorded; before, the
/// directory counts.
///
/// # Errors
/// [`Error::HomeOfAnother`].
pub fn require_own(dir: &Path, role: Role, records: &str) -> Result<(), Error> {
    // What is wrong otherwise is told by whoever opens it.
    let is_own = match Access::of(&dir.join(records)) {
        Ok(found) => found.is_own,
        Err(_) => is_own_dir(dir),
    };
    match is_own {
        true => Ok(()),
        false => Err(Error::HomeOfAnother {
            path: dir.to_owned(),
            role,
        }),
    }
}

/// [`require_own`], for a command that makes a home: as long as there is none, the nearest directory above it
/// says whose it would be.
///
/// # Errors
/// [`Error::HomeOfAnother`].
pub fn require_own_place(dir: &Path, role: Role, records: &str) -> Result<(), Error> {
    require_own(dir, role, records)?;
    let whole = path::absolute(dir).map_err(Error::file("look at", dir))?;
    let nearest = whole.ancestors().find(|above| above.exists());
    match nearest.is_none_or(is_own_dir) {
        true => Ok(()),
        false => Err(Error::HomeOfAnother {
            path: dir.to_owned(),
            role,
        }),
    }
}

/// A directory that others may share is theirs to judge; root may write everywhere.
#[cfg(unix)]
fn is_own_dir(dir: &Path) -> bool {
    let is_own = Access::of(dir).is_ok_and(|found| found.is_own);
    is_own || !dir.exists() || !rustix::process::geteuid().is_root()
}

#[cfg(not(unix))]
fn is_own_dir(_dir: &Path) -> bool {
    true
}

/// Bytes that this user may still write in the file system of `path`.
///
/// # Errors
/// [`Error::File`].
#[cfg(unix)]
pub fn free_space(path: &Path) -> Result<u64, Error> {
    let found = rustix::fs::statvfs(path)
        .map_err(|errno| Error::file("look at the disk of", path)(errno.into()))?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// As on Unix; nobody asks here.
#[cfg(not(unix))]
pub fn free_space(_path: &Path) -> Result<u64, Error> {
    Ok(u64::MAX)
}

/// Whether nothing can be written into a directory: its file system takes nothing, or this user may only
/// read there.
#[cfg(unix)]
pub fn is_frozen(dir: &Path) -> bool {
    use rustix::io::Errno;
    let refused = rustix::fs::access(dir, rustix::fs::Access::WRITE_OK);
    matches!(refused, Err(Errno::ROFS | Errno::ACCESS | Errno::PERM))
}

/// Elsewhere whoever writes is told.
#[cfg(not(unix))]
pub fn is_frozen(_dir: &Path) -> bool {
    false
}

/// With less than this in a file system nothing more can be recorded: 1 MiB.
const LEAST_SPACE: u64 = 1 << 20;

/// Why a server cannot record anything more where `path` is, if that is so: what it answers to whoever
/// asks whether it is ready.
#[cfg(unix)]
pub fn unwritable(path: &Path) -> Option<String> {
    use rustix::fs::StatVfsMountFlags;
    match rustix::fs::statvfs(path) {
        Ok(found) if found.f_flag.contains(StatVfsMountFlags::RDONLY) => {
            Some("the disk is read-only: mount it for writing".to_owned())
        }
        Ok(found) => full(found.f_bavail.saturating_mul(found.f_frsize)),
        Err(errno) => Some(format!(
            "the disk of {} does not answer: {errno}",
            path.display()
        )),
    }
}

/// As on Unix; nobody asks here.
#[cfg(not(unix))]
pub fn unwritable(_path: &Path) -> Option<String> {
    None
}

#[cfg(unix)]
fn full(free: u64) -> Option<String> {
    (free < LEAST_SPACE).then(|| "the disk is full: make room on it".to_owned())
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn tells_a_private_file_from_a_shared_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, b"x").unwrap();
        for (mode, shared) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let access = Access::of(&path).unwrap();
            assert_eq!((access.mode, access.is_shared()), (mode, shared));
            assert!(access.is_own);
        }
        assert!(Access::of(&dir.path().join("none")).is_err());
    }

    #[test]
    fn a_server_without_room_on_its_disk_is_not_ready() {
        assert_eq!(full(LEAST_SPACE), None);
        let told = full(LEAST_SPACE - 1);
        assert!(told.is_some_and(|told| told.contains("disk is full")));
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(unwritable(dir.path()), None);
        assert!(unwritable(&dir.path().join("none")).is_some());
    }

    #[test]
    fn knows_how_much_room_there_is() {
        let dir = tempfile::tempdir().unwrap();
        assert!(free_space(dir.path()).unwrap() > 0);
        assert!(free_space(&dir.path().join("none")).is_err());
    }
}
