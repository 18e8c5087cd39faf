//! Whether what a root has signed counts by this machine's clock. The root's may be on another machine.

use std::fmt;

use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, Validities};
use scb_cli::local_time;
use scb_protocol::in_words;

use crate::Error;
use crate::time::later;

/// When something that a root has signed counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InForce {
    /// From when on.
    pub(crate) from: UnixTime,
    /// Until when.
    pub(crate) until: UnixTime,
    /// When it was signed, by the clock of the machine with the root's key.
    signed: UnixTime,
}

impl InForce {
    /// A list or bundle: it begins when it is signed.
    pub(super) fn signed_at(from: UnixTime, until: UnixTime) -> Self {
        Self {
            from,
            until,
            signed: from,
        }
    }

    /// A certificate: it begins a little before it is signed.
    pub(super) fn of(certificate: &Certificate) -> Self {
        let (from, until) = (certificate.not_before(), certificate.not_after());
        Self {
            from,
            until,
            signed: later(from, Validities::BACKDATE),
        }
    }

    /// Refuses `what` begins only later or has ended.
    ///
    /// # Errors
    ///
    /// [`Error::NotInForce`].
    pub(super) fn require(self, what: impl fmt::Display, now: UnixTime) -> Result<(), Error> {
        match (self.from..self.until).contains(&now) {
            true => Ok(()),
            false => Err(Error::NotInForce(Box::new(NotInForce {
                what: what.to_string(),
                counts: self,
                now,
            }))),
        }
    }

    /// For a person who can see another clock.
    pub(crate) fn told(&self) -> String {
        let (from, until) = (local_time(self.from), local_time(self.until));
        format!("counts from {from} until {until}")
    }
}

/// What a root has signed, and does not count by this machine's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotInForce {
    what: String,
    counts: InForce,
    now: UnixTime,
}

impl NotInForce {
    /// What to do about it.
    pub(crate) fn remedy(&self) -> &'static str {
        match self.now < self.counts.from {
            true => {
                "nothing was changed; compare both clocks (`timedatectl`), set the one that is wrong and have the \
                 request signed again (cuhk keys sign-request), or import this answer once it counts"
            }
            false => {
                "nothing was changed; compare both clocks (`timedatectl`), set the one that is wrong and have the \
                 request signed again: cuhk keys sign-request"
            }
        }
    }
}

impl fmt::Display for NotInForce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, now) = (&self.what, local_time(self.now));
        if self.now < self.counts.from {
            let (from, signed) = (local_time(self.counts.from), self.counts.signed.as_secs());
            let ahead = in_words(signed.saturating_sub(self.now.as_secs()));
            return write!(
                f,
                "{what} counts only from {from} on, and it is {now} here: where the root signed it the clock \
                 was ahead by {ahead} or more, or this one is behind"
            );
        }
        let until = local_time(self.counts.until);
        write!(
            f,
            "{what} counted until {until}, and it is {now} here: where the root signed it the clock was \
             behind, or it was signed long ago, or this one is ahead"
        )
    }
}
