//! What differs between operating systems.

use std::io;
use std::path::Path;

/// When the file system last touched a file's content or attributes, which no program can
/// choose: a copy put back from a backup shows when it was put back.
#[cfg(unix)]
pub(crate) fn changed_at(file: &std::fs::File) -> io::Result<Option<std::time::Duration>> {
    use std::os::unix::fs::MetadataExt;
    let metadata = file.metadata()?;
    let seconds = u64::try_from(metadata.ctime()).unwrap_or(0);
    Ok(Some(std::time::Duration::from_secs(seconds)))
}

/// Not known here.
#[cfg(not(unix))]
pub(crate) fn changed_at(_file: &std::fs::File) -> io::Result<Option<std::time::Duration>> {
    Ok(None)
}

/// Opens a file for reading and writing; creates it for its owner alone if there is none.
pub(crate) fn open_private(path: &Path) -> io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// The permission bits of a file that the group or others may read or change; nothing of one
/// that cannot be looked at, and of a pipe.
#[cfg(unix)]
pub(crate) fn readable_by_others(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = std::fs::metadata(path).ok()?;
    let mode = metadata.permissions().mode() & 0o7777;
    (metadata.is_file() && mode & 0o077 != 0).then_some(mode)
}

/// Not known here.
#[cfg(not(unix))]
pub(crate) fn readable_by_others(_path: &Path) -> Option<u32> {
    None
}
