//! What is done where a private key would be handed in.

use scb_cli::say;

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

    /// The same, if there is none in it, or if it is meant.
    pub(crate) fn check(self, mut chosen: Selection, words: Words) -> Result<Selection, Error> {
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
