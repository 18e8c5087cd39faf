//! Times as people read them.

use std::ops::RangeInclusive;
use std::time::Duration;

use rustls_pki_types::UnixTime;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::{datetime, format_description};
use time::{OffsetDateTime, PrimitiveDateTime, UtcOffset};

const LOCAL: &[BorrowedFormatItem<'_>] = format_description!(
    "[year]-[month]-[day] [hour]:[minute]:[second] [offset_hour sign:mandatory]:[offset_minute]"
);

/// A moment with its offset from UTC, besides RFC 3339.
const WITH_OFFSET: [&[BorrowedFormatItem<'_>]; 2] = [
    format_description!(
        "[year]-[month]-[day] [hour]:[minute]:[second] [offset_hour sign:mandatory]:[offset_minute]"
    ),
    format_description!(
        "[year]-[month]-[day] [hour]:[minute] [offset_hour sign:mandatory]:[offset_minute]"
    ),
];
/// A moment by the clock on the wall.
const WITHOUT_OFFSET: [&[BorrowedFormatItem<'_>]; 4] = [
    format_description!("[year]-[month]-[day] [hour]:[minute]"),
    format_description!("[year]-[month]-[day]T[hour]:[minute]"),
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second]"),
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]"),
];
const MOMENTS: &str = "not a time such as `2026-12-01 23:59` or 2026-12-01T23:59:00+08:00";

/// What a calendar of four digits has; what is later is shown as this.
const LATEST: OffsetDateTime = datetime!(9999-12-31 23:59:59 UTC);
/// The years that are taken: what is typed beyond them is a slip, or stands for "never".
const YEARS: RangeInclusive<i32> = 2000..=2199;
/// No clock is further from UTC, in seconds.
const FURTHEST: u32 = 14 * 60 * 60;

/// [`local_time`], in another zone.
pub fn time_in_zone(at: UnixTime, offset: UtcOffset) -> String {
    shifted(date_time(at), offset)
}

/// `2026-09-01 17:30:00 +08:00`, in the zone of this machine, or in UTC when it has none.
pub fn local_time(at: UnixTime) -> String {
    let utc = date_time(at);
    shifted(
        utc,
        UtcOffset::local_offset_at(utc).unwrap_or(UtcOffset::UTC),
    )
}

/// A text in which moments stand as data have them (`2026-09-01T09:30:00Z`), with each as
/// [`local_time`] shows it.
pub fn local_moments(text: &str) -> String {
    let words = text.split_inclusive(' ').map(|word| {
        let bare = word.trim_end_matches([' ', ',', ';', ':', ')', '.']);
        match bare.ends_with('Z').then(|| parse_moment(bare)) {
            Some(Ok(moment)) => local_time(moment) + &word[bare.len()..],
            _ => word.to_owned(),
        }
    });
    words.collect()
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
        .map_err(|_| "not a date such as 2027-01-31 or 2027-01-31T12:00:00Z")?;
    seconds(parsed)
}

/// Reads a moment: RFC 3339, or `2026-12-01 23:59`, with seconds or without, and with an offset
/// (`+08:00`) or in the zone of this machine, which the environment variable `TZ` names.
///
/// # Errors
///
/// What would have been understood; of a year or an offset that cannot be meant, which could; where the
/// clocks are put forward or back, that there is no such time, or that there are two.
pub fn parse_moment(text: &str) -> Result<UnixTime, String> {
    parse_moment_in(text, |utc| {
        UtcOffset::local_offset_at(utc).unwrap_or(UtcOffset::UTC)
    })
}

fn parse_moment_in(
    text: &str,
    offset_at: impl Fn(OffsetDateTime) -> UtcOffset,
) -> Result<UnixTime, String> {
    let text = text.trim();
    if let Ok(moment) = OffsetDateTime::parse(text, &Rfc3339) {
        return seconds(moment);
    }
    for form in WITH_OFFSET {
        if let Ok(moment) = OffsetDateTime::parse(text, form) {
            return seconds(moment);
        }
    }
    let forms = WITHOUT_OFFSET.iter();
    let local = forms.filter_map(|form| PrimitiveDateTime::parse(text, form).ok());
    let local = local.into_iter().next().ok_or(MOMENTS)?;
    in_zone(local, offset_at)
}

/// The one moment at which the clocks of the zone show this.
fn in_zone(
    local: PrimitiveDateTime,
    offset_at: impl Fn(OffsetDateTime) -> UtcOffset,
) -> Result<UnixTime, String> {
    check_year(local.year())?;
    let day = Duration::from_secs(24 * 60 * 60);
    let around = [local.assume_utc() - day, local.assume_utc() + day];
    let mut moments: Vec<_> = around
        .map(|near| local.assume_offset(offset_at(near)))
        .into_iter()
        .filter(|moment| offset_at(*moment) == moment.offset())
        .collect();
    moments.dedup();
    match moments[..] {
        [moment] => seconds(moment),
        [] => Err(
            "the clocks here never show that time: give the offset, as in \
                   `2026-12-01 23:59 +08:00`"
                .to_owned(),
        ),
        _ => Err(
            "the clocks here show that time twice: give the offset, as in \
                  `2026-12-01 23:59 +08:00`"
                .to_owned(),
        ),
    }
}

fn check_year(year: i32) -> Result<(), String> {
    match YEARS.contains(&year) {
        true => Ok(()),
        false => Err(format!(
            "the year {year} cannot be meant: it is one from {} to {}",
            YEARS.start(),
            YEARS.end()
        )),
    }
}

/// A moment as it is kept: of a year that can be meant, wherever it is looked at.
fn seconds(moment: OffsetDateTime) -> Result<UnixTime, String> {
    let offset = moment.offset();
    if offset.whole_seconds().unsigned_abs() > FURTHEST {
        return Err(format!(
            "no clock is that far from UTC ({offset}): it is at most 14:00"
        ));
    }
    check_year(moment.year())?;
    let utc = moment.checked_to_offset(UtcOffset::UTC).ok_or(MOMENTS)?;
    check_year(utc.year())?;
    let seconds = u64::try_from(moment.unix_timestamp()).map_err(|_| MOMENTS)?;
    Ok(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
}

/// Reads a length of time: `0`, `90s`, `10min`, `2h`, `1d`; in seconds.
///
/// # Errors
///
/// What would have been understood.
pub fn parse_duration(text: &str) -> Result<u64, String> {
    let split = text.find(|c: char| !c.is_ascii_digit());
    let (number, unit) = text.split_at(split.unwrap_or(text.len()));
    let unit = match (unit.trim(), number) {
        ("", "0") | ("s", _) => Some(1),
        ("m" | "min", _) => Some(60),
        ("h", _) => Some(60 * 60),
        ("d", _) => Some(24 * 60 * 60),
        _ => None,
    };
    let seconds = unit.and_then(|unit: u64| number.parse::<u64>().ok()?.checked_mul(unit));
    seconds.ok_or_else(|| "not a length of time such as 90s, 10min, 2h or 1d".to_owned())
}

/// At the end of what the calendar has there may be no such time in a zone: it is shown in UTC.
fn shifted(utc: OffsetDateTime, offset: UtcOffset) -> String {
    let local = utc.checked_to_offset(offset).unwrap_or(utc);
    // The format names only parts that every date-time has.
    local.format(LOCAL).expect("a complete date-time")
}

fn date_time(at: UnixTime) -> OffsetDateTime {
    let seconds = i64::try_from(at.as_secs()).unwrap_or(i64::MAX);
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(LATEST)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
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
    fn shows_the_moments_of_a_text_and_leaves_the_rest() {
        let local = local_time(at(1_788_220_800));
        let moment = "2026-09-01T00:00:00Z";
        for (text, shown) in [
            (format!("by A at {moment}"), format!("by A at {local}")),
            (
                format!("at {moment}, {moment}; so"),
                format!("at {local}, {local}; so"),
            ),
            (
                format!("{moment}: ({moment})"),
                format!("{local}: ({moment})"),
            ),
        ] {
            assert_eq!(local_moments(&text), shown);
        }
        for text in ["", "A to Z", "2026-09-01", " Z ", "at 2026-13-01T00:00:00Z"] {
            assert_eq!(local_moments(text), text);
        }
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
    fn reads_a_moment_with_an_offset_or_in_the_zone_of_this_machine() {
        let offset = |_| time::macros::offset!(+8);
        let moment = Ok(at(1_796_140_740));
        for text in [
            "2026-12-01 23:59",
            "2026-12-01T23:59",
            "2026-12-01 23:59:00",
            "2026-12-01 23:59 +08:00",
            "2026-12-01 15:59:00 +00:00",
            "2026-12-01T23:59:00+08:00",
            "2026-12-01T15:59:00Z",
        ] {
            assert_eq!(parse_moment_in(text, offset), moment, "{text}");
        }
        for text in [
            "",
            "2026-12-01",
            "23:59",
            "2026-12-01 24:00",
            "1969-12-31 23:00",
            "soon",
        ] {
            assert!(parse_moment_in(text, offset).is_err(), "{text}");
        }
    }

    #[test]
    fn refuses_a_time_that_the_clocks_never_show_or_show_twice() {
        // Summer time as in New York in 2026: from 8 March, 07:00 UTC, to 1 November, 06:00 UTC.
        let offset = |utc: OffsetDateTime| {
            let summer = datetime!(2026-03-08 7:00 UTC)..datetime!(2026-11-01 6:00 UTC);
            match summer.contains(&utc) {
                true => time::macros::offset!(-4),
                false => time::macros::offset!(-5),
            }
        };
        let read = |text| parse_moment_in(text, offset);
        assert!(read("2026-03-08 02:30").unwrap_err().contains("never"));
        assert!(read("2026-11-01 01:30").unwrap_err().contains("twice"));
        for (text, with_offset) in [
            ("2026-03-08 01:59", "2026-03-08 01:59 -05:00"),
            ("2026-03-08 03:00", "2026-03-08 03:00 -04:00"),
            ("2026-11-01 00:59", "2026-11-01 00:59 -04:00"),
            ("2026-11-01 02:00", "2026-11-01 02:00 -05:00"),
        ] {
            assert_eq!(read(text).unwrap(), read(with_offset).unwrap(), "{text}");
        }
        assert!(read("2026-11-01 01:30 -05:00").is_ok());
    }

    #[test]
    fn reads_a_length_of_time_with_its_unit() {
        let read =
            ["0", "90s", "10min", "10m", "2h", "1d"].map(|text| parse_duration(text).unwrap());
        assert_eq!(read, [0, 90, 600, 600, 7_200, 86_400]);
        for text in ["", "10", "-1h", "1.5h", "1w", "h", "99999999999999999999s"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn refuses_a_year_that_cannot_be_meant_in_every_zone_and_says_which_could() {
        for hours in [-14, -5, 0, 8, 14] {
            let offset = |_| UtcOffset::from_hms(hours, 0, 0).unwrap();
            for text in [
                "9999-12-31 23:59:59",
                "9999-12-31T23:59",
                "9999-12-31T23:59:59Z",
                "9999-12-31 23:59:59 -14:00",
                "2200-01-01 00:00",
                "1999-12-31 23:59",
                "0000-01-01 00:00",
                "0000-01-01T00:00:00+14:00",
                "0226-12-01 23:59",
            ] {
                let refused = parse_moment_in(text, offset).unwrap_err();
                assert!(refused.contains("from 2000 to 2199"), "{text}: {refused}");
            }
            for text in ["2000-01-02 00:00", "2199-12-30 23:59", "2100-02-28 23:59"] {
                let read = parse_moment_in(text, offset).unwrap();
                let shown = time_in_zone(read, offset(date_time(read)));
                assert!(shown.starts_with(text), "{text}: {shown}");
            }
        }
        // It is the year before in UTC, and the year after.
        assert!(parse_moment("2000-01-01 00:00 +08:00").is_err());
        assert!(parse_moment("2199-12-31 23:59 -08:00").is_err());
        for text in ["9999-12-31", "1999-12-31", "9999-12-31T23:59:59-14:00"] {
            assert!(parse_date(text).unwrap_err().contains("2199"), "{text}");
        }
    }

    #[test]
    fn refuses_an_offset_that_no_clock_has() {
        for text in [
            "2026-12-01 23:59 +25:00",
            "2026-12-01 23:59:00 -14:01",
            "2026-12-01T23:59:00+23:59",
        ] {
            let refused = parse_moment(text).unwrap_err();
            assert!(refused.contains("at most 14:00"), "{text}: {refused}");
        }
        assert!(parse_date("2026-12-01T00:00:00+23:00").is_err());
        for text in ["2026-12-01 23:59 +14:00", "2026-12-01 23:59 -14:00"] {
            assert!(parse_moment(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn shows_every_time_that_a_calendar_has_as_it_is() {
        let last = date_time(at(253_402_300_799));
        assert_eq!(shifted(last, UtcOffset::UTC), "9999-12-31 23:59:59 +00:00");
        let west = time::macros::offset!(-8);
        assert_eq!(shifted(last, west), "9999-12-31 15:59:59 -08:00");
        // It is another year there, which four digits do not show.
        let east = time::macros::offset!(+8);
        assert_eq!(shifted(last, east), "9999-12-31 23:59:59 +00:00");
    }

    #[test]
    fn survives_times_that_no_calendar_has() {
        assert!(local_time(at(u64::MAX)).starts_with("9999-12-31"));
    }
}
