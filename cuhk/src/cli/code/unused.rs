//! `cuhk code list` and `cuhk code withdraw`

use std::path::Path;

use scb_cli::{Failure, counted, inert, printable, say};
use serde::Serialize;

use crate::admin::{check_known, withdraw_codes};
use crate::cli::listing::{Form, MOMENT, Moment, Next, Row};
use crate::cli::{Desk, now, open};
use crate::store::{OpenCode, Records};
use crate::{Error, Subject};

/// A code that can still be used: whom it is for, never the code.
#[derive(Debug, Serialize)]
struct Unused {
    subject: String,
    issued_at: Moment,
    expires_at: Moment,
    /// The student's.
    name: Option<String>,
}

impl Unused {
    fn of(records: &Records<'_>, code: OpenCode) -> Result<Self, Error> {
        let student = match &code.subject {
            Subject::Student(sid) => records.roster().find(sid)?,
            Subject::Service(_) => None,
        };
        Ok(Self {
            subject: code.subject.to_string(),
            issued_at: Moment(code.issued_at),
            expires_at: Moment(code.expires_at),
            name: student.map(|student| student.name),
        })
    }
}

impl Row for Unused {
    const COLUMNS: &'static [&'static str] = &["subject", "issued_at", "expires_at", "name"];

    fn header() -> String {
        let (issued, until) = ("ISSUED", "GOOD UNTIL");
        format!("{:<20}  {issued:<MOMENT$}  {until:<MOMENT$}  NAME", "FOR")
    }

    fn line(&self) -> String {
        let Self {
            subject,
            issued_at,
            expires_at,
            name,
        } = self;
        let name = printable(name.as_deref().unwrap_or_default());
        format!("{subject:<20}  {issued_at}  {expires_at}  {name}")
    }

    fn inert(mut self) -> Self {
        self.name = self.name.as_deref().map(|name| inert(name).into_owned());
        self
    }
}

/// Lists the codes that can still be used.
pub(super) fn list(dir: &Path, subject: Option<Subject>, form: Form) -> Result<(), Failure> {
    let (_, store) = open(dir)?;
    let empty = match &subject {
        Some(subject) => format!("{subject} has no code that can still be used"),
        None => "there is no code that can still be used".to_owned(),
    };
    let each = move |records: &Records<'_>, next: Next<'_, Unused>| {
        if let Some(subject) = &subject {
            check_known(records, subject)?;
        }
        let row = |code| next(Unused::of(records, code)?);
        records.codes().each_open(subject.as_ref(), now(), row)
    };
    form.print(&store, &empty, each)
}

#[derive(Debug, Serialize)]
struct Outcome {
    subject: String,
    codes: usize,
}

/// Withdraws the unused codes of all of them, or, if one is unknown, of none.
pub(super) fn withdraw(desk: &Desk<'_>, subjects: Vec<Subject>, json: bool) -> Result<(), Failure> {
    let (_, store) = desk.open_to_write()?;
    let outcomes = store.write_blocking(move |records| {
        let one = |subject: &Subject| {
            Ok(Outcome {
                subject: subject.to_string(),
                codes: withdraw_codes(records, subject, now())?,
            })
        };
        subjects.iter().map(one).collect::<Result<Vec<_>, Error>>()
    })?;
    if json {
        let text = serde_json::to_string_pretty(&outcomes);
        return Ok(say(
            &text.map_err(|error| Failure::fault(error.to_string()))?
        )?);
    }
    for Outcome { subject, codes } in &outcomes {
        say(&match codes {
            0 => format!("{subject}  has no unused code; nothing was changed"),
            codes => format!(
                "{subject}  {} withdrawn; certificates stay",
                counted(*codes, "unused code")
            ),
        })?;
    }
    Ok(())
}
