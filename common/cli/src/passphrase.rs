//! Passphrases from a file or from a hidden prompt, never from a flag or the environment.

use std::fs::{File, Metadata};
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use scb_certs::Passphrase;
use zeroize::Zeroizing;

use crate::inspect::Access;
use crate::{Error, Hidden};

/// Longest passphrase file that is read, in bytes.
const LIMIT: u64 = 4096;
/// A credential may be root's, with this user on its access control list; the mode then shows what
/// the list allows at most where it otherwise has the group's rights.
const ACCESS_LIST: u32 = 0o040;

/// In the place of a file: the next line of standard input; at a terminal the hidden prompt.
const STANDARD_INPUT: &str = "-";

/// The passphrase of `--passphrase-file`: the file's first line, for `-` the next line of standard
/// input, else a hidden prompt, asked twice if `confirm`.
///
/// # Errors
/// [`Error::NoTerminal`] without a file and without a terminal; [`Error::Cancelled`];
/// [`Error::NoPassphrase`] when the first line is empty or not UTF-8;
/// [`Error::SecretReadable`] if the group or others have any right to the file (the group may
/// seem to read a [`credential`]);
/// [`Error::FileTooLarge`] over 4 KiB; [`Error::File`].
pub fn passphrase_from(
    file: Option<&Path>,
    prompt: &str,
    confirm: bool,
) -> Result<Passphrase, Error> {
    passphrase_from_flag("--passphrase-file", file, prompt, confirm)
}

/// As [`passphrase_from`], for a flag of another name, such as `--root-passphrase-file`.
///
/// # Errors
/// As for [`passphrase_from`].
pub fn passphrase_from_flag(
    flag: &str,
    file: Option<&Path>,
    prompt: &str,
    confirm: bool,
) -> Result<Passphrase, Error> {
    match file {
        Some(path) if path != Path::new(STANDARD_INPUT) => return first_line(path),
        Some(_) if !io::stdin().is_terminal() => return next_line(),
        _ => {}
    }
    let question = Hidden::new(prompt, flag);
    let typed = match confirm {
        true => question.twice()?,
        false => question.once()?,
    };
    Ok(Passphrase::from(typed.to_string()))
}

/// The file of a credential that the service manager handed over (`LoadCredential=NAME:…`), if
/// there is one of this name.
pub fn credential(name: &str) -> Option<PathBuf> {
    let file = credentials()?.join(name);
    file.is_file().then_some(file)
}

fn credentials() -> Option<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from)
}

/// What others can read is refused, as with a file that is named: standard input may be one.
fn next_line() -> Result<Passphrase, Error> {
    let path = &standard_input();
    let failed = || Error::file("read", path);
    let mut file = clone_of_stdin().map_err(failed())?;
    refuse_shared(path, &file.metadata().map_err(failed())?)?;
    let mut bytes = room();
    let mut byte = Zeroizing::new([0]);
    // Nothing is read ahead: what comes next is another passphrase, for whoever asks for it.
    while file.read(byte.as_mut_slice()).map_err(failed())? > 0 && byte[0] != b'\n' {
        if bytes.len() as u64 == LIMIT {
            return Err(too_large(path));
        }
        bytes.push(byte[0]);
    }
    first_of(path, &bytes)
}

#[cfg(unix)]
fn clone_of_stdin() -> io::Result<File> {
    use std::os::fd::AsFd;
    io::stdin().as_fd().try_clone_to_owned().map(File::from)
}

#[cfg(windows)]
fn clone_of_stdin() -> io::Result<File> {
    use std::os::windows::io::AsHandle;
    io::stdin().as_handle().try_clone_to_owned().map(File::from)
}

/// What a shell has opened there, where the system tells.
fn standard_input() -> PathBuf {
    let opened = std::fs::read_link("/proc/self/fd/0");
    opened.unwrap_or_else(|_| "standard input".into())
}

/// Room for all of it from the start: a buffer that grows leaves copies behind.
fn room() -> Zeroizing<Vec<u8>> {
    Zeroizing::new(Vec::with_capacity(LIMIT as usize + 64))
}

fn too_large(path: &Path) -> Error {
    Error::FileTooLarge {
        path: path.to_owned(),
        limit: LIMIT,
    }
}

fn first_line(path: &Path) -> Result<Passphrase, Error> {
    let mut bytes = room();
    let failed = || Error::file("read", path);
    let file = File::open(path).map_err(failed())?;
    refuse_shared(path, &file.metadata().map_err(failed())?)?;
    file.take(LIMIT + 1)
        .read_to_end(&mut bytes)
        .map_err(failed())?;
    if bytes.len() as u64 > LIMIT {
        return Err(too_large(path));
    }
    first_of(path, &bytes)
}

fn first_of(path: &Path, bytes: &[u8]) -> Result<Passphrase, Error> {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    match text.trim_start_matches('\u{feff}').lines().next() {
        Some(line) if !line.is_empty() => Ok(Passphrase::from(line.to_owned())),
        _ => Err(Error::NoPassphrase {
            path: path.to_owned(),
        }),
    }
}

/// As with private keys. What is no file on a disk, such as a pipe, has no other readers.
fn refuse_shared(path: &Path, found: &Metadata) -> Result<(), Error> {
    let access = Access::from(found);
    let handed_over = credentials().is_some_and(|those| path.parent() == Some(&those));
    let shared = match handed_over {
        true => access.mode & !ACCESS_LIST & 0o077 != 0,
        false => access.is_shared(),
    };
    match found.is_file() && shared {
        true => Err(Error::SecretReadable {
            path: path.to_owned(),
            mode: access.mode,
        }),
        false => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{exit, write_atomic};

    fn from_file(content: &[u8]) -> Result<Passphrase, Error> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("passphrase");
        write_atomic(&path, content, 0o600).unwrap();
        passphrase_from(Some(&path), "Passphrase:", true)
    }

    #[test]
    fn a_file_gives_its_first_line() {
        for content in ["open sesame ", "open sesame \n", "open sesame \r\nsecond\n"] {
            let passphrase = from_file(content.as_bytes()).unwrap();
            assert_eq!(passphrase.expose(), "open sesame ");
        }
    }

    #[test]
    fn refuses_a_file_without_a_first_line() {
        for content in [&b""[..], b"\nsecond\n", b"\r\n", b"\xff\xfe\n"] {
            let error = from_file(content).unwrap_err();
            assert!(matches!(error, Error::NoPassphrase { .. }));
        }
    }

    #[test]
    fn refuses_a_file_that_is_no_passphrase_at_all() {
        let error = from_file(&vec![b'x'; LIMIT as usize + 1]).unwrap_err();
        assert!(matches!(error, Error::FileTooLarge { .. }));
        assert!(passphrase_from(Some(Path::new("/none/such")), "Passphrase:", false).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn refuses_a_file_that_others_can_read() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("passphrase");
        std::fs::write(&path, "open sesame\n").unwrap();
        let read = |mode| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            passphrase_from(Some(&path), "Passphrase:", false)
        };
        for mode in [0o600, 0o400] {
            assert_eq!(read(mode).unwrap().expose(), "open sesame", "{mode:o}");
        }
        for mode in [0o644, 0o640, 0o604] {
            let error = read(mode).unwrap_err();
            assert!(error.to_string().contains("chmod 600"), "{error}");
            assert_eq!(error.exit_code(), exit::FAULT);
        }
    }
}
