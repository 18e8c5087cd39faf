//! Times as people read them.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::{datetime, format_description};
use time::{OffsetDateTime, UtcOffset};

const LOCAL: &[BorrowedFormatItem<'_>] = format_description!(
    "[year]-[month]-[day] [hour]:[minute]:[second] [offset_hour sign:mandatory]:[offset_minute]"
);

/// Far enough that a shift to any time zone stays within four digits of year.
const LATEST: OffsetDateTime = datetime!(9999-12-30 0:00 UTC);

/// `2026-09-01 17:30:00 +08:00`, in the zone of this machine, or in UTC when it has none.
pub fn local_time(at: UnixTime) -> String {
    let utc = date_time(at);
    shifted(
        utc,
        UtcOffset::local_offset_at(utc).unwrap_or(UtcOffset::UTC),
    )
}

/// Reads `2027-01-31`, the beginning of that day in UTC, or RFC 3339 with a time.
///
/// # Errors
///
/// What would have been understood.
pub fn parse_date(text: &str) -> Result<UnixTime, String> {
    let day = format!("{text}T00:00:00Z");
    let parsed = OffsetDateTime::parse(text, &Rfc3339)
        .or_else(|_| OffsetDateTime::parse(&day, &Rfc3339))
        .ok();
    parsed
        .and_then(|time| u64::try_from(time.unix_timestamp()).ok())
        .map(|seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
        .ok_or_else(|| "not a date such as 2027-01-31 or 2027-01-31T12:00:00Z".to_owned())
}

fn shifted(utc: OffsetDateTime, offset: UtcOffset) -> String {
    // The format names only parts that every date-time has.
    let local = utc.to_offset(offset).format(LOCAL);
    local.expect("a complete date-time")
}

fn date_time(at: UnixTime) -> OffsetDateTime {
    let seconds = i64::try_from(at.as_secs()).unwrap_or(i64::MAX);
    OffsetDateTime::from_unix_timestamp(seconds)
        .unwrap_or(LATEST)
        .min(LATEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn shows_local_time_with_its_offset() {
        let utc = date_time(at(1_788_255_000));
        let shown = |offset| shifted(utc, offset);
        assert_eq!(
            shown(time::macros::offset!(+8)),
            "2026-09-01 17:30:00 +08:00"
        );
        assert_eq!(
            shown(time::macros::offset!(-3:30)),
            "2026-09-01 06:00:00 -03:30"
        );
        assert_eq!(local_time(at(0)).len(), "1970-01-01 00:00:00 +00:00".len());
    }

    #[test]
    fn reads_a_day_or_a_moment_and_nothing_else() {
        let day = at(1_788_220_800);
        for text in [
            "2026-09-01",
            "2026-09-01T00:00:00Z",
            "2026-09-01T08:00:00+08:00",
        ] {
            assert_eq!(parse_date(text), Ok(day), "{text}");
        }
        for text in [
            "",
            "2026-9-1",
            "2026-02-30",
            "1969-01-01",
            "tomorrow",
            "1788220800",
        ] {
            assert!(parse_date(text).is_err(), "{text}");
        }
    }

    #[test]
    fn survives_times_that_no_calendar_has() {
        assert!(local_time(at(u64::MAX)).starts_with("9999-12-"));
    }
}
