//! `blackboard submissions export DIR`: one folder per submission, by its number.

mod target;

use std::fs;
use std::path::{Path, PathBuf};

use scb_certs::Fingerprint;
use scb_cli::{Failure, counted, printable, say, write_atomic};
use scb_protocol::export::safe_paths;
use scb_protocol::statement::SubmissionNumber;
use scb_storage::ContentStore;
use serde_json::{Value, json};

use self::target::TargetError;
use super::of::Wanted;
use super::{LeftOut, as_json, print_json};
use crate::failure::failure;
use crate::store::{Error, Record, Store, Summary};

const RECEIPT: &str = "receipt.zip";

/// From where everything is exported.
pub(super) struct Source<'a> {
    pub(super) store: &'a Store,
    pub(super) wanted: Wanted<'a>,
    pub(super) content: ContentStore,
    /// SHA-256 of the roots that this home trusts.
    pub(super) roots: Vec<Fingerprint>,
}

/// Why a submission was not exported.
#[derive(Debug, thiserror::Error)]
enum NotExported {
    /// What is stored is not what was handed in, or cannot be read.
    #[error(transparent)]
    Stored(#[from] Error),
    /// It cannot be written where it was wanted.
    #[error(transparent)]
    Target(#[from] TargetError),
}

/// Writes everything. What is not what was stored or is gone, or has a name that the target does not
/// take, is reported and left out, and the rest goes on; a target that takes nothing ends it.
pub(super) fn run(source: &Source<'_>, dir: &Path, json: bool) -> anyhow::Result<()> {
    let created = fs::create_dir_all(dir).map_err(TargetError::at(dir));
    created.map_err(Failure::from)?;
    let mut exported = Vec::new();
    let mut left_out = LeftOut::default();
    for number in source.store.numbers()? {
        match export(source, number, dir) {
            Ok(None) => {}
            Ok(Some(Exported {
                submission,
                files,
                receipt,
            })) => {
                let mut value = described(&submission, &files, json)?;
                value["receipt"] = json!(receipt);
                exported.push(value);
            }
            Err(error) => {
                let may_go_on = error.is_about_one();
                left_out.add(number, error.into());
                if !may_go_on {
                    break;
                }
            }
        }
    }
    for number in source.wanted.missing()? {
        left_out.add(number, failure(Error::RecordMissing { number }.into()));
    }
    if json {
        print_json(&Value::Array(exported))?;
    }
    left_out.into_result("exported")
}

fn described(submission: &Summary, paths: &[PathBuf], json: bool) -> anyhow::Result<Value> {
    let files = &submission.statement.files;
    for (file, path) in files.iter().zip(paths).filter(|_| !json) {
        let (path, size) = (
            printable(&path.to_string_lossy()),
            counted(file.size, "byte"),
        );
        say(&format!("{}  {path}  {size}", submission.number))?;
    }
    let mut value = as_json(submission);
    for (index, path) in paths.iter().enumerate() {
        value["files"][index]["path"] = json!(path);
    }
    Ok(value)
}

impl NotExported {
    /// Whether the next submission may fare better.
    fn is_about_one(&self) -> bool {
        match self {
            Self::Stored(_) => true,
            Self::Target(error) => error.is_about_the_name() || error.is_about_the_folder(),
        }
    }
}

impl From<NotExported> for Failure {
    fn from(error: NotExported) -> Self {
        match error {
            NotExported::Stored(error) => failure(error.into()),
            NotExported::Target(error) => error.into(),
        }
    }
}

/// One submission, and where its files and its receipt are now.
struct Exported {
    submission: Summary,
    files: Vec<PathBuf>,
    receipt: PathBuf,
}

/// The files and their receipt, each checked while it is copied; all, or no new folder. Nothing of what is not
/// wanted.
fn export(
    source: &Source<'_>,
    number: SubmissionNumber,
    dir: &Path,
) -> Result<Option<Exported>, NotExported> {
    let record = source.store.record(number);
    let record = match record.and_then(|found| found.ok_or(Error::Altered { number })) {
        Ok(record) if !source.wanted.has(record.statement()) => return Ok(None),
        Err(_) if !source.wanted.may_have(number)? => return Ok(None),
        record => record?,
    };
    let receipt = record.receipt(&source.roots)?;
    let folder = dir.join(folder_name(number));
    let is_new = fs::create_dir(&folder).is_ok();
    let written = write(source, &record, &receipt, &folder);
    if written.is_err() && is_new {
        // Made above, and nothing of it counts.
        let _ = fs::remove_dir_all(&folder);
    }
    Ok(Some(Exported {
        submission: record.summary(),
        files: written?,
        receipt: folder.join(RECEIPT),
    }))
}

fn write(
    source: &Source<'_>,
    record: &Record,
    receipt: &[u8],
    folder: &Path,
) -> Result<Vec<PathBuf>, NotExported> {
    let files = &record.statement().files;
    let paths = safe_paths(files).into_iter().map(|path| folder.join(path));
    let paths: Vec<PathBuf> = paths.collect();
    for (file, path) in files.iter().zip(&paths) {
        let parent = path.parent().unwrap_or(folder);
        target::check(folder, parent)?;
        fs::create_dir_all(parent).map_err(TargetError::at(parent))?;
        let copied = source
            .content
            .copy_to_blocking(file.sha256.as_bytes(), path);
        copied.map_err(not_copied)?;
    }
    target::check(folder, folder)?;
    let path = folder.join(RECEIPT);
    write_atomic(&path, receipt, 0o600).map_err(TargetError::of_cli(&path))?;
    Ok(paths)
}

fn not_copied(error: scb_storage::Error) -> NotExported {
    match error {
        scb_storage::Error::Target { path, source } => TargetError { path, source }.into(),
        error => Error::from(error).into(),
    }
}

/// Made of a number, never of what a peer has chosen.
fn folder_name(number: SubmissionNumber) -> String {
    number.to_string()
}
