//! How long what is issued lives, so that nothing outlives the authority that issued it.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use time::OffsetDateTime;

use crate::{Certificate, Error};

const DAY: u64 = 24 * 60 * 60;

/// How long certificates and revocation lists live.
#[derive(Clone, Copy, Debug)]
pub struct Validities;

impl Validities {
    /// A student's certificate: 30 days.
    pub const STUDENT_LIFETIME: Duration = Duration::from_secs(30 * DAY);
    /// A service's certificate: 90 days.
    pub const SERVICE_LIFETIME: Duration = Duration::from_secs(90 * DAY);
    /// Certificates and revocation lists begin 10 minutes before they are signed, for clocks that are slow.
    pub const BACKDATE: Duration = Duration::from_secs(10 * 60);
    /// The root certificate: 10 years.
    pub const ROOT: Duration = Duration::from_secs(3653 * DAY);
    /// What one root says of another, as long as its list: whoever steals a root's key that has had its
    /// day is believed no longer for the other's sake.
    pub const CROSS: Duration = Self::ROOT_CRL;
    /// An issuing authority's certificate: 5 years.
    pub(crate) const ISSUER: Duration = Duration::from_secs(1826 * DAY);
    /// The root's revocation list: 13 months, since the root key is seldom at hand.
    pub const ROOT_CRL: Duration = Duration::from_secs(400 * DAY);
    /// An issuing authority's revocation list: 24 hours.
    pub const CRL: Duration = Duration::from_secs(DAY);
}

/// When a certificate begins and ends, both inclusive (RFC 5280, section 4.1.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub not_before: UnixTime,
    /// The last second.
    pub not_after: UnixTime,
}

/// The validity of a leaf issued `now`: backdated by [`Validities::BACKDATE`], and within its
/// issuer's.
pub fn leaf_validity(now: UnixTime, lifetime: Duration, issuer: &Certificate) -> Validity {
    let wanted = issued_now(now, lifetime);
    Validity {
        not_before: wanted.not_before.max(issuer.not_before()),
        not_after: wanted.not_after.min(issuer.not_after()),
    }
}

/// The validity of a certificate issued `now`.
pub(crate) fn issued_now(now: UnixTime, lifetime: Duration) -> Validity {
    Validity {
        not_before: before(now, Validities::BACKDATE),
        not_after: after(now, lifetime),
    }
}

fn before(time: UnixTime, duration: Duration) -> UnixTime {
    let seconds = time.as_secs().saturating_sub(duration.as_secs());
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

fn after(time: UnixTime, duration: Duration) -> UnixTime {
    let seconds = time.as_secs().saturating_add(duration.as_secs());
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

pub(crate) fn date_time(time: UnixTime) -> Result<OffsetDateTime, Error> {
    let seconds = i64::try_from(time.as_secs()).map_err(|_| Error::TimeOutOfRange)?;
    OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| Error::TimeOutOfRange)
}
