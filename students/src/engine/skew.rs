//! How far this machine's clock is from a server's, as the server's greeting tells.

use std::fmt;

use rustls_pki_types::UnixTime;
use scb_protocol::{CLOCK_SKEW, Code, Refusal, in_words};

use crate::Error;

/// The difference between two clocks, in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockOffset {
    seconds: u64,
    ahead: bool,
}

impl ClockOffset {
    /// From this machine's time and a server's, in seconds since 1970-01-01 UTC.
    pub fn between(here: UnixTime, server: u64) -> Self {
        Self {
            seconds: here.as_secs().abs_diff(server),
            ahead: here.as_secs() > server,
        }
    }

    /// By how many seconds this machine's clock is behind; less than 0 if it is ahead.
    pub fn behind(self) -> i64 {
        let seconds = i64::try_from(self.seconds).unwrap_or(i64::MAX);
        if self.ahead { -seconds } else { seconds }
    }

    /// Within what the protocol allows anyway.
    fn is_allowed(self) -> bool {
        self.seconds <= CLOCK_SKEW
    }

    /// Nothing that is signed now would be believed on the other side: tokens and answers
    /// would count as expired, or as not valid yet.
    pub fn is_hopeless(self) -> bool {
        self.seconds > 2 * CLOCK_SKEW
    }
}

impl fmt::Display for ClockOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = if self.ahead { "ahead of" } else { "behind" };
        let length = in_words(self.seconds);
        write!(f, "this machine's clock is {length} {side} the server's")
    }
}

/// Adds the offset to refusals that it may have caused.
pub(super) fn explain(error: Error, offset: Option<ClockOffset>) -> Error {
    let Some(offset) = offset.filter(|offset| !offset.is_allowed()) else {
        return error;
    };
    let explained = |refusal: Refusal| match is_about_time(refusal.code) {
        true => refusal.with("clock", offset),
        false => refusal,
    };
    match error {
        Error::Refused(refusal) => Error::Refused(explained(refusal)),
        Error::SeveralRefused(refusals) => {
            Error::SeveralRefused(refusals.into_iter().map(explained).collect())
        }
        other => other,
    }
}

/// Whether a server refused the certificate in the handshake for its dates: before it could
/// say what time it is.
pub(super) fn is_about_dates(error: &Error) -> bool {
    matches!(error, Error::Refused(refusal) if matches!(
        refusal.code,
        Code::CertificateExpired | Code::CertificateNotYetValid
    ))
}

fn is_about_time(code: Code) -> bool {
    matches!(
        code,
        Code::CertificateExpired
            | Code::CertificateNotYetValid
            | Code::CertificateInvalid
            | Code::TokenExpired
            | Code::TokenInvalid
            | Code::VerificationInvalid
            | Code::ServerMisbehaved
            | Code::ReceiptInvalid
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_protocol::{Step, from_seconds};

    use super::*;

    fn offset(here: u64, server: u64) -> ClockOffset {
        ClockOffset::between(from_seconds(here), server)
    }

    #[test]
    fn says_how_far_and_to_which_side() {
        let noon = 1_795_262_400;
        assert_eq!(
            offset(noon - 86_340, noon).to_string(),
            "this machine's clock is 23 h 59 min behind the server's"
        );
        assert_eq!(
            offset(noon + 300, noon).to_string(),
            "this machine's clock is 5 min ahead of the server's"
        );
    }

    #[test]
    fn two_minutes_are_bearable_and_more_are_not() {
        assert!(!offset(1_000, 1_120).is_hopeless());
        assert!(offset(1_000, 1_121).is_hopeless());
        assert!(offset(1_121, 1_000).is_hopeless());
    }

    #[test]
    fn only_what_the_clock_may_have_caused_is_explained_by_it() {
        let clock = |code, seconds: u64| {
            let error = Error::from(Refusal::new(code, Step::Three));
            let error = explain(error, Some(offset(1_000, 1_000 + seconds)));
            error.refusals()[0].params.get("clock").cloned()
        };
        assert!(clock(Code::TokenExpired, 100).unwrap().contains("100 s"));
        assert_eq!(clock(Code::TokenExpired, 60), None);
        assert_eq!(clock(Code::EnrolmentRefused, 100), None);
    }
}
