//! `cuhk roster`

use std::path::{Path, PathBuf};

use scb_certs::StudentId;
use scb_cli::{Failure, printable, say};

use super::{now, open};
use crate::admin::{Import, ImportedRow, import_roster, set_active};
use crate::config::path;
use crate::issuers::read_certificate;
use crate::roster_file::read_roster;
use crate::store::Change;
use crate::{Error, open_home};

const IMPORT_EXAMPLES: &str = "\
Example:
  cuhk roster import roster.csv --codes-out codes.csv

The file is CSV in UTF-8 with a header that names the columns sid,name,email,programme.
Importing it again changes nothing. With --codes-out, students who have neither a certificate
nor an open code get a code; the file is for you to hand out and then to delete.";

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Add and correct students from a CSV file
    #[command(after_help = IMPORT_EXAMPLES)]
    Import {
        /// CSV file with the columns sid,name,email,programme
        #[arg(value_name = "FILE.csv")]
        file: PathBuf,
        /// Write codes for those who need one to this new file (mode 0600)
        #[arg(long, value_name = "FILE")]
        codes_out: Option<PathBuf>,
    },
    /// List the students
    List,
    /// Suspend a student: nothing is issued to or confirmed about them
    Deactivate {
        /// The student ID
        sid: StudentId,
    },
    /// Let a suspended student in again
    Activate {
        /// The student ID
        sid: StudentId,
    },
}

pub(super) fn run(dir: &Path, command: Command) -> Result<(), Failure> {
    match command {
        Command::Import { file, codes_out } => import(dir, &file, codes_out.as_deref()),
        Command::List => list(dir),
        Command::Deactivate { sid } => activate(dir, sid, false),
        Command::Activate { sid } => activate(dir, sid, true),
    }
}

fn import(dir: &Path, file: &Path, codes_out: Option<&Path>) -> Result<(), Failure> {
    let root = read_certificate(&open_home(dir)?, path::ROOT)?.fingerprint();
    let (_, store) = open(dir)?;
    let rows = read_roster(file)?;
    let Import { rows, codes } =
        import_roster(&store, rows, codes_out.map(|path| (path, root)), now())?;
    for row in &rows {
        say(&shown(row))?;
    }
    say(&summary(&rows))?;
    match codes_out {
        Some(path) if codes > 0 => {
            let path = printable(&path.to_string_lossy());
            say(&format!(
                "{codes} codes written to {path}; keep it safe, they cannot be shown again"
            ))?;
        }
        Some(_) => say("nobody needs a code: no file was written")?,
        None => {}
    }
    let refused = rows.iter().filter(|row| row.outcome.is_err()).count();
    match refused {
        0 => Ok(()),
        refused => Err(Error::RowsRefused {
            refused,
            total: rows.len(),
        }
        .into()),
    }
}

fn shown(row: &ImportedRow) -> String {
    let outcome = match &row.outcome {
        Ok(change) => word(*change).to_owned(),
        Err(reason) => format!("refused: {}", printable(reason)),
    };
    let sid: String = row.sid.chars().take(40).collect();
    format!("line {:<5} {:<12} {outcome}", row.line, printable(&sid))
}

fn summary(rows: &[ImportedRow]) -> String {
    let count = |wanted: Change| {
        rows.iter()
            .filter(|row| row.outcome.as_ref() == Ok(&wanted))
            .count()
    };
    let kinds = [Change::Added, Change::Updated, Change::Unchanged];
    let mut parts: Vec<String> = kinds
        .iter()
        .map(|kind| format!("{} {}", count(*kind), word(*kind)))
        .collect();
    parts.push(format!(
        "{} refused",
        rows.iter().filter(|row| row.outcome.is_err()).count()
    ));
    parts.join(", ")
}

fn word(change: Change) -> &'static str {
    match change {
        Change::Added => "added",
        Change::Updated => "updated",
        Change::Unchanged => "unchanged",
    }
}

fn list(dir: &Path) -> Result<(), Failure> {
    let (_, store) = open(dir)?;
    for student in store.read_blocking(|records| records.roster().all())? {
        let state = if student.active {
            "active"
        } else {
            "suspended"
        };
        let name = printable(&student.name);
        say(&format!(
            "{:<12} {state:<10} {name}  {}",
            student.sid,
            printable(&student.programme)
        ))?;
    }
    Ok(())
}

fn activate(dir: &Path, sid: StudentId, active: bool) -> Result<(), Failure> {
    let (_, store) = open(dir)?;
    let student = sid.clone();
    let changed =
        store.write_blocking(move |records| set_active(records, &student, active, now()))?;
    let state = if active { "active" } else { "suspended" };
    let how = if changed { "is now" } else { "was already" };
    say(&format!("{sid} {how} {state}"))?;
    Ok(())
}
