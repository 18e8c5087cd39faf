//! A home that is made beside its place and moved there in one step, so that half of one never
//! looks like a whole one.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use scb_cli::Role;
use scb_storage::HomeLock;

use crate::Error;

/// What to do with a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finished {
    /// It is whole: move it to its place.
    Whole,
    /// Nobody needs it.
    Unneeded,
}

/// Has a home built at the path that is given to `build`, then moves it to `dir`, which must not
/// exist or be empty. One at a time for each `dir`.
///
/// # Errors
///
/// What `build` returns; [`scb_cli::Error::NotEmpty`]; [`scb_storage::Error::HomeInUse`] if
/// another one is being built. In every case `dir` is as it was.
pub(crate) fn make<T>(
    dir: &Path,
    build: impl FnOnce(&Path) -> Result<(T, Finished), Error>,
) -> Result<T, Error> {
    let workshop = workshop(dir)?;
    fs::create_dir_all(&workshop).map_err(file("create", &workshop))?;
    let lock = HomeLock::acquire(&workshop, Role::Cuhk.as_str())?;
    let made = finish(dir, &workshop.join("home"), build);
    drop(lock);
    remove(&workshop)?;
    made
}

fn finish<T>(
    dir: &Path,
    draft: &Path,
    build: impl FnOnce(&Path) -> Result<(T, Finished), Error>,
) -> Result<T, Error> {
    // What an interrupted run left there was never used by anybody.
    remove(draft)?;
    let (made, finished) = build(draft)?;
    if finished == Finished::Whole {
        publish(draft, dir)?;
    }
    Ok(made)
}

/// `HOME.init`, beside the home, so that moving it into place is one rename.
fn workshop(dir: &Path) -> Result<PathBuf, Error> {
    let absolute = std::path::absolute(dir).map_err(file("find", dir))?;
    let mut name = OsString::from(absolute.file_name().unwrap_or_default());
    name.push(".init");
    Ok(absolute.with_file_name(name))
}

fn publish(draft: &Path, dir: &Path) -> Result<(), Error> {
    match fs::rename(draft, dir) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
            return Err(scb_cli::Error::NotEmpty {
                path: dir.to_owned(),
            }
            .into());
        }
        renamed => renamed.map_err(file("create", dir))?,
    }
    sync_parent(dir)
}

/// Makes the entry of `path` in its directory durable.
pub(crate) fn sync_parent(path: &Path) -> Result<(), Error> {
    let absolute = std::path::absolute(path).map_err(file("find", path))?;
    let parent = absolute.parent().unwrap_or(&absolute);
    File::open(parent)
        .and_then(|parent| parent.sync_all())
        .map_err(file("write", parent))
}

/// Makes everything durable that was written into a file system since this directory of it was opened;
/// `paths` are what was written there. One wait for the disk, where the system knows how.
pub(crate) fn sync_all(dir: &File, paths: &[PathBuf]) -> io::Result<()> {
    // Linux since 5.8 tells here what could not be written since `dir` was opened.
    #[cfg(target_os = "linux")]
    if !is_above_another(rustix::fs::fstatfs(dir)?.f_type) {
        return Ok(rustix::fs::syncfs(dir)?);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = dir;
    sync_each(paths)
}

/// Whether a file system of this type (statfs(2)) passes on what is written to a program or to other file
/// systems: on FUSE `syncfs` may well return before anything is durable, and on an overlay say nothing of
/// what could not be written.
#[cfg(target_os = "linux")]
fn is_above_another(kind: rustix::fs::FsWord) -> bool {
    const FUSE: rustix::fs::FsWord = 0x6573_5546;
    const OVERLAY: rustix::fs::FsWord = 0x794c_7630;
    kind == FUSE || kind == OVERLAY
}

fn sync_each(paths: &[PathBuf]) -> io::Result<()> {
    let each = |path: &PathBuf| File::open(path).and_then(|one| one.sync_all());
    paths.iter().try_for_each(each)
}

/// Removes a directory with all that is in it, if it is there.
pub(crate) fn remove(dir: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(file("remove", dir)(error)),
        _ => Ok(()),
    }
}

/// For `map_err`: what was tried on which path.
pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| {
        scb_cli::Error::File {
            action,
            path,
            source,
        }
        .into()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn files_and_directories_are_synced_one_by_one_where_the_whole_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, b"1").unwrap();
        let mut paths = vec![file, dir.path().to_owned()];
        sync_each(&paths).unwrap();
        sync_all(&File::open(dir.path()).unwrap(), &paths).unwrap();
        paths.push(dir.path().join("gone"));
        let missed = sync_each(&paths).unwrap_err();
        assert_eq!(missed.kind(), io::ErrorKind::NotFound, "each is looked at");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn file_systems_above_others_are_not_believed() {
        for (kind, is_above) in [
            (0x6573_5546, true),
            (0x794c_7630, true),
            // ext4, XFS, tmpfs.
            (0xef53, false),
            (0x5846_5342, false),
            (0x0102_1994, false),
        ] {
            assert_eq!(is_above_another(kind), is_above, "{kind:#x}");
        }
    }
}
