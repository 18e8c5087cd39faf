//! `cuhk operations`

use std::path::Path;

use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, StudentId};
use scb_cli::{Failure, inert, printable};
use serde::Serialize;

use super::listing::{Form, MOMENT, Moment, Next, Row};
use super::open;
use super::revoke::past;
use crate::store::{Operation, Records};

pub(super) const EXAMPLES: &str = "\
Examples:
  cuhk operations list --since 2026-11-01
  cuhk operations list --student 1155000003
  cuhk operations list --csv > operations.csv";

const LIST_EXAMPLES: &str = "\
Examples:
  cuhk operations list
  cuhk operations list --since 2026-11-01T09:00:00+08:00
  cuhk operations list --student 1155000003 --json | jq '.[] | {at, operation, user, sudo_user}'

Each command that has changed something, oldest first: its name, whom or what it was about, what
came of it, and who: the user that ran it, who had logged in (where the system keeps that), and
SUDO_USER, which whoever runs the command can set to anything. What was refused changed nothing and
is not here, nor what only reads, nor what the server does by itself.

An import of a roster is one record with its numbers, and one for each student whom it suspends or
restores. With --json and --csv each record has `chain`, a hash over it and all before it: whoever
notes the last one sees later whether these are still the same. `cuhk doctor` looks at all of them.
After `operation_retention_days` of config.toml `cuhk prune` removes them.";

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List what was done, oldest first
    #[command(after_help = LIST_EXAMPLES)]
    List(List),
}

#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// Only from then on: a date (UTC) or a time such as 2026-11-01T18:30:00+08:00
    #[arg(long, value_name = "TIME", value_parser = past)]
    since: Option<UnixTime>,
    /// Only what was about this student
    #[arg(long, value_name = "SID")]
    student: Option<StudentId>,
    #[command(flatten)]
    form: Form,
}

impl Command {
    pub(super) fn is_json(&self) -> bool {
        let Self::List(list) = self;
        list.form.json
    }
}

pub(super) fn run(dir: &Path, command: Command) -> Result<(), Failure> {
    let Command::List(List {
        since,
        student,
        form,
    }) = command;
    let (_, store) = open(dir)?;
    let student = student.map(|sid| sid.to_string());
    let empty = match (&student, since) {
        (None, None) => "nothing was done yet",
        _ => "nothing like that was done, or it is not kept any more",
    };
    let each = move |records: &Records<'_>, next: Next<'_, Listed>| {
        let row = |operation| next(Listed::of(operation));
        records.operations().each(since, student.as_deref(), row)
    };
    form.print(&store, empty, each)
}

#[derive(Debug, Serialize)]
struct Listed {
    number: u64,
    at: Moment,
    operation: String,
    subject: String,
    result: String,
    uid: u32,
    user: Option<String>,
    login_uid: Option<u32>,
    login: Option<String>,
    sudo_user: Option<String>,
    chain: Fingerprint,
}

impl Listed {
    fn of(operation: Operation) -> Self {
        let Operation {
            number,
            at,
            operation,
            subject,
            result,
            by,
            chain,
        } = operation;
        Self {
            number,
            at: Moment(at),
            operation,
            subject,
            result,
            uid: by.uid,
            user: by.user,
            login_uid: by.login_uid,
            login: by.login,
            sudo_user: by.sudo_user,
            chain,
        }
    }

    /// Who, in one word each: `cuhk (login alice, sudo alice)`.
    fn who(&self) -> String {
        let named = |name: &Option<String>, uid: u32| {
            let name = name.as_deref().map(printable);
            name.unwrap_or_else(|| format!("uid {uid}"))
        };
        let login = self.login_uid;
        let login = login.map(|uid| format!("login {}", named(&self.login, uid)));
        let sudo = self.sudo_user.as_deref();
        let sudo = sudo.map(|name| format!("sudo {}", printable(name)));
        let others: Vec<_> = login.into_iter().chain(sudo).collect();
        let user = named(&self.user, self.uid);
        match others.is_empty() {
            true => user,
            false => format!("{user} ({})", others.join(", ")),
        }
    }
}

impl Row for Listed {
    const COLUMNS: &'static [&'static str] = &[
        "number",
        "at",
        "operation",
        "subject",
        "result",
        "uid",
        "user",
        "login_uid",
        "login",
        "sudo_user",
        "chain",
    ];

    fn header() -> String {
        format!(
            "{:>5}  {:<MOMENT$}  {:<16}  {:<20}  {:<24}  RESULT",
            "NO", "AT", "OPERATION", "SUBJECT", "BY"
        )
    }

    fn line(&self) -> String {
        let Self {
            number,
            at,
            operation,
            subject,
            result,
            ..
        } = self;
        format!(
            "{number:>5}  {at}  {operation:<16}  {:<20}  {:<24}  {}",
            printable(subject),
            self.who(),
            printable(result)
        )
    }

    fn inert(mut self) -> Self {
        for text in [&mut self.subject, &mut self.result] {
            *text = inert(text).into_owned();
        }
        for name in [&mut self.user, &mut self.login, &mut self.sudo_user] {
            *name = name.as_deref().map(|name| inert(name).into_owned());
        }
        self
    }
}
