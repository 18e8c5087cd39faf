//! `cuhk code`

use std::path::{Path, PathBuf};

use scb_certs::{Fingerprint, StudentId};
use scb_cli::{Failure, local_time, printable, say};

use super::{Desk, now};
use crate::admin::{IssuedCode, issue_code};
use crate::code_sheet::{SheetRow, refuse_existing, with_codes_at, write_code, write_sheet};
use crate::issuers::served_root;
use crate::store::Records;
use crate::{Error, Subject, open_home};

pub(super) const EXAMPLES: &str = "\
Examples:
  cuhk code issue 1155000001 --out code.csv
  cuhk code issue service/blackboard --out bb.code

Many codes at once: cuhk roster import FILE --codes-out FILE. Withdrawing: cuhk revoke SID";

const ISSUE_EXAMPLES: &str = "\
Examples:
  cuhk code issue 1155000001                       for one more device
  cuhk code issue 1155000001 --replace             for a new device instead of the old ones
  cuhk code issue service/blackboard --out bb.code";

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Issue one code, good for 14 days and one certificate
    #[command(after_help = ISSUE_EXAMPLES)]
    Issue {
        /// A student ID, or service/NAME
        subject: Subject,
        /// Revoke the other certificates and withdraw the other codes
        #[arg(long)]
        replace: bool,
        /// Write it to this new file (mode 0600) instead of showing it
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

pub(super) fn run(desk: &Desk<'_>, command: Command) -> Result<(), Failure> {
    let Command::Issue {
        subject,
        replace,
        out,
    } = command;
    let root = served_root(&open_home(desk.dir)?)?.fingerprint();
    let (_, store) = desk.open_to_write()?;
    let (wanted, file) = (subject.clone(), out.clone());
    let issue = move |records: &Records<'_>| {
        let issued = issue_code(records, &wanted, replace, now())?;
        if let Some(file) = &file {
            write(records, file, &wanted, &issued, root)?;
        }
        Ok(issued)
    };
    let issued = with_codes_at(out.as_deref(), || store.write_blocking(issue))?;
    if replace {
        say("other certificates are revoked, other codes withdrawn")?;
    }
    report(&subject, &issued, out.as_deref(), &root)
}

/// Inside the transaction: if the file cannot be written, no code was issued.
fn write(
    records: &Records<'_>,
    file: &Path,
    subject: &Subject,
    issued: &IssuedCode,
    root: Fingerprint,
) -> Result<(), Error> {
    refuse_existing(file)?;
    match subject {
        Subject::Service(_) => write_code(file, &issued.code),
        Subject::Student(sid) => write_sheet(file, &[sheet_row(records, sid, issued)?], &root),
    }
}

fn sheet_row(
    records: &Records<'_>,
    sid: &StudentId,
    issued: &IssuedCode,
) -> Result<SheetRow, Error> {
    let student = records
        .roster()
        .find(sid)?
        .ok_or(Error::StudentUnknown(sid.clone()))?;
    Ok(SheetRow {
        sid: student.sid,
        name: student.name,
        email: student.email,
        code: issued.code.clone(),
        expires_at: issued.expires_at,
    })
}

/// Shows a code, or where it was written.
pub(super) fn report(
    subject: &Subject,
    issued: &IssuedCode,
    file: Option<&Path>,
    root: &Fingerprint,
) -> Result<(), Failure> {
    let until = local_time(issued.expires_at);
    match file {
        Some(file) => {
            let file = printable(&file.to_string_lossy());
            say(&format!(
                "{subject}  code written to {file}, good until {until}"
            ))?;
        }
        None => {
            say(&format!(
                "{subject}  {}  good until {until}",
                issued.code.reveal().as_str()
            ))?;
            say(&format!("root fingerprint (SHA-256)  {root}"))?;
        }
    }
    Ok(())
}
