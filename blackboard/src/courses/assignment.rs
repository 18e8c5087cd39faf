//! `blackboard assignment`.

use rustls_pki_types::UnixTime;
use scb_cli::{Failure, counted, local_time, note, printable, rfc3339, say};
use scb_protocol::from_seconds;
use scb_protocol::rules::{
    Change, Counts, Extension, GroupSize, Groups, LateRule, Rules, RulesError, Terms, Title,
};
use scb_protocol::statement::Label;
use serde_json::{Value, json};

use super::close::{self, StillOpen, end_extensions, still_open};
use super::forward::Forward;
use super::text::{joined, say_json, standing, table, value};
use super::{Desk, smaller, text};
use crate::arguments::courses::{
    AddAssignment, AssignmentCommand, ChangeAssignment, RuleOptions, Which,
};
use crate::store::{Amended, Assignment, Given};

pub(super) fn run(desk: &Desk, command: &AssignmentCommand) -> anyhow::Result<()> {
    match command {
        AssignmentCommand::Add(add) => self::add(desk, add),
        AssignmentCommand::Change(change) => self::change(desk, change),
        AssignmentCommand::Close {
            which,
            with_extensions,
            yes,
            output,
        } => close(desk, which, (*with_extensions, *yes), output.json),
        AssignmentCommand::Withdraw { which, output } => withdraw(desk, which, output.json),
        AssignmentCommand::List { course, output } => list(desk, course.as_ref(), output.json),
        AssignmentCommand::Show { which, output } => show(desk, which, output.json),
    }
}

fn close(
    desk: &Desk,
    which: &Which,
    (with_extensions, yes): (bool, bool),
    json: bool,
) -> anyhow::Result<()> {
    // The last moment at which it was open is over.
    let last = from_seconds(desk.now.as_secs().saturating_sub(1));
    let place = desk.place(which);
    let before = desk.store.assignment(&place)?.rules().clone();
    let after = closed(before.clone().into(), last).map_err(crate::store::Error::Rules)?;
    let forward = Forward::of(desk, &place, (&before, &after))?;
    if let Some(forward) = &forward {
        let name = format!("{}/{}", which.course, which.assignment);
        forward.agreed_to_close(&name, yes)?;
    }
    let close = move |terms| closed(terms, last);
    let changed = desk.store.change_assignment(place, close, desk.now)?;
    if with_extensions {
        end_extensions(desk, which)?;
    }
    let open = still_open(desk, which)?;
    say_changed(which, (&changed, forward.as_ref(), &open), json)?;
    close::remark(which, &open)
}

fn withdraw(desk: &Desk, which: &Which, json: bool) -> anyhow::Result<()> {
    desk.store.remove_assignment(desk.place(which), desk.now)?;
    let Which { course, assignment } = which;
    match json {
        true => say_json(&json!({"course": course, "assignment": assignment, "withdrawn": true})),
        false => Ok(say(&format!(
            "withdrew {course}/{assignment}: students are shown it no longer"
        ))?),
    }
}

fn add(desk: &Desk, add: &AddAssignment) -> anyhow::Result<()> {
    let options = &add.rules;
    let group = match options.group_size {
        Some(group) => group,
        None => GroupSize::new(1, desk.config.max_members.get())?,
    };
    let terms = Terms {
        title: add.title.clone(),
        opens: options.opens,
        due: Some(add.due),
        grace: options.grace.unwrap_or(0),
        cutoff: options.cutoff,
        late: options.late_rule.unwrap_or(LateRule::None),
        counts: options.counts.unwrap_or(Counts::Latest),
        group,
        groups: options.groups.unwrap_or(Groups::Kept),
        max_bytes: options.max_bytes.unwrap_or(desk.config.max_bytes),
        accept: options.accept.clone(),
    };
    check_bytes(desk, terms.max_bytes)?;
    let which = Which {
        assignment: id(add)?,
        course: add.course.clone(),
    };
    let rules = terms.check().map_err(crate::store::Error::Rules)?;
    desk.store
        .add_assignment(desk.place(&which), rules, desk.now)?;
    if !add.output.json {
        say(&format!("added {}/{}", which.course, which.assignment))?;
    }
    show(desk, &which, add.output.json)?;
    remark_past(desk, Some(add.due), options)
}

/// A moment that is over may be meant; more often it is a mistyped year.
fn remark_past(desk: &Desk, due: Option<UnixTime>, rules: &RuleOptions) -> anyhow::Result<()> {
    let given = [
        ("--opens", rules.opens),
        ("--due", due),
        ("--cutoff", rules.cutoff),
    ];
    remark_over(
        desk,
        given,
        "is in the past (`blackboard assignment change`)",
    )
}

/// Of each of these options that names a moment that is over, this.
pub(super) fn remark_over<const N: usize>(
    desk: &Desk,
    given: [(&str, Option<UnixTime>); N],
    what: &str,
) -> anyhow::Result<()> {
    for (option, given) in given {
        if let Some(moment) = given.filter(|moment| *moment < desk.now) {
            let moment = local_time(moment);
            note(&format!("CHECK THE DATE: {option} {moment} {what}"))?;
        }
    }
    Ok(())
}

/// Where this entry had closed the assignment and more may come again: an archive of before says too much.
pub(super) fn remark_reopened(
    desk: &Desk,
    which: &Which,
    closed: Option<u64>,
) -> anyhow::Result<()> {
    let Some(entry) = closed else { return Ok(()) };
    if desk.store.closed_by(&desk.place(which))?.is_none() {
        note(&format!(
            "{}/{} was closed by entry {entry} of its log, which is no longer the last word: an archive of before is \
             NOT FINAL any more; make another once nobody can hand in (`blackboard submissions archive`)",
            which.course, which.assignment
        ))?;
    }
    Ok(())
}

/// The name that is given, or one made from the title.
fn id(add: &AddAssignment) -> Result<Label, Failure> {
    match &add.id {
        Some(id) => Ok(id.clone()),
        None => from_title(&add.title).ok_or_else(|| {
            Failure::usage("no short name can be made from the title")
                .with_remedy("give one with --id, such as --id lab-1")
                .with_code("no_id")
        }),
    }
}

/// `Lab 1: Threads` is `lab-1-threads`.
fn from_title(title: &Title) -> Option<Label> {
    let lower = title.to_string().to_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    let mut name = words.join("-");
    name.truncate(64);
    name.trim_end_matches('-').parse().ok()
}

/// What the server would refuse in any case is not promised.
fn check_bytes(desk: &Desk, bytes: u64) -> Result<(), Failure> {
    let limit = desk.config.max_bytes;
    match bytes <= limit {
        true => Ok(()),
        false => Err(Failure::refused(format!(
            "this server takes {} at most, and not {}",
            counted(limit, "byte"),
            counted(bytes, "byte")
        ))
        .with_remedy("give less, or raise `max_bytes` in HOME/config.toml and start it again")
        .with_code("max_bytes")),
    }
}

fn change(desk: &Desk, change: &ChangeAssignment) -> anyhow::Result<()> {
    if let Some(bytes) = change.rules.max_bytes {
        check_bytes(desk, bytes)?;
    }
    let (place, wanted) = (desk.place(&change.which), change.clone());
    let before = desk.store.assignment(&place)?.rules().clone();
    let after = changed(before.clone().into(), change).map_err(crate::store::Error::Rules)?;
    let forward = Forward::of(desk, &place, (&before, &after))?;
    if let Some(forward) = &forward {
        forward.agreed(desk.now, change.yes)?;
    }
    let apply = move |terms| changed(terms, &wanted);
    let closed = desk.store.closed_by(&place)?;
    let told = desk.store.change_assignment(place, apply, desk.now)?;
    let told = (&told, forward.as_ref(), &[][..]);
    say_changed(&change.which, told, change.output.json)?;
    if let Some(forward) = &forward {
        forward.remark()?;
    }
    remark_past(desk, change.due, &change.rules)?;
    remark_reopened(desk, &change.which, closed)
}

fn changed(mut terms: Terms, change: &ChangeAssignment) -> Result<Rules, RulesError> {
    let rules = &change.rules;
    replace(&mut terms.title, change.title.clone());
    replace(&mut terms.grace, rules.grace);
    replace(&mut terms.late, rules.late_rule);
    replace(&mut terms.counts, rules.counts);
    replace(&mut terms.group, rules.group_size);
    replace(&mut terms.groups, rules.groups);
    replace(&mut terms.max_bytes, rules.max_bytes);
    terms.opens = rules.opens.or(terms.opens);
    terms.due = change.due.or(terms.due);
    terms.cutoff = match change.no_cutoff {
        true => None,
        false => rules.cutoff.or(terms.cutoff),
    };
    if change.accept_all {
        terms.accept.clear();
    } else if !rules.accept.is_empty() {
        terms.accept.clone_from(&rules.accept);
    }
    terms.check()
}

fn replace<T>(value: &mut T, other: Option<T>) {
    if let Some(other) = other {
        *value = other;
    }
}

/// Nothing is taken after this moment. Before the due time this is the due time.
fn closed(mut terms: Terms, now: UnixTime) -> Result<Rules, RulesError> {
    let is_due = terms.due.is_some_and(|due| due < now);
    if !is_due {
        terms.due = Some(now);
        terms.opens = terms.opens.filter(|opens| *opens < now);
    }
    let grace_ends = |terms: &Terms| terms.due.map(|due| due.as_secs() + terms.grace);
    if grace_ends(&terms) > Some(now.as_secs()) {
        terms.grace = now.as_secs() - terms.due.map_or(now.as_secs(), |due| due.as_secs());
    }
    terms.cutoff = match terms.late {
        LateRule::None => None,
        _ => Some(terms.cutoff.map_or(now, |cutoff| cutoff.min(now))),
    };
    terms.check()
}

fn say_changed(
    which: &Which,
    (amended, forward, open): (&Amended, Option<&Forward>, &[StillOpen]),
    json: bool,
) -> anyhow::Result<()> {
    let Amended {
        changes, students, ..
    } = amended;
    let name = format!("{}/{}", which.course, which.assignment);
    if json {
        return say_json(&json!({
            "course": which.course,
            "assignment": which.assignment,
            "changes": changes.iter().map(change_as_json).collect::<Vec<_>>(),
            "handed_in_before": students,
            "extensions_without_effect": amended.idle,
            "extensions_in_effect_again": amended.again,
            "brought_forward": forward.map(Forward::as_json),
            "still_open": close::as_json(open),
        }));
    }
    if changes.is_empty() {
        return Ok(say(&format!("{name} was so already; nothing was changed"))?);
    }
    for change in changes {
        let (was, is) = (value(&change.was), value(&change.is));
        say(&format!("{name}: {} was {was}, is {is}", change.field))?;
    }
    let judged = changes.iter().any(|change| change.judges());
    if judged && *students > 0 {
        say(&format!(
            "{} handed in before: what was handed in is judged by the rules of then or by these, \
             whichever are better for the student; these alone count for what comes from now on",
            counted(*students, "student")
        ))?;
    }
    remark_extensions(amended)
}

/// An extension never takes time away: the common deadline may overtake it, and fall behind it again.
fn remark_extensions(amended: &Amended) -> anyhow::Result<()> {
    for (sids, remark) in [
        (
            &amended.idle,
            "no longer than everybody else: the common deadline is no earlier than the extension, and \
             counts; `blackboard extension add` gives a later one",
        ),
        (
            &amended.again,
            "longer than everybody else again: the extension of before counts, as it was never taken \
             back (`blackboard extension remove`)",
        ),
    ] {
        if !sids.is_empty() {
            note(&format!(
                "CHECK EXTENSIONS: {} may hand in {remark}",
                joined(sids)
            ))?;
        }
    }
    Ok(())
}

fn list(desk: &Desk, course: Option<&Label>, json: bool) -> anyhow::Result<()> {
    let assignments = desk.store.assignments(course)?;
    if json {
        let all = assignments.iter().map(|one| as_json(desk, one));
        return say_json(&all.collect());
    }
    if assignments.is_empty() {
        return Ok(say(
            "there is no assignment yet: `blackboard assignment add`",
        )?);
    }
    let title = ["COURSE", "ASSIGNMENT", "STATE", "DUE", "GROUP", "TITLE"];
    let mut rows = vec![title.map(str::to_owned)];
    rows.extend(assignments.iter().map(|one| {
        let rules = one.rules();
        [
            one.course.to_string(),
            one.assignment.to_string(),
            standing(rules, desk.now).to_owned(),
            rules.due.map_or("no deadline".to_owned(), local_time),
            rules.group.to_string(),
            printable(&rules.title.to_string()),
        ]
    }));
    for line in table(&rows) {
        say(&line)?;
    }
    Ok(())
}

fn show(desk: &Desk, which: &Which, json: bool) -> anyhow::Result<()> {
    let extensions = desk.store.extensions(desk.place(which))?;
    let changed = desk.store.extension_changes(desk.place(which))?;
    let all = desk.store.assignments(Some(&which.course))?;
    for one in all.iter().filter(|one| one.assignment == which.assignment) {
        if json {
            let mut shown = as_json(desk, one);
            let extensions = extensions.iter();
            shown["extensions"] = extensions
                .map(|given| given_as_json(given, one.rules()))
                .collect();
            shown["extension_changes"] = changed.iter().map(text::changed_as_json).collect();
            say_json(&shown)?;
            continue;
        }
        let title = printable(&one.rules().title.to_string());
        let state = standing(one.rules(), desk.now);
        say(&format!(
            "{}/{}  {title}  ({state})",
            one.course, one.assignment
        ))?;
        for (name, value) in text::rules(one.rules()) {
            say(&format!("  {name:<10} {value}"))?;
        }
        if let Some(less) = smaller::remark(one, desk.config.max_bytes) {
            say(&format!("  {:<10} {less}", "BUT"))?;
        }
        for given in &extensions {
            let given = extension(&given.extension, one.rules());
            say(&format!("  {:<10} {given}", "extension"))?;
        }
        for change in one.changes() {
            let at = local_time(from_seconds(change.at));
            let (was, is) = (value(&change.was), value(&change.is));
            say(&format!(
                "  {:<10} {at}: {} was {was}, is {is}",
                "changed", change.field
            ))?;
        }
        for change in &changed {
            say(&format!("  {:<10} {}", "changed", text::changed(change)))?;
        }
    }
    Ok(())
}

/// `1155000001: due 2026-12-08 23:59:00 +08:00`.
pub(super) fn extension(extension: &Extension, rules: &Rules) -> String {
    let cutoff = extension.cutoff.map(local_time);
    let cutoff = cutoff.map_or(String::new(), |cutoff| format!(", closes {cutoff}"));
    let idle = match rules.gives_time(extension) {
        true => "",
        false => "; the common deadline is no earlier, and counts",
    };
    let (sid, due) = (&extension.sid, local_time(extension.due));
    format!("{sid}: due {due}{cutoff}{idle}")
}

fn as_json(desk: &Desk, assignment: &Assignment) -> Value {
    let changes = assignment.changes();
    json!({
        "course": assignment.course,
        "assignment": assignment.assignment,
        "state": assignment.rules().judge(desk.now, None).as_str(),
        "rules": assignment.rules(),
        "takes_bytes": desk.config.max_bytes.min(assignment.rules().max_bytes),
        "added_at": rfc3339(assignment.added_at()),
        "changes": changes.iter().map(change_as_json).collect::<Vec<_>>(),
    })
}

fn change_as_json(change: &Change) -> Value {
    json!({
        "at": rfc3339(from_seconds(change.at)),
        "field": change.field,
        "was": change.was,
        "is": change.is,
    })
}

pub(super) fn given_as_json(given: &Given, rules: &Rules) -> Value {
    let extension = &given.extension;
    json!({
        "sid": extension.sid,
        "due": rfc3339(extension.due),
        "cutoff": extension.cutoff.map(rfc3339),
        "gives_time": rules.gives_time(extension),
        "given_at": rfc3339(given.at),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> UnixTime {
        from_seconds(seconds)
    }

    #[test]
    fn a_short_name_is_made_from_the_title() {
        for (title, name) in [
            ("Lab 1: Threads & Locks!", Some("lab-1-threads-locks")),
            ("實驗 Lab 2", Some("lab-2")),
            ("實驗", None),
        ] {
            let made = from_title(&title.parse().unwrap());
            assert_eq!(made.map(|name| name.to_string()).as_deref(), name);
        }
        let long = from_title(&"x ".repeat(90).parse().unwrap()).unwrap();
        assert_eq!(long.to_string().len(), 63);
    }

    #[test]
    fn what_is_closed_takes_nothing_after_this_moment() {
        let group = GroupSize::new(1, 3).unwrap();
        let open = Terms::always_open("Lab".parse().unwrap(), group, 1);
        let due = Terms {
            opens: Some(at(100)),
            due: Some(at(1000)),
            grace: 100,
            ..open.clone()
        };
        let late = Terms {
            late: LateRule::Mark,
            ..due.clone()
        };
        for terms in [open, due, late] {
            for now in [50, 500, 1000, 1050, 1100, 2000] {
                let rules = closed(terms.clone(), at(now)).unwrap();
                let after = rules.judge(at(now + 1), None);
                assert!(!after.is_open(), "{terms:?} closed at {now}: {after:?}");
                let again = closed(rules.clone().into(), at(now + 5)).unwrap();
                assert!(!again.judge(at(now + 1), None).is_open());
            }
        }
    }
}
