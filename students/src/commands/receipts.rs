//! `student receipts`: what is kept here.

use std::path::Path;

use scb_certs::Fingerprint;
use scb_cli::{local_time, printable, rfc3339, say};
use scb_protocol::receipt::VerifiedReceipt;
use serde_json::json;

use super::say_json;
use crate::cli::Common;
use crate::setup::{receipts_dir, verification_root};
use crate::{Error, receipts};

pub(super) fn run(common: &Common) -> Result<(), Error> {
    let dir = receipts_dir(common)?;
    let paths = receipts::list(&dir)?;
    if paths.is_empty() {
        return none(&dir, common.json);
    }
    let root = verification_root(common)?;
    let mut list = Vec::new();
    for path in paths {
        let read = Kept::read(&path, &root);
        if common.json {
            list.push(read.as_json(&path));
        } else {
            say(&read.line(&path))?;
        }
    }
    if common.json {
        say_json(&json!({ "receipts": list }))?;
    }
    Ok(())
}

fn none(dir: &Path, json: bool) -> Result<(), Error> {
    if json {
        return say_json(&json!({ "receipts": [] }));
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
}

impl Kept {
    fn read(path: &Path, root: &Fingerprint) -> Self {
        let verified = receipts::read(path)
            .map_err(|error| error.to_string())
            .and_then(|zip| {
                VerifiedReceipt::verify(&zip, root).map_err(|refusal| refusal.sentence())
            });
        match verified {
            Ok(receipt) => Self::Good(Box::new(receipt)),
            Err(reason) => Self::Bad(reason),
        }
    }

    fn line(&self, path: &Path) -> String {
        let name = name(path);
        match self {
            Self::Bad(reason) => format!("{name}  does NOT verify: {}", printable(reason)),
            Self::Good(receipt) => {
                let statement = receipt.statement();
                let ids: Vec<_> = statement
                    .members
                    .iter()
                    .map(|m| m.sid.to_string())
                    .collect();
                format!(
                    "{name}  {}  {}/{}  {}  {}",
                    local_time(receipt.accepted_at()),
                    statement.course,
                    statement.assignment,
                    ids.join(","),
                    printable(statement.file().name.as_ref()),
                )
            }
        }
    }

    fn as_json(&self, path: &Path) -> serde_json::Value {
        let path = path.to_string_lossy();
        match self {
            Self::Bad(reason) => json!({ "receipt": path, "verified": false, "reason": reason }),
            Self::Good(receipt) => {
                let statement = receipt.statement();
                let members: Vec<_> = statement.members.iter().map(|m| &m.sid).collect();
                json!({
                    "receipt": path,
                    "verified": true,
                    "submission": receipt.number(),
                    "accepted_at": rfc3339(receipt.accepted_at()),
                    "course": statement.course,
                    "assignment": statement.assignment,
                    "members": members,
                    "name": statement.file().name,
                    "sha256": statement.file().sha256,
                })
            }
        }
    }
}

fn name(path: &Path) -> String {
    printable(&path.file_name().unwrap_or_default().to_string_lossy())
}
