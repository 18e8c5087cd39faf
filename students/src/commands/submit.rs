//! `student submit`: steps 1 to 6.

use scb_cli::{Term, printable, rfc3339, say};
use serde_json::json;

use super::enrol::enrol_missing;
use super::{Prepared, say_json};
use crate::cli::{Common, Submit};
use crate::engine::{EnrolOptions, HandIn, KeptReceipt};
use crate::show::Show;
use crate::{Error, Group, Report};

pub(super) fn run(common: &Common, arguments: &Submit, term: Term) -> Result<(), Error> {
    let mut prepared = Prepared::new(common, term)?;
    let group = prepared.group(&arguments.ids)?;
    let kept = whole_job(&mut prepared, common, &group)?;
    if common.json {
        return say_json(&as_json(&kept));
    }
    say("")?;
    say_receipt(&kept)?;
    Ok(say(&format!(
        "kept in  {}",
        printable(&kept.path.to_string_lossy())
    ))?)
}

/// Hashes the report, enrols who needs it, hands in.
pub(super) fn whole_job(
    prepared: &mut Prepared,
    common: &Common,
    group: &Group,
) -> Result<KeptReceipt, Error> {
    // Before anything is changed: an address that is missing is missing later as well.
    prepared.engine.setup.blackboard()?;
    let mut report = Report::choose(common.report.as_deref(), group)?;
    let mut show = Show::new(common);
    let mut observer = |event: &crate::Event| show.event(event);
    let Prepared { codes, engine } = prepared;
    enrol_missing(engine, codes, group, EnrolOptions::default(), &mut observer)?;
    let hand_in = HandIn {
        report: &mut report,
        course: common.course.clone(),
        assignment: common.assignment.clone(),
    };
    engine.hand_in(group, hand_in, &mut observer)
}

/// `Receipt  S-000001.zip`.
pub(crate) fn say_receipt(kept: &KeptReceipt) -> Result<(), Error> {
    let name = kept.path.file_name().unwrap_or_default();
    Ok(say(&format!("Receipt  {}", name.to_string_lossy()))?)
}

pub(super) fn as_json(kept: &KeptReceipt) -> serde_json::Value {
    let statement = kept.receipt.statement();
    let file = statement.file();
    let members: Vec<_> = statement.members.iter().map(|member| &member.sid).collect();
    json!({
        "submission": kept.receipt.number(),
        "submission_id": statement.submission,
        "course": statement.course,
        "assignment": statement.assignment,
        "members": members,
        "name": file.name,
        "size": file.size,
        "sha256": file.sha256,
        "accepted_at": rfc3339(kept.receipt.accepted_at()),
        "receipt": kept.path.to_string_lossy(),
    })
}
