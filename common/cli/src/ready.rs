//! The file by which a server says that it listens, and where.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use crate::{Error, read_limited, write_atomic};

const LIMIT: u64 = 128;

/// Writes `127.0.0.1:8011\n` in one step: a reader sees the whole address or no file.
///
/// # Errors
/// [`Error::File`].
pub fn write_ready(path: &Path, addr: SocketAddr) -> Result<(), Error> {
    write_atomic(path, format!("{addr}\n").as_bytes(), 0o644)
}

/// Reads what [`write_ready`] wrote.
///
/// # Errors
/// [`Error::NotReady`] without the file, [`Error::AddressMalformed`], [`Error::File`].
pub(crate) fn read_address(path: &Path) -> Result<SocketAddr, Error> {
    let bytes = read_limited(path, LIMIT).map_err(|error| match error {
        Error::File { source, .. } if source.kind() == io::ErrorKind::NotFound => Error::NotReady {
            path: path.to_owned(),
            start: None,
        },
        other => other,
    })?;
    String::from_utf8_lossy(&bytes)
        .trim()
        .parse()
        .map_err(|_| Error::AddressMalformed {
            path: path.to_owned(),
        })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::exit;

    #[test]
    fn the_file_is_one_line_with_the_address() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ready");
        for text in ["127.0.0.1:8011", "[::1]:40000"] {
            let addr = text.parse().unwrap();
            write_ready(&path, addr).unwrap();
            let content = std::fs::read_to_string(&path).unwrap();
            assert_eq!(content, format!("{text}\n"));
            assert_eq!(read_address(&path).unwrap(), addr);
        }
    }

    #[test]
    fn without_the_file_the_server_is_not_up() {
        let dir = tempfile::tempdir().unwrap();
        let error = read_address(&dir.path().join("ready")).unwrap_err();
        assert!(error.to_string().ends_with("the server is not up yet"));
        assert_eq!(error.exit_code(), exit::RETRY);
    }

    #[test]
    fn refuses_what_is_no_address() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ready");
        for text in ["", "localhost", "127.0.0.1", "127.0.0.1:8011 x"] {
            std::fs::write(&path, text).unwrap();
            let error = read_address(&path).unwrap_err();
            assert!(matches!(error, Error::AddressMalformed { .. }));
        }
    }
}
