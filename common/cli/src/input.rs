//! Files that a command reads to its end, and that may as well come on standard input.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::Error;
use crate::files::read_from;

/// What stands for standard input; a file of this name is `./-`.
const STANDARD: &str = "-";

/// A file that is named on a command line, or standard input (`-`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input(PathBuf);

/// An input that can be read, once.
pub struct Opened {
    /// Its bytes.
    pub bytes: Box<dyn Read + Send>,
    /// How many there are; 0 if nobody knows.
    pub size: u64,
}

impl From<OsString> for Input {
    fn from(argument: OsString) -> Self {
        Self(argument.into())
    }
}

impl Input {
    /// Whether it is standard input, which can be read only once and on which nobody can be asked.
    pub fn is_standard(&self) -> bool {
        self.0.as_os_str() == STANDARD
    }

    /// How it is called in messages.
    pub fn name(&self) -> &Path {
        match self.is_standard() {
            true => Path::new("standard input"),
            false => &self.0,
        }
    }

    /// Opens it.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn open(&self) -> Result<Opened, Error> {
        if self.is_standard() {
            return Ok(Opened {
                bytes: Box::new(io::stdin()),
                size: 0,
            });
        }
        let failed = || Error::file("read", self.name());
        let file = File::open(&self.0).map_err(failed())?;
        let size = file.metadata().map_err(failed())?.len();
        Ok(Opened {
            bytes: Box::new(file),
            size,
        })
    }

    /// Reads all of it, at most `max_bytes` bytes.
    ///
    /// # Errors
    /// [`Error::FileTooLarge`], [`Error::File`].
    pub fn read_limited(&self, max_bytes: u64) -> Result<Vec<u8>, Error> {
        read_from(self.open()?.bytes, self.name(), max_bytes)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_dash_is_standard_input_and_everything_else_a_file() {
        let input = |argument: &str| Input::from(OsString::from(argument));
        assert!(input("-").is_standard());
        assert_eq!(input("-").name(), Path::new("standard input"));
        for file in ["./-", "-a.csv", "a.csv", ""] {
            assert!(!input(file).is_standard(), "{file}");
            assert_eq!(input(file).name(), Path::new(file));
        }
    }

    #[test]
    fn a_file_is_read_up_to_its_limit_and_one_that_is_missing_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        std::fs::write(&path, "12345").unwrap();
        let input = Input::from(path.into_os_string());
        assert_eq!(input.open().unwrap().size, 5);
        assert_eq!(input.read_limited(5).unwrap(), b"12345");
        let long = input.read_limited(4).unwrap_err();
        assert!(matches!(long, Error::FileTooLarge { limit: 4, .. }));
        let missing = Input::from(dir.path().join("b.csv").into_os_string());
        let told = missing.read_limited(4).unwrap_err().to_string();
        assert!(told.contains("b.csv"), "{told}");
    }
}
