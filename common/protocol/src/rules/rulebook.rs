//! What was in force when. Work is judged by the rules of the moment at which it was committed, or
//! by those of now, whichever are better for the student: rules do not work backwards.

use std::collections::BTreeMap;

use rustls_pki_types::UnixTime;
use scb_certs::StudentId;
use serde::{Deserialize, Serialize};

use super::{Detachment, Detachments, Extension, Groups, LateRule, Rules, Standing};
use crate::log_leaf::Entry;
use crate::object::objects;
use crate::statement::SubmissionNumber;

/// More time that was given to some, or taken back, as the log has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct Extended {
    /// Given, or given anew in the place of another.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given: Vec<Extension>,
    /// Taken back: the common due time counts again for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taken_back: Vec<StudentId>,
}

objects!(Extended);

impl Extended {
    /// What it says of a student, if it says something: an extension, or none any more.
    fn of(&self, sid: &StudentId) -> Option<Option<&Extension>> {
        let given = self.given.iter().find(|given| given.sid == *sid);
        let taken_back = self.taken_back.contains(sid).then_some(None);
        given.map(Some).or(taken_back)
    }
}

/// The rules and extensions of now, and those of every moment before.
#[derive(Debug, Clone)]
pub struct Rulebook {
    rules: Rules,
    extensions: BTreeMap<StudentId, Extension>,
    rules_before: Vec<(u64, Rules)>,
    extended_before: Vec<(u64, Extended)>,
    detachments: Detachments,
}

impl Rulebook {
    /// Of an assignment with these rules and extensions.
    pub fn new(rules: Rules, extensions: impl IntoIterator<Item = Extension>) -> Self {
        let extensions = extensions.into_iter();
        Self {
            rules,
            extensions: extensions.map(|one| (one.sid.clone(), one)).collect(),
            rules_before: Vec::new(),
            extended_before: Vec::new(),
            detachments: Detachments::default(),
        }
    }

    /// From this entry of its log on, these rules were in force. Entries come in order.
    pub fn enter_rules(&mut self, index: u64, rules: Rules) {
        self.rules_before.push((index, rules));
    }

    /// With this entry of its log, more time was given to some, or taken back. Entries come in
    /// order.
    pub fn enter_extended(&mut self, index: u64, extended: Extended) {
        self.extended_before.push((index, extended));
    }

    /// By this entry of its log, of this time, a version does not count for some, or counts again. Entries
    /// come in order.
    pub fn enter_detachment(&mut self, at: UnixTime, entry: &Entry) {
        self.detachments.read(at, entry);
    }

    /// Whether, and since when, a student was taken out of a version.
    pub fn detached(&self, number: SubmissionNumber, sid: &StudentId) -> Option<&Detachment> {
        self.detachments.of(number, sid)
    }

    /// Who was taken out of which version.
    pub fn detachments(&self) -> &Detachments {
        &self.detachments
    }

    /// The rules of now.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Whether groups are kept together, now and at this entry of the log.
    pub fn keeps_groups(&self, index: Option<u64>) -> bool {
        let is_before = |entered: u64| index.is_some_and(|index| entered < index);
        let mut before = self.rules_before.iter().rev();
        let then = before.find(|(entered, _)| is_before(*entered));
        let of_then = then.map_or(&self.rules, |(_, rules)| rules);
        self.rules.groups == Groups::Kept && of_then.groups == Groups::Kept
    }

    /// A student's extension of now.
    pub fn extension(&self, sid: &StudentId) -> Option<&Extension> {
        self.extensions.get(sid)
    }

    /// Until when a student with an extension may hand in on time, where that is longer than others may
    /// or he is given time beyond it.
    pub fn extended_to(&self, sid: &StudentId) -> Option<UnixTime> {
        let own = self
            .extension(sid)
            .filter(|own| self.rules.gives_time(own))?;
        self.rules.due_for(Some(own))
    }

    /// How work of a student stands if it is committed at this moment.
    pub fn judge_now(&self, at: UnixTime, sid: &StudentId) -> Standing {
        self.rules.judge(at, self.extension(sid))
    }

    /// How work of a student stands that was committed then, with this entry of the log: by the
    /// rules and the extension that were in force before that entry, or by those of now, whichever
    /// are better for the student. Without an entry, by those of now.
    pub fn judge(&self, at: UnixTime, index: Option<u64>, sid: &StudentId) -> Standing {
        self.judge_by(at, index, sid).0
    }

    /// Since when it had been closed for a student when this was committed, if it had: he may have
    /// handed in with one who had more time, and has handed in nothing by that.
    pub fn closed_since(
        &self,
        at: UnixTime,
        index: Option<u64>,
        sid: &StudentId,
    ) -> Option<UnixTime> {
        match self.judge(at, index, sid) {
            Standing::Closed { since } => Some(since),
            _ => None,
        }
    }

    /// By how many seconds that was after the student's due time of now.
    pub fn after_due(&self, at: UnixTime, sid: &StudentId) -> u64 {
        let due = self.rules.due_for(self.extension(sid)).unwrap_or(at);
        at.as_secs().saturating_sub(due.as_secs())
    }

    /// How it stands, with the late rule by which it is judged.
    pub fn judge_by(
        &self,
        at: UnixTime,
        index: Option<u64>,
        sid: &StudentId,
    ) -> (Standing, LateRule) {
        let now = (self.judge_now(at, sid), self.rules.late);
        match index.and_then(|index| self.judge_then(at, index, sid)) {
            Some(then) if now.0.or_better(then.0) != now.0 => then,
            _ => now,
        }
    }

    fn judge_then(
        &self,
        at: UnixTime,
        index: u64,
        sid: &StudentId,
    ) -> Option<(Standing, LateRule)> {
        let mut rules = self.rules_before.iter().rev();
        let (_, rules) = rules.find(|(entered, _)| *entered < index)?;
        let extended = self.extended_before.iter().rev();
        let mut extended = extended.filter(|(entered, _)| *entered < index);
        let own = extended.find_map(|(_, extended)| extended.of(sid));
        Some((rules.judge(at, own.flatten()), rules.late))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::rules::{GroupSize, Terms};
    use crate::time::from_seconds;

    const DUE: u64 = 100_000;

    fn sid() -> StudentId {
        "1155000001".parse().unwrap()
    }

    fn rules(due: u64, late: &str) -> Rules {
        let group = GroupSize::new(1, 1).unwrap();
        let terms = Terms {
            due: Some(from_seconds(due)),
            late: late.parse().unwrap(),
            ..Terms::always_open("Lab".parse().unwrap(), group, 1)
        };
        terms.check().unwrap()
    }

    fn extension(due: u64) -> Extension {
        Extension {
            sid: sid(),
            due: from_seconds(due),
            cutoff: None,
        }
    }

    /// Rules of entry 0, and others since entry 5.
    fn book(before: Rules, now: Rules) -> Rulebook {
        let mut book = Rulebook::new(now.clone(), []);
        book.enter_rules(0, before);
        book.enter_rules(5, now);
        book
    }

    #[test]
    fn a_tightening_does_not_make_late_what_was_committed_before() {
        let earlier = book(rules(DUE, "10%/day"), rules(DUE - 50_000, "10%/day"));
        let at = from_seconds(DUE - 10);
        assert_eq!(earlier.judge(at, Some(3), &sid()), Standing::OnTime);
        let (by, costs) = (49_990, 10);
        let late = Standing::Late { by, costs };
        assert_eq!(earlier.judge(at, Some(6), &sid()), late, "committed since");
        assert_eq!(earlier.judge(at, None, &sid()), late);
    }

    #[test]
    fn a_dearer_late_rule_does_not_cost_more_than_was_said() {
        let dearer = book(rules(DUE, "10%/day"), rules(DUE, "50%/day"));
        let refused = book(rules(DUE, "10%/day"), rules(DUE, "none"));
        let at = from_seconds(DUE + 60);
        let costs = |costs| Standing::Late { by: 60, costs };
        assert_eq!(dearer.judge(at, Some(3), &sid()), costs(10));
        let (_, rule) = dearer.judge_by(at, Some(3), &sid());
        assert_eq!(rule.to_string(), "10%/day");
        assert_eq!(dearer.judge(at, Some(6), &sid()), costs(50));
        assert_eq!(refused.judge(at, Some(3), &sid()), costs(10));
    }

    #[test]
    fn more_time_that_is_given_afterwards_helps() {
        let mut book = book(rules(DUE, "10%/day"), rules(DUE, "10%/day"));
        let at = from_seconds(DUE + 60);
        assert!(matches!(
            book.judge(at, Some(3), &sid()),
            Standing::Late { .. }
        ));
        book.extensions.insert(sid(), extension(DUE + 100));
        assert_eq!(book.judge(at, Some(3), &sid()), Standing::OnTime);
        let later = self::book(rules(DUE, "none"), rules(DUE + 100, "none"));
        assert_eq!(later.judge(at, Some(3), &sid()), Standing::OnTime);
    }

    #[test]
    fn an_extension_that_is_taken_back_counts_for_what_was_committed_under_it() {
        let mut book = book(rules(DUE, "10%/day"), rules(DUE, "10%/day"));
        let given = Extended {
            given: vec![extension(DUE + 100)],
            ..Extended::default()
        };
        let taken_back = Extended {
            taken_back: vec![sid()],
            ..Extended::default()
        };
        book.enter_extended(1, given);
        book.enter_extended(4, taken_back);
        let at = from_seconds(DUE + 60);
        assert_eq!(book.judge(at, Some(3), &sid()), Standing::OnTime);
        for index in [1, 5] {
            let standing = book.judge(at, Some(index), &sid());
            assert!(matches!(standing, Standing::Late { .. }), "{index}");
        }
        let other = "1155000002".parse().unwrap();
        let standing = book.judge(at, Some(3), &other);
        assert!(matches!(standing, Standing::Late { .. }));
    }

    #[test]
    fn it_is_closed_for_whom_it_was_closed_then_and_is_closed_now() {
        let (at, other) = (from_seconds(DUE + 60), "1155000002".parse().unwrap());
        let mut closed = book(rules(DUE, "none"), rules(DUE, "none"));
        closed.extensions.insert(sid(), extension(DUE + 100));
        let since = Some(from_seconds(DUE));
        assert_eq!(closed.closed_since(at, Some(3), &other), since);
        assert_eq!(closed.after_due(at, &other), 60);
        assert_eq!(closed.closed_since(at, Some(3), &sid()), None);
        let opened = book(rules(DUE, "none"), rules(DUE, "10%/day"));
        assert_eq!(opened.closed_since(at, Some(3), &other), None, "late now");
    }

    #[test]
    fn what_costs_less_is_better_before_what_is_less_late() {
        let late = |by, costs| Standing::Late { by, costs };
        assert_eq!(late(60, 50).or_better(late(90, 10)), late(90, 10));
        assert_eq!(late(60, 10).or_better(late(90, 10)), late(60, 10));
        let closed = Standing::Closed {
            since: from_seconds(DUE),
        };
        assert_eq!(closed.or_better(late(60, 100)), late(60, 100));
        assert_eq!(Standing::OnTime.or_better(closed), Standing::OnTime);
        assert_eq!("mark".parse::<LateRule>().unwrap().costs(60), 0);
    }
}
