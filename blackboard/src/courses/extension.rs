//! `blackboard extension`.

use scb_certs::StudentId;
use scb_cli::{Failure, local_time, say};
use scb_protocol::rules::Extension;
use serde_json::json;

use super::Desk;
use super::assignment::{extension, given_as_json};
use super::text::say_json;
use crate::arguments::courses::{ExtensionCommand, Which};

pub(super) fn run(desk: &Desk, command: &ExtensionCommand) -> anyhow::Result<()> {
    match command {
        ExtensionCommand::Add {
            which,
            student,
            due,
            cutoff,
            output,
        } => {
            let more = |sid: &StudentId| Extension {
                sid: sid.clone(),
                due: *due,
                cutoff: *cutoff,
            };
            let extensions = student.iter().map(more).collect();
            desk.store.extend(desk.place(which), extensions, desk.now)?;
            list(desk, which, output.json)
        }
        ExtensionCommand::Remove {
            which,
            student,
            output,
        } => {
            let place = desk.place(which);
            let had = desk.store.take_back(place, student.clone(), desk.now)?;
            if had.is_empty() {
                return Err(Failure::refused("none of them has an extension")
                    .with_remedy("`blackboard extension list` shows all; nothing was changed")
                    .with_code("no_extension")
                    .into());
            }
            list(desk, which, output.json)
        }
        ExtensionCommand::List { which, output } => list(desk, which, output.json),
    }
}

fn list(desk: &Desk, which: &Which, json: bool) -> anyhow::Result<()> {
    let extensions = desk.store.extensions(desk.place(which))?;
    if json {
        return say_json(&json!({
            "course": which.course,
            "assignment": which.assignment,
            "extensions": extensions.iter().map(given_as_json).collect::<Vec<_>>(),
        }));
    }
    if extensions.is_empty() {
        return Ok(say("nobody has an extension")?);
    }
    for given in extensions {
        let since = local_time(given.at);
        say(&format!("{} (given {since})", extension(&given.extension)))?;
    }
    Ok(())
}
