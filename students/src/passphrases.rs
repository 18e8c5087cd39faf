//! Where the passphrases of encrypted keys come from: files, or a hidden prompt.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use scb_certs::{Passphrase, StudentId};
use scb_cli::passphrase_from;

use crate::Error;

/// `--passphrase-file FILE` for every key, or `SID=FILE` for one student's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassphraseFile {
    /// Whose key; `None` for every other.
    pub sid: Option<StudentId>,
    /// The file; its first line is the passphrase.
    pub path: PathBuf,
}

impl FromStr for PassphraseFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = text.split_once('=').and_then(|(sid, path)| {
            let sid = sid.parse().ok()?;
            Some((sid, path))
        });
        let (sid, path) = match named {
            Some((sid, path)) => (Some(sid), path),
            None => (None, text),
        };
        if path.is_empty() {
            return Err("expected FILE or SID=FILE".to_owned());
        }
        Ok(Self {
            sid,
            path: path.into(),
        })
    }
}

/// Gives the passphrase of a student's key; asks at most once per student and run.
#[derive(Debug, Default)]
pub struct Passphrases {
    files: Vec<PassphraseFile>,
    known: BTreeMap<StudentId, Passphrase>,
}

impl Passphrases {
    /// From the command line's files.
    pub fn new(files: Vec<PassphraseFile>) -> Self {
        Self {
            files,
            known: BTreeMap::new(),
        }
    }

    /// The passphrase of an existing key.
    ///
    /// # Errors
    ///
    /// [`Error::Cli`]: no file and no terminal, cancelled, or the file cannot be read.
    pub fn existing(&mut self, sid: &StudentId) -> Result<Passphrase, Error> {
        self.take(sid, &format!("Passphrase of {sid}'s key:"), false)
    }

    /// Another attempt at a passphrase that did not fit; none if a file gave it.
    ///
    /// # Errors
    ///
    /// As [`Passphrases::existing`].
    pub fn another(&mut self, sid: &StudentId) -> Result<Option<Passphrase>, Error> {
        self.known.remove(sid);
        if self.has_file(sid) {
            return Ok(None);
        }
        let prompt = format!("That does not open it. Passphrase of {sid}'s key:");
        self.take(sid, &prompt, false).map(Some)
    }

    /// The passphrase for a new key; a prompt asks twice.
    ///
    /// # Errors
    ///
    /// As [`Passphrases::existing`].
    pub fn new_one(&mut self, sid: &StudentId) -> Result<Passphrase, Error> {
        self.take(sid, &format!("New passphrase for {sid}'s key:"), true)
    }

    /// Whether a file names a passphrase for this student's key.
    pub fn has_file(&self, sid: &StudentId) -> bool {
        self.file(sid).is_some()
    }

    /// Forgets a passphrase that did not fit, so that the next time asks again.
    pub fn forget(&mut self, sid: &StudentId) {
        self.known.remove(sid);
    }

    fn take(&mut self, sid: &StudentId, prompt: &str, confirm: bool) -> Result<Passphrase, Error> {
        if let Some(known) = self.known.get(sid) {
            return Ok(known.clone());
        }
        let file = self.file(sid).map(|file| file.path.clone());
        let passphrase = passphrase_from(file.as_deref(), prompt, confirm)?;
        self.known.insert(sid.clone(), passphrase.clone());
        Ok(passphrase)
    }

    /// A file for this student comes before one for everybody.
    fn file(&self, sid: &StudentId) -> Option<&PassphraseFile> {
        let own = self
            .files
            .iter()
            .find(|file| file.sid.as_ref() == Some(sid));
        own.or_else(|| self.files.iter().find(|file| file.sid.is_none()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn sid(text: &str) -> StudentId {
        text.parse().unwrap()
    }

    #[test]
    fn a_students_own_file_comes_first() {
        let dir = tempfile::tempdir().unwrap();
        let (all, own) = (dir.path().join("all"), dir.path().join("own"));
        std::fs::write(&all, "for all\n").unwrap();
        std::fs::write(&own, "for B\n").unwrap();
        let files = [all.display().to_string(), format!("B={}", own.display())];
        let files = files.iter().map(|text| text.parse().unwrap()).collect();
        let mut passphrases = Passphrases::new(files);
        assert_eq!(passphrases.existing(&sid("A")).unwrap().expose(), "for all");
        assert_eq!(passphrases.existing(&sid("B")).unwrap().expose(), "for B");
        assert!(passphrases.has_file(&sid("C")));
    }

    #[test]
    fn refuses_an_empty_file_name() {
        assert!("".parse::<PassphraseFile>().is_err());
        assert!("1155000001=".parse::<PassphraseFile>().is_err());
    }

    #[test]
    fn a_path_with_an_equals_sign_is_a_path() {
        let file: PassphraseFile = "/tmp/a=b".parse().unwrap();
        assert_eq!((file.sid, file.path), (None, PathBuf::from("/tmp/a=b")));
    }
}
