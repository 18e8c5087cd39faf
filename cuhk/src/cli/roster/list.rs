//! `cuhk roster list`

use std::path::Path;

use clap::ValueEnum;
use rustls_pki_types::UnixTime;
use scb_certs::StudentId;
use scb_cli::{Failure, inert, printable};
use serde::Serialize;

use crate::cli::listing::{Form, Next, Row};
use crate::cli::{now, open};
use crate::store::{Records, Student};
use crate::{Error, Subject};

pub(super) const EXAMPLES: &str = "\
Examples:
  cuhk roster list
  cuhk roster list 1155000001 1155000002
  cuhk roster list --status suspended
  cuhk roster list --status active --enrolled no --csv > to-be-reminded.csv
  cuhk roster list --json | jq -r '.[] | select(.enrolled | not) | .email'

ENROLLED says on how many machines the student has a certificate that counts. In CSV a text that a
spreadsheet would compute gets an apostrophe in front. Exit codes: 0, also for an empty list (which
is said on standard error), 3 for a student ID that is not on the roster; those that are on it are
listed all the same.";

/// Which students, and how they are listed.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Only these students
    #[arg(value_name = "SID")]
    sids: Vec<StudentId>,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    pub(in crate::cli) form: Form,
}

#[derive(Debug, Clone, Default, clap::Args)]
struct Filter {
    /// Only those with this status
    #[arg(long, value_name = "STATUS")]
    status: Option<Status>,
    /// Only those of this programme, written as on the roster
    #[arg(long, value_name = "PROGRAMME")]
    programme: Option<String>,
    /// Only those who have a certificate that counts, or only those who have none
    #[arg(long, value_name = "YES|NO")]
    enrolled: Option<YesNo>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
enum Status {
    /// Certificates may be issued and used.
    Active,
    /// Nothing is issued and no certificate counts, until the student is restored.
    Suspended,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum YesNo {
    /// At least one.
    Yes,
    /// None.
    No,
}

impl Filter {
    fn wants(&self, row: &Listed) -> bool {
        self.status.is_none_or(|status| row.status == status)
            && self
                .programme
                .as_ref()
                .is_none_or(|programme| row.programme == *programme)
            && self
                .enrolled
                .is_none_or(|wanted| row.enrolled == (wanted == YesNo::Yes))
    }

    fn narrows(&self) -> bool {
        self.status.is_some() || self.programme.is_some() || self.enrolled.is_some()
    }
}

#[derive(Debug, Serialize)]
struct Listed {
    sid: StudentId,
    name: String,
    email: String,
    programme: String,
    status: Status,
    enrolled: bool,
    /// Devices with a certificate that counts.
    live_devices: u64,
}

impl Listed {
    fn of(records: &Records<'_>, student: Student, now: UnixTime) -> Result<Self, Error> {
        let subject = Subject::Student(student.sid.clone());
        let live_devices = records.renewals().devices(&subject, now)?;
        Ok(Self {
            sid: student.sid,
            name: student.name,
            email: student.email,
            programme: student.programme,
            status: match student.active {
                true => Status::Active,
                false => Status::Suspended,
            },
            enrolled: live_devices > 0,
            live_devices,
        })
    }
}

impl Row for Listed {
    const COLUMNS: &'static [&'static str] = &[
        "sid",
        "name",
        "email",
        "programme",
        "status",
        "enrolled",
        "live_devices",
    ];

    fn header() -> String {
        format!(
            "{:<12}  {:<9}  ENROLLED  {:<10}  {:<30}  NAME",
            "SID", "STATUS", "PROGRAMME", "EMAIL"
        )
    }

    fn line(&self) -> String {
        let status = match self.status {
            Status::Active => "active",
            Status::Suspended => "suspended",
        };
        let enrolled = match self.live_devices {
            0 => "no".to_owned(),
            devices => format!("yes ({devices})"),
        };
        format!(
            "{:<12}  {status:<9}  {enrolled:<8}  {:<10}  {:<30}  {}",
            self.sid,
            printable(&self.programme),
            printable(&self.email),
            printable(&self.name)
        )
    }

    fn inert(mut self) -> Self {
        for text in [&mut self.name, &mut self.email, &mut self.programme] {
            *text = inert(text).into_owned();
        }
        self
    }
}

pub(super) fn run(dir: &Path, arguments: Arguments) -> Result<(), Failure> {
    let (_, store) = open(dir)?;
    let Arguments { sids, filter, form } = arguments;
    let total = sids.len();
    let asked = sids.clone();
    let unknown = store.read_blocking(move |records| unknown(records, &asked))?;
    if unknown.len() < total || total == 0 {
        let empty = match filter.narrows() {
            true => "no student on the roster is like that",
            false => "the roster is empty: cuhk roster import FILE",
        };
        form.print(&store, empty, move |records, next| {
            rows(records, &sids, &filter, next)
        })?;
    }
    let told = |sid| Failure::from(Error::StudentUnknown(sid));
    let mut failures = unknown.into_iter().map(told);
    match failures.next() {
        None => Ok(()),
        Some(first) => Err(Failure {
            others: failures.collect(),
            ..first
        }),
    }
}

fn unknown(records: &Records<'_>, sids: &[StudentId]) -> Result<Vec<StudentId>, Error> {
    let mut unknown = Vec::new();
    for sid in sids {
        if records.roster().find(sid)?.is_none() {
            unknown.push(sid.clone());
        }
    }
    Ok(unknown)
}

fn rows(
    records: &Records<'_>,
    sids: &[StudentId],
    filter: &Filter,
    next: Next<'_, Listed>,
) -> Result<(), Error> {
    let now = now();
    let mut visit = |student| {
        let row = Listed::of(records, student, now)?;
        match filter.wants(&row) {
            true => next(row),
            false => Ok(()),
        }
    };
    if sids.is_empty() {
        return records.roster().each(visit);
    }
    for sid in sids {
        if let Some(student) = records.roster().find(sid)? {
            visit(student)?;
        }
    }
    Ok(())
}
