//! `student assignments`: what can be handed in, by Blackboard's rules and clock.

mod words;

use rustls_pki_types::UnixTime;
use scb_cli::{Term, local_time, printable, rfc3339, say};
use scb_protocol::message::blackboard::ListedAssignment;
use scb_protocol::rules::{Change, MemberStanding, Standing};
use scb_protocol::{from_seconds, grouped, in_words};
use serde_json::{Value, json};

use self::words::Words;
use super::{Prepared, group_or_everybody, quiet, say_json};
use crate::cli::{Assignments, Common};
use crate::engine::ToldAssignments;
use crate::show::Show;
use crate::{ClockOffset, Error, Group};

pub(super) fn run(common: &Common, arguments: &Assignments, term: Term) -> Result<(), Error> {
    let mut prepared = Prepared::new(common, term)?;
    prepared.engine.setup.blackboard()?;
    let group = group_or_everybody(&prepared, &arguments.ids)?;
    let mut show = Show::new(common);
    let mut observer = quiet(common, &mut show);
    prepared.engine.renew_due(&group, &mut observer)?;
    let course = common.course.clone();
    let told = prepared.engine.assignments(&group, course, &mut observer)?;
    let wanted = |one: &&ListedAssignment| {
        let is_named = common
            .assignment
            .as_ref()
            .is_none_or(|it| *it == one.assignment);
        is_named && (arguments.all || !is_closed(standing(one, told.time)))
    };
    let listed: Vec<_> = told.listed.iter().filter(wanted).collect();
    let offset = prepared.engine.setup.clock_offset();
    if common.json {
        return say_json(&as_json(&group, &told, &listed, offset));
    }
    let words = Words::of(common.explain.language.language());
    say_all(&group, &told, &listed, offset, words)
}

fn is_closed(standing: Standing) -> bool {
    matches!(standing, Standing::Closed { .. })
}

/// How the group stands: as the member with the most time.
fn standing(one: &ListedAssignment, now: UnixTime) -> Standing {
    one.rules.judge_group(now, &one.extensions)
}

fn each(one: &ListedAssignment, group: &Group, now: UnixTime) -> Vec<MemberStanding> {
    one.rules.judge_each(now, group.ids(), &one.extensions)
}

fn say_all(
    group: &Group,
    told: &ToldAssignments,
    listed: &[&ListedAssignment],
    offset: Option<ClockOffset>,
    words: Words,
) -> Result<(), Error> {
    say(&words.clock(&local_time(told.time), offset))?;
    if listed.is_empty() {
        return Ok(say(words.nothing(told.listed.is_empty()))?);
    }
    for one in listed {
        say("")?;
        let (title, course) = (one.rules.title.to_string(), one.course_title.to_string());
        say(&format!(
            "{} / {}  {}  ({})",
            one.course,
            one.assignment,
            printable(&title),
            printable(&course)
        ))?;
        for (label, text) in rows(one, group, told.time, words) {
            say(&words.row(&label, &text))?;
        }
    }
    Ok(())
}

/// What is told of one assignment, each with its label.
fn rows(
    one: &ListedAssignment,
    group: &Group,
    now: UnixTime,
    words: Words,
) -> Vec<(String, String)> {
    let rules = &one.rules;
    let mut rows = vec![(words.state(), words.standing(standing(one, now), one, now))];
    let told = words.of_rules();
    rows.push((told.due(), told.deadline(rules)));
    rows.push((told.late(), told.late_work(rules)));
    rows.push((words.group(), words.members(rules, group.ids().len())));
    rows.push((words.files(), words.kinds(rules)));
    for own in &one.extensions {
        let cutoff = rules.closes_for(Some(own));
        rows.push((own.sid.to_string(), told.extension(own.due, cutoff)));
    }
    let differs = |it: &MemberStanding| it.standing != Standing::OnTime;
    let standings = each(one, group, now);
    if standing(one, now).is_open() && standings.iter().any(differs) {
        let told = standings.iter().map(|it| {
            let text = words.member(it.standing);
            (it.sid.to_string(), text)
        });
        rows.extend(told);
    }
    rows.extend(
        one.changes
            .iter()
            .map(|it| (words.changed(), change(it, words))),
    );
    rows
}

fn change(change: &Change, words: Words) -> String {
    let at = local_time(from_seconds(change.at));
    let told = |value: &str| value_of(&change.field, value, words);
    words.change(
        (&at, change.entry),
        &printable(&change.field),
        &told(&change.was),
        &told(&change.is),
    )
}

/// Lengths and sizes in words, as in the rules themselves.
fn value_of(field: &str, told: &str, words: Words) -> String {
    match (field, told.parse::<u64>()) {
        ("grace", Ok(0)) => words.none().to_owned(),
        ("grace", Ok(seconds)) => in_words(seconds),
        ("max_bytes", Ok(bytes)) => grouped(bytes),
        _ => value(told, words),
    }
}

/// Times are shown as the clock here would.
fn value(value: &str, words: Words) -> String {
    let moment = scb_cli::parse_moment(value)
        .ok()
        .filter(|_| value.ends_with('Z'));
    match moment {
        Some(moment) => local_time(moment),
        None if value.is_empty() => words.none().to_owned(),
        None => printable(value),
    }
}

fn as_json(
    group: &Group,
    told: &ToldAssignments,
    listed: &[&ListedAssignment],
    offset: Option<ClockOffset>,
) -> Value {
    json!({
        "time": rfc3339(told.time),
        "clock_behind_seconds": offset.map(ClockOffset::behind),
        "members": group.ids(),
        "assignments": listed.iter().map(|one| one_as_json(one, group, told.time)).collect::<Vec<_>>(),
    })
}

fn one_as_json(one: &ListedAssignment, group: &Group, now: UnixTime) -> Value {
    let standings = each(one, group, now);
    let due = standings.iter().zip(group.ids()).map(|(_, sid)| {
        let own = one.extensions.iter().find(|own| own.sid == *sid);
        one.rules.due_for(own)
    });
    let members = standings.iter().zip(due).map(|(it, due)| {
        let (late, costs) = match it.standing {
            Standing::Late { by, costs } => (Some(by), Some(costs)),
            _ => (None, None),
        };
        json!({
            "sid": it.sid,
            "state": it.standing.as_str(),
            "due": due.map(rfc3339),
            "seconds_left": due.map(|due| due.as_secs().saturating_sub(now.as_secs())),
            "late_seconds": late,
            "costs_percent": costs,
        })
    });
    let changes = one.changes.iter().map(|it| {
        let at = rfc3339(from_seconds(it.at));
        json!({"at": at, "field": it.field, "was": it.was, "is": it.is, "entry": it.entry})
    });
    json!({
        "course": one.course,
        "course_title": one.course_title,
        "assignment": one.assignment,
        "state": standing(one, now).as_str(),
        "rules": one.rules,
        "extensions": one.extensions,
        "members": members.collect::<Vec<_>>(),
        "changes": changes.collect::<Vec<_>>(),
    })
}
