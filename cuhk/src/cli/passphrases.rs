//! The options by which passphrases are given: the same wherever one is read.

use std::path::{Path, PathBuf};

use scb_certs::Passphrase;
use scb_cli::{Failure, note, passphrase_from_flag};

use crate::Error;
use crate::passphrases::{Locked, MIN_CHARACTERS, check_length};

/// That of the issuing authorities.
#[derive(Debug, clap::Args)]
pub(super) struct IssuersPassphrase {
    /// File whose first line unlocks the issuing authorities' keys, `-` for standard input, instead
    /// of a prompt [default: $CREDENTIALS_DIRECTORY/cuhk.passphrase, if there is one]
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

/// That of the root.
#[derive(Debug, clap::Args)]
pub(super) struct RootPassphrase {
    /// File whose first line unlocks the root's key, `-` for standard input, instead of a prompt
    /// [default: $CREDENTIALS_DIRECTORY/cuhk.root.passphrase, if there is one]
    #[arg(long, value_name = "FILE")]
    root_passphrase_file: Option<PathBuf>,
}

/// Both.
#[derive(Debug, clap::Args)]
pub(super) struct Passphrases {
    #[command(flatten)]
    pub(super) issuers: IssuersPassphrase,
    #[command(flatten)]
    pub(super) root: RootPassphrase,
}

/// The one that the issuing authorities' keys are to have.
#[derive(Debug, clap::Args)]
pub(super) struct NewIssuersPassphrase {
    /// File whose first line is the new passphrase, `-` for the next line of standard input, instead of
    /// a prompt
    #[arg(long, value_name = "FILE")]
    new_passphrase_file: Option<PathBuf>,
}

/// The one that the root's key is to have.
#[derive(Debug, clap::Args)]
pub(super) struct NewRootPassphrase {
    /// File whose first line is the new passphrase, `-` for the next line of standard input, instead of
    /// a prompt
    #[arg(long, value_name = "FILE")]
    new_root_passphrase_file: Option<PathBuf>,
}

impl NewIssuersPassphrase {
    /// Asks twice where nothing gives it.
    pub(super) fn read(
        &self,
        check: impl Fn(&Passphrase) -> Result<(), Error>,
    ) -> Result<Passphrase, Failure> {
        new_passphrase(
            "--new-passphrase-file",
            self.new_passphrase_file.as_deref(),
            "New passphrase for the issuing authorities:",
            check,
        )
    }
}

impl NewRootPassphrase {
    /// Asks twice where nothing gives it.
    pub(super) fn read(
        &self,
        check: impl Fn(&Passphrase) -> Result<(), Error>,
    ) -> Result<Passphrase, Failure> {
        new_passphrase(
            "--new-root-passphrase-file",
            self.new_root_passphrase_file.as_deref(),
            "New passphrase for the root (keep it apart):",
            check,
        )
    }
}

impl IssuersPassphrase {
    /// Asks where nothing gives it.
    pub(super) fn read(&self) -> Result<Passphrase, Error> {
        Locked::Issuers.read(self.passphrase_file.as_deref())
    }

    /// Nobody is asked.
    pub(super) fn read_if_given(&self) -> Result<Option<Passphrase>, Error> {
        Locked::Issuers.read_if_given(self.passphrase_file.as_deref())
    }

    /// What gives it, if anything does.
    pub(super) fn file(&self) -> Option<PathBuf> {
        Locked::Issuers.file(self.passphrase_file.as_deref())
    }
}

impl RootPassphrase {
    /// Asks where nothing gives it.
    pub(super) fn read(&self) -> Result<Passphrase, Error> {
        Locked::Root.read(self.root_passphrase_file.as_deref())
    }

    /// Nobody is asked.
    pub(super) fn read_if_given(&self) -> Result<Option<Passphrase>, Error> {
        Locked::Root.read_if_given(self.root_passphrase_file.as_deref())
    }

    /// What gives it, if anything does.
    pub(super) fn file(&self) -> Option<PathBuf> {
        Locked::Root.file(self.root_passphrase_file.as_deref())
    }
}

/// What was typed and does not do is asked for again; a file that does not is refused.
pub(super) fn new_passphrase(
    flag: &'static str,
    file: Option<&Path>,
    prompt: &str,
    check: impl Fn(&Passphrase) -> Result<(), Error>,
) -> Result<Passphrase, Failure> {
    loop {
        let passphrase = passphrase_from_flag(flag, file, prompt, true)?;
        let checked = check_length(&passphrase, flag).and_then(|()| check(&passphrase));
        match (checked, file) {
            (Ok(()), _) => return Ok(passphrase),
            (Err(error), Some(_)) => return Err(error.into()),
            (Err(error), None) => note(&once_more(&error))?,
        }
    }
}

/// Why, without the flag that nobody gave.
fn once_more(error: &Error) -> String {
    match error {
        Error::PassphraseShort { .. } => {
            format!("That is shorter than {MIN_CHARACTERS} characters, or blank. Once more:")
        }
        other => format!("{other}. Once more:"),
    }
}
