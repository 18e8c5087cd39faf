//! `student assignments`: what can be handed in, by Blackboard's rules and clock.

mod words;

use rustls_pki_types::UnixTime;
use scb_certs::StudentId;
use scb_cli::{Term, local_time, printable, rfc3339, say};
use scb_explain::Language;
use scb_protocol::announcement::Said;
use scb_protocol::message::blackboard::{AlteredAssignment, ListedAssignment};
use scb_protocol::rules::{Change, Extension, MemberStanding, Standing};
use scb_protocol::statement::Label;
use scb_protocol::{Refusal, from_seconds, grouped};
use serde_json::{Value, json};

pub(super) use self::words::in_chinese;
use self::words::{Words, latest};
use super::rules::lateness;
use super::{Prepared, quiet, say_json};
use crate::cli::{Assignments, Common};
use crate::show::Show;
use crate::{ClockOffset, Engine, Error, Group, KeptAnnouncement, Observer, OpenAssignment};

pub(super) fn run(common: &Common, arguments: &Assignments, term: Term) -> Result<(), Error> {
    let mut prepared = Prepared::to_look(common, term)?;
    prepared.engine.setup.blackboard()?;
    let mut show = Show::new(common);
    let mut observer = quiet(common, &mut show);
    let (group, mut told) =
        prepared.ask(&arguments.ids, &mut observer, |engine, group, observer| {
            // Nobody has said that all whose keys are here hand in together.
            let most = usize::from(engine.setup.max_members());
            let together = !arguments.ids.is_empty() || group.ids().len() <= most;
            told(engine, (group, together), common.course.clone(), observer)
        })?;
    let time = told.time;
    told.listed.retain(|(one, _)| {
        let wanted = common.assignment.as_ref();
        let is_named = wanted.is_none_or(|it| *it == one.assignment);
        is_named && (arguments.all || !is_closed(standing(one, time)))
    });
    let offset = prepared.engine.setup.clock_offset();
    if common.json {
        return say_json(&as_json(&group, &told, offset));
    }
    let words = Words::of(common.explain.language.language());
    say_all(&told, offset, words)
}

/// An assignment among others that are open: its title, when it is due, by the clock here, and how long is left.
pub(crate) fn in_short(
    OpenAssignment { listed, time }: &OpenAssignment,
    language: Language,
) -> String {
    let words = Words::of(language);
    let state = words.standing(standing(listed, *time), listed, *time);
    let due = latest(listed).map(|due| format!("{} {}", words.of_rules().due(), local_time(due)));
    let told: Vec<_> = due.into_iter().chain([state]).collect();
    format!(
        "{} / {}  {}  ({})",
        listed.course,
        listed.assignment,
        printable(&listed.rules.title.to_string()),
        told.join("; ")
    )
}

/// What is told, each assignment with those who can hand it in.
struct Told {
    time: UnixTime,
    listed: Vec<(ListedAssignment, Vec<StudentId>)>,
    /// What of that is signed.
    announced: Vec<KeptAnnouncement>,
    /// Of which nothing is told.
    altered: Vec<AlteredAssignment>,
    /// The most bytes that Blackboard takes, whatever the rules say.
    most: Option<u64>,
    /// Why others are not shown: their rules are not what was signed.
    unsigned: Vec<Refusal>,
    /// Whether something was told with its rules, shown or not.
    something: bool,
    /// Whether they asked as one group, or each alone: they are more than a group can have.
    together: bool,
}

fn told(
    engine: &mut Engine,
    (group, together): (&Group, bool),
    course: Option<Label>,
    observer: &mut Observer<'_>,
) -> Result<Told, Error> {
    let groups = match together {
        true => vec![group.clone()],
        false => {
            let alone = group.ids().iter().map(|sid| Group::new(vec![sid.clone()]));
            alone.collect::<Result<_, _>>()?
        }
    };
    let mut all = Told {
        time: engine.now(),
        listed: Vec::new(),
        announced: Vec::new(),
        altered: Vec::new(),
        most: None,
        unsigned: Vec::new(),
        something: false,
        together,
    };
    for group in groups {
        let told = engine.assignments(&group, course.clone(), observer)?;
        all.time = told.time;
        told.listed.into_iter().for_each(|one| all.add(one, &group));
        all.announced.extend(told.announced);
        for one in told.altered {
            if !all.altered.contains(&one) {
                all.altered.push(one);
            }
        }
        for why in told.unsigned {
            if !all.unsigned.contains(&why) {
                all.unsigned.push(why);
            }
        }
    }
    all.most = engine.setup.max_bytes();
    all.something = !all.listed.is_empty();
    // What is due next comes first, what is always open later, what is closed last.
    let time = all.time;
    all.listed.sort_by_key(|(one, _)| {
        let due = one.rules.due_for(None);
        (is_closed(standing(one, time)), due.is_none(), due)
    });
    Ok(all)
}

impl Told {
    /// What is signed of an assignment.
    fn signed(&self, one: &ListedAssignment) -> impl Iterator<Item = &KeptAnnouncement> {
        let (course, assignment) = (one.course.clone(), one.assignment.clone());
        self.announced.iter().filter(move |kept| {
            let (log, _) = kept.announcement.entry();
            (log.course(), log.assignment()) == (&course, &assignment)
        })
    }

    /// The entry of its rules.
    fn rules(&self, one: &ListedAssignment) -> Option<&KeptAnnouncement> {
        let is_rules =
            |kept: &&KeptAnnouncement| matches!(kept.announcement.said(), Said::Rules(_));
        self.signed(one).find(is_rules)
    }

    /// The entry of an extension, if it is shown.
    fn extended(&self, one: &ListedAssignment, own: &Extension) -> Option<&KeptAnnouncement> {
        self.signed(one)
            .find(|kept| match kept.announcement.said() {
                Said::Extended(extended) => extended.given.contains(own),
                Said::Rules(_) => false,
            })
    }

    /// What several can hand in is told once, with all of them.
    fn add(&mut self, one: ListedAssignment, group: &Group) {
        let same = |(known, _): &&mut (ListedAssignment, Vec<StudentId>)| {
            (&known.course, &known.assignment) == (&one.course, &one.assignment)
        };
        match self.listed.iter_mut().find(same) {
            Some((known, sids)) => {
                known.extensions.extend(one.extensions);
                known.extension_changes.extend(one.extension_changes);
                sids.extend_from_slice(group.ids());
            }
            None => self.listed.push((one, group.ids().to_vec())),
        }
    }
}

fn is_closed(standing: Standing) -> bool {
    matches!(standing, Standing::Closed { .. })
}

/// How the group stands: as the member with the most time.
fn standing(one: &ListedAssignment, now: UnixTime) -> Standing {
    one.rules.judge_group(now, &one.extensions)
}

/// A student's own extension.
fn own<'a>(one: &'a ListedAssignment, sid: &StudentId) -> Option<&'a Extension> {
    one.extensions.iter().find(|own| own.sid == *sid)
}

fn each(one: &ListedAssignment, sids: &[StudentId], now: UnixTime) -> Vec<MemberStanding> {
    one.rules.judge_each(now, sids, &one.extensions)
}

fn say_all(told: &Told, offset: Option<ClockOffset>, words: Words) -> Result<(), Error> {
    say(&words.clock(&local_time(told.time), offset))?;
    for one in &told.altered {
        say(&words.altered(one))?;
    }
    for why in &told.unsigned {
        say(&words.unsigned(why))?;
    }
    if told.listed.is_empty() {
        let held_back = !told.altered.is_empty() || !told.unsigned.is_empty();
        let nothing = words.nothing(told.something, held_back);
        return Ok(nothing.map_or(Ok(()), say)?);
    }
    for (one, sids) in &told.listed {
        say("")?;
        let (title, course) = (one.rules.title.to_string(), one.course_title.to_string());
        say(&format!(
            "{} / {}  {}  ({})",
            one.course,
            one.assignment,
            printable(&title),
            printable(&course)
        ))?;
        let here = told.together.then_some(sids.len());
        for (label, text) in rows(told, (one, sids, here), words) {
            say(&words.row(&label, &text))?;
        }
    }
    Ok(())
}

/// What is told of one assignment, each with its label.
fn rows(
    all: &Told,
    (one, sids, here): (&ListedAssignment, &[StudentId], Option<usize>),
    words: Words,
) -> Vec<(String, String)> {
    let (rules, now) = (&one.rules, all.time);
    let mut rows = vec![(words.state(), words.standing(standing(one, now), one, now))];
    let told = words.of_rules();
    rows.push((told.due(), told.deadline(rules)));
    rows.push((told.late(), told.late_work(rules)));
    rows.push((words.group(), words.members(rules, here)));
    rows.push((words.files(), words.kinds(rules)));
    let less = all.most.filter(|most| *most < rules.max_bytes);
    rows.extend(less.map(|most| (String::new(), words.takes_less(most))));
    for own in &one.extensions {
        let text = told.extension(rules, own);
        let text = match all.extended(one, own) {
            Some(kept) => words.by_entry(&text, kept.announcement.entry().1),
            None => told.unsigned(&text),
        };
        rows.push((own.sid.to_string(), text));
    }
    let differs = |it: &MemberStanding| it.standing != Standing::OnTime;
    let standings = each(one, sids, now);
    if standing(one, now).is_open() && standings.iter().any(differs) {
        let told = standings.iter().map(|it| {
            let left = words.left(rules, own(one, &it.sid), now);
            let text = words.member(it.standing);
            (it.sid.to_string(), format!("{text}{left}"))
        });
        rows.extend(told);
    }
    rows.extend(
        one.changes
            .iter()
            .map(|it| (words.changed(), change(it, words))),
    );
    let own = one.extension_changes.iter();
    rows.extend(own.map(|it| (words.changed(), words.extension_change(it))));
    rows.extend(all.rules(one).map(|kept| {
        let (_, index) = kept.announcement.entry();
        let at = local_time(kept.announcement.at());
        let path = printable(&kept.path.to_string_lossy());
        (words.signed(), words.announced(index, &at, &path))
    }));
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
        ("grace", Ok(seconds)) => words.length(seconds),
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

fn as_json(group: &Group, told: &Told, offset: Option<ClockOffset>) -> Value {
    let listed = told.listed.iter();
    let listed = listed.map(|(one, sids)| one_as_json(told, one, sids));
    json!({
        "time": rfc3339(told.time),
        "clock_behind_seconds": offset.map(ClockOffset::behind),
        "members": group.ids(),
        "together": told.together,
        "assignments": listed.collect::<Vec<_>>(),
        "altered": told.altered,
        "unsigned": told.unsigned.iter().map(|why| &why.params).collect::<Vec<_>>(),
    })
}

fn one_as_json(told: &Told, one: &ListedAssignment, sids: &[StudentId]) -> Value {
    let now = told.time;
    let signed = told.signed(one).map(|kept| {
        let announcement = &kept.announcement;
        json!({
            "entry": announcement.entry().1,
            "at": rfc3339(announcement.at()),
            "leaf_sha256": announcement.leaf_sha256(),
            "file": kept.path,
        })
    });
    let standings = each(one, sids, now);
    let members = standings.iter().map(|it| {
        let (late, costs) = lateness(it.standing);
        let (rules, own) = (&one.rules, own(one, &it.sid));
        let left = |end: UnixTime| end.as_secs().saturating_sub(now.as_secs());
        let (due, grace) = (rules.due_for(own), rules.grace_ends_for(own));
        let (closes, dearer) = (rules.closes_for(own), rules.dearer_for(now, own));
        json!({
            "sid": it.sid,
            "state": it.standing.as_str(),
            "due": due.map(rfc3339),
            "seconds_left": due.map(left),
            "grace_ends": grace.map(rfc3339),
            "grace_seconds_left": grace.map(left),
            "closes": closes.map(rfc3339),
            "closes_seconds_left": closes.map(left),
            "late_seconds": late,
            "costs_percent": costs,
            "costs_more_after": dearer.map(|(last, _)| rfc3339(last)),
            "costs_then_percent": dearer.map(|(_, costs)| costs),
        })
    });
    let changes = one.changes.iter().map(|it| {
        let at = rfc3339(from_seconds(it.at));
        json!({"at": at, "field": it.field, "was": it.was, "is": it.is, "entry": it.entry})
    });
    let of_extensions = one.extension_changes.iter().map(|it| {
        let at = rfc3339(from_seconds(it.at));
        json!({"at": at, "sid": it.sid, "was": it.was, "is": it.is, "entry": it.entry})
    });
    json!({
        "course": one.course,
        "course_title": one.course_title,
        "assignment": one.assignment,
        "state": standing(one, now).as_str(),
        "rules": one.rules,
        "takes_bytes": told.most.map_or(one.rules.max_bytes, |most| most.min(one.rules.max_bytes)),
        "extensions": one.extensions,
        "signed": signed.collect::<Vec<_>>(),
        "members": members.collect::<Vec<_>>(),
        "changes": changes.collect::<Vec<_>>(),
        "extension_changes": of_extensions.collect::<Vec<_>>(),
    })
}
