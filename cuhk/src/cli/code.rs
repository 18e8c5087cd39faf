//! `cuhk code`

mod unused;

use std::path::{Path, PathBuf};
use std::time::Duration;

use scb_certs::{Fingerprint, StudentId};
use scb_cli::{Failure, local_time, printable, rfc3339, say};
use serde_json::json;

use super::listing::{Form, say_json};
use super::{Desk, now};
use crate::admin::{CODE_LIFETIME, IssuedCode, issue_code_until};
use crate::code_sheet::{SheetRow, refuse_existing, with_codes_at, write_code, write_sheet};
use crate::issuers::served_root;
use crate::store::Records;
use crate::time::later;
use crate::{Error, Subject, open_home};

pub(super) const EXAMPLES: &str = "\
Examples:
  cuhk code issue 1155000001 --out code.csv
  cuhk code issue service/blackboard --out bb.code
  cuhk code list
  cuhk code withdraw 1155000001

Many codes at once: cuhk roster import FILE --codes-out FILE";

const ISSUE_EXAMPLES: &str = "\
Examples:
  cuhk code issue 1155000001                       for one more device
  cuhk code issue 1155000001 --replace             for a new device instead of the old ones
  cuhk code issue 1155000001 --valid-days 60       until after the summer
  cuhk code issue service/blackboard --out bb.code";

const LIST_EXAMPLES: &str = "\
Examples:
  cuhk code list
  cuhk code list 1155000001
  cuhk code list --csv > unused.csv

Shown is whom a code is for and until when, the one that ends first before the others; never the
code, which nobody can read from the records. Exit codes: 0, also if there is none (which is said on
standard error), 3 for a student or a service that is not known.";

const WITHDRAW_EXAMPLES: &str = "\
Examples:
  cuhk code withdraw 1155000001                    the code sheet went to somebody else
  cuhk code withdraw 1155000001 service/library --json

Certificates stay. To end those as well: cuhk revoke SID. If one of the names is not known
(exit code 3), nothing is changed. A new code: cuhk code issue SID";

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Issue one code, good for one certificate
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
        #[command(flatten)]
        valid: ValidDays,
        /// Answer as a JSON object; without --out the code is in it
        #[arg(long)]
        json: bool,
    },
    /// List the codes that can still be used: for whom and until when
    #[command(after_help = LIST_EXAMPLES)]
    List {
        /// Only those of this student, or of a service: service/NAME
        #[arg(value_name = "SUBJECT")]
        subject: Option<Subject>,
        #[command(flatten)]
        form: Form,
    },
    /// Withdraw unused codes, for good; certificates stay
    #[command(after_help = WITHDRAW_EXAMPLES)]
    Withdraw {
        /// Student IDs, or service/NAME
        #[arg(value_name = "SUBJECT", required = true)]
        subjects: Vec<Subject>,
        /// Answer as a JSON array, one object per subject
        #[arg(long)]
        json: bool,
    },
}

/// How long codes are good for.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct ValidDays {
    /// For how many days a code is good, 1 to 180 [default: 14]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=180))]
    valid_days: Option<u64>,
}

impl ValidDays {
    pub(super) fn lifetime(self) -> Duration {
        self.valid_days.map_or(CODE_LIFETIME, |days| {
            Duration::from_secs(days * 24 * 60 * 60)
        })
    }
}

impl Command {
    pub(super) fn is_json(&self) -> bool {
        match self {
            Self::List { form, .. } => form.json,
            Self::Issue { json, .. } | Self::Withdraw { json, .. } => *json,
        }
    }
}

pub(super) fn run(desk: &Desk<'_>, command: Command) -> Result<(), Failure> {
    match command {
        Command::Issue {
            subject,
            replace,
            out,
            valid,
            json,
        } => issue(desk, (subject, replace, valid.lifetime()), (out, json)),
        Command::List { subject, form } => unused::list(desk.dir, subject, form),
        Command::Withdraw { subjects, json } => unused::withdraw(desk, subjects, json),
    }
}

fn issue(
    desk: &Desk<'_>,
    (subject, replace, lifetime): (Subject, bool, Duration),
    (out, json): (Option<PathBuf>, bool),
) -> Result<(), Failure> {
    let root = served_root(&open_home(desk.dir)?)?.fingerprint();
    let (_, store) = desk.open_to_write()?;
    let (wanted, file) = (subject.clone(), out.clone());
    let issue = move |records: &Records<'_>| {
        let now = now();
        let issued = issue_code_until(records, &wanted, replace, (now, later(now, lifetime)))?;
        if let Some(file) = &file {
            write(records, file, &wanted, &issued, root)?;
        }
        Ok(issued)
    };
    let issued = with_codes_at(out.as_deref(), || store.write_blocking(issue))?;
    if json {
        let shown = out.as_ref().map(|file| printable(&file.to_string_lossy()));
        let code = issued.code.reveal();
        return say_json(&json!({
            "subject": subject.to_string(),
            "code": shown.is_none().then(|| code.as_str()),
            "file": shown,
            "expires_at": rfc3339(issued.expires_at),
            "replaced": replace,
            "ca_sha256": root.to_string(),
        }));
    }
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
        }
    }
    Ok(say(&format!("root fingerprint (SHA-256)  {root}"))?)
}
