//! `cuhk backup` and `cuhk restore`

use std::path::{Path, PathBuf};

use scb_cli::{Failure, printable, rfc3339, say};

use super::now;
use crate::backup::{Restored, back_up, restore};
use crate::open_home;

const BACKUP_EXAMPLES: &str = "\
Examples:
  cuhk backup /var/backups/cuhk-2026-11-21.zip

Works while `cuhk serve` runs. The file holds the database, the authorities' encrypted keys and
certificates, the configuration and the issuance log; no passphrase and no key in the clear. Keep it where the
roster may be kept.";

const RESTORE_EXAMPLES: &str = "\
Examples:
  cuhk restore /var/backups/cuhk-2026-11-21.zip --home /srv/cuhk-restored

Only to a directory that does not exist yet. Stop the old server first and never start it again.";

#[derive(Debug, clap::Args)]
#[command(after_help = BACKUP_EXAMPLES)]
pub(super) struct Backup {
    /// File to write; it must not exist
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Debug, clap::Args)]
#[command(after_help = RESTORE_EXAMPLES)]
pub(super) struct Restore {
    /// File that `cuhk backup` wrote
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(super) fn run_backup(dir: &Path, arguments: &Backup) -> Result<(), Failure> {
    let backup = back_up(&open_home(dir)?, &arguments.file, now())?;
    for name in &backup.left_out {
        say(&format!(
            "left out {name}: it holds a key that is not encrypted"
        ))?;
    }
    Ok(say(&format!(
        "{}: {} files, {} KiB, written and read back",
        shown(&arguments.file),
        backup.files,
        backup.bytes >> 10
    ))?)
}

pub(super) fn run_restore(dir: &Path, arguments: &Restore) -> Result<(), Failure> {
    let Restored {
        made_at,
        root,
        last_recorded,
        students,
        certificates,
    } = restore(&arguments.file, dir, now())?;
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
