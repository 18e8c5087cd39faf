//! How far this machine's clock is from a server's, as the server's greeting tells.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_protocol::{CLOCK_SKEW, Code, Refusal, Step, in_words};
use scb_transport::{Clock, ClockFn};

use super::links;
use crate::error::moment_of;
use crate::{Error, Setup};

/// As far as the clock here may be off, in seconds: this run goes by the server's time then. Whoever
/// has a service's key could make somebody believe in a time as far from his clock, and no farther.
pub(crate) const BELIEVED: u64 = 60 * 60;

/// The difference between two clocks, in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockOffset {
    seconds: u64,
    ahead: bool,
}

impl ClockOffset {
    /// From this machine's time and a server's, in seconds since 1970-01-01 UTC.
    pub(crate) fn between(here: UnixTime, server: u64) -> Self {
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

    /// Its length in seconds, to whichever side.
    pub(crate) fn length(self) -> u64 {
        self.seconds
    }

    /// Within what the protocol allows anyway.
    pub(crate) fn is_allowed(self) -> bool {
        self.seconds <= CLOCK_SKEW
    }

    /// Two clocks that are each as right as the protocol wants are not so far from each other.
    pub(crate) fn is_disagreement(self) -> bool {
        self.seconds > 2 * CLOCK_SKEW
    }

    /// So far that no server's word is taken for the time.
    pub(crate) fn is_hopeless(self) -> bool {
        self.seconds > BELIEVED
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
    let Some(offset) = offset.filter(|offset| offset.is_hopeless()) else {
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

/// Says how far the clock is off where that may be why. A server that refuses a certificate in
/// the handshake tells no time: CUHK, which greets everybody, is asked for it.
pub(super) async fn with_clock(setup: &mut Setup, clock: &Arc<dyn Clock>, error: Error) -> Error {
    if is_about_dates(&error) && setup.clock_offset().is_none() {
        // The answer is in the greeting; whatever else comes of it is not what went wrong.
        let _ = links::cuhk(setup, clock, None, Step::Three).await;
    }
    explain(error, setup.clock_offset())
}

/// The clock by which to look at a server's certificate once more, where it is not in force by the
/// one here, and may be within [`BELIEVED`]: the server tells the time then, by which it is judged
/// again.
pub(super) fn once_more(refusal: &Refusal, clock: &Arc<dyn Clock>) -> Option<Arc<dyn Clock>> {
    let ahead = match (refusal.code, dates(refusal)?) {
        (Code::ServerIdentity, Dates::NotYet(_)) => true,
        (Code::ServerIdentity, Dates::NoLonger) => false,
        _ => return None,
    };
    let (clock, by) = (Arc::clone(clock), Duration::from_secs(BELIEVED));
    Some(Arc::new(ClockFn(move || {
        let here = clock.now().as_secs();
        UnixTime::since_unix_epoch(match ahead {
            true => Duration::from_secs(here).saturating_add(by),
            false => Duration::from_secs(here).saturating_sub(by),
        })
    })))
}

/// A certificate that is not in force yet, and not within [`BELIEVED`]: CUHK issues none for later, so
/// that it is the clock.
pub(super) fn beyond(refusal: Refusal) -> Error {
    match (refusal.code, dates(&refusal)) {
        (Code::ServerIdentity, Some(Dates::NotYet(offset))) => Error::ClockOff(offset),
        _ => refusal.into(),
    }
}

/// Why a server's certificate is not in force by the clock here.
enum Dates {
    /// The clock is behind by this, at least.
    NotYet(ClockOffset),
    NoLonger,
}

fn dates(refusal: &Refusal) -> Option<Dates> {
    let moment = |name| moment_of(refusal, name);
    let here = moment("time_here")?;
    match moment("not_before") {
        Some(begins) => Some(Dates::NotYet(ClockOffset::between(here, begins.as_secs()))),
        None => moment("not_after").map(|_| Dates::NoLonger),
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
            | Code::StatusUnavailable
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
    use scb_protocol::from_seconds;

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
    fn an_hour_is_bearable_and_more_is_not() {
        for (one, other, is_hopeless) in [
            (10_000, 13_600, false),
            (13_600, 10_000, false),
            (10_000, 13_601, true),
            (13_601, 10_000, true),
        ] {
            assert_eq!(offset(one, other).is_hopeless(), is_hopeless);
        }
    }

    #[test]
    fn only_what_the_clock_may_have_caused_is_explained_by_it() {
        let clock = |code, seconds: u64| {
            let error = Error::from(Refusal::new(code, Step::Three));
            let error = explain(error, Some(offset(1_000, 1_000 + seconds)));
            error.refusals()[0].params.get("clock").cloned()
        };
        let told = clock(Code::TokenExpired, BELIEVED + 1).unwrap();
        assert!(told.contains("1 h 0 min"), "{told}");
        assert_eq!(clock(Code::TokenExpired, BELIEVED), None);
        assert_eq!(clock(Code::EnrolmentRefused, BELIEVED + 1), None);
    }
}
