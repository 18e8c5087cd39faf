//! Days of the campus. A day ends there, not in Greenwich.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_cli::rfc3339;
use serde::{Deserialize, Serialize};
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime, UtcOffset};

const OFFSET: &[BorrowedFormatItem<'_>] =
    format_description!("[offset_hour sign:mandatory]:[offset_minute]");
const DATE: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");
/// No clock on earth is more hours from UTC.
const FARTHEST: i8 = 14;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How far the campus's clocks are from UTC; Hong Kong has had one offset since 1979.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CampusOffset(UtcOffset);

impl Default for CampusOffset {
    /// Hong Kong's.
    fn default() -> Self {
        Self(time::macros::offset!(+8))
    }
}

impl FromStr for CampusOffset {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let offset = UtcOffset::parse(text, OFFSET).ok();
        let somewhere = |offset: &UtcOffset| offset.whole_hours().abs() <= FARTHEST;
        offset
            .filter(somewhere)
            .map(Self)
            .ok_or_else(|| "write the offset from UTC as +08:00".to_owned())
    }
}

impl TryFrom<String> for CampusOffset {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<CampusOffset> for String {
    fn from(offset: CampusOffset) -> Self {
        offset.to_string()
    }
}

impl fmt::Display for CampusOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hours, minutes, _) = self.0.as_hms();
        let sign = if self.0.is_negative() { '-' } else { '+' };
        write!(f, "{sign}{:02}:{:02}", hours.abs(), minutes.abs())
    }
}

impl CampusOffset {
    /// The last second of a day on campus: `2026-12-31`; or a moment: `2026-12-31T18:00:00+08:00`.
    ///
    /// # Errors
    ///
    /// What to write instead.
    pub(crate) fn end_of(self, text: &str) -> Result<UnixTime, String> {
        let last_second = |date: Date| {
            let next = date.next_day()?.midnight().assume_offset(self.0);
            Some(next - time::Duration::SECOND)
        };
        let moment = match Date::parse(text, DATE) {
            Ok(date) => last_second(date),
            Err(_) => OffsetDateTime::parse(text, &Rfc3339).ok(),
        };
        let moment = moment.ok_or("write 2026-12-31 or 2026-12-31T18:00:00+08:00")?;
        let seconds = u64::try_from(moment.unix_timestamp()).map_err(|_| "too long ago")?;
        Ok(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }

    /// A time on campus for people: `2026-12-31 23:59:59 +08:00`.
    pub(crate) fn shown(self, moment: UnixTime) -> String {
        scb_cli::time_in_zone(moment, self.0)
    }

    /// A time on campus, with its offset: `2026-12-31T23:59:59+08:00`.
    pub(crate) fn local(self, moment: UnixTime) -> String {
        i64::try_from(moment.as_secs())
            .ok()
            .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
            .and_then(|time| time.checked_to_offset(self.0)?.format(&Rfc3339).ok())
            .unwrap_or_else(|| rfc3339(moment))
    }
}

/// Days, as a number in the configuration says them.
pub(crate) fn days(number: u32) -> Duration {
    DAY.saturating_mul(number)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn end(offset: &str, text: &str) -> String {
        let offset: CampusOffset = offset.parse().unwrap();
        let moment = offset.end_of(text).unwrap();
        format!("{} {}", offset.local(moment), rfc3339(moment))
    }

    #[test]
    fn a_day_ends_on_campus() {
        for (offset, ends) in [
            ("+08:00", "2026-12-31T23:59:59+08:00 2026-12-31T15:59:59Z"),
            ("+00:00", "2026-12-31T23:59:59Z 2026-12-31T23:59:59Z"),
            ("-03:30", "2026-12-31T23:59:59-03:30 2027-01-01T03:29:59Z"),
        ] {
            assert_eq!(end(offset, "2026-12-31"), ends);
        }
        let moment = end("+08:00", "2026-12-31T18:00:00Z");
        assert_eq!(moment, "2027-01-01T02:00:00+08:00 2026-12-31T18:00:00Z");
    }

    #[test]
    fn refuses_other_dates_and_offsets() {
        let hong_kong = CampusOffset::default();
        for text in [
            "",
            "31/12/2026",
            "2026-02-30",
            "2026-12-31T18:00",
            "1969-01-01",
        ] {
            assert!(hong_kong.end_of(text).is_err(), "{text}");
        }
        for text in ["", "8", "HKT", "+8", "+25:00", "+08:00:01"] {
            assert!(text.parse::<CampusOffset>().is_err(), "{text}");
        }
    }

    #[test]
    fn is_written_as_it_is_read() {
        for text in ["+08:00", "-03:30", "+00:00"] {
            let offset: CampusOffset = text.parse().unwrap();
            assert_eq!(offset.to_string(), text);
        }
        assert_eq!(CampusOffset::default().to_string(), "+08:00");
    }
}
