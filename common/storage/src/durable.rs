//! Files and directories that survive a power cut, and their permissions. Everything
//! that depends on the platform is here.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    num::NonZeroU64,
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;
use ring::rand::{SecureRandom, SystemRandom};

use crate::{Error, error::is_full_disk};

/// Creates a directory (0700) unless it exists.
pub(crate) fn create_dir(path: &Path) -> Result<(), Error> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(Error::io("create", path)(error))
        }
        _ => Ok(()),
    }
}

/// Creates a file (0600) that must not exist.
pub(crate) fn create_file(path: &Path) -> Result<File, Error> {
    private(OpenOptions::new().write(true).create_new(true))
        .open(path)
        .map_err(Error::io("create", path))
}

/// Opens a file for reading and writing; creates it (0600) if it is not there.
pub(crate) fn open_or_create(path: &Path) -> Result<File, Error> {
    private(
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false),
    )
    .open(path)
    .map_err(Error::io("open", path))
}

/// Opens an existing file to write at its end.
pub(crate) fn open_to_append(path: &Path) -> Result<File, Error> {
    let opened = OpenOptions::new().append(true).open(path);
    opened.map_err(Error::io("open", path))
}

/// Has the next reader of a synced file's first so many bytes, or of all, get them from the disk,
/// where the system knows how.
pub(crate) fn forget_cached(file: &File, first: Option<NonZeroU64>) {
    // Advice: what is not taken changes nothing but where the bytes come from.
    #[cfg(target_os = "linux")]
    let _ = rustix::fs::fadvise(file, 0, first, rustix::fs::Advice::DontNeed);
    #[cfg(not(target_os = "linux"))]
    let _ = (file, first);
}

/// Whether an existing file could be written to; nothing is.
pub(crate) fn check_writable(path: &Path) -> Result<(), Error> {
    let opened = OpenOptions::new().append(true).open(path);
    opened.map(drop).map_err(Error::io("write to", path))
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Makes a new file's bytes durable. A full disk is reported, since the caller throws
/// the file away; any other failure ends the process: the kernel may have dropped the
/// pages, and a second fsync would report success for bytes that are gone.
pub(crate) fn sync_file(file: &File, path: &Path) -> Result<(), Error> {
    match file.sync_all() {
        Err(error) if is_full_disk(&error) => Err(Error::io("sync", path)(error)),
        Err(error) => die(path, &error),
        Ok(()) => Ok(()),
    }
}

/// Makes a directory's entries durable. Ends the process if that fails.
pub(crate) fn sync_dir(path: &Path) -> Result<(), Error> {
    let dir = File::open(path).map_err(Error::io("open", path))?;
    if let Err(error) = dir.sync_all() {
        die(path, &error);
    }
    Ok(())
}

/// Holds a directory against others that call this, until the result is dropped.
pub(crate) fn lock_dir(path: &Path) -> Result<File, Error> {
    let dir = File::open(path).map_err(Error::io("open", path))?;
    dir.lock().map_err(Error::io("lock", path))?;
    Ok(dir)
}

/// Holds a directory against whoever calls [`lock_dir`], beside others who call this.
pub(crate) fn share_dir(path: &Path) -> Result<File, Error> {
    let dir = File::open(path).map_err(Error::io("open", path))?;
    dir.lock_shared().map_err(Error::io("lock", path))?;
    Ok(dir)
}

/// Whether there is a file with something in it.
pub(crate) fn is_filled(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.len() > 0)
}

/// Says in one line on stderr that an fsync failed, and ends the process.
pub(crate) fn die(path: &Path, error: &dyn std::error::Error) -> ! {
    let line = format!("fatal: fsync of {} failed: {error}\n", path.display());
    let _ = io::stderr().write_all(line.as_bytes());
    std::process::abort()
}

/// The directory that a file is in.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// A sibling of `path`: its name between `prefix` and `suffix`.
pub(crate) fn sibling(path: &Path, prefix: &str, suffix: &str) -> PathBuf {
    let mut name = OsString::from(prefix);
    name.push(path.file_name().unwrap_or_default());
    name.push(suffix);
    path.with_file_name(name)
}

/// 128 random bits as lower-case hex, for names of temporary files.
pub(crate) fn random_name() -> Result<String, Error> {
    let mut bytes = [0; 16];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| io::Error::other("no random numbers"))
        .map_err(Error::io("name", Path::new("a temporary file")))?;
    Ok(HEXLOWER.encode(&bytes))
}

/// A file that is removed when this is dropped, unless it was moved to its place.
pub(crate) struct TempFile {
    path: PathBuf,
    placed: bool,
}

impl TempFile {
    /// Creates the file (0600), which must not exist.
    pub(crate) fn create(path: PathBuf) -> Result<(File, Self), Error> {
        let file = create_file(&path)?;
        let placed = false;
        Ok((file, Self { path, placed }))
    }

    /// A file that exists.
    pub(crate) fn of(path: PathBuf) -> Self {
        let placed = false;
        Self { path, placed }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves the file where it is.
    pub(crate) fn keep(mut self) {
        self.placed = true;
    }

    /// Moves the file to its place, over what is there. The caller syncs it before and
    /// the directories after.
    pub(crate) fn place(mut self, target: &Path) -> Result<(), Error> {
        fs::rename(&self.path, target).map_err(Error::io("rename to", target))?;
        self.placed = true;
        Ok(())
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        if !self.placed {
            let _ = fs::remove_file(&self.path);
        }
    }
}
