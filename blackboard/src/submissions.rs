//! `blackboard submissions`: look at what was handed in, and export it.

mod archive;
mod delivered;
mod detach;
mod export;
mod of;
pub(crate) mod overview;
pub(crate) mod uploads;

use std::path::Path;

use anyhow::Context;
use scb_certs::{Fingerprint, StudentId};
use scb_cli::{Failure, Home, Role, counted, local_time, printable, say};
use scb_protocol::receipt::VerifiedReceipt;
use scb_protocol::rules::Detachments;
use scb_protocol::statement::{Statement, SubmissionNumber};
use scb_protocol::{Mode, rfc3339};
use scb_storage::ContentStore;
use scb_transport::{Clock, SystemClock};
use serde_json::{Value, json};

use self::of::Wanted;
use crate::arguments::Submissions;
use crate::courses::text::table;
use crate::courses::{Desk, tell_if_put_back};
use crate::enrol::receipt_roots;
use crate::failure::failure;
use crate::store::{Delivered, Error, Listed, Record, Store, Summary};

/// Does what the command says.
pub(crate) fn run(home: &Path, command: &Submissions) -> anyhow::Result<()> {
    let here = || Here::open(home);
    match command {
        Submissions::Overview { of, csv, output } => {
            let form = overview::Form::of(*csv, output.json);
            overview::run(&Desk::open_to_show(home)?, &of.which(), form)
        }
        Submissions::List { of, verify, output } => {
            let here = here()?;
            let wanted = Wanted::new(&here.store, of)?;
            let found = match verify {
                true => verified(&here.store, &here.roots()?)?,
                false => here.store.summaries()?,
            };
            let mut found = wanted.only(found)?;
            let missing = wanted.missing()?.into_iter();
            found.extend(missing.map(|number| (number, Err(Error::RecordMissing { number }))));
            print(found, *verify, output.json)
        }
        Submissions::Show { number, output } => {
            let here = here()?;
            show(&here, &find(&here.store, number)?, output.json)
        }
        Submissions::Uploads { output } => {
            uploads::run(&here()?.store, SystemClock.now(), output.json)
        }
        Submissions::Archive(command) => archive::run(home, command),
        Submissions::Detach(command) => detach::run(&Desk::open(home)?, command),
        Submissions::Export { dir, of, output } => {
            let here = here()?;
            let source = export::Source {
                wanted: Wanted::new(&here.store, of)?,
                content: ContentStore::open_to_read(&here.home.path("content"))?,
                roots: here.roots()?,
                store: &here.store,
            };
            export::run(&source, dir, output.json)
        }
    }
}

/// A home, and what was handed in there.
struct Here {
    home: Home,
    store: Store,
}

impl Here {
    fn open(home: &Path) -> anyhow::Result<Self> {
        let home = Home::open(home, Role::Blackboard)?;
        let store = Store::open_to_read(&home)?;
        tell_if_put_back(&store)?;
        Ok(Self { home, store })
    }

    /// Whatever the database says, the roots that count are the home's.
    fn roots(&self) -> anyhow::Result<Vec<Fingerprint>> {
        receipt_roots(&self.home)
    }
}

/// All submissions, the receipt of each verified.
fn verified(store: &Store, roots: &[Fingerprint]) -> Result<Vec<Listed>, Error> {
    let summary = |number| match store.record(number)? {
        Some(record) => record.receipt(roots).map(|_| record.summary()),
        None => Err(Error::Altered { number }),
    };
    let numbers = store.numbers()?.into_iter();
    Ok(numbers.map(|number| (number, summary(number))).collect())
}

/// Prints what is as it was stored; what was altered or is gone is named and left out.
fn print(found: Vec<Listed>, verified: bool, json: bool) -> anyhow::Result<()> {
    let mut whole = Vec::new();
    let mut left_out = LeftOut::default();
    for (number, summary) in found {
        match summary {
            Ok(summary) => whole.push(summary),
            Err(error) => left_out.add(number, failure(error.into())),
        }
    }
    if json || !whole.is_empty() || left_out.first.is_none() {
        table_or_json(&whole, verified, json)?;
    }
    left_out.into_result("listed")
}

/// What was left out, and the first reason.
#[derive(Default)]
struct LeftOut {
    numbers: Vec<String>,
    first: Option<Failure>,
}

impl LeftOut {
    fn add(&mut self, number: SubmissionNumber, why: Failure) {
        tracing::error!("{number}: {why}");
        self.numbers.push(number.to_string());
        self.first.get_or_insert(why);
    }

    /// Fails if anything was left out: with what to do about the first.
    fn into_result(self, done: &str) -> anyhow::Result<()> {
        let Some(first) = self.first else {
            return Ok(());
        };
        let numbers = self.numbers.join(", ");
        Err(Failure {
            message: format!("not {done}: {numbers}: {}", first.message),
            ..first
        }
        .into())
    }
}

fn table_or_json(submissions: &[Summary], verified: bool, json: bool) -> anyhow::Result<()> {
    if json {
        let mut list: Vec<Value> = submissions.iter().map(as_json).collect();
        if verified {
            list.iter_mut()
                .for_each(|one| one["verified"] = json!(true));
        }
        return print_json(&Value::Array(list));
    }
    if submissions.is_empty() {
        return Ok(say("nothing has been handed in yet")?);
    }
    let rows = submissions.iter().map(row);
    let title = [
        "NUMBER",
        "COMMITTED",
        "ASSIGNMENT",
        "MEMBERS",
        "BYTES",
        "FILES",
    ];
    say_table(title, rows)?;
    if verified {
        let receipts = counted(submissions.len(), "receipt");
        say(&format!(
            "verified: {receipts} by the root of this home: every signature and certificate, every hash in them, and \
             the log's proof where others have seen it; the files themselves are compared by `blackboard fsck`"
        ))?;
    }
    Ok(())
}

fn say_table<const N: usize>(
    title: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> anyhow::Result<()> {
    let title = title.map(str::to_owned);
    for line in table(&std::iter::once(title).chain(rows).collect::<Vec<_>>()) {
        say(&line)?;
    }
    Ok(())
}

fn row(submission: &Summary) -> [String; 6] {
    let (statement, files) = (&submission.statement, &submission.statement.files);
    [
        submission.number.to_string(),
        committed(submission),
        format!("{}/{}", statement.course, statement.assignment),
        listed(statement),
        files.size().to_string(),
        printable(&files.to_string()),
    ]
}

/// The moment that counts for lateness.
fn committed(submission: &Summary) -> String {
    let at = submission.committed_at.map(local_time);
    at.unwrap_or_else(|| "unknown".to_owned())
}

fn show(here: &Here, record: &Record, json: bool) -> anyhow::Result<()> {
    let roots = &here.roots()?;
    let receipt = record.receipt(roots)?;
    let shown = Shown {
        summary: record.summary(),
        verified: VerifiedReceipt::verify_under(&receipt, roots)?,
        delivered: here.store.delivered(record)?,
        detachments: here.store.detachments(record.statement())?,
        receipt_sha256: Fingerprint::of(&receipt),
    };
    match json {
        true => print_json(&shown.as_json()),
        false => shown.print(),
    }
}

/// All that there is to say about one submission, its receipt verified.
struct Shown {
    summary: Summary,
    verified: VerifiedReceipt,
    delivered: Vec<Delivered>,
    detachments: Detachments,
    receipt_sha256: Fingerprint,
}

impl Shown {
    fn as_json(&self) -> Value {
        let mut value = as_json(&self.summary);
        let out = self.detachments.of_version(self.summary.number);
        value["receipt_sha256"] = json!(self.receipt_sha256);
        value["detached"] = out.map(detach::as_json).collect();
        value["signatures"] = delivered::all_as_json(&self.delivered, self.verified.members());
        value
    }

    fn print(&self) -> anyhow::Result<()> {
        let summary = &self.summary;
        let statement = &summary.statement;
        say(&format!(
            "{}  committed {}, which counts for lateness",
            summary.number,
            committed(summary)
        ))?;
        say(&format!(
            "  complete    {}",
            local_time(summary.accepted_at)
        ))?;
        say(&format!(
            "  course      {} / {}",
            statement.course, statement.assignment
        ))?;
        self.print_members()?;
        for file in &statement.files {
            say(&format!(
                "  file        {}, {}",
                printable(file.name.as_ref()),
                counted(file.size, "byte")
            ))?;
            say(&format!("  SHA-256     {}", file.sha256))?;
        }
        say(&format!("  submission  {}", statement.submission))?;
        let confirmed = match summary.mode {
            Mode::Verified => "by CUHK",
            Mode::Tokens => "not by CUHK, which was away: identity tokens were accepted",
        };
        say(&format!("  confirmed   {confirmed}"))?;
        let sha256 = self.receipt_sha256;
        Ok(say(&format!("  receipt     verified, SHA-256 {sha256}"))?)
    }

    /// Who signed, when that came, and whom it does not count for any more.
    fn print_members(&self) -> anyhow::Result<()> {
        for member in self.verified.members() {
            say(&format!(
                "  member      {}  certificate {}",
                member.sid, member.cert_sha256
            ))?;
            let found = self.delivered.iter().find(|one| one.sid == member.sid);
            let signed = found.map_or_else(|| delivered::UNKNOWN.to_owned(), delivered::told);
            say(&format!("  signed      {signed}"))?;
        }
        for (sid, why) in self.detachments.of_version(self.summary.number) {
            let (at, reason) = (local_time(why.at), printable(&why.reason.to_string()));
            say(&format!(
                "  NOT FOR     {sid}, who was taken out of it on {at}: {reason}"
            ))?;
        }
        Ok(())
    }
}

/// By `S-000001`, `S-1` or `1`.
fn find(store: &Store, text: &str) -> anyhow::Result<Record> {
    let digits = text.strip_prefix("S-").unwrap_or(text);
    let number = digits.parse().ok().and_then(SubmissionNumber::new);
    let number = number.ok_or_else(|| {
        Failure::usage(format!("`{text}` is not the number of a submission"))
            .with_remedy("write it like S-000001; `blackboard submissions list` shows all")
            .with_code("not_a_number")
    })?;
    let missing = || {
        Failure::refused(format!("there is no submission {number}"))
            .with_remedy("`blackboard submissions list` shows all")
            .with_code("no_submission")
    };
    Ok(store.record(number)?.ok_or_else(missing)?)
}

fn as_json(submission: &Summary) -> Value {
    let statement = &submission.statement;
    json!({
        "number": submission.number,
        "committed_at": submission.committed_at.map(rfc3339),
        "accepted_at": rfc3339(submission.accepted_at),
        "mode": submission.mode,
        "submission": statement.submission,
        "course": statement.course,
        "assignment": statement.assignment,
        "members": sids(statement).collect::<Vec<_>>(),
        "files": statement.files,
    })
}

fn sids(statement: &Statement) -> impl Iterator<Item = &StudentId> {
    statement.members.iter().map(|member| &member.sid)
}

/// The members, a blank between two.
fn listed(statement: &Statement) -> String {
    let sids: Vec<_> = sids(statement).map(StudentId::as_str).collect();
    sids.join(" ")
}

pub(crate) fn print_json(value: &Value) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(value).context("cannot write JSON")?;
    Ok(say(&text)?)
}
