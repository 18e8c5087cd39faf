//! What is done where a private key would be handed in.

use std::fs;

use scb_cli::say;

use crate::home::StudentHome;
use crate::interactive::ask;
use crate::words::Words;
use crate::{Error, Selection};

/// What the person at the keyboard has to say to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IfPrivateKeys {
    /// Nobody is there to be asked.
    Refuse,
    /// Somebody is.
    Ask,
    /// It was said beforehand that they are handed in.
    HandIn,
}

impl IfPrivateKeys {
    pub(crate) fn asks(interactive: bool) -> Self {
        if interactive { Self::Ask } else { Self::Refuse }
    }

    /// The same, if there is none in it, or if it is meant. One's own is never meant.
    pub(crate) fn check(
        self,
        mut chosen: Selection,
        (home, words): (&StudentHome, Words),
    ) -> Result<Selection, Error> {
        let files = chosen.holding(&own_keys(home))?;
        if !files.is_empty() {
            return Err(Error::OwnKeys { files });
        }
        if self == Self::HandIn {
            return Ok(chosen);
        }
        let files = chosen.private_keys()?;
        if files.is_empty() {
            return Ok(chosen);
        }
        if self == Self::Refuse {
            return Err(Error::PrivateKeys { files });
        }
        say(&words.private_keys(&files))?;
        match ask(words.with_private_keys())?.as_deref() {
            Some("y" | "yes") => Ok(chosen),
            _ => Err(scb_cli::Error::Cancelled.into()),
        }
    }
}

/// The private keys of this home as they are kept; those that cannot be read are in no copy of this user's.
fn own_keys(home: &StudentHome) -> Vec<Vec<u8>> {
    let students = fs::read_dir(home.dir().join("students"));
    let students = students.into_iter().flatten().flatten();
    let keys = students.map(|student| fs::read(student.path().join("key.pem")));
    keys.filter_map(Result::ok).collect()
}
