//! `blackboard extension`.

use scb_certs::StudentId;
use scb_cli::{Failure, local_time, say};
use scb_protocol::rules::Extension;
use serde_json::json;

use super::assignment::{extension, given_as_json, remark_over, remark_reopened};
use super::forward::{Moved, moved};
use super::text::{joined, say_json};
use super::{Desk, consent};
use crate::arguments::courses::{ExtensionCommand, Which};
use crate::store::{Changed, NotListed, Place};

/// What an extension to a moment that is over does not do.
const OVER: &str = "is in the past: what is handed in from now on is later than that (give \
     `blackboard extension add` a time that is still to come)";

pub(super) fn run(desk: &Desk, command: &ExtensionCommand) -> anyhow::Result<()> {
    match command {
        ExtensionCommand::Add {
            which,
            student,
            due,
            not_listed_yet,
            cutoff,
            yes,
            output,
        } => {
            let more = |sid: &StudentId| Extension {
                sid: sid.clone(),
                due: *due,
                cutoff: *cutoff,
            };
            let extensions: Vec<_> = student.iter().map(more).collect();
            let not_listed = match not_listed_yet {
                true => NotListed::Taken,
                false => NotListed::Refused,
            };
            let place = desk.place(which);
            let others = extensions.iter().map(|one| (&one.sid, Some(one)));
            agreed(desk, &place, others, *yes)?;
            let closed = desk.store.closed_by(&place)?;
            let changed = desk.store.extend(place, extensions, not_listed, desk.now)?;
            list(desk, which, Some(&changed), output.json)?;
            let given = [("--due", Some(*due)), ("--cutoff", *cutoff)];
            remark_over(desk, given, OVER)?;
            remark_reopened(desk, which, closed)
        }
        ExtensionCommand::Remove {
            which,
            student,
            yes,
            output,
        } => {
            let place = desk.place(which);
            agreed(desk, &place, student.iter().map(|sid| (sid, None)), *yes)?;
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

/// Goes on if nobody loses time by what takes the place of his extension, or if the teacher has agreed to
/// that, or agrees now. What is no extension, or would be over already, is refused by the store.
fn agreed<'a>(
    desk: &Desk,
    place: &Place,
    others: impl Iterator<Item = (&'a StudentId, Option<&'a Extension>)>,
    yes: bool,
) -> anyhow::Result<()> {
    let rules = desk.store.assignment(place)?.rules().clone();
    let given = desk.store.extensions(place.clone())?;
    let ends = |one: Option<&Extension>| [rules.due_for(one), rules.closes_for(one)];
    let mut losses = Vec::new();
    for (sid, other) in others {
        let mut given = given.iter().map(|given| &given.extension);
        let own = given.find(|own| own.sid == *sid);
        let is_none = other.is_some_and(|other| rules.check_extension(other).is_err());
        if is_none || rules.check_extended(own, other, desk.now).is_err() {
            continue;
        }
        let moved = moved(ends(own), ends(other));
        let moved: Vec<_> = moved.iter().map(Moved::told).collect();
        if !moved.is_empty() {
            losses.push(format!("{sid} has less time: {}", moved.join(", ")));
        }
    }
    match losses.is_empty() {
        true => Ok(()),
        false => Ok(consent::agreed(losses.join("; "), yes)?),
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
        let (unknown, is, has) = match &*changed.unknown {
            [one] => (one.to_string(), "is", "has"),
            several => (joined(several), "are", "have"),
        };
        say(&format!(
            "CHECK THE ID: {unknown} {is} on no class list here and {has} never handed in anything; the \
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
