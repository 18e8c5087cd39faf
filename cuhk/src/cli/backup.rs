//! `cuhk backup` and `cuhk restore`

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use rustls_pki_types::UnixTime;
use scb_certs::ServiceName;
use scb_cli::{Failure, counted, local_time, printable, rfc3339, say};
use serde_json::json;

use super::listing::say_json;
use super::progress::bar;
use super::root::Numbers;
use super::{Desk, now, require_own_place};
use crate::backup::{
    Backup as Made, Moment, Restored, Stage, back_up, back_up_into, require_directory, restore,
    thin,
};
use crate::store::Witness;
use crate::{Error, open_home};

const BACKUP_EXAMPLES: &str = "\
Examples:
  cuhk backup /var/backups/cuhk-2026-11-21.zip
  cuhk backup /var/lib/cuhk/backups --keep 14         cuhk-2026-11-21T031500Z.zip, in UTC

Works while `cuhk serve` runs. The file holds the database, the authorities' encrypted keys and
certificates, the configuration and the issuance log; no passphrase and no key in the clear. Keep
it where the roster may be kept.

--keep removes older backups from that directory, once the new one is written and read back: those
of this CUHK that have such a name. Any other file stays, and does not count; nor does one with a
time that is still to come. If this machine's clock is 31 days ahead of all that was recorded, the
backup is made, none is removed, and the command ends with `clock_ahead`.";

const RESTORE_EXAMPLES: &str = "\
Examples:
  cuhk restore /var/backups/cuhk-2026-11-21.zip --home /srv/cuhk-restored

Only to a directory that does not exist yet. Stop the old server first and never start it again.

By a clock that is 31 days ahead of all that is in the backup nothing is restored (`clock_ahead`):
the numbers of revocation lists go by it. If it is right, and the backup that old, say so:
--clock-is-right.";

#[derive(Debug, clap::Args)]
#[command(after_help = BACKUP_EXAMPLES)]
pub(super) struct Backup {
    /// File to write, which must not exist; or a directory for a file named by the time
    #[arg(value_name = "FILE|DIR")]
    file: PathBuf,
    /// Keep this many backups in the directory, the newest, and remove older ones made like this
    #[arg(long, value_name = "N")]
    keep: Option<NonZeroUsize>,
    /// Answer as a JSON object
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = RESTORE_EXAMPLES)]
pub(super) struct Restore {
    /// File that `cuhk backup` wrote
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    numbers: Numbers,
}

pub(super) fn run_backup(desk: &Desk<'_>, arguments: &Backup) -> Result<(), Failure> {
    let (home, file) = (open_home(desk.dir)?, &arguments.file);
    if file.as_os_str() == "-" {
        return Err(Failure::usage(
            "a backup is read back once it is written: name a file or a directory, not -",
        ));
    }
    let backup = match (file.is_dir(), arguments.keep) {
        (true, _) => back_up_into(&home, file, now())?,
        (false, None) => back_up(&home, file, now())?,
        (false, Some(_)) if file.exists() => {
            return Err(Failure::usage(format!(
                "--keep goes with a directory, and {} is none",
                shown(file)
            ))
            .with_remedy("name the directory of the backups, or leave --keep out"));
        }
        (false, Some(_)) => {
            require_directory(file)?;
            // It was made this very moment.
            back_up_into(&home, file, now())?
        }
    };
    // By a clock that is far ahead the newest would be the wrong ones.
    let believed = match arguments.keep {
        Some(_) => desk.believe_clock(),
        None => Ok(()),
    };
    let (keep, removed) = match arguments.keep {
        Some(keep) if believed.is_ok() => (Some(keep), thin(&home, file, keep, now())?),
        _ => (None, Vec::new()),
    };
    match arguments.json {
        true => say_json(&json!({
            "file": shown(&backup.file),
            "files": backup.files,
            "bytes": backup.bytes,
            "left_out": backup.left_out,
            "removed": removed.iter().map(|old| shown(old)).collect::<Vec<_>>(),
        })),
        false => tell(&backup, &removed, keep),
    }?;
    Ok(believed?)
}

fn tell(backup: &Made, removed: &[PathBuf], keep: Option<NonZeroUsize>) -> Result<(), Failure> {
    for name in &backup.left_out {
        say(&format!(
            "left out {name}: it holds a key that is not encrypted"
        ))?;
    }
    say(&format!(
        "{}: {} files, {} KiB, written and read back",
        shown(&backup.file),
        backup.files,
        backup.bytes >> 10
    ))?;
    let Some(keep) = keep else {
        return Ok(());
    };
    for old in removed {
        say(&format!("removed {}", shown(old)))?;
    }
    Ok(say(&format!(
        "{} older than the newest {keep}",
        match removed.len() {
            0 => "no backup was".to_owned(),
            1 => "1 backup was".to_owned(),
            many => format!("{} were", counted(many, "backup")),
        }
    ))?)
}

pub(super) fn run_restore(desk: &Desk<'_>, arguments: &Restore) -> Result<(), Failure> {
    let dir = desk.dir;
    require_own_place(dir)?;
    let Restored {
        made_at,
        root,
        last_recorded,
        students,
        certificates,
        witnesses,
        log_aside,
        services,
    } = restored(desk, arguments)?;
    let last = last_recorded.map_or_else(|| "none".to_owned(), rfc3339);
    let begins = [
        format!("{}: restored from {}", shown(dir), shown(&arguments.file)),
        format!("  backup of      {made_at}, last record {last}"),
        format!("  root           {root}"),
        format!("  in it          {students} active students, {certificates} certificates"),
    ];
    let lines = begins.into_iter().chain(log_aside.map(log_put_aside));
    let lines = lines.chain(CERTIFIED_SINCE.map(str::to_owned));
    let lines = lines.chain(AUTHORITIES_SINCE.map(str::to_owned));
    let lines = lines.chain(of_services(services));
    let lines = lines.chain(SINCE.map(str::to_owned));
    for line in lines.chain(witnesses.iter().flat_map(witnessed)) {
        say(&line)?;
    }
    SIGNED_SINCE.iter().try_for_each(|line| say(line))?;
    Ok(())
}

/// With a bar on a terminal, if it takes long.
fn restored(desk: &Desk<'_>, arguments: &Restore) -> Result<Restored, Error> {
    let moment = Moment {
        now: now(),
        clock: desk.clock,
        beyond: arguments.numbers.beyond,
    };
    let mut at = None;
    let mut drawn = ProgressBar::hidden();
    let mut watch = |stage, done, all| {
        if at != Some(stage) {
            at = Some(stage);
            drawn.finish_and_clear();
            drawn = bar(all, all >= MANY_FILES, template(stage));
        }
        drawn.set_position(done);
    };
    let restored = restore(&arguments.file, desk.dir, moment, desk.act(), &mut watch);
    drawn.finish_and_clear();
    restored
}

/// From so many files on it takes long.
const MANY_FILES: u64 = 500;

fn template(stage: Stage) -> &'static str {
    match stage {
        Stage::Reading => "checked {bar:30} {pos} of {len} files, {per_sec}, {eta} left",
        Stage::Writing => "written {bar:30} {pos} of {len} files, {per_sec}, {eta} left",
        Stage::Syncing => "written {bar:30} {pos} of {len} files; the disk has not confirmed yet",
    }
}

/// What services have to do whose certificates are not in a backup: with such a one nobody can hand in.
fn of_services(services: Vec<(ServiceName, Option<UnixTime>)>) -> Vec<String> {
    let mut lines: Vec<String> = [
        "  - certificates of services that were issued or renewed since: CUHK takes nothing from such a",
        "    service, and nobody can hand in there, until it has a new one:",
        "    cuhk code issue service/NAME --replace --out FILE; then, where it runs (blackboard):",
        "    blackboard init --replace --code-file FILE. This backup knows",
    ]
    .map(str::to_owned)
    .into();
    lines.extend(services.into_iter().map(|(name, until)| match until {
        Some(until) => format!(
            "      service/{name}: one until {}; a newer one does not count",
            local_time(until)
        ),
        None => format!("      service/{name}: NO certificate that counts: it needs a new one"),
    }));
    lines.push("    and no service that was added since (cuhk service add)".to_owned());
    lines
}

fn log_put_aside(damage: String) -> String {
    format!(
        "  issuance log   DAMAGED in this backup, put aside as log.damaged ({damage}): `cuhk serve` makes it anew \
         from the database"
    )
}

/// What is not in a backup.
const CERTIFIED_SINCE: [&str; 8] = [
    "What happened after the backup is not in it:",
    "  - certificates issued since: verification answers `unknown` about them; their holders",
    "    enrol again, with the code of their sheet once more or with a new one, which ends that. For all:",
    "    cuhk roster import FILE --codes-out OUT --replace-codes",
    "    for one: cuhk code issue SID --replace",
    "    Of who has renewed since it knows the certificate of before, for which nobody has the key any more: that",
    "    command writes codes for those who have shown another one here, in a hand-in; for all who may have,",
    "    with --also-certified: cuhk roster import FILE --codes-out OUT --replace-codes --also-certified",
];

/// Whom nothing but a new certificate helps.
const AUTHORITIES_SINCE: [&str; 6] = [
    "  - issuing authorities and roots made since (cuhk keys rotate, cuhk keys withdraw --replace): they are gone,",
    "    and CUHK does not know them any more. Whoever was certified under such a one needs a new code, and types",
    "    student enrol --ids SID --replace --codes FILE",
    "    Until then a platform's answer to them may be `status_unavailable`, and waiting does not help. cuhk keys",
    "    list shows what is here: rotate again where one was rotated since, as the next one has the name of the one",
    "    that is gone, and another key",
];

const SINCE: [&str; 11] = [
    "  - revocations and suspensions since: those certificates COUNT AGAIN; revoke and suspend",
    "    again before you serve",
    "  - codes used since can be used once more until they expire: either command ends them",
    "  - what CUHK cosigned of the services' logs since: it goes on from what it knows, and would",
    "    not notice if such a log went back to the same time; never restore both in one go. A log that",
    "    was begun since is witnessed anew, from its beginning, as soon as its service is here again",
    "  - the issuance log as it was shown since: before you serve, copy the directory `log` of the",
    "    old home over the one here, if it is still there",
    "    If it is lost, students who looked at the log since, and its witness, will rightly say",
    "    that it was rewritten (`log_forked`), and the witness cosigns no more, until its operator",
    "    has given his word for what is lost, beside the servers that run again",
];

const SIGNED_SINCE: [&str; 5] = [
    "  - what the root signed since (cuhk root sign-crl, cuhk keys rotate root): whoever has seen it",
    "    takes nothing older, and no group could hand in; sign anew before you serve:",
    "    cuhk root sign-crl",
    "No serial, epoch or list number is used again. Next: cuhk doctor, then cuhk serve, with this",
    "--home.",
];

/// What the operator of a witness has to do. What it has seen since the backup is not in this home, but
/// whatever it has told is named by `cuhk doctor`.
fn witnessed(witness: &Witness) -> Vec<String> {
    let (service, entries) = (&witness.service, counted(witness.size, "entry"));
    let tree = witness.tree();
    let tree = tree.map_or_else(|| "unknown".to_owned(), |tree| tree.to_string());
    vec![
        format!("    {service}, which at the backup had seen {entries}, tree {tree}:"),
        "      blackboard witness show".to_owned(),
        "      blackboard witness accept-log --instead-of TREE".to_owned(),
        "    TREE is what the first calls `seen here`; cuhk doctor (log-witness) names it as well.".to_owned(),
        "    If `seen here` is still the tree above, nothing was lost, and nothing is to be accepted".to_owned(),
    ]
}

fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy())
}
