//! Warns a teacher who moves a deadline forward, or tightens the rules of an assignment that is open.
//!
//! Students who planned by the old rules hear of the change from the teacher alone. So the teacher is told
//! whom it affects, and is asked to confirm when the notice is short.

use rustls_pki_types::UnixTime;
use scb_cli::confirm::confirmed;
use scb_cli::{Failure, counted, local_time, note};
use scb_protocol::in_words;
use scb_protocol::rules::Rules;
use serde_json::{Value, json};

use super::{Desk, consent};
use crate::store::{Error, Place};

/// Less notice than this, in seconds, is to be agreed to.
const SHORT: u64 = 24 * 3600;

/// Until when work is on time and until when it is taken; `None`: always.
pub(super) type Ends = [Option<UnixTime>; 2];

/// What would be over sooner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moved {
    what: &'static str,
    was: Option<UnixTime>,
    is: UnixTime,
}

impl Moved {
    pub(super) fn told(&self) -> String {
        let was = self.was.map_or("never".to_owned(), local_time);
        let (what, is) = (self.what, local_time(self.is));
        format!("{what} is brought forward from {was} to {is}")
    }
}

/// What would be over sooner, and who may be hit by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Forward {
    moved: Vec<Moved>,
    /// What is taken no more from now on, of what is open.
    narrowed: Vec<String>,
    /// How many students have handed in.
    handed_in: u64,
    /// How many have begun: uploads, and proposals that wait for signatures.
    begun: u64,
}

impl Forward {
    /// What these rules bring forward; nothing if nothing.
    pub(super) fn of(
        desk: &Desk,
        place: &Place,
        (before, after): (&Rules, &Rules),
    ) -> Result<Option<Self>, Error> {
        let ends = |rules: &Rules| [rules.due, rules.closes_for(None)];
        let moved = moved(ends(before), ends(after));
        let narrowed = match before.judge(desk.now, None).is_open() {
            true => narrowed((before, after), desk.now),
            false => Vec::new(),
        };
        if moved.is_empty() && narrowed.is_empty() {
            return Ok(None);
        }
        let uploads = desk.store.uploads(place)?.into_iter();
        let coming = uploads.filter(|(_, upload)| upload.is_coming(desk.now));
        let mut begun = desk.store.proposed(place, desk.now)?.waits;
        let mut count = begun.len() as u64;
        count += coming
            .filter(|(sid, _)| begun.remove(sid).is_none())
            .count() as u64;
        Ok(Some(Self {
            moved,
            narrowed,
            handed_in: desk.store.handed_in(place, desk.now)?,
            begun: count,
        }))
    }

    /// Goes on if there is time enough, if the teacher has agreed, or agrees now. What would be over
    /// already is refused by the rules themselves.
    ///
    /// # Errors
    ///
    /// `short_notice`.
    pub(super) fn agreed(&self, now: UnixTime, yes: bool) -> Result<(), Failure> {
        let left = |moved: &Moved| moved.is.as_secs().checked_sub(now.as_secs());
        let least = self.moved.iter().filter_map(left).min();
        let least = least.filter(|left| *left < SHORT);
        if yes || (least.is_none() && self.narrowed.is_empty()) {
            return Ok(());
        }
        let told = self.told(least);
        if confirmed(&format!("{told}. Type `yes` to do it: "), "yes") {
            return Ok(());
        }
        Err(Failure::refused(told)
            .with_remedy(
                "nothing was changed; tell the students first; --yes changes it all the same",
            )
            .with_code("short_notice"))
    }

    /// Goes on with closing it if the teacher has agreed, or agrees now.
    ///
    /// # Errors
    ///
    /// `not_confirmed`.
    pub(super) fn agreed_to_close(&self, name: &str, yes: bool) -> Result<(), Failure> {
        let told = self.told(None);
        consent::agreed(format!("{name} takes nothing from now on: {told}"), yes)
    }

    /// Once it is changed.
    pub(super) fn remark(&self) -> anyhow::Result<()> {
        let what = match self.moved.is_empty() {
            true => "RULES",
            false => "DATE",
        };
        Ok(note(&format!(
            "CHECK THE {what}: {}; students who do not look are not told",
            self.told(None)
        ))?)
    }

    pub(super) fn as_json(&self) -> Value {
        let moved = self.moved.iter().map(|one| {
            json!({
                "field": one.what,
                "was": one.was.map(scb_cli::rfc3339),
                "is": scb_cli::rfc3339(one.is),
            })
        });
        json!({
            "moved": moved.collect::<Vec<_>>(),
            "narrowed": self.narrowed,
            "handed_in": self.handed_in,
            "begun": self.begun,
        })
    }

    /// `left`: in how many seconds the first of them is over, where that is soon.
    fn told(&self, left: Option<u64>) -> String {
        let moved: Vec<_> = self.moved.iter().map(Moved::told).collect();
        let left = left.map(|left| format!(", in {}", in_words(left)));
        let moved = format!("{}{}", moved.join(", "), left.unwrap_or_default());
        let mut parts = vec![moved];
        parts.retain(|part| !part.is_empty());
        parts.extend(self.narrowed.iter().cloned());
        let (students, begun) = (counted(self.handed_in, "student"), self.begun);
        format!(
            "{}; handed in: {students}; begun, and not handed in: {begun}",
            parts.join("; ")
        )
    }
}

/// Where it is sooner than before.
pub(super) fn moved(before: Ends, after: Ends) -> Vec<Moved> {
    let pairs = before.into_iter().zip(after);
    let all = ["due", "cutoff"].into_iter().zip(pairs);
    let sooner = all.filter_map(|(what, (was, is))| {
        let is = is.filter(|is| was.is_none_or(|was| *is < was))?;
        Some(Moved { what, was, is })
    });
    let mut moved: Vec<Moved> = sooner.collect();
    // Where both are the same moment it is told once.
    moved.dedup_by_key(|one| (one.was, one.is));
    moved
}

/// What was taken until now, and is not from now on.
fn narrowed((before, after): (&Rules, &Rules), now: UnixTime) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(opens) = after.opens.filter(|opens| *opens > now) {
        found.push(format!("nothing is taken before {}", local_time(opens)));
    }
    if after.max_bytes < before.max_bytes {
        let (is, was) = (counted(after.max_bytes, "byte"), before.max_bytes);
        found.push(format!("at most {is}, and not {was}"));
    }
    let kinds =
        |rules: &Rules| -> Vec<String> { rules.accept.iter().map(ToString::to_string).collect() };
    let (were, are) = (kinds(before), kinds(after));
    let lost: Vec<_> = were.iter().filter(|kind| !are.contains(kind)).collect();
    match (were.is_empty(), are.is_empty()) {
        (_, true) => {}
        (true, false) => found.push(format!("no files but {} are taken", are.join(", "))),
        (false, false) if lost.is_empty() => {}
        (false, false) => {
            let lost: Vec<_> = lost.into_iter().map(String::as_str).collect();
            found.push(format!("{} is taken no more", lost.join(", ")));
        }
    }
    let (was, is) = (before.group, after.group);
    if is.least() > was.least() || is.most() < was.most() {
        found.push(format!("groups are of {is}, and not of {was}"));
    }
    found
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_protocol::from_seconds;
    use scb_protocol::rules::{GroupSize, Terms};

    use super::*;

    fn rules(due: Option<u64>, cutoff: Option<u64>, late: &str) -> Rules {
        let group = GroupSize::new(1, 3).unwrap();
        let terms = Terms {
            due: due.map(from_seconds),
            cutoff: cutoff.map(from_seconds),
            late: late.parse().unwrap(),
            ..Terms::always_open("Lab".parse().unwrap(), group, 1)
        };
        terms.check().unwrap()
    }

    fn names(before: &Rules, after: &Rules) -> Vec<&'static str> {
        let ends = |rules: &Rules| [rules.due, rules.closes_for(None)];
        let moved = moved(ends(before), ends(after));
        moved.iter().map(|one| one.what).collect()
    }

    #[test]
    fn what_is_over_sooner_is_brought_forward_and_nothing_else() {
        let none = |due| rules(Some(due), None, "none");
        assert_eq!(
            names(&none(9), &none(8)),
            ["due"],
            "the end is the same moment"
        );
        assert!(names(&none(8), &none(9)).is_empty());
        assert!(names(&none(8), &none(8)).is_empty());
        let late = |due, cutoff| rules(Some(due), cutoff, "mark");
        assert_eq!(names(&late(5, Some(9)), &late(5, Some(8))), ["cutoff"]);
        assert_eq!(names(&late(5, None), &late(5, Some(8))), ["cutoff"]);
        assert_eq!(
            names(&late(5, Some(9)), &late(4, Some(8))),
            ["due", "cutoff"]
        );
        assert_eq!(
            names(&late(5, None), &none(5)),
            ["cutoff"],
            "none is taken late"
        );
        let always = rules(None, None, "none");
        assert_eq!(names(&always, &none(5)), ["due"]);
        assert!(names(&none(5), &always).is_empty());
    }

    #[test]
    fn less_than_a_day_is_to_be_agreed_to() {
        let forward = |is| Forward {
            moved: vec![Moved {
                what: "due",
                was: None,
                is: from_seconds(is),
            }],
            narrowed: Vec::new(),
            handed_in: 1,
            begun: 0,
        };
        let now = from_seconds(1000);
        assert!(forward(1000 + SHORT).agreed(now, false).is_ok());
        assert!(forward(999 + SHORT).agreed(now, true).is_ok());
        let refused = forward(999 + SHORT).agreed(now, false).unwrap_err();
        assert!(
            refused.message.contains("handed in: 1 student;"),
            "{}",
            refused.message
        );
        assert!(
            refused.message.contains(", in 23 h 59 min"),
            "{}",
            refused.message
        );
        assert!(
            forward(999).agreed(now, false).is_ok(),
            "the rules refuse it"
        );
    }

    #[test]
    fn what_is_taken_no_more_of_what_is_open_is_to_be_agreed_to() {
        let group = GroupSize::new(1, 3).unwrap();
        let terms = || Terms::always_open("Lab".parse().unwrap(), group, 100);
        let of = |change: &dyn Fn(&mut Terms)| {
            let mut terms = terms();
            change(&mut terms);
            terms.check().unwrap()
        };
        let now = from_seconds(1000);
        let names = |before: &Rules, after: &Rules| narrowed((before, after), now).join("; ");
        let pdf = of(&|terms| terms.accept = vec!["pdf".parse().unwrap()]);
        let both = of(&|terms| terms.accept = vec!["pdf".parse().unwrap(), "zip".parse().unwrap()]);
        let open = of(&|_| {});
        assert_eq!(names(&open, &pdf), "no files but pdf are taken");
        assert_eq!(names(&both, &pdf), "zip is taken no more");
        for (before, after) in [(&pdf, &both), (&pdf, &open), (&open, &open)] {
            assert_eq!(names(before, after), "");
        }
        let small = of(&|terms| terms.max_bytes = 1);
        assert_eq!(names(&open, &small), "at most 1 byte, and not 100");
        assert_eq!(names(&small, &open), "");
        let two = of(&|terms| terms.group = GroupSize::new(2, 3).unwrap());
        assert_eq!(names(&open, &two), "groups are of 2..3, and not of 1..3");
        assert_eq!(names(&two, &open), "");
        let later = of(&|terms| terms.opens = Some(from_seconds(1001)));
        assert!(names(&open, &later).starts_with("nothing is taken before "));
        let before = of(&|terms| terms.opens = Some(from_seconds(1000)));
        assert_eq!(names(&open, &before), "");

        let forward = Forward {
            moved: Vec::new(),
            narrowed: vec!["zip is taken no more".to_owned()],
            handed_in: 2,
            begun: 1,
        };
        assert!(forward.agreed(now, true).is_ok());
        let refused = forward.agreed(now, false).unwrap_err();
        assert_eq!(
            refused.message,
            "zip is taken no more; handed in: 2 students; begun, and not handed in: 1"
        );
    }
}
