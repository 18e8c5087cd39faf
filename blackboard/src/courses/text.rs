//! Rules as teachers read them.

use rustls_pki_types::UnixTime;
use scb_certs::StudentId;
use scb_cli::{counted, local_time, printable};
use scb_protocol::rules::{
    Counts, Extension, ExtensionChange, Groups, LateRule, Per, Rules, Standing,
};
use scb_protocol::{from_seconds, in_words, rfc3339};
use serde_json::{Value, json};

/// The rules, a line for each, without the title.
pub(super) fn rules(rules: &Rules) -> Vec<(&'static str, String)> {
    let or = |moment: Option<UnixTime>, other: &str| moment.map_or(other.to_owned(), local_time);
    let closes = match rules.late {
        LateRule::None => rules.closes_for(None),
        _ => rules.cutoff,
    };
    vec![
        ("opens", or(rules.opens, "at once")),
        ("due", or(rules.due, "no deadline")),
        ("grace", in_words(rules.grace)),
        ("closes", or(closes, "never")),
        ("late work", late(rules)),
        (
            "counts",
            match rules.counts {
                Counts::Latest => "the latest version".to_owned(),
                Counts::First => "the first version".to_owned(),
            },
        ),
        ("group", group(rules)),
        ("files", files(rules)),
    ]
}

/// Students in a sentence.
pub(crate) fn joined(sids: &[StudentId]) -> String {
    let sids: Vec<_> = sids.iter().map(StudentId::as_str).collect();
    sids.join(", ")
}

fn group(rules: &Rules) -> String {
    match rules.groups {
        Groups::Kept if rules.group.most() > 1 => {
            format!("{}, who stay together", members(rules))
        }
        _ => members(rules),
    }
}

pub(super) fn members(rules: &Rules) -> String {
    match (rules.group.least(), rules.group.most()) {
        (least, most) if least == most => counted(most, "member"),
        (least, most) => format!("{least} to {most} members"),
    }
}

fn files(rules: &Rules) -> String {
    let kinds: Vec<_> = rules.accept.iter().map(ToString::to_string).collect();
    let kinds = match kinds.is_empty() {
        true => "of every kind".to_owned(),
        false => kinds.join(", "),
    };
    format!("{kinds}; at most {}", counted(rules.max_bytes, "byte"))
}

fn late(rules: &Rules) -> String {
    match rules.late {
        LateRule::None if rules.due.is_none() => "there is none".to_owned(),
        LateRule::None => "is refused".to_owned(),
        LateRule::Mark => "is taken and marked".to_owned(),
        LateRule::Penalty { percent, per, most } => {
            let per = match per {
                Per::Day => "day",
                Per::Hour => "hour",
            };
            let most = match most {
                100 => String::new(),
                most => format!(", {most}% at most"),
            };
            format!("costs {percent}% of the full mark for each {per} begun{most}")
        }
    }
}

/// How the assignment stands for everybody without an extension.
pub(crate) fn standing(rules: &Rules, now: UnixTime) -> &'static str {
    match rules.judge(now, None) {
        Standing::NotYetOpen { .. } => "not yet open",
        Standing::OnTime => "open",
        Standing::WithinGrace => "open, grace",
        Standing::Late { .. } => "open, late",
        Standing::Closed { .. } => "closed",
    }
}

/// A value of rules in a change: times are local.
pub(super) fn value(value: &str) -> String {
    let moment = scb_cli::parse_moment(value)
        .ok()
        .filter(|_| value.ends_with('Z'));
    match moment {
        Some(moment) => local_time(moment),
        None if value.is_empty() => "none".to_owned(),
        None => printable(value),
    }
}

/// Columns as wide as their widest cell, two spaces apart.
pub(crate) fn table<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: [usize; N] = std::array::from_fn(|column| width(column).unwrap_or(0));
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths);
        let cells = cells.map(|(cell, width)| format!("{cell:<width$}  "));
        cells.collect::<String>().trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// What became of a student's extension, and by which entry of the log.
pub(super) fn changed(change: &ExtensionChange) -> String {
    let told = |one: Option<&Extension>| {
        let due = one.map_or_else(|| "none".to_owned(), |one| local_time(one.due));
        let closes = one.and_then(|one| one.cutoff).map(local_time);
        due + &closes.map_or(String::new(), |closes| format!(", closes {closes}"))
    };
    let (at, sid) = (local_time(from_seconds(change.at)), &change.sid);
    let (was, is) = (told(change.was.as_ref()), told(change.is.as_ref()));
    let entry = change.entry;
    format!("{at}: the extension of {sid} was {was}, is {is} (entry {entry} of the log)")
}

pub(super) fn changed_as_json(change: &ExtensionChange) -> Value {
    json!({
        "at": rfc3339(from_seconds(change.at)),
        "sid": change.sid,
        "was": change.was,
        "is": change.is,
        "entry": change.entry,
    })
}

/// JSON as results are printed.
pub(crate) fn say_json(value: &Value) -> anyhow::Result<()> {
    Ok(scb_cli::say(&serde_json::to_string_pretty(value)?)?)
}
