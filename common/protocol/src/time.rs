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

/// A length of time as people say it: `95 s`, `14 min`, `23 h 59 min`, `40 d 2 h`. Rounded down.
pub fn in_words(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match () {
        () if minutes < 2 => format!("{seconds} s"),
        () if hours < 1 => format!("{minutes} min"),
        () if days < 2 => format!("{hours} h {} min", minutes % 60),
        () => format!("{days} d {} h", hours % 24),
    }
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

/// Serde for an optional [`UnixTime`], as [`as_rfc3339`]. An absent field takes
/// `#[serde(default, skip_serializing_if = "Option::is_none")]` besides.
pub(crate) mod as_rfc3339_if_any {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(
        time: &Option<UnixTime>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => as_rfc3339::serialize(time, to),
            None => to.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<UnixTime>, D::Error> {
        as_rfc3339::deserialize(from).map(Some)
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
    fn lengths_are_said_as_people_say_them() {
        let cases = [
            (0, "0 s"),
            (119, "119 s"),
            (120, "2 min"),
            (3_599, "59 min"),
            (86_399, "23 h 59 min"),
            (172_799, "47 h 59 min"),
            (3_463_200, "40 d 2 h"),
        ];
        for (seconds, words) in cases {
            assert_eq!(in_words(seconds), words);
        }
    }

    #[test]
    fn is_written_in_utc_with_whole_seconds() {
        assert_eq!(rfc3339(from_seconds(1_795_262_401)), "2026-11-21T12:00:01Z");
    }
}
