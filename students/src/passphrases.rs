//! Where the passphrases of encrypted keys come from: files, or a hidden prompt.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::str::FromStr;

use scb_certs::{Passphrase, StudentId};
use scb_cli::{Hidden, passphrase_from};
use scb_explain::Language;

use crate::Error;
use crate::words::Words;

/// The option that gives passphrases.
const FLAG: &str = "--passphrase-file";

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

/// Whether new keys get a passphrase. One that a file gives is always taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protection {
    /// Only if a file gives it.
    #[default]
    FilesOnly,
    /// Somebody at a terminal is asked, and may decline.
    Offered,
    /// There must be one.
    Required,
}

/// Gives the passphrase of a student's key; asks at most once per student and run.
#[derive(Debug, Default)]
pub struct Passphrases {
    files: Vec<PassphraseFile>,
    known: BTreeMap<StudentId, Passphrase>,
    /// What one file gives for everybody: standard input gives it once.
    for_all: Option<Passphrase>,
    declined: BTreeSet<StudentId>,
    words: Words,
    /// The option that gives them, if it is not [`FLAG`].
    flag: Option<&'static str>,
}

impl Passphrases {
    /// From the command line's files.
    pub fn new(files: Vec<PassphraseFile>) -> Self {
        Self {
            files,
            ..Self::default()
        }
    }

    /// Asks in this language.
    #[must_use]
    pub(crate) fn in_language(mut self, language: Language) -> Self {
        self.words = Words::of(language);
        self
    }

    /// The files were given by another option.
    pub(crate) fn given_by(mut self, flag: &'static str) -> Self {
        self.flag = Some(flag);
        self
    }

    /// The passphrase of an existing key.
    ///
    /// # Errors
    ///
    /// [`Error::Cli`]: no file and no terminal, cancelled, or the file cannot be read.
    pub(crate) fn existing(&mut self, sid: &StudentId) -> Result<Passphrase, Error> {
        self.take(sid, |words| once(words, &words.passphrase(sid)))
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
        self.take(sid, |words| once(words, &words.another_passphrase(sid)))
            .map(Some)
    }

    /// The passphrase for a new key, if it is to have one; a prompt asks twice. Who declined is
    /// not asked again until the key is made.
    ///
    /// # Errors
    ///
    /// As [`Passphrases::existing`].
    pub(crate) fn for_new_key(
        &mut self,
        sid: &StudentId,
        protection: Protection,
    ) -> Result<Option<Passphrase>, Error> {
        if self.declined.contains(sid) {
            return Ok(None);
        }
        if self.has_file(sid) || self.known.contains_key(sid) || protection == Protection::Required
        {
            return self.new_one(sid).map(Some);
        }
        if protection == Protection::FilesOnly {
            return Ok(None);
        }
        let prompt = self.words.optional_passphrase(sid);
        match question(self.words, &prompt).twice_or_none()? {
            None => {
                self.declined.insert(sid.clone());
                Ok(None)
            }
            Some(typed) => {
                let passphrase = Passphrase::from(typed.to_string());
                self.known.insert(sid.clone(), passphrase.clone());
                Ok(Some(passphrase))
            }
        }
    }

    /// The passphrase for a new key; a prompt asks twice.
    ///
    /// # Errors
    ///
    /// As [`Passphrases::existing`].
    pub(crate) fn new_one(&mut self, sid: &StudentId) -> Result<Passphrase, Error> {
        let flag = self.flag.unwrap_or(FLAG);
        self.take(sid, |words| {
            let prompt = words.new_passphrase(sid);
            let typed = Hidden {
                flag,
                ..question(words, &prompt)
            }
            .twice()?;
            Ok(Passphrase::from(typed.to_string()))
        })
    }

    /// The key was made: for a later one the question is put again.
    pub(crate) fn key_made(&mut self, sid: &StudentId) {
        self.declined.remove(sid);
    }

    /// Whether a file names a passphrase for this student's key.
    pub(crate) fn has_file(&self, sid: &StudentId) -> bool {
        self.file(sid).is_some()
    }

    /// Forgets a passphrase that did not fit, so that the next time asks again.
    pub fn forget(&mut self, sid: &StudentId) {
        self.known.remove(sid);
    }

    fn take(
        &mut self,
        sid: &StudentId,
        ask: impl FnOnce(Words) -> Result<Passphrase, Error>,
    ) -> Result<Passphrase, Error> {
        if let Some(known) = self.known.get(sid) {
            return Ok(known.clone());
        }
        let passphrase = match self.file(sid).cloned() {
            Some(file) => self.given(&file)?,
            None => ask(self.words)?,
        };
        self.known.insert(sid.clone(), passphrase.clone());
        Ok(passphrase)
    }

    fn given(&mut self, file: &PassphraseFile) -> Result<Passphrase, Error> {
        if let (None, Some(known)) = (&file.sid, &self.for_all) {
            return Ok(known.clone());
        }
        let passphrase = passphrase_from(Some(&file.path), "", false)?;
        if file.sid.is_none() {
            self.for_all = Some(passphrase.clone());
        }
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

fn once(words: Words, prompt: &str) -> Result<Passphrase, Error> {
    let typed = question(words, prompt).once()?;
    Ok(Passphrase::from(typed.to_string()))
}

fn question(words: Words, prompt: &str) -> Hidden<'_> {
    Hidden {
        prompt,
        flag: FLAG,
        again: words.again(),
        differ: words.differ(),
        empty: words.empty(),
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
        scb_cli::write_atomic(&all, b"for all\n", 0o600).unwrap();
        scb_cli::write_atomic(&own, b"for B\n", 0o600).unwrap();
        let files = [all.display().to_string(), format!("B={}", own.display())];
        let files = files.iter().map(|text| text.parse().unwrap()).collect();
        let mut passphrases = Passphrases::new(files);
        assert_eq!(passphrases.existing(&sid("A")).unwrap().expose(), "for all");
        assert_eq!(passphrases.existing(&sid("B")).unwrap().expose(), "for B");
        assert!(passphrases.has_file(&sid("C")));
    }

    #[test]
    fn without_a_file_nobody_is_asked_unless_it_is_offered() {
        let mut passphrases = Passphrases::default();
        let a = sid("A");
        let none = passphrases.for_new_key(&a, Protection::FilesOnly).unwrap();
        assert!(none.is_none());
        passphrases.declined.insert(a.clone());
        let declined = passphrases.for_new_key(&a, Protection::Offered).unwrap();
        assert!(declined.is_none());
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
