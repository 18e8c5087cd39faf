//! `student receipts`: what is kept here, and what Blackboard signed when it refused, or had recorded a
//! statement.

mod committed;
mod refused;

use std::path::{Path, PathBuf};

use scb_certs::Fingerprint;
use scb_cli::{Term, local_time, printable, rfc3339, say};
use scb_protocol::receipt::VerifiedReceipt;
use scb_protocol::statement::SubmissionNumber;
use scb_protocol::{Refusal, counted};
use scb_tlog::KeyName;
use serde_json::json;

use self::committed::Committed;
use self::refused::Refused;
use super::verify::names;
use super::{Prepared, quiet, say_json};
use crate::cli::{Common, Receipts};
use crate::setup::{receipts_dir, verification_roots};
use crate::show::Show;
use crate::{Engine, Error, receipts};

pub(super) fn run(common: &Common, arguments: &Receipts, term: Term) -> Result<(), Error> {
    let dir = receipts_dir(common)?;
    let withheld = match arguments.fetch {
        true => fetch(common, arguments, term)?,
        false => Vec::new(),
    };
    list(common, (&dir, &withheld), term)?;
    let first = withheld.into_iter().next();
    first.map_or(Ok(()), |(_, refusal)| Err(refusal.into()))
}

/// Why Blackboard does not give a receipt.
type Withheld = (SubmissionNumber, Refusal);

fn list(common: &Common, (dir, withheld): (&Path, &[Withheld]), term: Term) -> Result<(), Error> {
    let (mut paths, refused) = (receipts::list(dir)?, receipts::list_rejections(dir)?);
    let has_committed = !receipts::list_commitments(dir)?.is_empty();
    if paths.is_empty() && refused.is_empty() && !has_committed {
        return none(dir, common.json);
    }
    let roots = verification_roots(common)?;
    let read = |paths: &[PathBuf]| -> Vec<_> {
        paths.iter().map(|path| Kept::read(path, &roots)).collect()
    };
    let read_refused = || -> Result<Vec<_>, Error> {
        let read = |path: &PathBuf| Refused::read(path, &roots);
        refused.iter().map(read).collect()
    };
    let (mut kept, mut refusals) = (read(&paths), read_refused()?);
    if kept.iter().any(Kept::is_pending) || refusals.iter().any(Refused::is_pending) {
        let completed = complete(common, term);
        // What came and has less in it than the one that waits is beside it.
        paths = receipts::list(dir)?;
        (kept, refusals) = (read(&paths), read_refused()?);
        if let (Err(error), false) = (completed, common.json) {
            say(&format!(
                "Not all pending receipts could be asked about now: {}",
                printable(&told(&error))
            ))?;
        }
    }
    // What was completed just now may have proved some of them.
    let committed = committed::all(dir, &roots)?;
    let pairs = || paths.iter().zip(&kept);
    if common.json {
        let listed = |(path, one): (&PathBuf, &Kept)| one.as_json(path, one.richer(pairs()));
        let list: Vec<_> = pairs().map(listed).collect();
        let refusals: Vec<_> = refusals.iter().map(Refused::as_json).collect();
        let commitments: Vec<_> = committed.iter().map(Committed::as_json).collect();
        let held_back = |(number, refusal): &Withheld| json!({ "submission": number.to_string(), "code": refusal.code });
        let mut told = json!({
            "receipts": list,
            "refusals": refusals,
            "commitments": commitments,
        });
        if !withheld.is_empty() {
            told["held_back"] = withheld.iter().map(held_back).collect();
        }
        say_json(&told)?;
    } else {
        pairs().try_for_each(|(path, one)| say(&one.line(path, one.richer(pairs()))))?;
        refusals.iter().try_for_each(|one| say(&one.line()))?;
        committed.iter().try_for_each(|one| say(&one.line()))?;
    }
    refused::conclusion(&refusals)?;
    committed::conclusion(&committed)?;
    conclusion(kept)
}

/// Those that another machine of the same student has, or that were lost here. Answers which ones Blackboard holds
/// back, and why.
fn fetch(common: &Common, arguments: &Receipts, term: Term) -> Result<Vec<Withheld>, Error> {
    let mut prepared = Prepared::new(common, term)?;
    prepared.engine.setup.blackboard()?;
    let mut show = Show::new(common);
    let mut observer = quiet(common, &mut show);
    let (_, fetched) = prepared.ask(&arguments.ids, &mut observer, Engine::fetch_receipts)?;
    if !common.json {
        let count = counted(fetched.paths.len(), "receipt");
        say(&match fetched.refused.as_slice() {
            [] => format!("Fetched {count}"),
            held => format!("Fetched {count}; Blackboard holds back {}", names_of(held)),
        })?;
    }
    Ok(fetched.refused)
}

fn names_of(held: &[Withheld]) -> String {
    let names: Vec<_> = held.iter().map(|(number, _)| number.to_string()).collect();
    names.join(", ")
}

/// What cannot be completed now stays pending, and is listed as such.
fn complete(common: &Common, term: Term) -> Result<(), Error> {
    let mut prepared = Prepared::new(common, term)?;
    let completed = prepared.engine.complete_receipts(&mut |_| {})?;
    completed.failed.map_or(Ok(()), Err)
}

/// A receipt that does not verify counts more than one that could not be read.
fn conclusion(kept: Vec<Kept>) -> Result<(), Error> {
    let bad = kept.iter().filter(|kept| matches!(kept, Kept::Bad(_)));
    let (bad, all) = (bad.count(), kept.len());
    if bad > 0 {
        return Err(Error::ReceiptsRefused { bad, all });
    }
    let unread = kept.into_iter().find_map(|kept| match kept {
        Kept::Unread(error) => Some(error),
        Kept::Good(_) | Kept::Bad(_) => None,
    });
    unread.map_or(Ok(()), Err)
}

fn none(dir: &Path, json: bool) -> Result<(), Error> {
    if json {
        return say_json(&json!({ "receipts": [], "refusals": [], "commitments": [] }));
    }
    Ok(say(&format!(
        "No receipts in {}",
        printable(&dir.to_string_lossy())
    ))?)
}

/// A receipt file, verified anew each time.
enum Kept {
    Good(Box<VerifiedReceipt>),
    Bad(String),
    /// Whether it verifies is not known.
    Unread(Error),
}

impl Kept {
    fn read(path: &Path, roots: &[Fingerprint]) -> Self {
        let zip = match receipts::read(path) {
            Ok(zip) => zip,
            Err(error) => return Self::Unread(error),
        };
        match VerifiedReceipt::verify_under(&zip, roots) {
            Ok(receipt) => Self::Good(Box::new(receipt)),
            Err(refusal) => Self::Bad(refusal.sentence()),
        }
    }

    fn is_pending(&self) -> bool {
        matches!(self, Self::Good(receipt) if receipt.witnessed().is_none())
    }

    /// Of a complete one: which of these is of the same entry, and has something in it that this one lacks. One that
    /// supersedes this one before any other.
    fn richer<'a>(&self, all: impl Iterator<Item = (&'a PathBuf, &'a Kept)>) -> Option<Richer<'a>> {
        let Self::Good(receipt) = self else {
            return None;
        };
        receipt.witnessed()?;
        let richer = all.filter_map(|(path, other)| match other {
            Self::Good(other) if other.is_of_the_entry_of(receipt) => {
                let (path, supersedes) = (path.as_path(), other.supersedes(receipt));
                (!receipt.shows_all_of(other)).then_some(Richer { path, supersedes })
            }
            Self::Good(_) | Self::Bad(_) | Self::Unread(_) => None,
        });
        richer.min_by_key(|richer| !richer.supersedes)
    }

    fn line(&self, path: &Path, richer: Option<Richer<'_>>) -> String {
        let name = name(path);
        match self {
            Self::Bad(reason) => format!("{name}  does NOT verify: {}", printable(reason)),
            Self::Unread(error) => format!("{name}  not checked: {}", printable(&told(error))),
            Self::Good(receipt) => {
                let statement = receipt.statement();
                let ids: Vec<_> = statement
                    .members
                    .iter()
                    .map(|m| m.sid.to_string())
                    .collect();
                let pending = pending(self.is_pending(), receipt.awaited());
                let less = richer.map(Richer::line).unwrap_or_default();
                format!(
                    "{name}  {}  {}/{}  {}  {}{pending}{less}",
                    local_time(receipt.accepted_at()),
                    statement.course,
                    statement.assignment,
                    ids.join(","),
                    printable(&statement.files.to_string()),
                )
            }
        }
    }

    fn as_json(&self, path: &Path, richer: Option<Richer<'_>>) -> serde_json::Value {
        let path = path.to_string_lossy();
        let richer_if = |supersedes: bool| {
            let richer = richer.filter(|richer| richer.supersedes == supersedes);
            richer.map(|richer| richer.path.to_string_lossy())
        };
        match self {
            Self::Bad(reason) => json!({ "receipt": path, "verified": false, "reason": reason }),
            Self::Unread(error) => {
                json!({ "receipt": path, "verified": null, "reason": told(error) })
            }
            Self::Good(receipt) => {
                let statement = receipt.statement();
                let members: Vec<_> = statement.members.iter().map(|m| &m.sid).collect();
                json!({
                    "receipt": path,
                    "verified": true,
                    "pending": self.is_pending(),
                    "awaited": receipt.awaited().map(names),
                    "less_than": richer_if(false),
                    "superseded_by": richer_if(true),
                    "submission": receipt.number(),
                    "accepted_at": rfc3339(receipt.accepted_at()),
                    "course": statement.course,
                    "assignment": statement.assignment,
                    "members": members,
                    "files": statement.files,
                })
            }
        }
    }
}

/// Whose cosignatures are missing, as far as that is known.
fn pending(is_pending: bool, awaited: Option<&[KeyName]>) -> String {
    match (is_pending, awaited) {
        (false, _) => String::new(),
        (true, None) => "  pending: CUHK's cosignature has not come yet".to_owned(),
        (true, Some(missing)) => {
            let missing = names(missing).join(", ");
            format!("  pending: CUHK has cosigned it, {missing} has not yet")
        }
    }
}

/// Another one of the same entry, which has in it what a complete one lacks.
#[derive(Clone, Copy)]
struct Richer<'a> {
    path: &'a Path,
    /// Whether it is complete and proves all that the one with less does: else both are needed.
    supersedes: bool,
}

impl Richer<'_> {
    fn line(self) -> String {
        let name = name(self.path);
        match self.supersedes {
            false => format!(
                "  has less in it (of the time, rules or extensions) than {name}: keep both"
            ),
            true => format!(
                "  superseded by {name}: that is complete and has more in it (of the time, rules or extensions)"
            ),
        }
    }
}

/// Without the file's path, where the system says what is wrong with it.
fn told(error: &Error) -> String {
    let cause = std::error::Error::source(error);
    cause.map_or_else(|| error.to_string(), ToString::to_string)
}

fn name(path: &Path) -> String {
    printable(&path.file_name().unwrap_or_default().to_string_lossy())
}
