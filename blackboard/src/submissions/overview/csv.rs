//! The overview for spreadsheets.

use std::io;

use scb_cli::{inert, note, rfc3339};
use scb_protocol::message::proposal::RefusedSignature;

use super::text::without_list;
use super::{Line, Overview};

const HEADER: [&str; 23] = [
    "sid",
    "state",
    "number",
    "versions",
    "committed_at",
    "accepted_at",
    "standing",
    "late_seconds",
    "costs_percent",
    "members",
    "waiting_for",
    "extended_to",
    "upload_until",
    "on_class_list",
    "setback",
    "setback_code",
    "setback_at",
    "after_close",
    "detached",
    "grade",
    "not_signed_by",
    "refused_signatures",
    "upload_never_came",
];

pub(super) fn print(overview: &mut Overview<'_>) -> anyhow::Result<()> {
    let mut writer = csv::Writer::from_writer(io::stdout().lock());
    writer.write_record(HEADER)?;
    loop {
        let page = overview.page()?;
        if page.is_empty() {
            break;
        }
        for line in &page {
            let cells = cells(line);
            writer.write_record(cells.iter().map(|cell| inert(cell).into_owned()))?;
        }
    }
    writer.flush()?;
    if !overview.has_list {
        note(&without_list(&overview.which.course))?;
    }
    Ok(())
}

fn cells(line: &Line) -> [String; 23] {
    let (came, failed) = (line.came.as_ref(), line.setback.as_ref());
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let members = came.iter().flat_map(|came| &came.members);
    let members: Vec<_> = members.map(ToString::to_string).collect();
    let detached = line.detached.iter();
    let detached: Vec<_> = detached.map(|out| out.number.to_string()).collect();
    let missing = failed.iter().flat_map(|failed| &failed.missing);
    let missing: Vec<_> = missing.map(ToString::to_string).collect();
    let tried = failed.iter().flat_map(|failed| &failed.tried);
    let tried = line.tried.iter().chain(tried).map(|tried| {
        let RefusedSignature { at, code } = &tried.refused;
        format!("{} {code} {}", tried.sid, rfc3339(*at))
    });
    let waiting: Vec<_> = line.waiting_for.iter().map(ToString::to_string).collect();
    [
        line.sid.to_string(),
        line.state.as_str().to_owned(),
        came.map_or(String::new(), |came| came.number.to_string()),
        line.versions.to_string(),
        text(came.map(|came| came.committed_at.as_str())),
        text(came.map(|came| came.accepted_at.as_str())),
        text(came.map(|came| came.standing)),
        came.map_or(String::new(), |came| came.late_seconds.to_string()),
        came.map_or(String::new(), |came| came.costs_percent.to_string()),
        members.join(" "),
        waiting.join(" "),
        text(line.extended_to.as_deref()),
        text(line.upload_until.as_deref()),
        line.on_class_list
            .map_or(String::new(), |listed| listed.to_string()),
        text(failed.map(|failed| failed.kind)),
        text(failed.and_then(|failed| failed.code.as_deref())),
        text(failed.map(|failed| failed.at.as_str())),
        line.after_close
            .as_ref()
            .map_or(String::new(), |after| after.number.to_string()),
        detached.join(" "),
        line.outdated
            .map_or(String::new(), |outdated| outdated.to_string()),
        missing.join(" "),
        tried.collect::<Vec<_>>().join("; "),
        line.upload_until
            .as_ref()
            .map_or(String::new(), |_| line.upload_is_over.to_string()),
    ]
}
