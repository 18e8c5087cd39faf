//! `blackboard submissions export DIR`: one folder per submission, by its number.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use scb_cli::{Home, counted, printable, say, write_atomic};
use scb_protocol::statement::SubmissionNumber;
use scb_storage::ContentStore;
use serde_json::{Value, json};

use super::{all_whole, as_json, print_json};
use crate::store::{Store, Summary};

const RECEIPT: &str = "receipt.zip";
/// Longest name of a report, in bytes; file systems take 255.
const LONGEST: usize = 240;

/// Writes everything; what cannot be written, or is not what was stored, is reported and
/// left out, and the rest goes on.
pub(super) fn run(home: &Home, store: &Store, dir: &Path, json: bool) -> anyhow::Result<()> {
    create_dir(dir)?;
    let content = ContentStore::open(&home.path("content"))?;
    let mut exported = Vec::new();
    let mut failed = Vec::new();
    for number in store.numbers()? {
        match export(store, &content, number, dir) {
            Ok((submission, report)) => exported.push(described(&submission, &report, json)?),
            Err(error) => {
                tracing::error!("{number}: {error:#}");
                failed.push(number.to_string());
            }
        }
    }
    if json {
        print_json(&Value::Array(exported))?;
    }
    all_whole("not exported", &failed)
}

fn described(submission: &Summary, report: &Path, json: bool) -> anyhow::Result<Value> {
    let path = printable(&report.to_string_lossy());
    if !json {
        let size = counted(submission.statement.file().size, "byte");
        say(&format!("{}  {path}  {size}", submission.number))?;
    }
    let mut value = as_json(submission);
    value["report"] = json!(report);
    value["receipt"] = json!(report.with_file_name(RECEIPT));
    Ok(value)
}

/// The report and its receipt, each checked while it is copied.
fn export(
    store: &Store,
    content: &ContentStore,
    number: SubmissionNumber,
    dir: &Path,
) -> anyhow::Result<(Summary, PathBuf)> {
    let record = store.record(number)?.context("it is gone")?;
    let receipt = record.receipt()?;
    let file = record.statement().file();
    let folder = dir.join(folder_name(number));
    create_dir(&folder)?;
    let report = folder.join(safe_name(file.name.as_ref()));
    content.copy_to_blocking(file.sha256.as_bytes(), &report)?;
    write_atomic(&folder.join(RECEIPT), &receipt, 0o600)?;
    Ok((record.summary(), report))
}

/// Made of a number, never of what a peer has chosen.
fn folder_name(number: SubmissionNumber) -> String {
    number.to_string()
}

/// A name that is harmless in every file system and shell: letters and digits of any script,
/// and a few signs, not at the front; never that of the receipt.
fn safe_name(name: &str) -> String {
    let harmless = |c: char| {
        if c.is_alphanumeric() || "._- ()+,".contains(c) {
            c
        } else {
            '_'
        }
    };
    let mut safe: String = name.chars().map(harmless).collect();
    let starts_well = safe.starts_with(char::is_alphanumeric);
    if !starts_well || safe.to_lowercase().starts_with("receipt.") {
        safe.insert_str(0, "report-");
    }
    while safe.len() > LONGEST {
        safe.pop();
    }
    safe.trim_end_matches(['.', ' ']).to_owned()
}

fn create_dir(dir: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_names_that_people_use() {
        for name in ["submission.txt", "報告 final (2).pdf", "a-b_c,d+e.tar.gz"] {
            assert_eq!(safe_name(name), name);
        }
    }

    #[test]
    fn defuses_names_that_do_harm() {
        for (name, safe) in [
            ("../x", "report-.._x"),
            (".bashrc", "report-.bashrc"),
            ("-rf", "report--rf"),
            ("a;rm b|c", "a_rm b_c"),
            ("x\u{202e}fdp.exe", "x_fdp.exe"),
            ("receipt.zip", "report-receipt.zip"),
            ("Receipt.ZIP", "report-Receipt.ZIP"),
            ("x. .", "x"),
        ] {
            assert_eq!(safe_name(name), safe);
        }
        assert!(safe_name(&"報".repeat(85)).len() <= LONGEST);
    }
}
