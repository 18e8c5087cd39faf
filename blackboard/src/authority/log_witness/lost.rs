//! Which entries of its logs this server has lost, and getting their commitments back from CUHK.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use scb_certs::Fingerprint;
use scb_cli::Failure;
use scb_protocol::log_leaf::LogName;
use scb_protocol::witness::{ExpectEntries, ExpectSeen, SeenByWitness, Standing};
use scb_storage::PublishedLog;
use scb_tlog::{Error as LogError, HashReader as _, TileLog, Tiles, TreeHead, root};
use tokio::time::Instant;

use super::{LogWitness, PATIENCE, Trouble, failure, off_the_runtime};

/// A log that has fewer entries than CUHK has seen.
#[derive(Debug)]
pub(crate) struct Lost {
    /// The log.
    pub(crate) name: LogName,
    /// How many entries it has.
    pub(crate) has: u64,
    log: Arc<PublishedLog>,
    seen: SeenByWitness,
}

impl Lost {
    /// How many entries CUHK has seen.
    pub(crate) fn seen(&self) -> u64 {
        self.seen.head().size
    }

    /// How many are lost.
    pub(crate) fn count(&self) -> u64 {
        self.seen().saturating_sub(self.has)
    }
}

impl LogWitness {
    /// The logs that are behind what CUHK has seen of them.
    ///
    /// # Errors
    ///
    /// CUHK is away; a log has other entries than CUHK has seen.
    pub(crate) async fn lost(&mut self) -> Result<Vec<Lost>, Trouble> {
        self.logs.publish_all().await?;
        let mut link = self.open().await?;
        let mut lost = Vec::new();
        for (name, log) in self.logs.all() {
            link.by(Instant::now() + PATIENCE);
            let (expect, request) = ExpectSeen::new(log.key().clone());
            let seen = expect.handle(link.ask(&request).await?)?;
            let (published, size) = (log.published(), seen.head().size);
            let has = published.checkpoint.head().size;
            let then = off_the_runtime(move || Ok(root(&published.tiles, size).ok())).await?;
            match seen.compare(has, then) {
                Standing::Extends => {}
                Standing::Behind { has, .. } => lost.push(Lost {
                    name,
                    has,
                    log,
                    seen,
                }),
                forked @ Standing::Forked { .. } => {
                    return Err(Trouble::Astray(failure(&name, &forked)));
                }
            }
        }
        Ok(lost)
    }

    /// The commitments of what is lost: with them the log is the one that it signed itself.
    /// `scratch` is a directory that does not exist; nothing is left in it.
    ///
    /// # Errors
    ///
    /// CUHK is away, or has others.
    pub(crate) async fn commitments(
        &mut self,
        lost: &Lost,
        scratch: &Path,
    ) -> Result<Vec<Fingerprint>, Trouble> {
        if lost.seen.checkpoint().is_none() {
            return Err(Trouble::Astray(unsigned(&lost.name)));
        }
        let mut link = self.open().await?;
        let mut entries = Vec::new();
        let mut next = Some(ExpectEntries::new(lost.log.key(), lost.has, lost.seen()));
        while let Some((expect, request)) = next {
            link.by(Instant::now() + PATIENCE);
            let (page, more) = expect.handle(link.ask(&request).await?)?;
            entries.extend(page);
            next = more;
        }
        let (tiles, scratch) = (lost.log.published().tiles.clone(), scratch.to_owned());
        let given = entries.clone();
        let rebuilt = off_the_runtime(move || rebuilt(&tiles, &given, &scratch)).await?;
        match rebuilt == lost.seen.head() {
            true => Ok(entries),
            false => Err(Trouble::Astray(others(&lost.name))),
        }
    }
}

/// The tree of what is here and what was given.
fn rebuilt(tiles: &Tiles, given: &[Fingerprint], scratch: &Path) -> Result<TreeHead, LogError> {
    let mut log = TileLog::open(scratch)?;
    let entries: Result<Vec<_>, _> = (0..tiles.size()).map(|index| tiles.entry(index)).collect();
    log.append(&entries?)?;
    let given: Vec<_> = given.iter().map(|entry| *entry.as_bytes()).collect();
    let head = log.append(&given)?;
    // What is left over harms nobody.
    let _ = fs::remove_dir_all(scratch);
    Ok(head)
}

fn unsigned(log: &LogName) -> Failure {
    Failure::refused(format!(
        "CUHK has seen the log {log} under another key than the one here"
    ))
    .with_remedy("put back the key in HOME/logs/key.pem with which this server signed before")
    .with_code("log_key")
}

fn others(log: &LogName) -> Failure {
    Failure::refused(format!(
        "what is here of the log {log} and what CUHK has kept are not the log that was signed"
    ))
    .with_remedy("put the newest backup of this home in its place, and keep this one as evidence")
    .with_code("log_forked")
}
