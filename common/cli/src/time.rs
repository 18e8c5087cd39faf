//! Times as people and files show them.

use rustls_pki_types::UnixTime;
use time::format_description::BorrowedFormatItem;
use time::macros::{datetime, format_description};
use time::{OffsetDateTime, UtcOffset};

const RFC3339: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
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

/// `2026-09-01T09:30:00Z` (RFC 3339, whole seconds). Times past the year 9999 show as
/// its last days.
pub fn rfc3339(at: UnixTime) -> String {
    text(date_time(at), RFC3339)
}

fn shifted(utc: OffsetDateTime, offset: UtcOffset) -> String {
    text(utc.to_offset(offset), LOCAL)
}

fn text(at: OffsetDateTime, format: &[BorrowedFormatItem<'_>]) -> String {
    // The formats name only parts that every date-time has.
    at.format(format).expect("a complete date-time")
}

fn date_time(at: UnixTime) -> OffsetDateTime {
    let seconds = i64::try_from(at.as_secs()).unwrap_or(i64::MAX);
    OffsetDateTime::from_unix_timestamp(seconds)
        .unwrap_or(LATEST)
        .min(LATEST)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn shows_utc_as_rfc_3339() {
        assert_eq!(rfc3339(at(0)), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(at(1_788_255_000)), "2026-09-01T09:30:00Z");
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
    fn survives_times_that_no_calendar_has() {
        assert_eq!(rfc3339(at(u64::MAX)), "9999-12-30T00:00:00Z");
        assert!(local_time(at(u64::MAX)).starts_with("9999-12-"));
    }
}
