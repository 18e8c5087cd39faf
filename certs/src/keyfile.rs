//! Files with private keys: for their owner alone, never overwritten, never half written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::Error;

/// Bytes; an encrypted P-256 key in PEM has about 450.
const MAX_KEY_FILE_SIZE: u64 = 16 * 1024;

/// Writes a private key so that only its owner can read it (mode 0600), completely or not at all,
/// and durably. Nothing is ever overwritten.
///
/// # Errors
/// [`Error::KeyFileExists`], [`Error::KeyFile`], [`Error::Random`].
pub fn write_private(path: &Path, pem: &str) -> Result<(), Error> {
    let temporary = temporary_name(path)?;
    let result = write_new(&temporary, pem).and_then(|()| publish(&temporary, path));
    // Gone already after a failure to create it; the file at `path` is another name by now.
    let _ = fs::remove_file(&temporary);
    result?;
    sync_directory(path)
}

/// Reads a private key file.
///
/// # Errors
/// [`Error::KeyFileReadable`] if the group or others have any right to it,
/// [`Error::KeyFileTooLarge`] above 16 KiB, [`Error::KeyFile`].
pub fn read_private(path: &Path) -> Result<Zeroizing<String>, Error> {
    let failed = |source| key_file_error("read", path, source);
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    check_mode(path, &metadata)?;
    if metadata.len() > MAX_KEY_FILE_SIZE {
        return Err(Error::KeyFileTooLarge {
            path: path.to_owned(),
        });
    }
    let mut pem = Zeroizing::new(String::with_capacity(metadata.len() as usize));
    file.take(MAX_KEY_FILE_SIZE)
        .read_to_string(&mut pem)
        .map_err(failed)?;
    Ok(pem)
}

/// Whether this PEM holds an encrypted private key, so that a passphrase is needed.
pub fn is_encrypted(pem: &str) -> bool {
    pem.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----")
}

fn temporary_name(path: &Path) -> Result<PathBuf, Error> {
    let mut random = [0; 8];
    SystemRandom::new()
        .fill(&mut random)
        .map_err(|_| Error::Random)?;
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.tmp", HEXLOWER.encode(&random)));
    Ok(PathBuf::from(name))
}

fn write_new(temporary: &Path, pem: &str) -> Result<(), Error> {
    let failed = |source| key_file_error("write", temporary, source);
    let mut file = private_options().open(temporary).map_err(failed)?;
    file.write_all(pem.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(failed)
}

/// Gives the finished file its name. A hard link, unlike a rename, fails if the name is taken.
fn publish(temporary: &Path, path: &Path) -> Result<(), Error> {
    fs::hard_link(temporary, path).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => Error::KeyFileExists {
            path: path.to_owned(),
        },
        _ => key_file_error("create", path, source),
    })
}

fn sync_directory(path: &Path) -> Result<(), Error> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|source| key_file_error("sync", directory, source))
}

fn key_file_error(action: &'static str, path: &Path, source: io::Error) -> Error {
    Error::KeyFile {
        action,
        path: path.to_owned(),
        source,
    }
}

#[cfg(unix)]
fn private_options() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options
}

#[cfg(not(unix))]
fn private_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    options
}

#[cfg(unix)]
fn check_mode(path: &Path, metadata: &fs::Metadata) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 == 0 {
        Ok(())
    } else {
        Err(Error::KeyFileReadable {
            path: path.to_owned(),
            mode,
        })
    }
}

#[cfg(not(unix))]
fn check_mode(_path: &Path, _metadata: &fs::Metadata) -> Result<(), Error> {
    Ok(())
}
