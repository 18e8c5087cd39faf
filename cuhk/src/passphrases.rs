//! Where the two passphrases of a CUHK come from, the same for every command, and what one chosen for a
//! new CUHK must be.

use std::path::{Path, PathBuf};

use scb_certs::Passphrase;
use scb_cli::{credential, passphrase_from_flag};

use crate::Error;

/// Fewest characters of a passphrase that a person chooses (NIST SP 800-63B, section 5.1.1: 8,
/// and no rule about which characters).
pub(crate) const MIN_CHARACTERS: usize = 8;

/// Which keys a passphrase unlocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Locked {
    /// The issuing authorities' and the log's.
    Issuers,
    /// The root's.
    Root,
}

impl Locked {
    /// The option that names a file with it.
    pub(crate) fn flag(self) -> &'static str {
        match self {
            Self::Issuers => "--passphrase-file",
            Self::Root => "--root-passphrase-file",
        }
    }

    /// Its name as a service manager hands it over.
    fn credential(self) -> &'static str {
        match self {
            Self::Issuers => "cuhk.passphrase",
            Self::Root => "cuhk.root.passphrase",
        }
    }

    fn question(self) -> &'static str {
        match self {
            Self::Issuers => "Passphrase of the issuing authorities:",
            Self::Root => "Passphrase of the root:",
        }
    }

    /// The file that was given, else the credential, if there is one.
    pub(crate) fn file(self, given: Option<&Path>) -> Option<PathBuf> {
        given
            .map(Path::to_owned)
            .or_else(|| credential(self.credential()))
    }

    /// From the file, else a hidden prompt.
    ///
    /// # Errors
    ///
    /// [`Error::Local`].
    pub(crate) fn read(self, given: Option<&Path>) -> Result<Passphrase, Error> {
        let file = self.file(given);
        Ok(passphrase_from_flag(
            self.flag(),
            file.as_deref(),
            self.question(),
            false,
        )?)
    }

    /// From the file; nobody is asked where there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Local`].
    pub(crate) fn read_if_given(self, given: Option<&Path>) -> Result<Option<Passphrase>, Error> {
        let file = self.file(given);
        file.map(|file| self.read(Some(&file))).transpose()
    }
}

/// # Errors
///
/// [`Error::PassphraseShort`], also of nothing but blanks, naming `flag`, the one that gives it.
pub(crate) fn check_length(passphrase: &Passphrase, flag: &'static str) -> Result<(), Error> {
    let text = passphrase.expose();
    match text.chars().count() {
        MIN_CHARACTERS.. if !text.trim().is_empty() => Ok(()),
        _ => Err(Error::PassphraseShort { flag }),
    }
}

/// The root's passphrase is kept apart: whoever runs `serve` and knows the issuing authorities'
/// must not thereby hold the root's key.
///
/// # Errors
///
/// [`Error::PassphrasesSame`].
pub(crate) fn check_different(issuers: &Passphrase, root: &Passphrase) -> Result<(), Error> {
    match issuers.expose() == root.expose() {
        true => Err(Error::PassphrasesSame),
        false => Ok(()),
    }
}

/// # Errors
///
/// [`Error::PassphraseUnchanged`]: whoever is to be kept out knows it.
pub(crate) fn check_changed(old: &Passphrase, new: &Passphrase) -> Result<(), Error> {
    match old.expose() == new.expose() {
        true => Err(Error::PassphraseUnchanged),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passphrase(text: &str) -> Passphrase {
        text.to_owned().into()
    }

    #[test]
    fn eight_characters_are_enough_and_seven_are_not() {
        for (text, enough) in [
            ("aaa", false),
            ("1234567", false),
            ("12345678", true),
            ("        ", false),
            ("\t\u{3000}\t\u{3000}\t\u{3000}\t\u{3000}", false),
            ("       a", true),
            ("陳大文陳大文陳", false),
            ("陳大文陳大文陳大", true),
        ] {
            let checked = check_length(&passphrase(text), "--passphrase-file");
            assert_eq!(checked.is_ok(), enough, "{text}");
        }
    }

    #[test]
    fn the_root_has_one_of_its_own() {
        let (one, other) = (passphrase("correct horse"), passphrase("battery staple"));
        assert!(check_different(&one, &other).is_ok());
        let refused = check_different(&one, &one.clone());
        assert!(matches!(refused, Err(Error::PassphrasesSame)));
    }
}
