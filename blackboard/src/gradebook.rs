//! `blackboard grades`: gradebooks of Canvas and Moodle, and what students are shown of them.

mod columns;
mod export;
mod import;
mod late;
mod members;
mod plan;
mod sheet;

use std::path::Path;

use scb_cli::{Failure, Home, Role, counted, local_time, printable, rfc3339, say};
use scb_protocol::receipt::SignedLeaf;
use serde_json::{Value, json};

use crate::arguments::courses::Of;
use crate::arguments::grades::GradesCommand;
use crate::courses::Desk;
use crate::courses::text::{say_json, table};
use crate::identity::{Identity, IdentityFiles};
use crate::serve::not_certified;
use crate::store::grades::Graded;

/// Does what the command says.
pub(crate) fn run(home: &Path, command: &GradesCommand) -> anyhow::Result<()> {
    let desk = Desk::open(home)?;
    match command {
        GradesCommand::Import(command) => import::run(home, &desk, command),
        GradesCommand::Export(command) => export::run(&desk, command),
        GradesCommand::Release { of, output } => release((home, &desk), of, output.json),
        GradesCommand::List { of, output } => list(&desk, of, output.json),
    }
}

fn release((home, desk): (&Path, &Desk), of: &Of, json: bool) -> anyhow::Result<()> {
    let (identity, now) = (identity(home)?, desk.now);
    let sign = move |leaf| SignedLeaf::sign(leaf, (&identity.key, &identity.chain), now);
    let released = desk
        .store
        .release_grades(&desk.place(&of.which()), now, sign)?;
    if json {
        return say_json(&json!({
            "course": of.course,
            "assignment": of.assignment,
            "released": released,
        }));
    }
    let grades = counted(released, "grade");
    Ok(say(&format!(
        "{}/{}: {grades} more can be seen by those who have them (`student grades`)",
        of.course, of.assignment
    ))?)
}

fn list(desk: &Desk, of: &Of, json: bool) -> anyhow::Result<()> {
    let grades = desk.store.grades(&desk.place(&of.which()))?;
    if json {
        return say_json(&grades.values().map(as_json).collect());
    }
    if grades.is_empty() {
        return Ok(say("nobody is graded yet: `blackboard grades import`")?);
    }
    let title = [
        "STUDENT",
        "POINTS",
        "OF",
        "GROUP",
        "GRADED BY",
        "AT",
        "SHOWN",
    ];
    let mut rows = vec![title.map(str::to_owned)];
    rows.extend(grades.values().map(|graded| {
        let grade = &graded.grade;
        [
            grade.sid.to_string(),
            grade.points.to_string(),
            grade.maximum.to_string(),
            grade.group.map_or(String::new(), |group| group.to_string()),
            printable(&grade.grader.to_string()),
            local_time(grade.at),
            graded
                .released
                .as_ref()
                .map_or("no".to_owned(), |released| local_time(released.at)),
        ]
    }));
    for line in table(&rows) {
        say(&line)?;
    }
    Ok(())
}

fn as_json(graded: &Graded) -> Value {
    let grade = &graded.grade;
    json!({
        "sid": grade.sid,
        "points": grade.points,
        "maximum": grade.maximum,
        "group": grade.group,
        "lateness": grade.lateness,
        "submission": grade.submission,
        "comment": grade.comment,
        "grader": grade.grader,
        "at": rfc3339(grade.at),
        "log": graded.entry.0,
        "index": graded.entry.1,
        "released_at": graded.released.as_ref().map(|released| rfc3339(released.at)),
        "release_index": graded.released.as_ref().map(|released| released.index),
    })
}

/// With what Blackboard signs.
fn identity(home: &Path) -> anyhow::Result<Identity> {
    let home = Home::open(home, Role::Blackboard)?;
    let identity = IdentityFiles::open(&home)?.current()?;
    Ok(identity.ok_or_else(not_certified)?)
}

/// A gradebook that is not taken, or not understood.
fn refused(message: &str) -> Failure {
    Failure::usage(message)
        .with_remedy(
            "nothing was changed; `blackboard grades import --help` says which gradebooks are read: \
             save it as CSV, as the platform exported it",
        )
        .with_code("gradebook")
}
