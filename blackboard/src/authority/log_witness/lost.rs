//! Which entries of its logs this server has lost, and getting their commitments back from CUHK.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use scb_certs::Fingerprint;
use scb_cli::Failure;
use scb_protocol::Code;
use scb_protocol::log_leaf::LogName;
use scb_protocol::witness::{ExpectEntries, ExpectLogs, ExpectSeen, SeenByWitness, Standing};
use scb_tlog::{Error as LogError, HashReader as _, TileLog, Tiles, TreeHead, VerifierKey, root};
use tokio::time::Instant;

use super::super::is_away;
use super::super::link::Link;
use super::{LogWitness, PATIENCE, Trouble, failure, off_the_runtime};

/// A log that is not here at all, with the key that it would have, and what CUHK has seen of it.
pub(super) type Forgotten = (LogName, VerifierKey, SeenByWitness);

/// What CUHK has seen and is not here.
#[derive(Debug)]
pub(crate) struct Missing {
    /// The logs that are behind.
    pub(crate) lost: Vec<Lost>,
    /// Those that CUHK knows under another key than this home's: of a home that is lost.
    pub(crate) foreign: Vec<LogName>,
}

/// A log that has fewer entries than CUHK has seen.
#[derive(Debug)]
pub(crate) struct Lost {
    /// The log.
    pub(crate) name: LogName,
    /// How many entries it has.
    pub(crate) has: u64,
    key: VerifierKey,
    /// None of a log that is not here at all.
    tiles: Option<Tiles>,
    seen: SeenByWitness,
}

impl Lost {
    /// How many entries CUHK has seen.
    pub(crate) fn seen(&self) -> u64 {
        self.seen.head().size
    }
}

impl LogWitness {
    /// The logs that are behind what CUHK has seen of them, and those that it has seen under another key.
    ///
    /// # Errors
    ///
    /// CUHK is away; a log has other entries than CUHK has seen.
    pub(crate) async fn lost(&mut self) -> Result<Missing, Trouble> {
        self.logs.publish_all().await?;
        let mut link = self.open().await?;
        let (mut lost, mut foreign) = (Vec::new(), Vec::new());
        for (name, log) in self.logs.all() {
            link.by(Instant::now() + PATIENCE);
            let (expect, request) = ExpectSeen::new(log.key().clone());
            let seen = match expect.handle(link.ask(&request).await?) {
                Err(refusal) if refusal.code == Code::LogKeyChanged => {
                    foreign.push(name);
                    continue;
                }
                seen => seen?,
            };
            let (published, size) = (log.published(), seen.head().size);
            let has = published.checkpoint.head().size;
            let tiles = published.tiles.clone();
            let then = off_the_runtime(move || Ok(root(&published.tiles, size).ok())).await?;
            match seen.compare(has, then) {
                Standing::Extends => {}
                Standing::Behind { has, .. } => lost.push(Lost {
                    name,
                    has,
                    key: log.key().clone(),
                    tiles: Some(tiles),
                    seen,
                }),
                forked @ Standing::Forked { .. } => {
                    return Err(Trouble::Astray(failure(&name, &forked)));
                }
            }
        }
        let (forgotten, others) = self.forgotten(&mut link).await?;
        foreign.extend(others);
        lost.extend(forgotten.into_iter().map(|(name, key, seen)| Lost {
            name,
            has: 0,
            key,
            tiles: None,
            seen,
        }));
        Ok(Missing { lost, foreign })
    }

    /// Logs that CUHK has seen, and that are not here at all; and which of those were signed with a key that
    /// is lost.
    pub(super) async fn forgotten(
        &self,
        link: &mut Link,
    ) -> Result<(Vec<Forgotten>, Vec<LogName>), Trouble> {
        let (mut forgotten, mut foreign) = (Vec::new(), Vec::new());
        for name in self.missing(link).await? {
            let key = self.logs.key_of(&name)?;
            let (expect, request) = ExpectSeen::new(key.clone());
            link.by(Instant::now() + PATIENCE);
            match expect.handle(link.ask(&request).await?) {
                Ok(seen) if seen.head().size == 0 => {}
                Ok(seen) => forgotten.push((name, key, seen)),
                Err(refusal) if is_away(&refusal) => return Err(refusal.into()),
                Err(refusal) if refusal.code == Code::LogKeyChanged => {
                    tracing::warn!(
                        "CUHK knows a log {name} under another key than this home's: it is lost here, and \
                         `blackboard recover` says what follows"
                    );
                    foreign.push(name);
                }
                Err(refusal) => tracing::warn!("CUHK knows a log {name} that is lost: {refusal}"),
            }
        }
        Ok((forgotten, foreign))
    }

    async fn missing(&self, link: &mut Link) -> Result<Vec<LogName>, Trouble> {
        let here: BTreeSet<_> = self.logs.all().into_iter().map(|(name, _)| name).collect();
        let mut missing = Vec::new();
        let mut next = Some(ExpectLogs::new(self.service.clone()));
        while let Some((expect, request)) = next {
            link.by(Instant::now() + PATIENCE);
            let (page, more) = expect.handle(link.ask(&request).await?)?;
            let named = page.iter().filter_map(|name| name.parse().ok());
            missing.extend(named.filter(|name| !here.contains(name)));
            next = more;
        }
        Ok(missing)
    }

    /// The commitments of what is lost: with them the log is the one that it signed itself.
    /// `scratch` is a directory that is nobody else's; what another attempt left there is removed before.
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
        let mut next = Some(ExpectEntries::new(&lost.key, lost.has, lost.seen()));
        while let Some((expect, request)) = next {
            link.by(Instant::now() + PATIENCE);
            let (page, more) = expect.handle(link.ask(&request).await?)?;
            entries.extend(page);
            next = more;
        }
        let (tiles, scratch) = (lost.tiles.clone(), scratch.to_owned());
        let given = entries.clone();
        let rebuilt = off_the_runtime(move || rebuilt(tiles.as_ref(), &given, &scratch)).await?;
        match rebuilt == lost.seen.head() {
            true => Ok(entries),
            false => Err(Trouble::Astray(others(&lost.name))),
        }
    }
}

/// The tree of what is here and what was given.
fn rebuilt(
    here: Option<&Tiles>,
    given: &[Fingerprint],
    scratch: &Path,
) -> Result<TreeHead, LogError> {
    match fs::remove_dir_all(scratch) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            let path = scratch.to_owned();
            let action = "remove";
            return Err(LogError::File {
                action,
                path,
                source,
            });
        }
        _ => {}
    }
    let mut log = TileLog::open(scratch)?;
    if let Some(tiles) = here {
        let entries = (0..tiles.size()).map(|index| tiles.entry(index));
        log.append(&entries.collect::<Result<Vec<_>, _>>()?)?;
    }
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
