//! `cuhk prune`

use std::fs;
use std::path::Path;

use rustls_pki_types::UnixTime;
use scb_cli::{Failure, load_config, local_time, say};
use scb_storage::{compact, empty_log};

use super::{Desk, now};
use crate::calendar::days;
use crate::config::{MIN_QUESTION_RETENTION_DAYS, path};
use crate::log::OldQuestions;
use crate::store::{IdleLog, Pruned};
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
}

pub(super) fn run(desk: &Desk<'_>, arguments: &Arguments) -> Result<(), Failure> {
    let (home, store) = desk.open_to_write()?;
    let config = load_config::<Config>(&home)?;
    // What may still be renewed must be there to be found.
    let keep = days(arguments.keep_days).max(config.renewal_grace() + days(1));
    let ended = earlier(now(), keep);
    let kept = arguments.keep_questions_days;
    let kept = days(kept.unwrap_or(config.question_retention_days));
    let asked = earlier(now(), kept);
    let questions = OldQuestions::find(&home.path(path::LOG), &store, asked, now())?;
    let idle = store.read_blocking(move |records| records.witnessed().idle_since(asked))?;
    if arguments.dry_run {
        let pruned = store.read_blocking(move |records| records.pruning().count_ended(ended))?;
        told("would remove", pruned, ended)?;
        told_questions("would remove", &questions, asked)?;
        return told_idle("would remove", &idle);
    }
    let database = home.path(path::DATABASE);
    // On a disk that is nearly full the room of the log is what removing takes.
    empty_log(&database).map_err(Error::from)?;
    let pruned = store.write_blocking(move |records| records.pruning().remove_ended(ended))?;
    told("removed", pruned, ended)?;
    questions.remove()?;
    told_questions("removed", &questions, asked)?;
    for log in &idle {
        let log = *log;
        store.write_blocking(move |records| records.witnessed().forget_entries(log, asked))?;
    }
    told_idle("removed", &idle)?;
    store.close_blocking();
    give_back(&database)
}

/// Makes the file smaller.
fn give_back(database: &Path) -> Result<(), Failure> {
    let size = || fs::metadata(database).map_or(0, |found| found.len() >> 10);
    let before = size();
    compact(database).map_err(|error| match error.is_full() {
        true => Error::NoRoomToCompact { kib: before },
        false => error.into(),
    })?;
    Ok(say(&format!(
        "database  {before} KiB before, {} KiB now",
        size()
    ))?)
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
