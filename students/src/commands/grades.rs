//! `student grades`: one's own grades, as Blackboard signed them and the log holds them.

use rustls_pki_types::UnixTime;
use scb_certs::StudentId;
use scb_cli::{Term, grade_json, local_time, printable, rfc3339, say};
use scb_explain::{Language, length};
use scb_protocol::grade::{Lateness, VerifiedGrade, VerifiedRelease};
use scb_protocol::receipt::Witnessed;
use scb_protocol::statement::{Label, SubmissionNumber};
use serde_json::{Value, json};

use super::{Prepared, quiet, say_json};
use crate::cli::{Common, Grades};
use crate::show::Show;
use crate::{Engine, Error, Group, Observer};

pub(super) fn run(common: &Common, arguments: &Grades, term: Term) -> Result<(), Error> {
    let mut prepared = Prepared::to_look(common, term)?;
    prepared.engine.setup.blackboard()?;
    let mut show = Show::new(common);
    let mut observer = quiet(common, &mut show);
    let (group, (grades, counting)) =
        prepared.ask(&arguments.ids, &mut observer, |engine, group, observer| {
            let grades = engine.grades(group, common.course.clone(), observer)?;
            let counting = match grades.is_empty() {
                true => Counting::default(),
                false => Counting::ask(engine, (group, common), observer),
            };
            Ok((grades, counting))
        })?;
    let wanted = |one: &&VerifiedGrade| {
        let asked = common.assignment.as_ref();
        asked.is_none_or(|it| *it == one.grade().assignment)
    };
    let grades = in_turn(grades.iter().filter(wanted));
    if common.json {
        let listed = grades.iter().map(|shown| all_as_json(shown, &counting));
        let listed: Vec<_> = listed.collect();
        return say_json(&json!({"members": group.ids(), "grades": listed}));
    }
    let words = Words(common.explain.language.language());
    if grades.is_empty() {
        return Ok(say(words.nothing())?);
    }
    for shown in &grades {
        for (place, one) in shown.iter().enumerate() {
            match place.checked_sub(1).and_then(|next| shown.get(next)) {
                None => say_one(one, counting.beside(one), words)?,
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
fn all_as_json(shown: &[&VerifiedGrade], counting: &Counting) -> Value {
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
    if let Some(counts) = counting.beside(now) {
        told["counts_now"] = json!(counts);
    }
    told
}

fn say_one(
    verified: &VerifiedGrade,
    counts: Option<Option<SubmissionNumber>>,
    words: Words,
) -> Result<(), Error> {
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
        for line in comment.lines() {
            say(&format!("  {}", printable(line)))?;
        }
    }
    if let Some(number) = grade.submission {
        say(&format!("  {}", words.submission(number)))?;
    }
    if let Some(counts) = counts {
        say(&format!("  {}", words.other_counts(counts)))?;
    }
    let grader = printable(&grade.grader.to_string());
    say(&format!("  {}", words.graded(&grader, grade.at)))?;
    say(&format!("  {}", words.released(verified.released())))?;
    Ok(say(&format!("  {}", words.proved(verified)))?)
}

fn as_json(verified: &VerifiedGrade) -> Value {
    let (grade, (log, index)) = (verified.grade(), verified.entry());
    let released = verified.released();
    let mut value = grade_json(grade);
    value["course"] = json!(grade.course);
    value["assignment"] = json!(grade.assignment);
    value["released_at"] = json!(rfc3339(released.at()));
    value["release_index"] = json!(released.index());
    value["release_witnessed_at"] = json!(first_seen(released.witnessed()).map(rfc3339));
    value["verified"] = json!(true);
    value["log"] = json!(log);
    value["index"] = json!(index);
    value["witnessed_at"] = json!(seen_at(verified).map(rfc3339));
    value
}

/// When CUHK had seen the log entry.
fn seen_at(verified: &VerifiedGrade) -> Option<UnixTime> {
    first_seen(verified.witnessed())
}

fn first_seen(witnessed: Option<&Witnessed>) -> Option<UnixTime> {
    let seen = witnessed?.by.first();
    seen.map(|(_, time)| *time)
}

/// Which version counts for whom at this moment, by Blackboard's word; nothing where it did not say.
#[derive(Default)]
struct Counting {
    told: Option<Vec<(StudentId, [Label; 2], SubmissionNumber)>>,
    /// Course and assignment of what nothing is judged by: its rules were altered.
    unjudged: Vec<[Label; 2]>,
}

impl Counting {
    /// Grades are shown also if this is not told.
    fn ask(
        engine: &mut Engine,
        (group, common): (&Group, &Common),
        observer: &mut Observer<'_>,
    ) -> Self {
        let only = (common.course.clone(), common.assignment.clone());
        let Ok(told) = engine.history(group, only, observer) else {
            return Self::default();
        };
        let unjudged = told.versions.iter().filter(|version| version.unjudged);
        let unjudged = unjudged.map(|one| [one.course.clone(), one.assignment.clone()]);
        let unjudged = unjudged.collect();
        let versions = told.versions.into_iter();
        let counting = versions.flat_map(|version| {
            let place = [version.course, version.assignment];
            let number = version.number;
            let own = version.standings.into_iter().filter(|own| own.counts);
            own.map(move |own| (own.sid, place.clone(), number))
        });
        Self {
            told: Some(counting.collect()),
            unjudged,
        }
    }

    /// What counts now, if the grade is not for that: another version, or none.
    fn beside(&self, verified: &VerifiedGrade) -> Option<Option<SubmissionNumber>> {
        let grade = verified.grade();
        let mut unjudged = self.unjudged.iter();
        if unjudged
            .any(|[course, assignment]| (course, assignment) == (&grade.course, &grade.assignment))
        {
            return None;
        }
        let is_it =
            |(sid, [course, assignment], _): &&(StudentId, [Label; 2], SubmissionNumber)| {
                (sid, course, assignment) == (&grade.sid, &grade.course, &grade.assignment)
            };
        let counts = self.told.as_ref()?.iter().find(is_it);
        let counts = counts.map(|(.., number)| *number);
        (counts != grade.submission).then_some(counts)
    }
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

    /// That it is for another version than this one, which counts now.
    fn other_counts(self, counts: Option<SubmissionNumber>) -> String {
        match (self.0, counts) {
            (Language::English, Some(number)) => format!(
                "CHECK: {number} counts now, and this grade is not for it; ask your teacher if that was seen"
            ),
            (Language::English, None) => {
                "CHECK: that version does not count for you now; ask your teacher".to_owned()
            }
            (Language::Chinese, Some(number)) => {
                format!("請留意：現以 {number} 為準，而此評分並非評核該版本；請向老師查詢")
            }
            (Language::Chinese, None) => "請留意：該版本現已不計算；請向老師查詢".to_owned(),
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
