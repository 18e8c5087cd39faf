//! `blackboard fsck`: compares everything that is stored with what was signed and hashed, beside a
//! running server. It changes nothing, not even what it finds.
//!
//! Each kind of finding has a word for scripts and says what to do. What is kept in memory is a
//! hash for each stored file; files and logs are read piece by piece.

mod chinese;
mod content;
mod entries;
mod logs;
mod records;
mod remedy;
mod report;
mod signing;
mod words;

use std::cell::RefCell;
use std::path::Path;
use std::str::FromStr;

use rustls_pki_types::UnixTime;
use scb_cli::{Failure, Home, Role, exit};
use scb_explain::Language;
use scb_protocol::statement::Label;
use scb_storage::StoredContents;

use self::logs::{Logs, directory_in};
use self::records::Records;
use self::report::Report;
use self::words::Words;
use crate::arguments::Fsck;
use crate::enrol::{receipt_roots, receipt_trust};
use crate::failure::failure;
use crate::note_keys::LogKey;
use crate::store::{Inspector, NUMBERS};

/// How the database is called in findings.
const DATABASE: &str = "blackboard.db";

/// One assignment: `COURSE/ASSIGNMENT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OneAssignment {
    course: Label,
    assignment: Label,
}

impl FromStr for OneAssignment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (course, assignment) = text.split_once('/').ok_or("write COURSE/ASSIGNMENT")?;
        let label = |part: &str| part.parse::<Label>().map_err(|error| error.to_string());
        Ok(Self {
            course: label(course)?,
            assignment: label(assignment)?,
        })
    }
}

/// What is looked at: all, or one assignment.
struct Scope(Option<OneAssignment>);

impl Scope {
    fn has(&self, course: &Label, assignment: &Label) -> bool {
        let is = |one: &OneAssignment| one.course == *course && one.assignment == *assignment;
        self.0.as_ref().is_none_or(is)
    }
}

/// Looks at everything, or at one assignment.
pub(crate) fn fsck(
    home: &Path,
    command: &Fsck,
    (language, now): (Language, UnixTime),
) -> anyhow::Result<()> {
    let home = Home::open(home, Role::Blackboard)?;
    let scope = Scope(command.assignment.clone());
    // JSON is for scripts, which know one language.
    let json = command.output.json;
    let language = if json { Language::English } else { language };
    let mut report = Report::new(json, Words(language));
    examine(&home, &scope, now, &mut report)?;
    report.end()
}

/// What is found: each by its word, and what it is about.
#[cfg(test)]
pub(crate) fn found(
    home: &Home,
    assignment: Option<&str>,
    now: UnixTime,
) -> anyhow::Result<Vec<(&'static str, String)>> {
    let scope = Scope(assignment.map(|one| one.parse().expect("an assignment")));
    let mut report = Report::new(true, Words(Language::English));
    examine(home, &scope, now, &mut report)?;
    let found = report.findings().iter();
    Ok(found.map(|one| (one.code, one.about.clone())).collect())
}

fn examine(home: &Home, scope: &Scope, now: UnixTime, report: &mut Report) -> anyhow::Result<()> {
    if Inspector::is_unused(home) {
        return Ok(());
    }
    match Inspector::is_put_back(home) {
        Ok(false) => {}
        Ok(true) => report.put_back()?,
        Err(error) => report.failed(NUMBERS, failure(error.into()))?,
    }
    let content = StoredContents::of(&home.path("content"));
    let opened = Inspector::look(home).and_then(|seen| Ok((seen, Inspector::open(home)?)));
    let database = match opened {
        Ok((seen, database)) => {
            for problem in seen.problems {
                report.damage("database_damaged", DATABASE, problem)?;
            }
            database
        }
        Err(error) => {
            report.failed(DATABASE, failure(error.into()))?;
            return content::by_name(&content, report);
        }
    };
    let looked_at = examine_with(&database, &content, (home, scope), now, report);
    // One part that cannot be read does not hide what was found in the others.
    match looked_at.map_err(failure) {
        Err(fault) if fault.exit == exit::FAULT => report.failed(DATABASE, fault),
        done => Ok(done?),
    }
}

fn examine_with(
    database: &Inspector,
    content: &StoredContents,
    (home, scope): (&Home, &Scope),
    now: UnixTime,
    report: &mut Report,
) -> anyhow::Result<()> {
    let roots = receipt_roots(home)?;
    let mut records = Records::new(database, content, &roots, scope);
    report.begin("submissions", database.count()?);
    records.look(report)?;
    records.repeats(report)?;
    logs(home, database, scope, now, report)?;
    if scope.0.is_none() {
        // Those that came meanwhile name files, too.
        records.look(report)?;
        content::extra(content, &records, now, report)?;
        content::leftovers(content, database, now, report)?;
    }
    Ok(())
}

fn logs(
    home: &Home,
    database: &Inspector,
    scope: &Scope,
    now: UnixTime,
    report: &mut Report,
) -> anyhow::Result<()> {
    let all = database.logs()?;
    let logs = Logs {
        database,
        directory: directory_in(home.dir()),
        key: LogKey::existing(home)?,
        trust: receipt_trust(home)?,
        now,
        // Read before the logs: whatever is there by then was entered by then.
        not_entered: RefCell::new(Some(database.commitments()?)),
    };
    logs.unknown(&all, report)?;
    let wanted = all
        .iter()
        .filter(|(name, _)| scope.has(name.course(), name.assignment()));
    let wanted: Vec<_> = wanted.collect();
    if let (Some(one), true) = (&scope.0, wanted.is_empty()) {
        return Err(unknown(one).into());
    }
    report.begin("log entries", wanted.iter().map(|(_, size)| size).sum());
    wanted
        .iter()
        .try_for_each(|(name, _)| logs.look(name, report))?;
    match scope.0 {
        Some(_) => Ok(()),
        None => logs.never_entered(report),
    }
}

fn unknown(one: &OneAssignment) -> Failure {
    let OneAssignment { course, assignment } = one;
    Failure::refused(format!("there is no assignment {assignment} in {course}"))
        .with_remedy("`blackboard assignment list` shows all")
        .with_code("assignment_unknown")
}
