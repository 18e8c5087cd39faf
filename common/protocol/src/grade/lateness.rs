//! What lateness cost, by the late rule of the assignment.

use serde::{Deserialize, Serialize};

use super::Points;
use crate::object::objects;
use crate::rules::LateRule;

/// What was taken off a grade because the work was late. The grade's points are what is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct Lateness {
    /// The points that the work was worth.
    pub raw: Points,
    /// By how many seconds it was late.
    pub seconds: u64,
    /// The rule that counted.
    pub rule: LateRule,
    /// What that costs, in percent of the points of a work without fault.
    pub percent: u8,
    /// Whether the assignment was closed for the student when it came: then nothing is left of it,
    /// whatever the rule says.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub closed: bool,
}

objects!(Lateness);

impl Lateness {
    /// By this rule; nothing if it costs nothing.
    pub fn of(raw: Points, seconds: u64, rule: LateRule) -> Option<Self> {
        let percent = rule.costs(seconds);
        (percent > 0).then_some(Self {
            raw,
            seconds,
            rule,
            percent,
            closed: false,
        })
    }

    /// Of what came when the assignment was closed for the student, so many seconds after his due
    /// time: everything.
    pub fn closed(raw: Points, seconds: u64, rule: LateRule) -> Self {
        Self {
            raw,
            seconds,
            rule,
            percent: 100,
            closed: true,
        }
    }

    /// What is left of the points, if so many are possible: never less than none.
    pub fn left(&self, maximum: Points) -> Points {
        self.raw.less(maximum.percent(self.percent))
    }

    /// Whether it says what the rule says, and the points are what is left.
    pub(super) fn is_sound(&self, points: Points, maximum: Points) -> bool {
        let costs = match self.closed {
            true => 100,
            false => self.rule.costs(self.seconds),
        };
        self.percent == costs && self.percent > 0 && points == self.left(maximum)
    }
}
