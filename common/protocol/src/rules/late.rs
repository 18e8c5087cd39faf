//! What becomes of work that comes after the time of grace.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::parts::as_text;
use crate::error::Error;

const DAY: u64 = 24 * 60 * 60;
const HOUR: u64 = 60 * 60;

/// What becomes of late work. As text: `none`, `mark`, `10%/day`, `2%/hour`, `10%/day to 50%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum LateRule {
    /// It is refused.
    #[default]
    None,
    /// It is taken until the cut-off and marked as late; what that costs is not for us to say.
    Mark,
    /// It is taken until the cut-off and costs a part of the full mark.
    Penalty {
        /// For each period begun after `due`, in percent of the full mark, 1 to 100.
        percent: u8,
        /// The period.
        per: Per,
        /// Never more than this, in percent of the full mark, 1 to 100.
        most: u8,
    },
}

/// The period for which a penalty is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// 24 hours.
    Day,
    /// 60 minutes.
    Hour,
}

impl Per {
    fn seconds(self) -> u64 {
        match self {
            Self::Day => DAY,
            Self::Hour => HOUR,
        }
    }
}

impl LateRule {
    /// What it costs to be late by so many seconds after `due`, in percent of the full mark. Every
    /// period that has begun counts whole.
    pub fn costs(self, by: u64) -> u8 {
        let Self::Penalty { percent, per, most } = self else {
            return 0;
        };
        let begun = by.div_ceil(per.seconds());
        let costs = begun.saturating_mul(percent.into()).min(most.into());
        u8::try_from(costs).unwrap_or(most)
    }
}

impl LateRule {
    /// Of work that is late by so many seconds: the last second after `due` at which it costs no more than
    /// now, and what it costs from then on; `None` if that is all that it can cost.
    pub(crate) fn dearer_after(self, by: u64) -> Option<(u64, u8)> {
        let Self::Penalty { per, most, .. } = self else {
            return None;
        };
        let last = by.div_ceil(per.seconds()).saturating_mul(per.seconds());
        (self.costs(by) < most).then(|| (last, self.costs(last.saturating_add(1))))
    }
}

impl FromStr for LateRule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "none" => Ok(Self::None),
            "mark" => Ok(Self::Mark),
            _ => penalty(text).ok_or(Error::Form {
                what: "the late rule",
                reason: "`none`, `mark`, or a penalty such as `10%/day`, `2%/hour` or `10%/day to \
                         50%`",
            }),
        }
    }
}

fn penalty(text: &str) -> Option<LateRule> {
    let (rate, most) = match text.split_once(" to ") {
        Some((rate, most)) => (rate, percent(most)?),
        None => (text, 100),
    };
    let (rate, per) = rate.split_once('/')?;
    let per = match per {
        "day" => Per::Day,
        "hour" => Per::Hour,
        _ => return None,
    };
    let percent = percent(rate)?;
    (percent <= most).then_some(LateRule::Penalty { percent, per, most })
}

/// `10%`, within 1 to 100, without a sign or zeros in front.
fn percent(text: &str) -> Option<u8> {
    let number: u8 = text.strip_suffix('%')?.parse().ok()?;
    let canonical = format!("{number}%") == text;
    (canonical && (1..=100).contains(&number)).then_some(number)
}

impl fmt::Display for LateRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Mark => f.write_str("mark"),
            Self::Penalty { percent, per, most } => {
                let per = match per {
                    Per::Day => "day",
                    Per::Hour => "hour",
                };
                write!(f, "{percent}%/{per}")?;
                match most {
                    100 => Ok(()),
                    most => write!(f, " to {most}%"),
                }
            }
        }
    }
}

as_text!(LateRule);
