//! Comparing times with the skew that is allowed between two clocks.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// How far two clocks may differ, in seconds: 60 is accepted, 120 is not.
pub const CLOCK_SKEW: u64 = 60;

/// Seconds since 1970-01-01 UTC.
pub fn from_seconds(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

/// Whether `moment` is in the past by more than the allowed skew.
pub(crate) fn is_past(moment: u64, now: UnixTime) -> bool {
    moment.saturating_add(CLOCK_SKEW) < now.as_secs()
}

/// Whether `moment` is in the future by more than the allowed skew.
pub(crate) fn is_future(moment: u64, now: UnixTime) -> bool {
    moment > now.as_secs().saturating_add(CLOCK_SKEW)
}

/// RFC 3339 in UTC with whole seconds, such as `2026-11-21T12:00:01Z`.
pub fn rfc3339(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| format!("@{seconds}"))
}

/// Serde for [`UnixTime`] as RFC 3339 text in UTC.
pub(crate) mod as_rfc3339 {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(time: &UnixTime, to: S) -> Result<S::Ok, S::Error> {
        rfc3339(*time).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<UnixTime, D::Error> {
        let text = String::deserialize(from)?;
        let time = OffsetDateTime::parse(&text, &Rfc3339).map_err(serde::de::Error::custom)?;
        let time = u64::try_from(time.unix_timestamp()).map_err(serde::de::Error::custom)?;
        let time = from_seconds(time);
        if rfc3339(time) != text {
            return Err(serde::de::Error::custom("not whole seconds in UTC"));
        }
        Ok(time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_a_minute_of_skew_and_refuses_two() {
        let now = from_seconds(1_000_000);
        assert!(!is_past(1_000_000 - 60, now));
        assert!(is_past(1_000_000 - 61, now));
        assert!(!is_future(1_000_000 + 60, now));
        assert!(is_future(1_000_000 + 61, now));
    }

    #[test]
    fn is_written_in_utc_with_whole_seconds() {
        assert_eq!(rfc3339(from_seconds(1_795_262_401)), "2026-11-21T12:00:01Z");
    }
}
