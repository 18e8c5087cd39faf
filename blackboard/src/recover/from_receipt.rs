//! `blackboard recover --receipt`: what a receipt proves is entered again, with the files that were handed in.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, StudentId};
use scb_cli::{Failure, Home, counted, local_time, printable, read_limited, say};
use scb_protocol::receipt::{MAX_RECEIPT, ReceiptParts, VerifiedReceipt};
use scb_protocol::statement::FileEntry;
use scb_storage::{ContentStore, ContentWriter};

use crate::enrol::receipt_roots;
use crate::store::{FromReceipt, Standing, Store};

/// Bytes that are read at a time.
const PIECE: usize = 128 * 1024;
/// Most files that are looked at in a folder.
const MOST_FILES: usize = 10_000;

/// Verifies the receipt, takes its files, enters it. Nothing is entered if a file is missing.
pub(super) async fn restore(
    home: &Home,
    (path, files): (&Path, &[PathBuf]),
    now: UnixTime,
) -> anyhow::Result<()> {
    let bytes = read_limited(path, MAX_RECEIPT as u64)?;
    let (verified, parts) = ReceiptParts::verified(&bytes, &receipt_roots(home)?)?;
    let store = Store::open(home)?;
    let receipt = FromReceipt::new(&bytes, (&verified, parts));
    let is_here = match store.stands_to(&receipt)? {
        Standing::Lost => false,
        Standing::Here => true,
        other => return Err(refused(&verified, other).into()),
    };
    let content = ContentStore::open(&home.path("content"))?;
    let mut wanted = Wanted::of(&content, &verified).await;
    for file in files {
        wanted.take(&content, file).await?;
    }
    wanted.store(&content, &verified).await?;
    let told_here = || {
        say(&format!(
            "{} is here, with all of its files",
            verified.number()
        ))
    };
    if is_here {
        return Ok(told_here()?);
    }
    match store.restore(receipt, now)? {
        Ok(entry) => {
            told(&verified, entry)?;
            remark_later(&store, &verified)
        }
        // The same command elsewhere was a moment earlier.
        Err(Standing::Here) => Ok(told_here()?),
        Err(other) => Err(refused(&verified, other).into()),
    }
}

/// The files that are not here, and what of them was found.
struct Wanted {
    missing: Vec<FileEntry>,
    found: Vec<(ContentWriter, [u8; 32])>,
}

impl Wanted {
    async fn of(content: &ContentStore, verified: &VerifiedReceipt) -> Self {
        let mut missing: Vec<FileEntry> = Vec::new();
        for file in &verified.statement().files {
            let is_there = content.open_verified(file.sha256.as_bytes()).await.is_ok();
            if !is_there && missing.iter().all(|other| other.sha256 != file.sha256) {
                missing.push(file.clone());
            }
        }
        let found = Vec::new();
        Self { missing, found }
    }

    /// A file that was handed in; or all that were, in a folder.
    async fn take(&mut self, content: &ContentStore, path: &Path) -> anyhow::Result<()> {
        let is_folder = fs::metadata(path)
            .with_context(|| unreadable(path))?
            .is_dir();
        if !is_folder {
            return self.file(content, path).await;
        }
        for file in below(path)? {
            self.file(content, &file).await?;
        }
        Ok(())
    }

    /// Whatever has not the size of one that is missing is not even read.
    async fn file(&mut self, content: &ContentStore, path: &Path) -> anyhow::Result<()> {
        let unreadable = || unreadable(path);
        let size = fs::metadata(path).with_context(unreadable)?.len();
        if self.missing.iter().all(|file| file.size != size) {
            return Ok(());
        }
        let mut file = fs::File::open(path).with_context(unreadable)?;
        let mut writer = content.begin(size).await?;
        let mut piece = vec![0; PIECE];
        loop {
            match file.read(&mut piece).with_context(unreadable)? {
                0 => break,
                read => writer.write(&piece[..read]).await?,
            }
        }
        let sha256 = writer.sha256().await?;
        let is_it = |file: &FileEntry| *file.sha256.as_bytes() == sha256;
        if let Some(place) = self.missing.iter().position(is_it) {
            self.missing.remove(place);
            self.found.push((writer, sha256));
        }
        Ok(())
    }

    /// All of them are durable then, or none was taken.
    async fn store(
        mut self,
        content: &ContentStore,
        verified: &VerifiedReceipt,
    ) -> anyhow::Result<()> {
        let nothing = Fingerprint::of(b"");
        if let Some(place) = self.missing.iter().position(|file| file.sha256 == nothing) {
            self.missing.remove(place);
            self.found
                .push((content.begin(0).await?, *nothing.as_bytes()));
        }
        if !self.missing.is_empty() {
            return Err(missing(verified, &self.missing).into());
        }
        for (writer, sha256) in self.found {
            writer.finish(sha256).await?;
        }
        Ok(())
    }
}

/// Every file in a folder; links lead nowhere.
fn below(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(here) = folders.pop() {
        for entry in fs::read_dir(&here).with_context(|| unreadable(&here))? {
            let entry = entry.with_context(|| unreadable(&here))?;
            let kind = entry.file_type().with_context(|| unreadable(&here))?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path());
            }
            if found.len() + folders.len() > MOST_FILES {
                return Err(too_many(folder).into());
            }
        }
    }
    Ok(found)
}

fn unreadable(path: &Path) -> String {
    format!("cannot read {}", path.display())
}

fn too_many(folder: &Path) -> Failure {
    let folder = folder.display();
    Failure::refused(format!(
        "there are more than {MOST_FILES} files in {folder}"
    ))
    .with_remedy("name the files that were handed in")
    .with_code("too_many_files")
}

fn missing(verified: &VerifiedReceipt, files: &[FileEntry]) -> Failure {
    let file = |file: &FileEntry| {
        let (name, size) = (printable(file.name.as_ref()), counted(file.size, "byte"));
        format!("{name} ({size}, SHA-256 {})", file.sha256)
    };
    let list: Vec<_> = files.iter().map(file).collect();
    let (number, list) = (verified.number(), list.join(", "));
    Failure::refused(format!(
        "of {number} these are not here, and not among what was given: {list}"
    ))
    .with_remedy("nothing was changed; ask the group for the very same files, and name them all")
    .with_code("files_missing")
}

fn refused(verified: &VerifiedReceipt, standing: Standing) -> Failure {
    let (log, index) = verified.entry();
    let number = verified.number();
    let (why, remedy, code) = match standing {
        Standing::NotReached { entries } => (
            format!(
                "{number} is entry {index} of {log}, which has {} here",
                counted(entries, "entry")
            ),
            "nothing was changed; `blackboard recover` (the server stopped, CUHK running) says what is \
             lost, and goes on after it, or that this home has another key than the log had; then do the same \
             again",
            "log_behind",
        ),
        Standing::AcceptedAnew(anew) => (
            format!("what {number} accepted was accepted anew since, as {anew}"),
            "nothing was changed; `blackboard submissions show` shows it",
            "accepted_anew",
        ),
        Standing::Ended(state) => (
            format!("what {number} accepted has ended since: it is {state}"),
            "nothing was changed; if its members are late without it, give them an extension to a time \
             that is still to come (`blackboard extension add`)",
            "ended_since",
        ),
        Standing::NumberTaken(other) => (
            format!(
                "{number} is lost, and its number was given again: what has it here is another hand-in, \
                 {other}"
            ),
            "nothing was changed. Both receipts are good: keep them, and ask for the lost files. A \
             record here has one number, so this one is handed in anew: give its group an extension to a \
             time that is still to come (`blackboard extension add`); the time that counts for them is in \
             the lost receipt",
            "number_taken",
        ),
        Standing::AnotherEntry | Standing::Lost | Standing::Here => (
            format!("entry {index} of {log} is not the one of which this is a receipt"),
            "nothing was changed; CUHK had not seen that entry, or the receipt is another server's: keep \
             it, and give its group an extension to a time that is still to come (`blackboard extension \
             add`)",
            "another_entry",
        ),
    };
    Failure::refused(why).with_remedy(remedy).with_code(code)
}

/// Where the latest version counts, what was handed in since counts in its place.
fn remark_later(store: &Store, verified: &VerifiedReceipt) -> anyhow::Result<()> {
    let here = verified.statement();
    let place = (&here.course, &here.assignment);
    let is_member = |sid: &StudentId| here.members.iter().any(|member| member.sid == *sid);
    for (number, found) in store.summaries()? {
        let Ok(found) = found else { continue };
        let is_later = found.committed_at > Some(verified.committed_at());
        let other = &found.statement;
        let mut members = other.members.iter().map(|member| &member.sid);
        if is_later && (&other.course, &other.assignment) == place && members.any(is_member) {
            say(&format!(
                "  CHECK WHAT COUNTS: {number} was handed in later by some of them (`blackboard submissions \
                 overview`)"
            ))?;
        }
    }
    Ok(())
}

fn told(verified: &VerifiedReceipt, entry: u64) -> anyhow::Result<()> {
    let members = verified.members().iter();
    let members: Vec<_> = members.map(|member| member.sid.as_str()).collect();
    let (number, members) = (verified.number(), members.join(", "));
    let (log, lost) = verified.entry();
    let committed = local_time(verified.committed_at());
    say(&format!("{number} is here again, of {members}"))?;
    say(&format!(
        "  committed {committed}, which counts for lateness"
    ))?;
    let said = "says from which receipt it came back";
    Ok(say(&format!(
        "  entry {lost} of {log} was lost; entry {entry} {said}"
    ))?)
}
