//! Which rules may take the place of others: none that take back what was promised.

use rustls_pki_types::UnixTime;

use super::{Counts, Extension, Rules};
use crate::time::{from_seconds, rfc3339};

/// Moments until which something holds, and what.
type Ends = [(&'static str, Option<UnixTime>); 3];

/// What has been handed in, as far as it binds the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandedIn {
    /// Nothing.
    Nothing,
    /// Something, and no student has several versions.
    Once,
    /// Some have several versions.
    Repeatedly,
}

/// Why rules may not take the place of those in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AmendError {
    /// What was still to come would be over already.
    #[error(
        "{what} would be {}, which is over; so far {}",
        rfc3339(*at),
        so_far(*was)
    )]
    Backdated {
        /// Which moment.
        what: &'static str,
        /// When it would be.
        at: UnixTime,
        /// When it is by the rules in force; `None`: never.
        was: Option<UnixTime>,
    },
    /// Students handed in knowing which version counts.
    #[error("work was handed in while the {was} version counts: that stays as it is")]
    CountsSettled {
        /// Which one counts.
        was: Counts,
    },
}

fn so_far(was: Option<UnixTime>) -> String {
    match was {
        Some(was) => format!("it is {}", rfc3339(was)),
        None => "there is none".to_owned(),
    }
}

impl Rules {
    /// Checks that `other` rules may take the place of these now: no moment until which something
    /// holds is moved back to before now, though it may end now; and which version counts is changed
    /// only if students can but gain from it.
    ///
    /// # Errors
    ///
    /// [`AmendError`].
    pub fn check_amended(
        &self,
        other: &Self,
        handed_in: HandedIn,
        now: UnixTime,
    ) -> Result<(), AmendError> {
        check_ends(self.ends(None), other.ends(None), now)?;
        match (handed_in, self.counts, other.counts) {
            (HandedIn::Nothing, _, _) => Ok(()),
            // Nobody has a version that would count no longer, and all may hand in a better one.
            (HandedIn::Once, Counts::First, Counts::Latest) => Ok(()),
            (_, was, is) if was == is => Ok(()),
            (_, was, _) => Err(AmendError::CountsSettled { was }),
        }
    }

    /// Checks that a student's extension may now take the place of the one that he has, or of none;
    /// and that it may be taken back (`other` is `None`). As with rules: no moment until which
    /// something holds for him is moved back to before now.
    ///
    /// # Errors
    ///
    /// [`AmendError::Backdated`].
    pub fn check_extended(
        &self,
        own: Option<&Extension>,
        other: Option<&Extension>,
        now: UnixTime,
    ) -> Result<(), AmendError> {
        check_ends(self.ends(own), self.ends(other), now)
    }

    /// The moments until which something holds for everybody, or for whom has this extension.
    fn ends(&self, extension: Option<&Extension>) -> Ends {
        let moments = self.moments(extension);
        [
            ("the due time", moments.map(|moments| moments.due)),
            (
                "the end of the time of grace",
                moments.map(|moments| moments.grace_ends),
            ),
            (
                "the time when it closes",
                moments.and_then(|moments| moments.last),
            ),
        ]
    }
}

fn check_ends(own: Ends, other: Ends, now: UnixTime) -> Result<(), AmendError> {
    for ((what, was), (_, at)) in own.into_iter().zip(other) {
        if let Some(at) = at.filter(|at| is_backdated(*at, was, now)) {
            return Err(AmendError::Backdated { what, at, was });
        }
    }
    Ok(())
}

/// The second before now is where something ends that ends now.
fn is_backdated(at: UnixTime, was: Option<UnixTime>, now: UnixTime) -> bool {
    let last = from_seconds(now.as_secs().saturating_sub(1));
    at < last && was.is_none_or(|was| at < was)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::rules::{GroupSize, Terms};

    const NOW: u64 = 100_000;
    const DUE: u64 = NOW + 1000;

    fn terms() -> Terms {
        let group = GroupSize::new(1, 1).unwrap();
        Terms {
            due: Some(from_seconds(DUE)),
            grace: 100,
            cutoff: Some(from_seconds(DUE + 500)),
            late: "mark".parse().unwrap(),
            ..Terms::always_open("Lab".parse().unwrap(), group, 1)
        }
    }

    #[test]
    fn a_time_that_is_over_is_told_beside_what_holds_so_far() {
        let told = |was: Option<u64>| {
            let error = AmendError::Backdated {
                what: "the due time",
                at: from_seconds(DUE),
                was: was.map(from_seconds),
            };
            error.to_string()
        };
        let at = "the due time would be 1970-01-02T04:03:20Z, which is over; so far ";
        assert_eq!(told(None), format!("{at}there is none"));
        assert_eq!(told(Some(NOW)), format!("{at}it is 1970-01-02T03:46:40Z"));
    }

    fn amend(
        change: impl FnOnce(&mut Terms),
        now: u64,
        handed_in: HandedIn,
    ) -> Result<(), AmendError> {
        let mut other = terms();
        change(&mut other);
        let other = other.check().unwrap();
        let rules = terms().check().unwrap();
        rules.check_amended(&other, handed_in, from_seconds(now))
    }

    fn what(refused: Result<(), AmendError>) -> &'static str {
        match refused {
            Err(AmendError::Backdated { what, .. }) => what,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_moment_that_is_over_is_no_new_deadline() {
        let nothing = HandedIn::Nothing;
        let due = |at| move |terms: &mut Terms| terms.due = Some(from_seconds(at));
        assert_eq!(what(amend(due(NOW - 2), NOW, nothing)), "the due time");
        for at in [NOW - 1, NOW, DUE - 500, DUE + 400] {
            amend(due(at), NOW, nothing).unwrap();
        }
        let cutoff = |terms: &mut Terms| terms.cutoff = Some(from_seconds(DUE + 200));
        let late = what(amend(cutoff, DUE + 300, nothing));
        assert_eq!(late, "the time when it closes");
        amend(cutoff, DUE + 200, nothing).unwrap();
        let grace = |terms: &mut Terms| terms.grace = 0;
        let ended = what(amend(grace, DUE + 50, nothing));
        assert_eq!(ended, "the end of the time of grace");
        amend(grace, DUE, nothing).unwrap();
        let refused = |terms: &mut Terms| {
            (terms.late, terms.cutoff) = ("none".parse().unwrap(), None);
        };
        let closed = what(amend(refused, DUE + 300, nothing));
        assert_eq!(closed, "the time when it closes");
    }

    #[test]
    fn what_is_over_may_be_put_off_although_it_is_over_again() {
        let later = |terms: &mut Terms| terms.due = Some(from_seconds(DUE + 300));
        amend(later, DUE + 10_000, HandedIn::Repeatedly).unwrap();
        let same = |terms: &mut Terms| terms.max_bytes = 2;
        amend(same, DUE + 10_000, HandedIn::Repeatedly).unwrap();
    }

    #[test]
    fn what_was_never_due_is_not_due_in_the_past() {
        let open = Terms::always_open("Lab".parse().unwrap(), GroupSize::new(1, 1).unwrap(), 1);
        let (open, due) = (open.check().unwrap(), terms().check().unwrap());
        let amend = |now| open.check_amended(&due, HandedIn::Nothing, from_seconds(now));
        amend(NOW).unwrap();
        assert_eq!(what(amend(DUE + 2)), "the due time");
    }

    fn extension(due: u64) -> Extension {
        Extension {
            sid: "1155000001".parse().unwrap(),
            due: from_seconds(due),
            cutoff: None,
        }
    }

    #[test]
    fn more_time_is_not_taken_away_for_what_is_over() {
        let rules = terms().check().unwrap();
        let own = extension(DUE + 4000);
        let change = |other: Option<u64>, now| {
            let other = other.map(extension);
            rules.check_extended(Some(&own), other.as_ref(), from_seconds(now))
        };
        for taken_back in [DUE, DUE + 1] {
            change(None, taken_back).unwrap();
        }
        assert_eq!(what(change(None, DUE + 2)), "the due time");
        assert_eq!(what(change(Some(DUE + 10), DUE + 12)), "the due time");
        for at in [DUE + 10, DUE + 11, DUE + 5000] {
            change(Some(at), DUE + 11).unwrap();
        }
        // Also when all of it is over: what came in between was in time.
        assert_eq!(what(change(None, DUE + 9000)), "the due time");
    }

    #[test]
    fn more_time_may_be_given_after_the_event() {
        let rules = terms().check().unwrap();
        let (given, now) = (extension(DUE + 10), from_seconds(DUE + 9000));
        rules.check_extended(None, Some(&given), now).unwrap();
        let more = extension(DUE + 20);
        rules
            .check_extended(Some(&given), Some(&more), now)
            .unwrap();
    }

    #[test]
    fn which_version_counts_stays_once_something_was_handed_in() {
        let first = |terms: &mut Terms| terms.counts = Counts::First;
        amend(first, NOW, HandedIn::Nothing).unwrap();
        for handed_in in [HandedIn::Once, HandedIn::Repeatedly] {
            let refused = amend(first, NOW, handed_in).unwrap_err();
            let was = Counts::Latest;
            assert_eq!(refused, AmendError::CountsSettled { was });
        }
    }

    #[test]
    fn the_latest_may_count_where_nobody_has_two() {
        let latest = terms().check().unwrap();
        let mut first = terms();
        first.counts = Counts::First;
        let first = first.check().unwrap();
        let amend = |handed_in| first.check_amended(&latest, handed_in, from_seconds(NOW));
        amend(HandedIn::Once).unwrap();
        amend(HandedIn::Repeatedly).unwrap_err();
    }
}
