//! Files that are either wholly there or not at all; the only file that sets permissions.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Error;

/// How the name of a file begins that is not at its place yet.
const TEMPORARY: &str = ".scb.";

/// Replaces `path` with `bytes`: temporary file beside it, fsync, rename, fsync of the
/// directory. On any error the old file is as it was and no temporary file remains.
///
/// `mode` are the Unix permission bits, narrowed by the umask and ignored elsewhere.
///
/// # Errors
/// [`Error::File`].
pub fn write_atomic(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Error> {
    write_atomic_with(path, mode, |file| {
        file.write_all(bytes).map_err(Error::file("write", path))
    })
}

/// As [`write_atomic`], for bytes that come one after the other: the file appears once `write` has
/// succeeded, and is as it was if it has not.
///
/// # Errors
/// What `write` returns; else [`Error::File`].
pub fn write_atomic_with<T, E: From<Error>>(
    path: &Path,
    mode: u32,
    write: impl FnOnce(&mut File) -> Result<T, E>,
) -> Result<T, E> {
    let cannot = || Error::file("write", path);
    let mut temporary = Temporary::beside(path, mode).map_err(cannot())?;
    let written = write(&mut temporary.file)?;
    temporary.publish(path).map_err(cannot())?;
    Ok(written)
}

/// Reads a whole file of at most `max_bytes` bytes; pipes are fine.
///
/// # Errors
/// [`Error::FileTooLarge`], [`Error::File`].
pub fn read_limited(path: &Path, max_bytes: u64) -> Result<Vec<u8>, Error> {
    let file = File::open(path).map_err(Error::file("read", path))?;
    read_from(file, path, max_bytes)
}

/// Reads at most `max_bytes` bytes to the end; `path` is how messages call it.
pub(crate) fn read_from(from: impl Read, path: &Path, max_bytes: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    from.take(max_bytes.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(Error::file("read", path))?;
    if bytes.len() as u64 > max_bytes {
        return Err(Error::FileTooLarge {
            path: path.to_owned(),
            limit: max_bytes,
        });
    }
    Ok(bytes)
}

/// Creates a directory, with its parents, that only its owner can enter (0700). An empty
/// directory that exists is narrowed to that; one with files in it is left alone. What a
/// killed [`write_atomic`] left there is no file in it.
///
/// # Errors
/// [`Error::NotEmpty`], [`Error::File`].
pub fn create_private_dir(path: &Path) -> Result<(), Error> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    owner_only(&mut builder);
    builder.create(path).map_err(Error::file("create", path))?;

    for entry in fs::read_dir(path).map_err(Error::file("read", path))? {
        let entry = entry.map_err(Error::file("read", path))?;
        if !is_temporary_name(&entry.file_name()) {
            return Err(Error::NotEmpty {
                path: path.to_owned(),
            });
        }
    }
    narrow(path).map_err(Error::file("protect", path))
}

/// Creates a file for its owner only (0600), which must not exist.
///
/// # Errors
/// [`Error::File`].
pub fn create_private_file(path: &Path) -> Result<File, Error> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    set_mode(&mut options, 0o600);
    options.open(path).map_err(Error::file("create", path))
}

/// A file that is removed when dropped, unless it was published.
struct Temporary {
    path: PathBuf,
    file: File,
    published: bool,
}

impl Temporary {
    fn beside(target: &Path, mode: u32) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        set_mode(&mut options, mode);
        loop {
            let path = temporary_name(target)?;
            match options.open(&path) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                opened => {
                    return opened.map(|file| Self {
                        path,
                        file,
                        published: false,
                    });
                }
            }
        }
    }

    fn publish(mut self, target: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, target)?;
        self.published = true;
        sync_dir(parent(target))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.published {
            // Nothing more can be done about a temporary file that cannot be removed.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Beside `target`, whose name may be as long as any can be: it is no part of this one.
fn temporary_name(target: &Path) -> io::Result<PathBuf> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    if target.file_name().is_none() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    let name = format!("{TEMPORARY}{}-{count}.tmp", std::process::id());
    Ok(target.with_file_name(name))
}

/// Whether [`temporary_name`] could have made it: `.scb.PID-COUNT.tmp`.
fn is_temporary_name(name: &OsStr) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let numbers = || {
        let numbers = name.to_str()?.strip_prefix(TEMPORARY)?;
        numbers.strip_suffix(".tmp")?.split_once('-')
    };
    numbers().is_some_and(|(process, count)| is_number(process) && is_number(count))
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes a directory's entries durable, such as a rename in it.
///
/// # Errors
///
/// What the system says.
#[cfg(unix)]
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Makes a directory's entries durable: left to the file system here.
///
/// # Errors
///
/// None.
#[cfg(not(unix))]
pub fn sync_dir(_dir: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn set_mode(options: &mut OpenOptions, mode: u32) {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(mode);
}

#[cfg(not(unix))]
fn set_mode(_options: &mut OpenOptions, _mode: u32) {}

#[cfg(unix)]
fn owner_only(builder: &mut DirBuilder) {
    use std::os::unix::fs::DirBuilderExt;
    builder.mode(0o700);
}

#[cfg(not(unix))]
fn owner_only(_builder: &mut DirBuilder) {}

#[cfg(unix)]
fn narrow(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn narrow(_dir: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn names(dir: &Path) -> Vec<OsString> {
        let entries = fs::read_dir(dir).unwrap();
        entries.map(|e| e.unwrap().file_name()).collect()
    }

    #[cfg(unix)]
    fn mode(path: &Path) -> u32 {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn replaces_the_whole_file_and_leaves_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        write_atomic(&path, b"a much longer first version", 0o600).unwrap();
        write_atomic(&path, b"second", 0o600).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(names(dir.path()), ["a"]);
    }

    #[test]
    fn what_a_killed_write_left_is_no_file_in_a_new_directory() {
        let dir = tempfile::tempdir().unwrap();
        let left = temporary_name(&dir.path().join("role")).unwrap();
        fs::write(left, b"bl").unwrap();
        create_private_dir(dir.path()).unwrap();
        for other in [
            ".tmp",
            ".scb.tmp",
            ".scb.x-1.tmp",
            "scb.1-1.tmp",
            ".scb.1-1.txt",
            ".role.1-1.tmp",
        ] {
            let file = dir.path().join(other);
            fs::write(&file, b"mine").unwrap();
            let refused = create_private_dir(dir.path());
            assert!(matches!(refused, Err(Error::NotEmpty { .. })), "{other}");
            fs::remove_file(file).unwrap();
        }
    }

    #[test]
    fn failed_write_leaves_no_temporary_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::create_dir(&path).unwrap();
        let error = write_atomic(&path, b"x", 0o600).unwrap_err();
        assert!(matches!(
            error,
            Error::File {
                action: "write",
                ..
            }
        ));
        assert_eq!(names(dir.path()), ["a"]);
    }

    #[test]
    fn a_name_may_be_as_long_as_names_can_be() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("é".repeat(127));
        write_atomic(&path, b"x", 0o600).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"x");
        assert!(write_atomic(&dir.path().join("é".repeat(128)), b"x", 0o600).is_err());
        assert_eq!(names(dir.path()).len(), 1);
    }

    #[test]
    fn refuses_a_path_without_a_name() {
        assert!(write_atomic(Path::new("/"), b"x", 0o600).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_replaced_file_gets_the_mode_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        write_atomic(&path, b"x", 0o644).unwrap();
        assert_eq!(mode(&path) & 0o600, 0o600);
        write_atomic(&path, b"x", 0o600).unwrap();
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn reads_up_to_the_limit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, b"12345").unwrap();
        assert_eq!(read_limited(&path, 5).unwrap(), b"12345");
    }

    #[test]
    fn refuses_one_byte_over_the_limit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, b"12345").unwrap();
        let error = read_limited(&path, 4).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("{} is larger than 4 bytes", path.display())
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_private_directory_is_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let new = dir.path().join("x/y");
        create_private_dir(&new).unwrap();
        assert_eq!(mode(&new), 0o700);
        let open = dir.path().join("open");
        fs::create_dir(&open).unwrap();
        create_private_dir(&open).unwrap();
        assert_eq!(mode(&open), 0o700);
    }

    #[cfg(unix)]
    #[test]
    fn a_directory_in_use_is_refused_and_left_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let used = dir.path().join("used");
        fs::create_dir(&used).unwrap();
        fs::write(used.join("thesis"), b"x").unwrap();
        let before = mode(&used);
        let error = create_private_dir(&used).unwrap_err();
        assert!(matches!(error, Error::NotEmpty { .. }));
        assert_eq!(mode(&used), before);
    }
}
