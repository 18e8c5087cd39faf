//! `blackboard submissions detach`: takes a student out of what a group has handed in, where that went
//! wrong. Nothing is deleted: an entry of the log says for whom the version does not count.

use scb_certs::StudentId;
use scb_cli::{Failure, local_time, note, rfc3339, say};
use scb_protocol::log_leaf::Detached;
use scb_protocol::rules::{Detachment, Standing};
use scb_protocol::statement::{Statement, SubmissionNumber};
use serde_json::{Value, json};

use super::{find, listed};
use crate::arguments::Detach;
use crate::courses::text::{joined, say_json};
use crate::courses::{Desk, consent};
use crate::store::detachments::{Detaching, Outcome};
use crate::store::parts::Part;
use crate::store::{Error, Place};

pub(super) fn run(desk: &Desk, command: &Detach) -> anyhow::Result<()> {
    let record = find(&desk.store, &command.number)?;
    let (number, statement) = (record.number(), record.statement());
    check_members(number, statement, &command.student)?;
    let wanted = Detaching {
        what: Detached {
            number,
            members: command.student.clone(),
            reason: command.reason.clone(),
        },
        undo: command.undo,
    };
    let mut outcome = desk.store.would_detach(&wanted)?;
    check_left(number, &outcome)?;
    let is_new = !outcome.changed.is_empty();
    let after = After::of(desk, &place(desk, statement), &wanted, &outcome)?;
    if is_new && !command.dry_run {
        let would_be = told(number, (statement, command), &outcome, false);
        consent::agreed(would_be, command.yes)?;
        outcome = desk.store.detach(wanted, desk.now)?;
        check_left(number, &outcome)?;
    }
    let shown = Shown {
        number,
        statement,
        command,
        outcome: &outcome,
        after: &after,
    };
    match command.output.json {
        true => say_json(&shown.as_json()),
        false => shown.say(),
    }
}

/// Who was taken out of a version, for programs.
pub(super) fn as_json((sid, why): (&StudentId, &Detachment)) -> Value {
    json!({"sid": sid, "at": rfc3339(why.at), "reason": why.reason})
}

fn place(desk: &Desk, statement: &Statement) -> Place {
    Place {
        domain: desk.domain.clone(),
        course: statement.course.clone(),
        assignment: statement.assignment.clone(),
    }
}

fn check_members(
    number: SubmissionNumber,
    statement: &Statement,
    sids: &[StudentId],
) -> Result<(), Failure> {
    let signed = |sid: &&StudentId| statement.members.iter().any(|one| one.sid == **sid);
    let Some(stranger) = sids.iter().find(|sid| !signed(sid)) else {
        return Ok(());
    };
    let members = listed(statement);
    Err(
        Failure::refused(format!("{stranger} has no part in {number}"))
            .with_remedy(format!("nothing was changed; its members are {members}"))
            .with_code("no_part"),
    )
}

/// What is somebody's own is not taken away from him.
fn check_left(number: SubmissionNumber, outcome: &Outcome) -> Result<(), Failure> {
    match outcome.left.is_empty() {
        false => Ok(()),
        true => Err(
            Failure::refused(format!("{number} would count for nobody any more"))
                .with_remedy(
                    "nothing was changed: somebody must be left who has handed it in; what is worth \
                     nothing is told by its grade",
                )
                .with_code("nobody_left"),
        ),
    }
}

/// What it is, in a sentence; what it would be, before it is done.
fn told(
    number: SubmissionNumber,
    (statement, command): (&Statement, &Detach),
    outcome: &Outcome,
    is_done: bool,
) -> String {
    let (course, assignment) = (&statement.course, &statement.assignment);
    let (changed, left) = (joined(&outcome.changed), joined(&outcome.left));
    let word = match command.undo {
        true => "again",
        false => "no more",
    };
    let place = format!("{number} of {course}/{assignment}");
    match is_done {
        true => format!(
            "{place} counts for {changed} {word}; it counts for {left} now, and all its members see \
             this, and the reason"
        ),
        false => format!(
            "{place} would count for {changed} {word}; it would count for {left} then, and all its \
             members would see this, and the reason"
        ),
    }
}

/// How those for whom something is changed stand then.
struct After {
    parts: Vec<Part>,
    /// For whom it is closed by now.
    closed: Vec<StudentId>,
    /// Who has signed what may still come.
    uploading: Vec<StudentId>,
    /// Who has a grade already.
    graded: Vec<StudentId>,
}

impl After {
    fn of(
        desk: &Desk,
        place: &Place,
        wanted: &Detaching,
        outcome: &Outcome,
    ) -> Result<Self, Error> {
        let (store, changed) = (&desk.store, &outcome.changed);
        let mut book = store.rulebook(place)?;
        book.enter_detachment(desk.now, &wanted.entry(changed.clone()));
        let uploads = store.uploads(place)?;
        let grades = store.grades(place)?;
        let those = |is: &dyn Fn(&StudentId) -> bool| -> Vec<StudentId> {
            changed.iter().filter(|sid| is(sid)).cloned().collect()
        };
        let is_closed = |sid: &StudentId| {
            let standing = book.judge_now(desk.now, sid);
            matches!(standing, Standing::Closed { .. })
        };
        let is_coming = |sid: &StudentId| {
            let upload = uploads.get(sid);
            upload.is_some_and(|upload| upload.is_coming(desk.now))
        };
        Ok(Self {
            closed: those(&is_closed),
            uploading: those(&is_coming),
            graded: those(&|sid| grades.contains_key(sid)),
            parts: store.parts(place, changed.clone(), &book)?,
        })
    }
}

/// What is shown at the end.
struct Shown<'a> {
    number: SubmissionNumber,
    statement: &'a Statement,
    command: &'a Detach,
    outcome: &'a Outcome,
    after: &'a After,
}

impl Shown<'_> {
    fn as_json(&self) -> Value {
        let (outcome, after) = (self.outcome, self.after);
        let counting = after.parts.iter().map(|part| {
            let version = part.counting.as_ref();
            json!({"sid": part.sid, "number": version.map(|version| version.summary.number)})
        });
        json!({
            "number": self.number,
            "course": self.statement.course,
            "assignment": self.statement.assignment,
            "changed": outcome.changed,
            "left": outcome.left,
            "undo": self.command.undo,
            "reason": self.command.reason,
            "dry_run": self.command.dry_run,
            "counting": counting.collect::<Vec<_>>(),
            "closed": after.closed,
            "unfinished": after.uploading,
            "graded": after.graded,
        })
    }

    fn say(&self) -> anyhow::Result<()> {
        let (number, outcome) = (self.number, self.outcome);
        if outcome.changed.is_empty() {
            return Ok(say(&format!(
                "{number} was so already; nothing was changed"
            ))?);
        }
        let is_done = !self.command.dry_run;
        say(&told(
            number,
            (self.statement, self.command),
            outcome,
            is_done,
        ))?;
        let counts = match is_done {
            true => "counts now",
            false => "would count then",
        };
        for part in &self.after.parts {
            let sid = &part.sid;
            say(&match &part.counting {
                None => format!("  {sid}  nothing {counts}"),
                Some(version) => {
                    let (number, at) = (version.summary.number, local_time(version.committed_at));
                    format!("  {sid}  {number} {counts}, committed {at}")
                }
            })?;
        }
        if self.command.dry_run {
            say("nothing was changed: --dry-run")?;
        }
        self.remarks()
    }

    /// What the teacher may have to do besides.
    fn remarks(&self) -> anyhow::Result<()> {
        for (sids, remark) in [
            (
                &self.after.closed,
                "it is closed by now: `blackboard extension add` lets one hand in again",
            ),
            (
                &self.after.uploading,
                "something else that was signed may still come, and would count \
                 (`blackboard submissions uploads`)",
            ),
            (
                &self.after.graded,
                "there is a grade, which stays until the next `blackboard grades import`",
            ),
        ] {
            if !sids.is_empty() {
                note(&format!("CHECK {}: {remark}", joined(sids)))?;
            }
        }
        Ok(())
    }
}
