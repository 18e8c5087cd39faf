//! How a hand-in stands towards its deadline: by the rules that Blackboard told just before, and by its
//! clock.

use rustls_pki_types::UnixTime;
use scb_certs::StudentId;
use scb_protocol::receipt::VerifiedReceipt;
use scb_protocol::rules::{Counts, Extension, MemberStanding, Price, Rules};
use scb_protocol::statement::Label;

use super::desk::ToldAssignments;

/// The rules for what is handed in, and who has more time.
#[derive(Clone, Debug)]
pub(super) struct ToldRules {
    /// When they were told, by Blackboard's clock.
    pub(super) at: UnixTime,
    rules: Rules,
    extensions: Vec<Extension>,
}

impl ToldRules {
    /// Those of one assignment; none if it was not told.
    pub(super) fn of(told: &ToldAssignments, place: &(Label, Label)) -> Option<Self> {
        let mut listed = told.listed.iter();
        let one = listed.find(|one| (&one.course, &one.assignment) == (&place.0, &place.1))?;
        Some(Self {
            at: told.time,
            rules: one.rules.clone(),
            extensions: one.extensions.clone(),
        })
    }

    /// Which of several versions counts.
    pub(super) fn counts(&self) -> Counts {
        self.rules.counts
    }

    /// How each of them stands with what is recorded at this moment; nobody where nothing is ever due.
    pub(super) fn judge<'a>(
        &self,
        at: UnixTime,
        members: impl IntoIterator<Item = &'a StudentId>,
    ) -> Vec<MemberStanding> {
        self.rules.judge_if_due(at, members, &self.extensions)
    }

    /// Whether what is sent now is taken of anybody.
    pub(super) fn is_taken(&self) -> bool {
        self.rules.judge_group(self.at, &self.extensions).is_open()
    }

    /// How each stands with what is about to be sent, if that is taken and late for any of them.
    pub(super) fn late_now<'a>(
        &self,
        members: impl IntoIterator<Item = &'a StudentId>,
    ) -> Option<Vec<MemberStanding>> {
        let each = self.judge(self.at, members);
        let late = each.iter().any(|one| one.standing.price() > Price::NONE);
        (self.is_taken() && late).then_some(each)
    }

    /// Whether what was recorded first costs any of these members less than what came afterwards.
    pub(super) fn is_better<'a>(
        &self,
        (first, then): (UnixTime, UnixTime),
        members: impl IntoIterator<Item = &'a StudentId> + Clone,
    ) -> bool {
        let first = self.judge(first, members.clone());
        let then = self.judge(then, members);
        let mut each = first.iter().zip(&then);
        each.any(|(first, then)| first.standing.price() < then.standing.price())
    }

    /// Of a receipt that was given just now.
    pub(super) fn judge_receipt(&self, receipt: &VerifiedReceipt) -> Vec<MemberStanding> {
        let members = receipt.statement().members.iter();
        self.judge(receipt.committed_at(), members.map(|member| &member.sid))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_protocol::from_seconds;
    use scb_protocol::rules::Terms;

    use super::*;

    const DUE: u64 = 1_795_262_400;
    const HOUR: u64 = 3600;

    fn told(at: u64, late: &str) -> ToldRules {
        let group = "1..3".parse().unwrap();
        let mut terms = Terms::always_open("Lab".parse().unwrap(), group, 1024);
        terms.due = Some(from_seconds(DUE));
        terms.grace = 60;
        terms.late = late.parse().unwrap();
        ToldRules {
            at: from_seconds(at),
            rules: terms.check().unwrap(),
            extensions: vec![Extension {
                sid: "B".parse().unwrap(),
                due: from_seconds(DUE + HOUR),
                cutoff: None,
            }],
        }
    }

    fn sids(text: &str) -> Vec<StudentId> {
        text.split(',').map(|sid| sid.parse().unwrap()).collect()
    }

    #[test]
    fn what_would_be_late_for_one_of_them_is_late() {
        let late = told(DUE + 61, "50%/hour").late_now(&sids("A,B")).unwrap();
        let words: Vec<_> = late.iter().map(|one| one.standing.as_str()).collect();
        assert_eq!(words, ["late", "on_time"]);
        for (at, who) in [(DUE, "A"), (DUE + 60, "A"), (DUE + 61, "B")] {
            assert!(told(at, "50%/hour").late_now(&sids(who)).is_none(), "{at}");
        }
        // It is refused, and why is told then.
        assert!(told(DUE + HOUR + 61, "none").late_now(&sids("A")).is_none());
    }

    #[test]
    fn what_costs_less_is_better_and_nothing_is_better_than_in_time() {
        let is_better = |first: u64, then: u64, late: &str, who: &str| {
            let moments = (from_seconds(DUE + first), from_seconds(DUE + then));
            told(DUE, late).is_better(moments, &sids(who))
        };
        assert!(is_better(0, HOUR, "mark", "A"));
        assert!(is_better(HOUR, 2 * HOUR, "10%/hour", "A"));
        assert!(is_better(0, HOUR, "mark", "A,B"));
        assert!(!is_better(0, HOUR, "mark", "B"));
        assert!(!is_better(0, 60, "mark", "A"));
        assert!(!is_better(HOUR, 2 * HOUR, "10%/day", "A"));
    }
}
