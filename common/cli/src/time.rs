//! Times as people read them.

use rustls_pki_types::UnixTime;
use time::format_description::BorrowedFormatItem;
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
    use std::time::Duration;

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
    fn survives_times_that_no_calendar_has() {
        assert!(local_time(at(u64::MAX)).starts_with("9999-12-"));
    }
}
