//! `cuhk roster`

mod import;
mod list;

use rustls_pki_types::UnixTime;
use scb_certs::StudentId;
use scb_cli::{Failure, counted, say};
use serde::Serialize;

use super::{Desk, now};
use crate::Error;
use crate::revocation::{Suspension, restore, suspend};
use crate::store::{Records, Store};

pub(super) const EXAMPLES: &str = "\
Examples:
  cuhk roster import roster.csv --dry-run
  cuhk roster import roster.csv --codes-out codes.csv
  cuhk roster list
  cuhk roster suspend 1155000001          until: cuhk roster restore 1155000001";

const SUSPEND_EXAMPLES: &str = "\
Examples:
  cuhk roster suspend 1155000001 1155000002
  cuhk roster restore 1155000001 --json

A running server notices within a second; Blackboard refuses a suspended student within five.
Doing it again changes nothing. `cuhk revoke` is for good, a suspension is not.";

const UNCHANGED: &str = "unchanged";
const UNKNOWN: &str = "unknown";

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Add and correct students from a CSV file, and suspend those who are gone
    #[command(after_help = import::EXAMPLES)]
    Import(import::Arguments),
    /// List the students: their status, and whether they have enrolled
    #[command(after_help = list::EXAMPLES)]
    List(list::Arguments),
    /// Suspend students: nothing is issued to them, they are not confirmed, and their
    /// certificates are listed as on hold
    #[command(after_help = SUSPEND_EXAMPLES)]
    Suspend(Named),
    /// Let suspended students in again: their certificates count as before
    #[command(after_help = SUSPEND_EXAMPLES)]
    Restore(Named),
}

#[derive(Debug, clap::Args)]
pub(super) struct Named {
    /// Student IDs
    #[arg(value_name = "SID", required = true)]
    sids: Vec<StudentId>,
    /// Answer as a JSON array, one object per student
    #[arg(long)]
    json: bool,
}

impl Command {
    pub(super) fn is_json(&self) -> bool {
        matches!(
            self,
            Self::Suspend(Named { json: true, .. })
                | Self::Restore(Named { json: true, .. })
                | Self::Import(import::Arguments { json: true, .. })
        ) || matches!(self, Self::List(arguments) if arguments.form.json)
    }
}

pub(super) fn run(desk: &Desk<'_>, command: Command) -> Result<(), Failure> {
    match command {
        Command::Import(arguments) => import::run(desk, &arguments),
        Command::List(arguments) => list::run(desk.dir, arguments),
        Command::Suspend(named) => each(&desk.open_to_revoke()?, named, "suspended", suspend),
        Command::Restore(named) => each(&desk.open_to_write()?.1, named, "restored", restore),
    }
}

type Act = fn(&Records<'_>, &StudentId, UnixTime) -> Result<Suspension, Error>;

/// What became of one student.
#[derive(Debug, Serialize)]
struct Outcome {
    sid: StudentId,
    /// `suspended` or `restored`, `unchanged`, `unknown`.
    outcome: &'static str,
    certificates: usize,
}

/// All in one transaction; who is not on the roster keeps nobody else from it.
fn each(store: &Store, named: Named, done: &'static str, change: Act) -> Result<(), Failure> {
    let Named { sids, json } = named;
    let outcomes = store.write_blocking(move |records| {
        let one = |sid: StudentId| one(records, sid, done, change);
        sids.into_iter().map(one).collect::<Result<Vec<_>, Error>>()
    })?;
    match json {
        true => {
            let text = serde_json::to_string_pretty(&outcomes);
            say(&text.map_err(|error| Failure::fault(error.to_string()))?)?;
        }
        false => outcomes
            .iter()
            .try_for_each(|outcome| say(&told(outcome)))?,
    }
    let total = outcomes.len();
    let mut unknown = outcomes
        .into_iter()
        .filter(|outcome| outcome.outcome == UNKNOWN);
    match (unknown.next(), total) {
        (None, _) => Ok(()),
        (Some(only), 1) => Err(Error::StudentUnknown(only.sid).into()),
        (Some(_), total) => {
            let unknown = 1 + unknown.count();
            Err(Error::StudentsUnknown { unknown, total }.into())
        }
    }
}

fn one(
    records: &Records<'_>,
    sid: StudentId,
    done: &'static str,
    change: Act,
) -> Result<Outcome, Error> {
    let (outcome, certificates) = match change(records, &sid, now()) {
        Ok(Suspension {
            changed: true,
            certificates,
        }) => (done, certificates),
        Ok(_) => (UNCHANGED, 0),
        Err(Error::StudentUnknown(_)) => (UNKNOWN, 0),
        Err(error) => return Err(error),
    };
    Ok(Outcome {
        sid,
        outcome,
        certificates,
    })
}

fn told(outcome: &Outcome) -> String {
    let Outcome {
        sid,
        outcome,
        certificates,
    } = outcome;
    match *outcome {
        UNCHANGED => format!("{sid:<12} unchanged"),
        UNKNOWN => format!("{sid:<12} not on the roster"),
        done => format!("{sid:<12} {done}, {}", counted(certificates, "certificate")),
    }
}
