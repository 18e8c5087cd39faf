//! `blackboard grades list`: the grades of an assignment, and what students see of them.

use scb_cli::{grade_json, local_time, printable, rfc3339, say};
use serde_json::{Value, json};

use super::outdated::{self, Outdated};
use crate::arguments::courses::Of;
use crate::courses::Desk;
use crate::courses::text::{say_json, table};
use crate::store::grades::Graded;

const TITLE: [&str; 8] = [
    "STUDENT",
    "POINTS",
    "OF",
    "GROUP",
    "FOR",
    "GRADED BY",
    "AT",
    "SHOWN",
];

pub(super) fn run(desk: &Desk, of: &Of, (history, json): (bool, bool)) -> anyhow::Result<()> {
    let place = desk.place(&of.which());
    let grades = desk.store.grades(&place)?;
    let outdated = Outdated::all(desk, &place, &grades)?;
    let mut former = desk.store.former_grades(&place)?;
    let grades = grades.into_iter().map(|(sid, now)| Shown {
        former: former.remove(&sid).unwrap_or_default(),
        outdated: outdated.get(&sid).copied(),
        now,
    });
    let grades: Vec<_> = grades.collect();
    if json {
        return say_json(&grades.iter().map(|one| one.as_json(history)).collect());
    }
    if grades.is_empty() {
        return Ok(say("nobody is graded yet: `blackboard grades import`")?);
    }
    let mut rows = vec![TITLE.map(str::to_owned)];
    for one in &grades {
        rows.push(row(&one.now, one.shown()));
        if history {
            rows.extend(one.history());
        }
    }
    for line in table(&rows) {
        say(&line)?;
    }
    outdated::remark(&outdated)
}

/// A student's grade, and those that he could see before, the latest first.
struct Shown {
    now: Graded,
    former: Vec<Graded>,
    /// What counts instead of what was graded.
    outdated: Option<Outdated>,
}

impl Shown {
    /// Since when it is shown, or what is shown instead.
    fn shown(&self) -> String {
        match (&self.now.released, self.former.first()) {
            (Some(released), _) => local_time(released.at),
            (None, Some(before)) => {
                let grade = &before.grade;
                format!("no, still {} of {}", grade.points, grade.maximum)
            }
            (None, None) => "no".to_owned(),
        }
    }

    /// Those before, each with when it was shown.
    fn history(&self) -> impl Iterator<Item = [String; 8]> {
        let former = self.former.iter().zip(self.ends());
        former.map(|(one, end)| {
            let from = one
                .released
                .as_ref()
                .map(|released| local_time(released.at));
            let end = end.map_or("now".to_owned(), local_time);
            row(one, format!("{} until {end}", from.unwrap_or_default()))
        })
    }

    /// Until when each of those before was shown: until the next was.
    fn ends(&self) -> impl Iterator<Item = Option<rustls_pki_types::UnixTime>> {
        let since = |one: &Graded| one.released.as_ref().map(|released| released.at);
        let next = std::iter::once(&self.now).chain(&self.former);
        next.map(since)
    }

    fn as_json(&self, history: bool) -> Value {
        let mut told = as_json(&self.now);
        told["outdated"] = json!(self.outdated);
        if history {
            let former = self.former.iter().zip(self.ends());
            let former = former.map(|(one, end)| {
                let mut told = as_json(one);
                told["until"] = json!(end.map(rfc3339));
                told
            });
            told["former"] = former.collect();
        }
        told
    }
}

fn row(graded: &Graded, shown: String) -> [String; 8] {
    let grade = &graded.grade;
    [
        grade.sid.to_string(),
        grade.points.to_string(),
        grade.maximum.to_string(),
        grade.group.map_or(String::new(), |group| group.to_string()),
        grade
            .submission
            .map_or("nothing".to_owned(), |number| number.to_string()),
        printable(&grade.grader.to_string()),
        local_time(grade.at),
        shown,
    ]
}

fn as_json(graded: &Graded) -> Value {
    let released = graded.released.as_ref();
    let mut value = grade_json(&graded.grade);
    value["log"] = json!(graded.entry.0);
    value["index"] = json!(graded.entry.1);
    value["released_at"] = json!(released.map(|released| rfc3339(released.at)));
    value["release_index"] = json!(released.map(|released| released.index));
    value
}
