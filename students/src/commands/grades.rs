//! `student grades`: one's own grades, as Blackboard signed them and the log holds them.

use rustls_pki_types::UnixTime;
use scb_cli::{Term, local_time, printable, rfc3339, say};
use scb_explain::{Language, length};
use scb_protocol::grade::{Lateness, VerifiedGrade, VerifiedRelease};
use scb_protocol::receipt::Witnessed;
use scb_protocol::statement::SubmissionNumber;
use serde_json::{Value, json};

use super::{Prepared, quiet, say_json};
use crate::Error;
use crate::cli::{Common, Grades};
use crate::show::Show;

pub(super) fn run(common: &Common, arguments: &Grades, term: Term) -> Result<(), Error> {
    let mut prepared = Prepared::to_look(common, term)?;
    prepared.engine.setup.blackboard()?;
    let mut show = Show::new(common);
    let mut observer = quiet(common, &mut show);
    let (group, grades) =
        prepared.ask(&arguments.ids, &mut observer, |engine, group, observer| {
            engine.grades(group, common.course.clone(), observer)
        })?;
    let wanted = |one: &&VerifiedGrade| {
        let asked = common.assignment.as_ref();
        asked.is_none_or(|it| *it == one.grade().assignment)
    };
    let grades = in_turn(grades.iter().filter(wanted));
    if common.json {
        let listed: Vec<_> = grades.iter().map(|shown| all_as_json(shown)).collect();
        return say_json(&json!({"members": group.ids(), "grades": listed}));
    }
    let words = Words(common.explain.language.language());
    if grades.is_empty() {
        return Ok(say(words.nothing())?);
    }
    for shown in &grades {
        for (place, one) in shown.iter().enumerate() {
            match place.checked_sub(1).and_then(|next| shown.get(next)) {
                None => say_one(one, words)?,
                Some(next) => say(&format!("  {}", words.was(one, next.released())))?,
            }
        }
    }
    Ok(())
}

/// Of each student and assignment the grade that was released last, and after it those before.
fn in_turn<'a>(all: impl Iterator<Item = &'a VerifiedGrade>) -> Vec<Vec<&'a VerifiedGrade>> {
    let mut found: Vec<Vec<&VerifiedGrade>> = Vec::new();
    for one in all {
        let key = |one: &VerifiedGrade| (one.grade().sid.clone(), one.entry().0.clone());
        let mut known = found.iter_mut();
        match known.find(|shown| key(shown[0]) == key(one)) {
            Some(shown) => shown.push(one),
            None => found.push(vec![one]),
        }
    }
    for shown in &mut found {
        shown.sort_by_key(|one| std::cmp::Reverse((one.released().index(), one.entry().1)));
    }
    found
}

/// The one that was released last, with those before.
fn all_as_json(shown: &[&VerifiedGrade]) -> Value {
    let Some((now, former)) = shown.split_first() else {
        return Value::Null;
    };
    let former = former.iter().zip(shown).map(|(one, next)| {
        let mut told = as_json(one);
        told["until"] = json!(rfc3339(next.released().at()));
        told
    });
    let mut told = as_json(now);
    told["former"] = former.collect();
    told
}

fn say_one(verified: &VerifiedGrade, words: Words) -> Result<(), Error> {
    let grade = verified.grade();
    say(&format!(
        "{} / {}  {}  {}",
        grade.course,
        grade.assignment,
        grade.sid,
        words.points(&grade.points.to_string(), &grade.maximum.to_string())
    ))?;
    if let Some(group) = grade.group.filter(|group| *group != grade.points) {
        say(&format!("  {}", words.group(&group.to_string())))?;
    }
    if let Some(late) = &grade.lateness {
        say(&format!("  {}", words.late(late)))?;
    }
    if let Some(comment) = &grade.comment {
        say(&format!("  {}", printable(comment)))?;
    }
    if let Some(number) = grade.submission {
        say(&format!("  {}", words.submission(number)))?;
    }
    let grader = printable(&grade.grader.to_string());
    say(&format!("  {}", words.graded(&grader, grade.at)))?;
    say(&format!("  {}", words.released(verified.released())))?;
    Ok(say(&format!("  {}", words.proved(verified)))?)
}

fn as_json(verified: &VerifiedGrade) -> Value {
    let (grade, (log, index)) = (verified.grade(), verified.entry());
    json!({
        "course": grade.course,
        "assignment": grade.assignment,
        "sid": grade.sid,
        "points": grade.points,
        "maximum": grade.maximum,
        "group": grade.group,
        "lateness": grade.lateness,
        "submission": grade.submission,
        "comment": grade.comment,
        "grader": grade.grader,
        "at": rfc3339(grade.at),
        "released_at": rfc3339(verified.released().at()),
        "release_index": verified.released().index(),
        "release_witnessed_at": first_seen(verified.released().witnessed()).map(rfc3339),
        "verified": true,
        "log": log,
        "index": index,
        "witnessed_at": seen_at(verified).map(rfc3339),
    })
}

/// When CUHK had seen the log entry.
fn seen_at(verified: &VerifiedGrade) -> Option<UnixTime> {
    first_seen(verified.witnessed())
}

fn first_seen(witnessed: Option<&Witnessed>) -> Option<UnixTime> {
    let seen = witnessed?.by.first();
    seen.map(|(_, time)| *time)
}

/// What is said, in one language.
#[derive(Clone, Copy)]
struct Words(Language);

impl Words {
    fn nothing(self) -> &'static str {
        self.0.pick(
            "No grade of these students has been released.",
            "這些學生沒有已公布的評分。",
        )
    }

    fn points(self, points: &str, maximum: &str) -> String {
        match self.0 {
            Language::English => format!("{points} of {maximum}"),
            Language::Chinese => format!("{points} 分，滿分 {maximum} 分"),
        }
    }

    fn group(self, points: &str) -> String {
        match self.0 {
            Language::English => format!("the group as a whole has {points}"),
            Language::Chinese => format!("全組的評分是 {points} 分"),
        }
    }

    fn late(self, late: &Lateness) -> String {
        let Lateness {
            raw, rule, percent, ..
        } = late;
        let by = length(late.seconds, self.0);
        match (self.0, late.closed) {
            (Language::English, true) => {
                format!("worth {raw}; nothing is left, as it was closed for you when it came")
            }
            (Language::Chinese, true) => format!("原得 {raw} 分；提交時已截止，故不計分"),
            (Language::English, false) => {
                format!("worth {raw}, less {percent} % because it was late by {by} ({rule})")
            }
            (Language::Chinese, false) => {
                format!("原得 {raw} 分，因遲交 {by} 扣 {percent} %（{rule}）")
            }
        }
    }

    fn submission(self, number: SubmissionNumber) -> String {
        match self.0 {
            Language::English => format!("for {number}, which counted then"),
            Language::Chinese => format!("評核的是當時計分的 {number}"),
        }
    }

    fn graded(self, grader: &str, at: UnixTime) -> String {
        let at = local_time(at);
        match self.0 {
            Language::English => format!("graded by {grader} at {at}"),
            Language::Chinese => format!("由 {grader} 於 {at} 評分"),
        }
    }

    /// What it was before, and until when.
    fn was(self, one: &VerifiedGrade, next: &VerifiedRelease) -> String {
        let (grade, index) = (one.grade(), one.entry().1);
        let points = self.points(&grade.points.to_string(), &grade.maximum.to_string());
        let from = local_time(one.released().at());
        let (until, released) = (local_time(next.at()), one.released().index());
        match self.0 {
            Language::English => format!(
                "was {points} until {until}: seen since {from}, entries {index} and {released}, signed"
            ),
            Language::Chinese => format!(
                "{until} 之前為 {points}：自 {from} 起公布，第 {index} 及 {released} 項，已簽署"
            ),
        }
    }

    fn released(self, released: &VerifiedRelease) -> String {
        let (at, index) = (local_time(released.at()), released.index());
        let seen = first_seen(released.witnessed()).is_some();
        match (self.0, seen) {
            (Language::English, true) => {
                format!("could be seen since {at}: entry {index}, signed and witnessed")
            }
            (Language::English, false) => {
                format!("could be seen since {at}: entry {index}, signed; CUHK has not seen it yet")
            }
            (Language::Chinese, true) => {
                format!("自 {at} 起公布：第 {index} 項，已簽署並獲見證")
            }
            (Language::Chinese, false) => {
                format!("自 {at} 起公布：第 {index} 項，已簽署；中大尚未見證")
            }
        }
    }

    fn proved(self, verified: &VerifiedGrade) -> String {
        let (log, index) = verified.entry();
        let seen = seen_at(verified).map(local_time);
        match (self.0, seen) {
            (Language::English, Some(seen)) => format!(
                "verified: signed by Blackboard, entry {index} of {log}, which CUHK has seen at {seen}"
            ),
            (Language::English, None) => format!(
                "verified: signed by Blackboard, entry {index} of {log}; CUHK has not seen it yet"
            ),
            (Language::Chinese, Some(seen)) => {
                format!("已驗證：Blackboard 已簽署，載於 {log} 第 {index} 項，中大於 {seen} 見證")
            }
            (Language::Chinese, None) => {
                format!("已驗證：Blackboard 已簽署，載於 {log} 第 {index} 項；中大尚未見證")
            }
        }
    }
}
