//! `cuhk prune`

use std::fs;
use std::time::Duration;

use scb_cli::{Failure, load_config, local_time, say};
use scb_storage::{compact, empty_log};

use super::{Desk, now};
use crate::config::path;
use crate::store::Pruned;
use crate::time::earlier;
use crate::{Config, Error};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

const EXAMPLES: &str = "\
Examples:
  cuhk prune --dry-run
  cuhk prune --keep-days 400

Removes enrolment codes and certificates that ended more than so many days ago, and gives the room
back to the disk. What any revocation list names stays, and so do certificates that can still be
renewed (`renewal_grace_days`) and keys that were revoked as compromised, so that they are never
certified again. Receipts need none of it. Never removed is the issuance log, by which students
see who asked about them: it grows by about 340 bytes for each member of each question, and a
hand-in is two questions, so by 2 KiB for a group of three. Works while `cuhk serve` runs. Giving
the room back takes as much again for a moment: on a full disk make room elsewhere first.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Keep what ended at most so many days ago; at least 7, longer than any list names it
    #[arg(long, value_name = "N", default_value_t = 400, value_parser = clap::value_parser!(u32).range(7..=36_500))]
    keep_days: u32,
    /// Only say what would be removed
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(desk: &Desk<'_>, arguments: &Arguments) -> Result<(), Failure> {
    let (home, store) = desk.open_to_write()?;
    let keep = DAY.saturating_mul(arguments.keep_days);
    // What may still be renewed must be there to be found.
    let grace = load_config::<Config>(&home)?.renewal_grace();
    let moment = earlier(now(), keep.max(grace + DAY));
    if arguments.dry_run {
        let pruned = store.read_blocking(move |records| records.pruning().count_ended(moment))?;
        return told("would remove", pruned, &local_time(moment));
    }
    let database = home.path(path::DATABASE);
    // On a disk that is nearly full the room of the log is what removing takes.
    empty_log(&database).map_err(Error::from)?;
    let pruned = store.write_blocking(move |records| records.pruning().remove_ended(moment))?;
    store.close_blocking();
    told("removed", pruned, &local_time(moment))?;
    let size = || fs::metadata(&database).map_or(0, |found| found.len() >> 10);
    let before = size();
    compact(&database).map_err(|error| match error.is_full() {
        true => Error::NoRoomToCompact { kib: before },
        false => error.into(),
    })?;
    Ok(say(&format!(
        "database  {before} KiB before, {} KiB now",
        size()
    ))?)
}

fn told(verb: &str, pruned: Pruned, moment: &str) -> Result<(), Failure> {
    let Pruned {
        codes,
        certificates,
    } = pruned;
    Ok(say(&format!(
        "{verb} {codes} codes and {certificates} certificates that ended before {moment}"
    ))?)
}
