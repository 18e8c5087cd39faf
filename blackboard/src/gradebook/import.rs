//! `blackboard grades import`: every row is looked at before anything is changed.

use std::path::Path;

use scb_certs::StudentId;
use scb_cli::{Failure, counted, printable, say};
use scb_protocol::grade::{Grade, MAX_COMMENT, Points, SignedGrade};
use scb_protocol::in_words;
use serde_json::json;

use super::columns::{Columns, Named};
use super::members::{LeftOut, Why};
use super::plan::{Change, Plan, Says};
use super::sheet::{Row, Sheet};
use super::{identity, refused};
use crate::arguments::grades::Import;
use crate::courses::Desk;
use crate::courses::text::{joined, say_json};

/// How many wrong rows are named.
const NAMED: usize = 20;

/// A row with something in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Marked {
    pub(super) line: u64,
    pub(super) sid: StudentId,
    pub(super) own: Option<Points>,
    pub(super) group: Option<Points>,
    pub(super) maximum: Option<Points>,
    pub(super) comment: Option<String>,
}

pub(super) fn run(home: &Path, desk: &Desk, command: &Import) -> anyhow::Result<()> {
    let place = desk.place(&command.of.which());
    let title = desk.store.assignment(&place)?.rules().title.clone();
    let sheet = Sheet::read(&command.file)?;
    let named = Named {
        grade: command.column.as_deref(),
        sid: command.sid_column.as_deref(),
    };
    let columns = Columns::of(&sheet, &title, named)?;
    let told = columns.points_possible(&sheet);
    // Canvas writes `(read only)` where it computes the column itself.
    let maximum = maximum(command, told.and_then(|cell| sheet.points(cell)))?;
    let (rows, wrong) = marked(&sheet, &columns);
    let says = Says {
        maximum,
        groups: command.groups || columns.group.is_some(),
        comments: columns.comment.is_some(),
    };
    let excused = excused(&sheet, &columns);
    let plan = Plan::make(desk, &place, command, (rows, &excused, says), wrong)?;
    if !plan.wrong.is_empty() {
        return Err(not_taken(&plan).into());
    }
    if !command.dry_run && !plan.changes.is_empty() {
        let grades = signed(home, desk, command, &plan.changes)?;
        desk.store
            .put_grades(&place, grades, plan.altered.clone())?;
    }
    tell(command, &plan, &excused)
}

/// Whom Canvas has excused: they are given nothing, and what they have stays.
fn excused(sheet: &Sheet, columns: &Columns) -> Vec<StudentId> {
    let rows = sheet.rows.iter().filter(|row| columns.is_excused(row));
    rows.filter_map(|row| columns.student(row).ok().flatten())
        .collect()
}

/// What is said on the command line and in a Canvas gradebook must be the same.
fn maximum(command: &Import, told: Option<Points>) -> Result<Option<Points>, Failure> {
    match (command.maximum, told) {
        (Some(wanted), Some(told)) if wanted != told => Err(refused(&format!(
            "the gradebook says that {told} points are possible, and not {wanted}"
        ))),
        (wanted, told) => Ok(wanted.or(told)),
    }
}

/// Every row with a student and a grade or a comment; and what is wrong with the others.
fn marked(sheet: &Sheet, columns: &Columns) -> (Vec<Marked>, Vec<(u64, String)>) {
    let (mut rows, mut wrong) = (Vec::new(), Vec::new());
    for row in &sheet.rows {
        match of_row(row, sheet, columns) {
            Ok(Some(marked)) => rows.push(marked),
            Ok(None) => {}
            Err(reason) => wrong.push((row.line, reason)),
        }
    }
    (rows, wrong)
}

fn of_row(row: &Row, sheet: &Sheet, columns: &Columns) -> Result<Option<Marked>, String> {
    let points = |column: Option<usize>| match row.cell(column) {
        "" | "-" => Ok(None),
        text => match sheet.points(text) {
            Some(points) => Ok(Some(points)),
            None => Err(format!("`{}` is no number of points", printable(text))),
        },
    };
    let sid = match columns.student(row) {
        // The rows of a platform that are no student's.
        Ok(None) => return Ok(None),
        Ok(Some(_)) if columns.is_excused(row) => return Ok(None),
        sid => sid,
    };
    let (own, group) = (points(Some(columns.grade))?, points(columns.group)?);
    let comment = comment(row.cell(columns.comment))?;
    if own.is_none() && group.is_none() {
        return Ok(None);
    }
    let wrong = |cell: String| format!("`{}` is no student ID", printable(&cell));
    let Some(sid) = sid.map_err(wrong)? else {
        return Ok(None);
    };
    Ok(Some(Marked {
        line: row.line,
        sid,
        own,
        group,
        maximum: points(columns.maximum)?,
        comment,
    }))
}

/// Without the apostrophe that keeps a spreadsheet from computing it.
fn comment(text: &str) -> Result<Option<String>, String> {
    let bare = text
        .strip_prefix('\'')
        .filter(|rest| scb_cli::is_formula(rest));
    match bare.unwrap_or(text) {
        "" => Ok(None),
        text if text.len() > MAX_COMMENT => Err(format!("the comment is over {MAX_COMMENT} bytes")),
        text => Ok(Some(text.to_owned())),
    }
}

fn not_taken(Plan { wrong, unmet, .. }: &Plan) -> Failure {
    let named = wrong.iter().take(NAMED);
    let mut told: Vec<_> = named
        .map(|(line, reason)| format!("line {line}: {reason}"))
        .collect();
    if wrong.len() > NAMED {
        told.push(format!("and {} more", wrong.len() - NAMED));
    }
    refused(&format!(
        "{} cannot be taken, so none is: {}",
        counted(wrong.len() as u64, "row"),
        told.join("; ")
    ))
    .with_remedy(match unmet.is_empty() {
        true => "nothing was changed; correct these rows, then import it again",
        false => {
            "nothing was changed; correct these rows, then import it again; if the IDs that are not \
             known here are right, give --not-listed-yet as well"
        }
    })
}

fn signed(
    home: &Path,
    desk: &Desk,
    command: &Import,
    changes: &[Change],
) -> anyhow::Result<Vec<(Grade, SignedGrade)>> {
    let identity = identity(home)?;
    let service = identity.chain.leaf().spiffe_id()?;
    let by = (&identity.key, &identity.chain);
    let sign = |change: &Change| {
        let names = (command.of.course.clone(), command.of.assignment.clone());
        let grade = Grade::new(service.clone(), names, change.given.clone(), desk.now)?;
        let signed = SignedGrade::sign(&grade, by)?;
        Ok((grade, signed))
    };
    changes.iter().map(sign).collect()
}

/// What lateness costs, and whether that was taken off.
fn late(change: &Change) -> String {
    let Some(late) = change.lateness else {
        return String::new();
    };
    if let (true, Some(number)) = (late.closed, change.after_close) {
        let left = match change.given.lateness {
            Some(_) => format!("of {} nothing is left", late.raw),
            None => "nothing would be left with --apply-lateness".to_owned(),
        };
        return format!("  (CLOSED for this student when {number} came: {left})");
    }
    let (by, percent, raw) = (in_words(late.seconds), late.percent, late.raw);
    let costs = format!("  (late by {by}, which costs {percent} %: of {raw} ");
    match change.given.lateness {
        Some(_) => format!("{costs}these are left)"),
        None => {
            let left = late.left(change.given.maximum);
            format!("{costs}{left} would be left with --apply-lateness)")
        }
    }
}

fn left_out_as_json(one: &LeftOut) -> serde_json::Value {
    json!({
        "sid": one.sid,
        "group_of": one.group,
        "counts": match one.why {
            Why::Counts(number) => Some(number),
            Why::Closed | Why::Detached | Why::Left => None,
        },
    })
}

fn tell(command: &Import, plan: &Plan, excused: &[StudentId]) -> anyhow::Result<()> {
    if command.output.json {
        return say_json(&as_json(command, plan, excused));
    }
    for change in &plan.changes {
        say(&changed(change))?;
    }
    for one in &plan.left_out {
        say(&left_out(one))?;
    }
    if !excused.is_empty() {
        say(&format!(
            "excused (`EX`), and left as they are: {}",
            joined(excused)
        ))?;
    }
    if !plan.unmet.is_empty() {
        say(&format!(
            "CHECK THE ID: not in the course, or not met here before: {}",
            joined(&plan.unmet)
        ))?;
    }
    let altered = still_altered(plan);
    if !altered.is_empty() {
        say(&format!(
            "STILL ALTERED, as this gradebook gives them nothing (`blackboard fsck`): {}",
            joined(&altered)
        ))?;
    }
    if let applied @ 1.. = plan.applied_before.len() as u64 {
        let grades = counted(applied, "grade");
        say(&format!(
            "{grades} as lateness had left them: nothing is taken off again"
        ))?;
    }
    let done = match command.dry_run {
        true => "would be changed; nothing was",
        false => "changed; `blackboard grades release` lets students see them",
    };
    let all = counted(plan.changes.len() as u64, "grade");
    Ok(say(&format!("{all} {done}; {} the same", plan.same))?)
}

/// Whose grade is not what was entered, and stays so.
fn still_altered(plan: &Plan) -> Vec<StudentId> {
    let mut left = plan.altered.clone();
    for change in &plan.changes {
        left.remove(&change.given.sid);
    }
    left.into_iter().collect()
}

fn as_json(command: &Import, plan: &Plan, excused: &[StudentId]) -> serde_json::Value {
    json!({
        "course": command.of.course,
        "assignment": command.of.assignment,
        "dry_run": command.dry_run,
        "changed": plan.changes.iter().map(change_as_json).collect::<Vec<_>>(),
        "excused": excused,
        "left_out": plan.left_out.iter().map(left_out_as_json).collect::<Vec<_>>(),
        "still_altered": still_altered(plan),
        "same": plan.same,
        "unknown": plan.unmet,
        "lateness_applied_before": plan.applied_before,
    })
}

fn change_as_json(change: &Change) -> serde_json::Value {
    json!({
        "sid": change.given.sid,
        "was": change.was.map(|was| was.to_string()),
        "was_altered": change.was_altered,
        "points": change.given.points,
        "maximum": change.given.maximum,
        "group": change.given.group,
        "submission": change.given.submission,
        "was_submission": change.was_for,
        "also_changed": change.also,
        "late_seconds": change.lateness.map(|late| late.seconds),
        "lateness_percent": change.lateness.map(|late| late.percent),
        "raw": change.lateness.map(|late| late.raw),
        "left": change.lateness.map(|late| late.left(change.given.maximum)),
        "lateness_applied": change.given.lateness.is_some(),
        "after_close": change.after_close,
    })
}

/// `1155000001  was none, is 8.5 of 10`, and what else there is to say.
fn changed(change: &Change) -> String {
    let was = match change.was_altered {
        true => "ALTERED".to_owned(),
        false => change.was.map_or("none".to_owned(), |was| was.to_string()),
    };
    let given = &change.given;
    let group = match given.group {
        Some(group) if group == given.points => "  (the group's)".to_owned(),
        Some(group) => format!("  (the group's is {group})"),
        None => String::new(),
    };
    let (sid, points, maximum) = (&given.sid, given.points, given.maximum);
    let late = late(change);
    let nothing = match given.submission.or(change.after_close) {
        Some(_) => "",
        None => "  (has handed in nothing)",
    };
    let version = match (change.was_for, given.submission) {
        (Some(was), Some(is)) => format!("  (for {is}; that was for {was})"),
        (Some(was), None) => format!("  (that was for {was}, which does not count)"),
        (None, _) => String::new(),
    };
    let also = match change.also.is_empty() {
        true => String::new(),
        false => format!("  (changed: {})", change.also.join(", ")),
    };
    format!("{sid}  was {was}, is {points} of {maximum}{also}{group}{late}{version}{nothing}")
}

/// Who gets nothing from the group's grade, and why.
fn left_out(one: &LeftOut) -> String {
    let (sid, group) = (&one.sid, one.group);
    let why = match one.why {
        Why::Counts(counts) => format!("{counts} counts for this student"),
        Why::Closed => "it was CLOSED for this student when that came".to_owned(),
        Why::Detached => format!("taken out of it (`submissions show {group}`)"),
        Why::Left => "is not in the course any more (--not-listed-yet grades this student as well)"
            .to_owned(),
    };
    format!("{sid}  gets nothing from the group's grade for {group}: {why}")
}
