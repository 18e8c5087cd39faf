//! The issuance log: what the database has numbered is appended to the tiles in `HOME/log`, and
//! checkpoints are signed over them.
//!
//! An entry is durable in the database, in the same transaction as its certificate or before
//! its answer, and reaches the tiles within a second, or before somebody audits. The database
//! never waits for the tiles. What is old leaves it (`removal`): then the tiles are all there is.

mod mending;
mod removal;
mod requests;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use scb_certs::{Ed25519Seed, TrustDomain};
use scb_cli::{Home, counted, with_causes};
use scb_storage::{BATCH, Published, PublishedLog};
use scb_tlog::{Algorithm, HashReader, KeyName, NoteKey, Tiles};
use scb_transport::Shutdown;
use tokio::time::{MissedTickBehavior, interval};

use crate::Error;
use crate::config::path;
use crate::store::{CertificateRecord, Log, Store, Unpinned};

pub use mending::Mending;
pub(crate) use mending::with_mending;
pub(crate) use removal::OldQuestions;

/// How long an entry may wait for its checkpoint when nobody asks.
const TICK: Duration = Duration::from_secs(1);

const FOREIGN: &str = "they do not go on after those of which its newest entry about them was made: see `cuhk doctor` \
                       (`operations`)";

/// The log at work.
#[derive(Debug)]
pub(crate) struct IssuanceLog {
    store: Store,
    log: PublishedLog,
    /// Whether it was told, since it last went well, that operations are not entered.
    told: AtomicBool,
}

impl IssuanceLog {
    /// Opens the log and makes it agree with the database: certificates from before the log are
    /// entered, and entries that an old backup of the database lacks are taken from the tiles.
    /// Holds up this thread while it reads.
    ///
    /// # Errors
    ///
    /// [`Error::LogDamaged`], [`Error::Log`]; [`Error::LogContradicted`] if database and tiles hold
    /// different entries.
    pub(crate) fn open(
        home: &Home,
        store: Store,
        trust_domain: &TrustDomain,
        seed: &Ed25519Seed,
    ) -> Result<Self, Error> {
        let name = origin(trust_domain)?;
        let key = NoteKey::from_seed(name, Algorithm::Ed25519, seed.expose())?;
        let directory = home.path(path::LOG);
        let opened = PublishedLog::open(&directory, key, |tiles| {
            compare(&store, tiles.clone(), &directory)
        });
        match opened {
            Ok(log) => Ok(Self {
                store,
                log,
                told: AtomicBool::new(false),
            }),
            Err(error) => store
                .read_blocking(move |records| Err(with_mending(error, &records.log(), &directory))),
        }
    }

    /// A checkpoint that covers every entry that was durable when this was called.
    pub(crate) async fn publish(&self) -> Result<Arc<Published>, Error> {
        let commitments = |from| {
            self.store
                .read(move |records| records.log().commitments(from, BATCH))
        };
        self.log.publish(commitments).await
    }

    async fn pin_operations(&self) -> Result<Unpinned, Error> {
        match self.store.read(|records| records.unpinned()).await? {
            Unpinned::Newer => self.store.write(|records| records.pin_operations()).await,
            unpinned => Ok(unpinned),
        }
    }

    /// Publishes until `shutdown`.
    pub(crate) async fn run(&self, shutdown: &Shutdown) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => {}
            }
            self.publish_or_log().await;
        }
    }

    /// Enters what operators did since the last time, and publishes what waits. Should that fail, the next
    /// time does it.
    pub(crate) async fn publish_or_log(&self) {
        let wrong = match self.pin_operations().await {
            Ok(Unpinned::Foreign) => Some(FOREIGN.to_owned()),
            Ok(Unpinned::Nothing | Unpinned::Newer) => None,
            Err(error) => Some(with_causes(&error)),
        };
        let was_told = self.told.swap(wrong.is_some(), Ordering::Relaxed);
        if let (Some(wrong), false) = (wrong, was_told) {
            tracing::error!("cannot enter the operations in the issuance log: {wrong}");
        }
        if let Err(error) = self.publish().await {
            tracing::error!("cannot publish the issuance log: {}", with_causes(&error));
        }
    }
}

/// The name of the log in its checkpoints.
fn origin(trust_domain: &TrustDomain) -> Result<KeyName, Error> {
    Ok(format!("{trust_domain}/issuance").parse()?)
}

/// Makes the database agree with the tiles.
fn compare(store: &Store, tiles: Tiles, directory: &Path) -> Result<(), Error> {
    let directory = directory.to_owned();
    store.write_blocking(move |records| {
        let adopted = adopt(&records.log(), &tiles, &directory)?;
        if adopted > 0 {
            tracing::warn!(
                "not in the database: {} of the issuance log, whose contents are lost; the log \
                 goes on after that",
                counted(adopted, "entry")
            );
        }
        let unlogged = records.certificates().unlogged()?;
        let enter = |record: &CertificateRecord| records.log().append_certificate(record);
        unlogged.iter().try_for_each(enter)
    })
}

/// Compares the two where both have entries, and takes over what only the tiles have.
fn adopt(log: &Log<'_>, tiles: &Tiles, directory: &Path) -> Result<u64, Error> {
    require_agreement(log, tiles, directory)?;
    let (published, known) = (tiles.size(), log.size()?);
    for number in known..published {
        log.adopt(&tiles.entry(number)?)?;
    }
    Ok(published.saturating_sub(known))
}

/// Whether the tiles are those of this database, and hold what it no longer does.
///
/// # Errors
///
/// [`Error::LogContradicted`], [`Error::LogFilesBehind`]; what could not be read.
pub(crate) fn require_agreement(
    log: &Log<'_>,
    tiles: &Tiles,
    directory: &Path,
) -> Result<(), Error> {
    let (path, held) = (directory.to_owned(), tiles.size());
    let removed = log.removed()?.map_or(0, |removed| removed.below);
    if held < removed {
        return Err(Error::LogFilesBehind {
            path,
            held,
            removed,
        });
    }
    match log.agrees_with(tiles)? {
        true => Ok(()),
        false => Err(Error::LogContradicted { path }),
    }
}
