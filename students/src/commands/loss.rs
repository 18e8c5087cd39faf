//! What is done where a late version would take the place of a better one.

use scb_cli::say;

use crate::Error;
use crate::engine::Consent;
use crate::interactive::ask;
use crate::words::Words;

/// What the person at the keyboard has to say to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IfDearer {
    /// Nobody is there to be asked.
    Refuse,
    /// Somebody is.
    Ask,
    /// It was said beforehand that it is handed in all the same.
    HandIn,
}

impl IfDearer {
    pub(crate) fn asks(interactive: bool) -> Self {
        if interactive { Self::Ask } else { Self::Refuse }
    }

    /// Whether this is the second attempt, after the question.
    pub(crate) fn was_asked(self, consent: Consent) -> bool {
        self == Self::Ask && consent == Consent::Given
    }

    /// Hands in, and once more if somebody agrees that it costs more.
    pub(crate) fn hand_in<T>(
        self,
        words: Words,
        mut hand_in: impl FnMut(Consent) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self == Self::HandIn {
            return hand_in(Consent::Given);
        }
        let done = hand_in(Consent::Withheld);
        let lines = match &done {
            Err(Error::CostsMore { losses }) => losses.iter().map(|one| words.loss(one)).collect(),
            Err(Error::AnewIsLate {
                submission,
                standings,
            }) => vec![words.anew_is_late(submission, standings)],
            _ => Vec::new(),
        };
        if lines.is_empty() || self != Self::Ask {
            return done;
        }
        for line in &lines {
            say(line)?;
        }
        match ask(words.even_if_late())?.as_deref() {
            Some("y" | "yes") => hand_in(Consent::Given),
            _ => Err(scb_cli::Error::Cancelled.into()),
        }
    }
}
