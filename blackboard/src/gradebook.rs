//! `blackboard grades`: gradebooks of Canvas and Moodle, and what students are shown of them.

mod columns;
mod export;
mod import;
mod late;
mod list;
mod members;
mod outdated;
mod plan;
mod sheet;

use std::path::Path;

use scb_cli::{Failure, Home, Role, counted, say};
use scb_protocol::receipt::SignedLeaf;
use serde_json::json;

pub(crate) use self::outdated::Outdated;
use crate::arguments::courses::Of;
use crate::arguments::grades::GradesCommand;
use crate::courses::Desk;
use crate::courses::text::say_json;
use crate::identity::{Identity, IdentityFiles};
use crate::serve::not_certified;

/// Does what the command says.
pub(crate) fn run(home: &Path, command: &GradesCommand) -> anyhow::Result<()> {
    let desk = match command {
        GradesCommand::Export(_) | GradesCommand::List { .. } => Desk::open_to_show(home)?,
        _ => Desk::open(home)?,
    };
    match command {
        GradesCommand::Import(command) => import::run(home, &desk, command),
        GradesCommand::Export(command) => export::run(&desk, command),
        GradesCommand::Release { of, output } => release((home, &desk), of, output.json),
        GradesCommand::List {
            of,
            history,
            output,
        } => list::run(&desk, of, (*history, output.json)),
    }
}

fn release((home, desk): (&Path, &Desk), of: &Of, json: bool) -> anyhow::Result<()> {
    let (identity, now, place) = (identity(home)?, desk.now, desk.place(&of.which()));
    let sign = move |leaf| SignedLeaf::sign(leaf, (&identity.key, &identity.chain), now);
    let released = desk.store.release_grades(&place, now, sign)?;
    let outdated = Outdated::all(desk, &place, &desk.store.grades(&place)?)?;
    if json {
        return say_json(&json!({
            "course": of.course,
            "assignment": of.assignment,
            "released": released,
            "outdated": outdated::as_json(&outdated),
        }));
    }
    let grades = counted(released, "grade");
    say(&format!(
        "{}/{}: {grades} more can be seen by those who have them (`student grades`)",
        of.course, of.assignment
    ))?;
    outdated::remark(&outdated)
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
