//! Points: decimal numbers, exact.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Digits after the point.
const DECIMALS: usize = 4;
/// Parts of one point.
const UNIT: u64 = 10_000;

/// Points, in ten-thousandths: 0 to 999,999.9999. Written `8.5`; read with zeros at the end, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Points(u64);

impl FromStr for Points {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        points(text).map(Self).ok_or(Error::Form {
            what: "the points",
            reason: "a number such as 8 or 8.5, at most 999999, with at most 4 digits after the \
                     point",
        })
    }
}

impl Points {
    /// So many percent of them, rounded down to a ten-thousandth.
    pub fn percent(self, percent: u8) -> Self {
        Self(self.0 * u64::from(percent) / 100)
    }

    /// These, less others; none if those are more.
    pub fn less(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

fn points(text: &str) -> Option<u64> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str, most: usize| {
        let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        plain && text.len() <= most
    };
    let rest = match rest.trim_end_matches('0') {
        "" => &rest[..rest.len().min(1)],
        rest => rest,
    };
    if !digits(whole, 6) || !digits(rest, DECIMALS) {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let parts: u64 = format!("{rest:0<DECIMALS$}").parse().ok()?;
    Some(whole * UNIT + parts)
}

impl fmt::Display for Points {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, parts) = (self.0 / UNIT, self.0 % UNIT);
        match parts {
            0 => write!(f, "{whole}"),
            parts => {
                let parts = format!("{parts:0>DECIMALS$}");
                write!(f, "{whole}.{}", parts.trim_end_matches('0'))
            }
        }
    }
}

impl TryFrom<String> for Points {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Points> for String {
    fn from(points: Points) -> String {
        points.to_string()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn points_are_exact_and_written_in_one_way() {
        for (text, written) in [
            ("0", "0"),
            ("8", "8"),
            ("8.5", "8.5"),
            ("8.50", "8.5"),
            ("08.0500", "8.05"),
            ("10.00000", "10"),
            ("999999.9999", "999999.9999"),
            ("0.0001", "0.0001"),
        ] {
            let points: Points = text.parse().unwrap();
            assert_eq!(points.to_string(), written);
            assert_eq!(written.parse::<Points>().unwrap(), points);
        }
        let order = |text: &str| text.parse::<Points>().unwrap();
        assert!(order("9.5") < order("10"));
    }

    #[test]
    fn percent_are_taken_off_exactly_and_never_below_nothing() {
        let points = |text: &str| text.parse::<Points>().unwrap();
        for (raw, maximum, percent, left) in [
            ("8", "10", 20, "6"),
            ("8.5", "10", 25, "6"),
            ("1", "10", 20, "0"),
            ("10", "10", 100, "0"),
            ("0.0001", "0.0001", 50, "0.0001"),
            ("999999.9999", "999999.9999", 1, "990000"),
        ] {
            let less = points(raw).less(points(maximum).percent(percent));
            assert_eq!(less, points(left), "{raw} less {percent} % of {maximum}");
        }
    }

    #[test]
    fn what_is_no_number_of_points_is_refused() {
        for text in [
            "", ".", ".5", "5.", "-1", "+1", "1e3", "8,5", "A", "EX", "1000000", "0.00001", "８",
            "NaN", " 8", "8%", "=8",
        ] {
            assert!(text.parse::<Points>().is_err(), "{text}");
        }
    }
}
