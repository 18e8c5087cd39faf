//! `blackboard extension`.

use scb_certs::StudentId;
use scb_cli::{Failure, local_time, say};
use scb_protocol::rules::Extension;
use serde_json::json;

use super::Desk;
use super::assignment::{extension, given_as_json};
use super::text::{joined, say_json};
use crate::arguments::courses::{ExtensionCommand, Which};
use crate::store::{Changed, NotListed};

pub(super) fn run(desk: &Desk, command: &ExtensionCommand) -> anyhow::Result<()> {
    match command {
        ExtensionCommand::Add {
            which,
            student,
            due,
            not_listed_yet,
            cutoff,
            output,
        } => {
            let more = |sid: &StudentId| Extension {
                sid: sid.clone(),
                due: *due,
                cutoff: *cutoff,
            };
            let extensions = student.iter().map(more).collect();
            let not_listed = match not_listed_yet {
                true => NotListed::Taken,
                false => NotListed::Refused,
            };
            let place = desk.place(which);
            let changed = desk.store.extend(place, extensions, not_listed, desk.now)?;
            list(desk, which, Some(&changed), output.json)
        }
        ExtensionCommand::Remove {
            which,
            student,
            output,
        } => {
            let place = desk.place(which);
            let changed = desk.store.take_back(place, student.clone(), desk.now)?;
            if changed.students.is_empty() {
                return Err(Failure::refused("none of them has an extension")
                    .with_remedy("`blackboard extension list` shows all; nothing was changed")
                    .with_code("no_extension")
                    .into());
            }
            list(desk, which, Some(&changed), output.json)
        }
        ExtensionCommand::List { which, output } => list(desk, which, None, output.json),
    }
}

fn list(desk: &Desk, which: &Which, changed: Option<&Changed>, json: bool) -> anyhow::Result<()> {
    let extensions = desk.store.extensions(desk.place(which))?;
    let assignment = desk.store.assignment(&desk.place(which))?;
    let rules = assignment.rules();
    if json {
        let mut shown = json!({
            "course": which.course,
            "assignment": which.assignment,
            "extensions": extensions.iter().map(|given| given_as_json(given, rules)).collect::<Vec<_>>(),
        });
        if let Some(changed) = changed {
            shown["unknown"] = json!(changed.unknown);
            shown["handed_in_before"] = json!(changed.handed_in);
        }
        return say_json(&shown);
    }
    if extensions.is_empty() {
        say("nobody has an extension")?;
    }
    for given in extensions {
        let since = local_time(given.at);
        let given = extension(&given.extension, rules);
        say(&format!("{given} (given {since})"))?;
    }
    changed.map_or(Ok(()), remarks)
}

/// What a teacher may not have meant, and what does not work backwards.
fn remarks(changed: &Changed) -> anyhow::Result<()> {
    if !changed.unknown.is_empty() {
        let unknown = joined(&changed.unknown);
        say(&format!(
            "CHECK THE ID: {unknown} is on no class list here and has never handed in anything; the \
             extension counts for whoever comes under it (`blackboard extension remove`)"
        ))?;
    }
    if !changed.handed_in.is_empty() {
        let handed_in = joined(&changed.handed_in);
        say(&format!(
            "{handed_in} handed in before: that is judged by the time of then or by this one, \
             whichever is better; this one alone counts for what comes from now on"
        ))?;
    }
    Ok(())
}
