//! `cuhk backup` and `cuhk restore`

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use scb_cli::{Failure, counted, printable, rfc3339, say};
use serde_json::json;

use super::listing::say_json;
use super::{Desk, now};
use crate::backup::{
    Backup as Made, Restored, back_up, back_up_into, require_directory, restore, thin,
};
use crate::open_home;

const BACKUP_EXAMPLES: &str = "\
Examples:
  cuhk backup /var/backups/cuhk-2026-11-21.zip
  cuhk backup /var/lib/cuhk/backups --keep 14         cuhk-2026-11-21T031500Z.zip, in UTC

Works while `cuhk serve` runs. The file holds the database, the authorities' encrypted keys and
certificates, the configuration and the issuance log; no passphrase and no key in the clear. Keep
it where the roster may be kept.

--keep removes older backups from that directory, once the new one is written and read back: those
of this CUHK that have such a name. Any other file stays, and does not count.";

const RESTORE_EXAMPLES: &str = "\
Examples:
  cuhk restore /var/backups/cuhk-2026-11-21.zip --home /srv/cuhk-restored

Only to a directory that does not exist yet. Stop the old server first and never start it again.";

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
}

pub(super) fn run_backup(dir: &Path, arguments: &Backup) -> Result<(), Failure> {
    let (home, file) = (open_home(dir)?, &arguments.file);
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
    let removed = match arguments.keep {
        Some(keep) => thin(&home, file, keep)?,
        None => Vec::new(),
    };
    match arguments.json {
        true => say_json(&json!({
            "file": shown(&backup.file),
            "files": backup.files,
            "bytes": backup.bytes,
            "left_out": backup.left_out,
            "removed": removed.iter().map(|old| shown(old)).collect::<Vec<_>>(),
        })),
        false => tell(&backup, &removed, arguments.keep),
    }
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
    let Restored {
        made_at,
        root,
        last_recorded,
        students,
        certificates,
    } = restore(&arguments.file, dir, now(), desk.clock)?;
    let last = last_recorded.map_or_else(|| "none".to_owned(), rfc3339);
    for line in [
        format!("{}: restored from {}", shown(dir), shown(&arguments.file)),
        format!("  backup of      {made_at}, last record {last}"),
        format!("  root           {root}"),
        format!("  in it          {students} active students, {certificates} certificates"),
        "What happened after the backup is not in it:".to_owned(),
        "  - certificates issued since: verification answers `unknown` about them; their holders"
            .to_owned(),
        "    enrol again with a new code (cuhk code issue SID --replace)".to_owned(),
        "  - revocations and suspensions since: those certificates COUNT AGAIN; revoke and suspend"
            .to_owned(),
        "    again before you serve".to_owned(),
        "  - codes used since can be used once more until they expire: issue new ones with --replace"
            .to_owned(),
        "  - the issuance log as it was shown since: before you serve, copy the directory `log` of the"
            .to_owned(),
        "    old home over the one here, if it is still there; else students who looked at the log"
            .to_owned(),
        "    since, and its witness, will rightly say that it was rewritten (`log_forked`)".to_owned(),
        "  - what CUHK cosigned of the services' logs since: it goes on from what it knows, and would"
            .to_owned(),
        "    not notice if such a log went back to the same time; never restore both in one go"
            .to_owned(),
        "  - what the root signed since (cuhk root sign-crl, cuhk keys rotate root): whoever has seen it"
            .to_owned(),
        "    takes nothing older, and no group could hand in; sign anew before you serve:".to_owned(),
        "    cuhk root sign-crl".to_owned(),
        "No serial, epoch or list number is used again. Next: cuhk doctor, then cuhk serve, with \
         this --home."
            .to_owned(),
    ] {
        say(&line)?;
    }
    Ok(())
}

fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy())
}
