//! Who may still hand in after an assignment was closed: extensions last until they are over.

use rustls_pki_types::UnixTime;
use scb_certs::StudentId;
use scb_cli::{local_time, note, rfc3339};
use scb_protocol::from_seconds;
use scb_protocol::rules::{Extension, LateRule, Rules, Standing};
use serde_json::{Value, json};

use super::Desk;
use crate::arguments::courses::Which;
use crate::store::NotListed;

/// Who has an extension that is not over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StillOpen {
    extension: Extension,
    /// The last moment at which something is taken of him.
    until: Option<UnixTime>,
}

/// All of them, by student.
pub(super) fn still_open(desk: &Desk, which: &Which) -> anyhow::Result<Vec<StillOpen>> {
    let place = desk.place(which);
    let rules = desk.store.assignment(&place)?.rules().clone();
    let extensions = desk.store.extensions(place)?.into_iter();
    let open = extensions.map(|given| given.extension).filter(|extension| {
        let standing = rules.judge(desk.now, Some(extension));
        !matches!(standing, Standing::Closed { .. })
    });
    Ok(open
        .map(|extension| StillOpen {
            until: rules.closes_for(Some(&extension)),
            extension,
        })
        .collect())
}

/// Ends their extensions as well: what was on time stays so, and nothing comes after the time of grace.
pub(super) fn end_extensions(desk: &Desk, which: &Which) -> anyhow::Result<()> {
    let place = desk.place(which);
    let rules = desk.store.assignment(&place)?.rules().clone();
    let open = still_open(desk, which)?;
    let ended = |one: &StillOpen| ended(&rules, &one.extension, desk.now);
    let shorter: Vec<_> = open.iter().filter_map(ended).collect();
    let rest = open.into_iter().map(|one| one.extension.sid);
    let rest = rest.filter(|sid| !shorter.iter().any(|one| one.sid == *sid));
    let rest: Vec<_> = rest.collect();
    if !shorter.is_empty() {
        let store = &desk.store;
        store.extend(place.clone(), shorter, NotListed::Taken, desk.now)?;
    }
    if !rest.is_empty() {
        desk.store.take_back(place, rest, desk.now)?;
    }
    Ok(())
}

/// An extension that is due by now; none where everybody is, as nothing is taken back to a time that is over.
fn ended(rules: &Rules, extension: &Extension, now: UnixTime) -> Option<Extension> {
    // The last moment at which it was open is over.
    let last = from_seconds(now.as_secs().saturating_sub(1));
    let is_later = rules.due.is_some_and(|due| due < last);
    let common = rules.due.map_or(0, |due| due.as_secs());
    let due = extension.due.min(last).as_secs().max(common + 1);
    let ends = (due + rules.grace).max(last.as_secs());
    is_later.then(|| Extension {
        sid: extension.sid.clone(),
        due: from_seconds(due),
        cutoff: (rules.late != LateRule::None).then(|| from_seconds(ends)),
    })
}

/// Tells the teacher, and what ends it.
pub(super) fn remark(which: &Which, open: &[StillOpen]) -> anyhow::Result<()> {
    for one in open {
        let until = one.until.map(local_time);
        let until = until.map_or("without end".to_owned(), |until| format!("until {until}"));
        note(&format!(
            "STILL OPEN for {}, {until}: an extension was given",
            one.extension.sid
        ))?;
    }
    if !open.is_empty() {
        let Which { course, assignment } = which;
        note(&format!(
            "`blackboard assignment close {assignment} --course {course} --with-extensions` ends these as \
             well, at the end of their time of grace"
        ))?;
    }
    Ok(())
}

/// The same for programs.
pub(super) fn as_json(open: &[StillOpen]) -> Value {
    let sid = |one: &StillOpen| -> StudentId { one.extension.sid.clone() };
    let open = open.iter();
    open.map(|one| json!({"sid": sid(one), "until": one.until.map(rfc3339)}))
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_protocol::rules::{GroupSize, Terms};

    use super::*;

    #[test]
    fn an_extension_ends_now_and_takes_nobody_s_time_back() {
        let at = from_seconds;
        let group = GroupSize::new(1, 3).unwrap();
        let own = Extension {
            sid: "1155000001".parse().unwrap(),
            due: at(5000),
            cutoff: Some(at(9000)),
        };
        for (late, cutoff) in [(LateRule::None, None), (LateRule::Mark, Some(at(1500)))] {
            for grace in [0, 100] {
                let rules = Terms {
                    due: Some(at(1000)),
                    grace,
                    late,
                    cutoff,
                    ..Terms::always_open("Lab".parse().unwrap(), group, 1)
                };
                let rules = rules.check().unwrap();
                let now = at(2000);
                let ended = ended(&rules, &own, now).unwrap();
                rules.check_extension(&ended).unwrap();
                rules.check_extended(Some(&own), Some(&ended), now).unwrap();
                let after = rules.judge(at(2000 + grace), Some(&ended));
                assert!(!after.is_open(), "{late:?}, {grace}: {after:?}");
                let before = rules.judge(at(1999), Some(&ended));
                assert_eq!(before, Standing::OnTime, "what came stays on time");
                // Everybody's time ends now: it is taken back.
                let own_end = self::ended(&rules, &own, at(1001));
                assert_eq!(own_end, None);
            }
        }
    }
}
