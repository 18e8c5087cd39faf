//! The assignments' logs: entries against what they record, tiles against entries, checkpoints
//! against tiles, and all of it against what CUHK has seen.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rustls_pki_types::UnixTime;
use scb_certs::TrustStore;
use scb_protocol::log_leaf::LogName;
use scb_protocol::statement::SubmissionId;
use scb_tlog::{HashReader as _, Tiles, TreeHead, UnverifiedCheckpoint, inspect, root};

use super::entries::{Entries, PAGE};
use super::report::Report;
use crate::logs::directory;
use crate::note_keys::LogKey;
use crate::store::{EntryRow, Inspector};

/// Entries reach the tiles within a second while a server runs.
const PUBLISHED_AFTER: u64 = 10 * 60;

/// Where the logs are, and what they are compared with.
pub(super) struct Logs<'a> {
    pub(super) database: &'a Inspector,
    /// `HOME/logs`.
    pub(super) directory: PathBuf,
    /// Signs their checkpoints; none if it is lost.
    pub(super) key: Option<LogKey>,
    /// Judges what Blackboard signed.
    pub(super) trust: Vec<TrustStore>,
    pub(super) now: UnixTime,
    /// The submissions of whose commitment no entry was found so far; none if nobody can tell.
    pub(super) not_entered: RefCell<Option<BTreeSet<SubmissionId>>>,
}

/// The files of a log, as of the checkpoint that was published last.
struct Published {
    tiles: Tiles,
    checkpoint: UnverifiedCheckpoint,
}

impl Logs<'_> {
    /// Directories of logs of which the database knows nothing.
    pub(super) fn unknown(
        &self,
        known: &[(LogName, u64)],
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let known: BTreeSet<String> = known.iter().map(|(name, _)| directory(name)).collect();
        let Ok(entries) = fs::read_dir(&self.directory) else {
            return Ok(());
        };
        for entry in entries.filter_map(Result::ok) {
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.path().join("checkpoint").exists() && !known.contains(&name) {
                let found = "the database knows nothing of this log";
                report.damage("log_unknown", entry.path().display(), found)?;
            }
        }
        Ok(())
    }

    /// One log. Its checkpoint is read first: what the database has by then, it has for good.
    pub(super) fn look(&self, name: &LogName, report: &mut Report) -> anyhow::Result<()> {
        report.counts.logs += 1;
        let published = self.published(name, report)?;
        let size = self.entries(name, published.as_ref(), report)?;
        let there = published.as_ref().map_or(0, |found| found.tiles.size());
        if size < there {
            let found = format!("the database has {size} entries, but {there} were published");
            report.damage("log_behind", name, found)?;
        }
        self.unpublished(name, there, report)?;
        if let Some(published) = &published {
            self.signed(name, &published.checkpoint, report)?;
        }
        self.witnessed(name, (published.as_ref(), size), report)
    }

    /// Tiles that lead to the checkpoint, every hash of them.
    fn published(&self, name: &LogName, report: &mut Report) -> anyhow::Result<Option<Published>> {
        let path = self.directory.join(directory(name));
        match inspect(&path) {
            Ok(checkpoint) => Ok(checkpoint.map(|checkpoint| Published {
                tiles: Tiles::new(&path, checkpoint.head().size),
                checkpoint,
            })),
            Err(error) => {
                let error = crate::store::Error::from(error).in_log(name);
                report.failed(path.display(), crate::failure::failure(error.into()))?;
                Ok(None)
            }
        }
    }

    /// Every entry of the database; how many there are.
    fn entries(
        &self,
        name: &LogName,
        published: Option<&Published>,
        report: &mut Report,
    ) -> anyhow::Result<u64> {
        let mut entries = Entries::new(self.database, name, (&self.trust, self.now));
        loop {
            let page = self.database.entries(name, entries.next(), PAGE)?;
            if page.is_empty() {
                entries.end(report)?;
                self.entered(entries.committed());
                return Ok(entries.next());
            }
            if let Some(published) = published {
                compare(name, &page, &published.tiles, report)?;
            }
            for row in &page {
                entries.look(row, report)?;
            }
            report.counts.entries += page.len() as u64;
            report.step(page.len() as u64);
        }
    }

    fn entered(&self, committed: Option<&BTreeSet<SubmissionId>>) {
        let mut not_entered = self.not_entered.borrow_mut();
        match (not_entered.as_mut(), committed) {
            (Some(open), Some(entered)) => open.retain(|id| !entered.contains(id)),
            _ => *not_entered = None,
        }
    }

    /// What was committed or given up, and is in no log, after all of them were looked at.
    pub(super) fn never_entered(&self, report: &mut Report) -> anyhow::Result<()> {
        for id in self.not_entered.borrow().iter().flatten() {
            let found = "it is committed or given up here, and no log has an entry of that";
            report.damage("not_entered", format!("submission {id}"), found)?;
        }
        Ok(())
    }

    /// What has waited for its tiles for long.
    fn unpublished(&self, name: &LogName, there: u64, report: &mut Report) -> anyhow::Result<()> {
        let first = self.database.entries(name, there, 1)?.pop();
        let at = first.and_then(|row| row.at);
        let waits = at.is_some_and(|at| at.saturating_add(PUBLISHED_AFTER) < self.now.as_secs());
        match waits {
            true => {
                let found = format!("from entry {there} on nothing is in the tiles yet");
                report.leftover("log_unpublished", name, found)
            }
            false => Ok(()),
        }
    }

    /// The checkpoint is signed with this server's key.
    fn signed(
        &self,
        name: &LogName,
        checkpoint: &UnverifiedCheckpoint,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let Some(key) = &self.key else {
            return report.damage("log_key", name, "the key that signs it is gone");
        };
        match checkpoint.clone().verify(key.of(name)?.verifier()) {
            Ok(_) => Ok(()),
            Err(error) => report.damage("log_key", name, error),
        }
    }

    /// The log begins with what CUHK cosigned last, as far as is known here.
    fn witnessed(
        &self,
        name: &LogName,
        (published, entries): (Option<&Published>, u64),
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let Some(note) = self.database.cosigned(name)? else {
            return Ok(());
        };
        let Ok(seen) = note.parse::<UnverifiedCheckpoint>() else {
            return report.damage(
                "log_key",
                name,
                "what is kept of CUHK's cosignature is none",
            );
        };
        self.signed(name, &seen, report)?;
        let TreeHead {
            size,
            root: expected,
        } = seen.head();
        // Tiles that are gone or damaged are made anew: what counts is what the database has.
        let there = published.map_or(entries, |found| found.tiles.size());
        if size > there {
            let found = format!("CUHK has cosigned {size} entries, {there} are here");
            return report.damage("log_cut", name, found);
        }
        let found = published
            .map(|found| root(&found.tiles, size))
            .transpose()?;
        match found.is_none_or(|found| found == expected) {
            true => Ok(()),
            false => {
                let found = format!("its first {size} entries are not those that CUHK cosigned");
                report.damage("log_forked", name, found)
            }
        }
    }
}

/// Entries of the database and of the tiles, whose bundles are as large as a page.
fn compare(
    name: &LogName,
    page: &[EntryRow],
    tiles: &Tiles,
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut bundle = (u64::MAX, Vec::new());
    for row in page.iter().filter(|row| row.number < tiles.size()) {
        let (which, place) = (row.number / PAGE as u64, row.number % PAGE as u64);
        if bundle.0 != which {
            bundle = (which, tiles.bundle(row.number)?);
        }
        if bundle.1.get(place as usize) != Some(&row.commitment) {
            let found = "another one in the database than was published";
            report.damage("log_contradicted", entry_of(name, row.number), found)?;
        }
    }
    Ok(())
}

pub(super) fn entry_of(name: &LogName, number: u64) -> String {
    format!("{name} entry {number}")
}

/// `HOME/logs`.
pub(super) fn directory_in(home: &Path) -> PathBuf {
    home.join(crate::note_keys::LOGS)
}
