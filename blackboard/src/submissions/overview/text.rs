//! The overview as a table.

use scb_certs::StudentId;
use scb_cli::{local_time, parse_moment, printable, say};
use scb_protocol::in_words;
use scb_protocol::message::proposal::RefusedSignature;
use scb_protocol::statement::Label;

use super::{AfterClose, Came, Failed, Line, Overview, State, Totals};
use crate::courses::text::{standing, table};
use crate::store::Tried;

const TITLE: [&str; 8] = [
    "STUDENT", "STATE", "NUMBER", "VERSIONS", "SIGNED", "LATE BY", "COSTS", "REMARKS",
];

pub(super) fn print(overview: &mut Overview<'_>) -> anyhow::Result<()> {
    let rules = overview.book.rules();
    let title = printable(&rules.title.to_string());
    let (which, state) = (overview.which, standing(rules, overview.desk.now));
    let due = |due| format!("due {}", local_time(due));
    let due = rules.due.map_or("no deadline".to_owned(), due);
    say(&format!(
        "{}/{}  {title}  ({state}; {due}; the {} version counts)",
        which.course, which.assignment, rules.counts
    ))?;
    loop {
        let page = overview.page()?;
        if page.is_empty() {
            break;
        }
        let mut rows = vec![TITLE.map(str::to_owned)];
        rows.extend(page.iter().map(row));
        for line in table(&rows) {
            say(&line)?;
        }
    }
    say(&totals(&overview.totals))?;
    match overview.has_list {
        true => Ok(()),
        false => Ok(say(&without_list(&overview.which.course))?),
    }
}

/// Where everybody may hand in, nobody is ever missing.
pub(super) fn without_list(course: &Label) -> String {
    format!(
        "No class list: whoever has tried nothing is NOT in this overview, and not among the missing; \
         with `blackboard course members {course} --list class.csv` he is"
    )
}

fn row(line: &Line) -> [String; 8] {
    let of_version = |text: fn(&Came) -> String| line.came.as_ref().map_or(String::new(), text);
    [
        line.sid.to_string(),
        state(line.state).to_owned(),
        of_version(|came| came.number.to_string()),
        line.versions.to_string(),
        of_version(|came| local_time(came.at)),
        of_version(late),
        of_version(|came| match came.costs_percent {
            0 => String::new(),
            percent => format!("{percent}%"),
        }),
        remarks(line).join("; "),
    ]
}

fn state(state: State) -> &'static str {
    match state {
        State::HandedIn => "handed in",
        State::Uploading => "files not here yet",
        State::Waiting => "not signed by all",
        State::NeverCame => "files never came",
        State::Missing => "MISSING",
        State::NothingYet => "nothing yet",
    }
}

fn late(came: &Came) -> String {
    match came.standing {
        "late" => in_words(came.late_seconds),
        _ => String::new(),
    }
}

/// As it is shown.
#[cfg(test)]
pub(crate) fn remarked(line: &Line) -> String {
    remarks(line).join("; ")
}

fn remarks(line: &Line) -> Vec<String> {
    let mut remarks = Vec::new();
    let members = line.came.iter().flat_map(|came| {
        let members = came.members.iter();
        members.filter(|sid| !came.out.contains(sid))
    });
    let others = members.filter(|sid| **sid != line.sid);
    let others: Vec<_> = others.map(ToString::to_string).collect();
    if !others.is_empty() {
        remarks.push(format!("with {}", others.join(" ")));
    }
    if let Some(least) = line.came.as_ref().and_then(|came| came.fewer_than) {
        remarks.push(format!("FEWER than the {least} of a group"));
    }
    for out in &line.detached {
        let (number, at) = (out.number, local(&out.at));
        let reason = printable(&out.reason.to_string());
        remarks.push(format!("TAKEN OUT of {number} on {at}: {reason}"));
    }
    if let Some(AfterClose { number, .. }) = &line.after_close {
        remarks.push(format!(
            "{number} came when it was CLOSED for this student, and does not count"
        ));
    }
    if let Some(due) = &line.extended_to {
        remarks.push(format!("extended to {}", local(due)));
    }
    if let Some(until) = &line.waits_until {
        let missing: Vec<_> = line.waiting_for.iter().map(ToString::to_string).collect();
        remarks.push(format!(
            "waiting for the signature of {} until {}",
            missing.join(" "),
            local(until)
        ));
    }
    if line.is_altered {
        remarks.push(format!("nobody can sign that now: {ALTERED}"));
    }
    remarks.extend(line.tried.iter().map(tried));
    if line.is_named {
        remarks.push("others named him in what he has not signed".to_owned());
    }
    remarks.extend(line.upload_until.as_ref().map(|until| upload(line, until)));
    let setback = |failed| setback(failed, &line.sid);
    remarks.extend(line.setback.as_ref().map(setback));
    let in_vain = line.setback.iter().flat_map(|failed| &failed.tried);
    remarks.extend(in_vain.map(tried));
    remarks.extend(line.outdated.map(|outdated| outdated.to_string()));
    if line.on_class_list == Some(false) {
        remarks.push("not on the class list".to_owned());
    }
    remarks
}

/// What was signed, and whose files have not all come.
fn upload(line: &Line, until: &str) -> String {
    let until = local(until);
    match (line.state, line.upload_is_over) {
        (State::HandedIn, false) => {
            format!("another version was signed; its files may come until {until}")
        }
        (_, false) => format!("files may come until {until}"),
        (State::NeverCame, true) => format!("they had to come by {until}"),
        (_, true) => {
            format!("another version was signed; its files never came, and had to by {until}")
        }
    }
}

/// Why nobody is to blame.
const ALTERED: &str = "what is stored of it was ALTERED (`blackboard fsck`)";

/// Who is waited for, or was, and not because he did nothing.
fn tried(tried: &Tried) -> String {
    let RefusedSignature { at, code } = &tried.refused;
    let whose = match code.is_of_somebody() {
        true => ", for him or for somebody who has signed it",
        false => "",
    };
    format!(
        "{} tried to sign on {}: REFUSED ({code}{whose})",
        tried.sid,
        local_time(*at)
    )
}

/// What came to nothing for this student, when, and by whom.
fn setback(failed: &Failed, own: &StudentId) -> String {
    let joined = |sids: &[StudentId]| {
        let sids: Vec<_> = sids.iter().map(ToString::to_string).collect();
        sids.join(" ")
    };
    let (by, missing) = (joined(&failed.by), joined(&failed.missing));
    let at = local(&failed.at);
    match (failed.kind, &failed.code) {
        ("refused", Some(code)) => format!("last REFUSED on {at} ({code})"),
        ("declined", _) => format!("{by} declined to sign on {at}"),
        ("withdrawn", _) => format!("{by} withdrew a signature on {at}"),
        _ if failed.altered => {
            format!("waited until {at} for signatures that nobody could make: {ALTERED}")
        }
        _ if failed.missing.contains(own) => {
            format!("had not signed what others proposed when its time was over, on {at}")
        }
        _ if missing.is_empty() => format!("signed by all, and not complete in time, on {at}"),
        _ => format!("waited until {at} for the signature of {missing}: NOT SIGNED in time"),
    }
}

/// A moment that was written in UTC.
fn local(moment: &str) -> String {
    parse_moment(moment).map_or_else(|_| moment.to_owned(), local_time)
}

fn totals(totals: &Totals) -> String {
    let mut parts = vec![format!(
        "{} of {} handed in",
        totals.handed_in, totals.students
    )];
    for (count, what) in [
        (totals.late, "late"),
        (totals.uploading, "with files not here yet"),
        (totals.waiting, "waiting for signatures"),
        (totals.never_came, "whose files never came"),
        (totals.missing, "missing"),
        (totals.nothing_yet, "with nothing yet"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    let others = match totals.not_listed {
        0 => String::new(),
        1 => "; 1 more is not on the class list".to_owned(),
        more => format!("; {more} more are not on the class list"),
    };
    parts.join(", ") + &others
}
