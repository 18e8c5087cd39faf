//! The options by which passphrases are given: the same wherever one is read.

use std::path::PathBuf;

use scb_certs::Passphrase;

use crate::Error;
use crate::passphrases::Locked;

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
