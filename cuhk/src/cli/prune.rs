//! `cuhk prune`

use std::fs;
use std::path::Path;

use rustls_pki_types::UnixTime;
use scb_cli::{Failure, load_config, local_time, rfc3339, say};
use scb_storage::{compact, empty_log};
use serde_json::json;

use super::listing::say_json;
use super::{Desk, now};
use crate::calendar::days;
use crate::config::{MIN_QUESTION_RETENTION_DAYS, path};
use crate::log::OldQuestions;
use crate::store::{IdleLog, Pruned, Records, Store};
use crate::time::earlier;
use crate::{Config, Error};

/// A century.
const MOST_DAYS: i64 = 36_500;
const LEAST_QUESTION_DAYS: i64 = MIN_QUESTION_RETENTION_DAYS as i64;

const EXAMPLES: &str = "\
Examples:
  cuhk prune --dry-run
  cuhk prune --keep-days 400
  cuhk prune --keep-questions-days 200

Removes enrolment codes and certificates that ended more than so many days ago, and gives the room
back to the disk. What any revocation list names stays, and so do certificates that can still be
renewed (`renewal_grace_days`) and keys that were revoked as compromised, so that they are never
certified again. Receipts need none of it.

Of the issuance log go the questions about students that are older (`question_retention_days`),
as far as they are published, and cosigned if there is a witness. Their hashes stay in HOME/log,
which is then the only place that has them, so that nothing in the log can be changed; `student
audit` says how many are gone. The entry about each certificate stays for ever, and so does the
newest entry about each student.

Of the logs of services that CUHK witnesses go the entries of those that have not grown for as long;
how far they had grown stays known. A Blackboard that is put back from a backup older than that gets
them back no more (`log_not_kept`).

Refuses (`clock_ahead`) if this machine's clock is 31 days ahead of all that was recorded or
signed and of the last time that it was believed, or was found so since somebody last vouched for
it: --clock-is-right does. A wrong clock would otherwise remove everybody's certificate. A CUHK that
serves signs lists every day, and a prune counts as well: it is only after a month off that somebody
has to vouch.

Of what operators did (`cuhk operations list`) go the records that are older than
`operation_retention_days`, up to one that `cuhk serve` has entered in the issuance log; its
entries about them stay as long.

Of students who have been suspended for `left_student_retention_days` (730), also as missing,
and have no certificate that has not ended, go name, address and programme. Their IDs stay for ever:
certificates and the log name them, and nobody else may get one. Backups from before have the names.

Works while `cuhk serve` runs. Giving the room back takes as much again for a moment: on a full disk
make room elsewhere first.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Keep what ended at most so many days ago; at least 7, longer than any list names it
    #[arg(long, value_name = "N", default_value_t = 400, value_parser = clap::value_parser!(u32).range(7..=MOST_DAYS))]
    keep_days: u32,
    /// Keep questions about students for so many days, at least 100
    /// [default: `question_retention_days` of config.toml]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(LEAST_QUESTION_DAYS..=MOST_DAYS))]
    keep_questions_days: Option<u32>,
    /// Only say what would be removed
    #[arg(long)]
    dry_run: bool,
    /// Answer as a JSON object
    #[arg(long)]
    pub(super) json: bool,
}

/// What goes, or would go, and how large the file was before and is now.
struct Told<'a> {
    arguments: &'a Arguments,
    pruned: Pruned,
    before: Before,
    questions: &'a OldQuestions,
    idle: &'a [IdleLog],
    operations: u64,
    /// Students whose name goes, and altered rows of such.
    names: (u64, u64),
    kib: Option<(u64, u64)>,
}

impl Told<'_> {
    fn say(&self) -> Result<(), Failure> {
        if self.arguments.json {
            return say_json(&self.as_json());
        }
        let verb = match self.arguments.dry_run {
            true => "would remove",
            false => "removed",
        };
        let Before {
            ended,
            asked,
            done,
            left,
        } = self.before;
        told(verb, self.pruned, ended)?;
        told_questions(verb, self.questions, asked)?;
        told_idle(verb, self.idle)?;
        told_operations(verb, self.operations, done)?;
        told_names(verb, self.names, left)?;
        match self.kib {
            None => Ok(()),
            Some((before, now)) => Ok(say(&format!(
                "database  {before} KiB before, {now} KiB now"
            ))?),
        }
    }

    fn as_json(&self) -> serde_json::Value {
        json!({
            "dry_run": self.arguments.dry_run,
            "codes": self.pruned.codes,
            "certificates": self.pruned.certificates,
            "ended_before": rfc3339(self.before.ended),
            "questions": self.questions.count,
            "questions_kept": self.questions.kept,
            "questions_waiting": self.questions.waiting,
            "questions_before": rfc3339(self.before.asked),
            "witnessed_entries": self.idle.iter().map(|log| log.entries).sum::<u64>(),
            "witnessed_logs": self.idle.len(),
            "operations": self.operations,
            "operations_before": rfc3339(self.before.done),
            "names": self.names.0,
            "names_altered": self.names.1,
            "left_before": rfc3339(self.before.left),
            "database_kib_before": self.kib.map(|kib| kib.0),
            "database_kib": self.kib.map(|kib| kib.1),
        })
    }
}

pub(super) fn run(desk: &Desk<'_>, arguments: &Arguments) -> Result<(), Failure> {
    let (home, store) = desk.open_to_write()?;
    let clock = desk.clock;
    let believed = store.read_blocking(move |records| clock.check_ahead(records, now()));
    if believed.is_err() && !arguments.dry_run {
        store.write_blocking(move |records| clock.judge(records, now()))??;
    }
    believed?;
    let before = Before::of(arguments, &load_config::<Config>(&home)?);
    let asked = before.asked;
    let questions = OldQuestions::find(&home.path(path::LOG), &store, asked, now())?;
    let idle = store.read_blocking(move |records| records.witnessed().idle_since(asked))?;
    let mut told = Told {
        arguments,
        pruned: Pruned::default(),
        before,
        questions: &questions,
        idle: &idle,
        operations: 0,
        names: (0, 0),
        kib: None,
    };
    if arguments.dry_run {
        (told.pruned, told.operations, told.names.0) = store.read_blocking(move |records| {
            let operations = records.operations().count_before(before.done)?;
            let pruning = records.pruning();
            let names = pruning.count_names(before.left, now())?;
            Ok((pruning.count_ended(before.ended)?, operations, names))
        })?;
        return told.say();
    }
    let database = home.path(path::DATABASE);
    // On a disk that is nearly full the room of the log is what removing takes.
    empty_log(&database).map_err(Error::from)?;
    (told.pruned, told.operations) = store.write_blocking(move |records| {
        clock.judge(records, now())??;
        remove(records, before)
    })?;
    questions.remove()?;
    for log in &idle {
        let log = *log;
        store.write_blocking(move |records| records.witnessed().forget_entries(log, asked))?;
    }
    told.names = forget_names(&store, before)?;
    store.close_blocking();
    let given_back = give_back(&database);
    told.kib = given_back.as_ref().ok().copied();
    // What was removed is removed, also where the file stays as large as it was.
    told.say()?;
    Ok(given_back.map(drop)?)
}

/// Before when what goes has ended.
#[derive(Debug, Clone, Copy)]
struct Before {
    /// Codes and certificates.
    ended: UnixTime,
    /// Questions about students, and the growth of witnessed logs.
    asked: UnixTime,
    /// What operators did.
    done: UnixTime,
    /// The names of students who left.
    left: UnixTime,
}

impl Before {
    fn of(arguments: &Arguments, config: &Config) -> Self {
        // What may still be renewed must be there to be found.
        let keep = days(arguments.keep_days).max(config.renewal_grace() + days(1));
        let kept = arguments.keep_questions_days;
        let kept = days(kept.unwrap_or(config.question_retention_days));
        Self {
            ended: earlier(now(), keep),
            asked: earlier(now(), kept),
            done: earlier(now(), days(config.operation_retention_days)),
            left: earlier(now(), days(config.left_student_retention_days)),
        }
    }
}

/// What goes of the records, and how many operations, in one transaction that is itself noted.
fn remove(records: &Records<'_>, before: Before) -> Result<(Pruned, u64), Error> {
    let operations = records.operations().remove_before(before.done)?;
    let pruned = records.pruning().remove_ended(before.ended)?;
    if pruned != Pruned::default() || operations > 0 {
        let Pruned {
            codes,
            certificates,
        } = pruned;
        let result = format!("{codes} codes, {certificates} certificates, {operations} operations");
        records.note(&"records", &result, now())?;
    }
    Ok((pruned, operations))
}

/// Of how many students the name went, and how many rows of such were altered. In several transactions, each noted.
fn forget_names(store: &Store, before: Before) -> Result<(u64, u64), Error> {
    let (mut names, mut altered) = (0, 0);
    let mut after = String::new();
    loop {
        let some = store.write_blocking(move |records| {
            let times = (before.left, now());
            let some = records.pruning().forget_names(&after, times)?;
            if some.names > 0 {
                records.note(&"records", &format!("{} names", some.names), now())?;
            }
            Ok(some)
        })?;
        names += some.names;
        altered += some.altered;
        match some.last {
            Some(last) => after = last,
            None => return Ok((names, altered)),
        }
    }
}

fn told_operations(verb: &str, count: u64, moment: UnixTime) -> Result<(), Failure> {
    Ok(say(&format!(
        "{verb} {count} records of operations from before {}",
        local_time(moment)
    ))?)
}

fn told_names(verb: &str, (count, altered): (u64, u64), moment: UnixTime) -> Result<(), Failure> {
    say(&format!(
        "{verb} name, address and programme of {count} students who left before {}; their IDs stay",
        local_time(moment)
    ))?;
    match altered {
        0 => Ok(()),
        _ => Ok(say(&format!(
            "          {altered} more stay, as their rows were altered on disk: cuhk doctor"
        ))?),
    }
}

/// Makes the file smaller; its KiB before and after.
fn give_back(database: &Path) -> Result<(u64, u64), Error> {
    let size = || fs::metadata(database).map_or(0, |found| found.len() >> 10);
    let before = size();
    compact(database).map_err(|error| match error.is_full() {
        true => Error::NoRoomToCompact { kib: before },
        false => error.into(),
    })?;
    Ok((before, size()))
}

fn told(verb: &str, pruned: Pruned, moment: UnixTime) -> Result<(), Failure> {
    let Pruned {
        codes,
        certificates,
    } = pruned;
    Ok(say(&format!(
        "{verb} {codes} codes and {certificates} certificates that ended before {}",
        local_time(moment)
    ))?)
}

fn told_idle(verb: &str, logs: &[IdleLog]) -> Result<(), Failure> {
    let entries: u64 = logs.iter().map(|log| log.entries).sum();
    Ok(say(&format!(
        "{verb} {entries} entries of {} witnessed logs that have not grown since",
        logs.len()
    ))?)
}

fn told_questions(verb: &str, questions: &OldQuestions, moment: UnixTime) -> Result<(), Failure> {
    let OldQuestions {
        count,
        kept,
        waiting,
        ..
    } = questions;
    say(&format!(
        "{verb} {count} questions about students from before {}; {kept} stay",
        local_time(moment)
    ))?;
    match waiting {
        0 => Ok(()),
        _ => Ok(say(&format!(
            "          {waiting} of them are as old, and stay until a witness has cosigned the log"
        ))?),
    }
}
