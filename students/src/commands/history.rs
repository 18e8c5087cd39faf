//! `student history`: every version of what these students have handed in, and which one counts.

use scb_cli::{Term, local_time, printable, rfc3339, say};
use scb_protocol::message::blackboard::{ListedVersion, OwnStanding};
use scb_protocol::{counted, from_seconds, in_words};
use serde_json::{Value, json};

use super::{Prepared, group_or_everybody, quiet, say_json};
use crate::Error;
use crate::cli::{Common, Own};
use crate::show::Show;

pub(super) fn run(common: &Common, arguments: &Own, term: Term) -> Result<(), Error> {
    let mut prepared = Prepared::new(common, term)?;
    prepared.engine.setup.blackboard()?;
    let group = group_or_everybody(&prepared, &arguments.ids)?;
    let mut show = Show::new(common);
    let mut observer = quiet(common, &mut show);
    prepared.engine.renew_due(&group, &mut observer)?;
    let only = (common.course.clone(), common.assignment.clone());
    let told = prepared.engine.history(&group, only, &mut observer)?;
    if common.json {
        let versions: Vec<Value> = told.versions.iter().map(as_json).collect();
        return say_json(&json!({ "time": rfc3339(told.time), "versions": versions }));
    }
    if told.versions.is_empty() {
        return Ok(say("Nothing of these students has been handed in.")?);
    }
    told.versions.iter().try_for_each(say_version)
}

fn say_version(version: &ListedVersion) -> Result<(), Error> {
    let members: Vec<_> = version.members.iter().map(ToString::to_string).collect();
    say(&format!(
        "{}  {}  {}/{}  {}",
        version.number,
        local_time(from_seconds(version.committed_at)),
        version.course,
        version.assignment,
        members.join(",")
    ))?;
    for file in &version.files {
        let name = printable(file.name.as_ref());
        say(&format!(
            "  file      {name}, {}",
            counted(file.size, "byte")
        ))?;
    }
    let listed = u32::try_from(version.files.len()).unwrap_or(u32::MAX);
    if let more @ 1.. = version.file_count.saturating_sub(listed) {
        let size = counted(version.size, "byte");
        say(&format!("  file      and {more} more; all together {size}"))?;
    }
    for own in &version.standings {
        say(&format!("  {:<9} {}", own.sid, standing(own)))?;
    }
    let receipt = match version.proved {
        true => "complete",
        false => "pending: CUHK has not witnessed it yet",
    };
    Ok(say(&format!("  receipt   {receipt}"))?)
}

fn standing(own: &OwnStanding) -> String {
    let counts = match own.counts {
        true => "counts",
        false => "does not count: another version does",
    };
    match own.late {
        0 => format!("{counts}; on time"),
        late => format!(
            "{counts}; late by {}, which costs {} %",
            in_words(late),
            own.costs
        ),
    }
}

fn as_json(version: &ListedVersion) -> Value {
    let standing = |own: &OwnStanding| {
        json!({
            "sid": own.sid,
            "counts": own.counts,
            "late_seconds": own.late,
            "costs_percent": own.costs,
        })
    };
    json!({
        "submission": version.number,
        "course": version.course,
        "assignment": version.assignment,
        "committed_at": rfc3339(from_seconds(version.committed_at)),
        "accepted_at": rfc3339(from_seconds(version.accepted_at)),
        "members": version.members,
        "file_count": version.file_count,
        "size": version.size,
        "files": version.files,
        "standings": version.standings.iter().map(standing).collect::<Vec<_>>(),
        "receipt_pending": !version.proved,
    })
}
