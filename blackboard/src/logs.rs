//! The assignments' logs: what the database has numbered is appended to the tiles in
//! `HOME/logs/<hex of SHA-256 of the log's name>`, and checkpoints are signed over them.
//!
//! An entry is durable in the database, in the same transaction as what it records, and reaches
//! the tiles within a second, or before a receipt is made.

mod ahead;
mod compare;
mod list;
mod proof;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use scb_certs::Fingerprint;
use scb_cli::Home;
use scb_protocol::log_leaf::LogName;
use scb_storage::{BATCH, Published, PublishedLog};
use scb_tlog::VerifierKey;
use scb_transport::Shutdown;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use self::compare::Lacking;
use crate::note_keys::{LOGS, LogKey};
use crate::store::{Error, Record, Store};

pub(crate) use self::ahead::Ahead;
pub(crate) use self::list::{list, unseen_by_cuhk};

/// How long an entry may wait for its checkpoint when nobody asks.
const TICK: Duration = Duration::from_secs(1);

/// All logs of this server. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Logs(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    store: Store,
    key: LogKey,
    directory: PathBuf,
    lacking: Lacking,
    open: Mutex<BTreeMap<LogName, Arc<PublishedLog>>>,
    /// Told whenever any of them has grown.
    grown: watch::Sender<()>,
}

impl Logs {
    /// Opens every log of the database and compares it with its tiles, whole. Holds up this thread
    /// while it reads.
    ///
    /// # Errors
    ///
    /// [`Error::LogBehind`] if the tiles have entries that the database lacks;
    /// [`Error::LogContradicted`] if they hold others; [`Error::Log`], [`Error::Storage`].
    pub(crate) fn open(home: &Home, store: Store, key: LogKey) -> Result<Self, Error> {
        let names = store.log_names()?;
        compare::check_directories(&home.path(LOGS), &names)?;
        Self::of(home, (store, key), (names, Lacking::Nothing))
    }

    /// As [`Logs::open`], where the database may lack the newest entries of what was published, or a whole log.
    /// Nothing is to be entered before it has them again.
    ///
    /// # Errors
    ///
    /// As [`Logs::open`], but [`Error::LogBehind`].
    pub(crate) fn open_to_recover(home: &Home, store: Store, key: LogKey) -> Result<Self, Error> {
        let mut names = store.log_names()?;
        names.extend(compare::unknown_logs(&home.path(LOGS), &names)?);
        Self::of(home, (store, key), (names, Lacking::Newest))
    }

    fn of(
        home: &Home,
        (store, key): (Store, LogKey),
        (names, lacking): (Vec<LogName>, Lacking),
    ) -> Result<Self, Error> {
        let logs = Self(Arc::new(Shared {
            store,
            key,
            directory: home.path(LOGS),
            lacking,
            open: Mutex::default(),
            grown: watch::Sender::default(),
        }));
        names
            .iter()
            .try_for_each(|name| logs.log_blocking(name).map(drop))?;
        Ok(logs)
    }

    /// A checkpoint that covers entry number `index` of a log, which is durable in the database.
    pub(crate) async fn published(
        &self,
        name: &LogName,
        index: u64,
    ) -> Result<Arc<Published>, Error> {
        let log = self.log(name).await?;
        let before = log.published().checkpoint.head().size;
        let published = log.publish_entry(index, |from| self.commitments(name, from));
        let published = published.await.map_err(|error| error.in_log(name))?;
        if published.checkpoint.head().size > before {
            self.0.grown.send_replace(());
        }
        Ok(published)
    }

    /// All logs.
    pub(crate) fn all(&self) -> Vec<(LogName, Arc<PublishedLog>)> {
        let open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.iter()
            .map(|(name, log)| (name.clone(), Arc::clone(log)))
            .collect()
    }

    /// The public key of a log, also of one that is not here.
    pub(crate) fn key_of(&self, name: &LogName) -> Result<VerifierKey, Error> {
        Ok(self.0.key.of(name)?.verifier().clone())
    }

    /// Changes whenever any of them has grown.
    pub(crate) fn grown(&self) -> watch::Receiver<()> {
        self.0.grown.subscribe()
    }

    /// Has a submission's entry reach the tiles before anybody holds a receipt of it. What is
    /// stored is accepted, whatever becomes of the tiles: then they follow later.
    ///
    /// # Errors
    ///
    /// [`Error::Altered`].
    async fn follow(&self, record: &Record) -> Result<(), Error> {
        let (name, index) = record.entry()?;
        if let Err(error) = self.published(&name, index).await {
            let error = anyhow::Error::new(error);
            tracing::error!("{} is not in the tiles yet: {error:#}", record.number());
        }
        Ok(())
    }

    /// A log at work.
    async fn log(&self, name: &LogName) -> Result<Arc<PublishedLog>, Error> {
        if let Some(log) = self.known(name) {
            return Ok(log);
        }
        let (logs, name) = (self.clone(), name.clone());
        let opened = spawn_blocking(move || logs.log_blocking(&name));
        opened
            .await
            .unwrap_or_else(|_| Err(Error::LogStopped(scb_storage::LogStopped)))
    }

    /// Publishes what comes, until `shutdown`, and once more then.
    pub(crate) async fn run(self, shutdown: Shutdown) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let stopping = tokio::select! {
                () = shutdown.cancelled() => true,
                _ = ticks.tick() => false,
            };
            if let Err(error) = self.publish_all().await {
                let error = anyhow::Error::new(error);
                tracing::error!("cannot publish the logs of the assignments: {error:#}");
            }
            if stopping {
                return;
            }
        }
    }

    /// Has the tiles follow the database in every log.
    pub(crate) async fn publish_all(&self) -> Result<(), Error> {
        for (name, size) in self.0.store.log_sizes().await? {
            if let Some(last) = size.checked_sub(1) {
                self.published(&name, last).await?;
            }
        }
        Ok(())
    }

    async fn commitments(&self, name: &LogName, from: u64) -> Result<Vec<[u8; 32]>, Error> {
        self.0.store.commitments(name.clone(), from, BATCH).await
    }

    fn known(&self, name: &LogName) -> Option<Arc<PublishedLog>> {
        let open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.get(name).cloned()
    }

    /// Two at once would open the same files: one opens, and nobody else meanwhile.
    fn log_blocking(&self, name: &LogName) -> Result<Arc<PublishedLog>, Error> {
        let mut open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(log) = open.get(name) {
            return Ok(Arc::clone(log));
        }
        let log = self.0.open_log(name).map_err(|error| error.in_log(name))?;
        let log = Arc::new(log);
        open.insert(name.clone(), Arc::clone(&log));
        Ok(log)
    }
}

impl Shared {
    fn open_log(&self, name: &LogName) -> Result<PublishedLog, Error> {
        let key = self.key.of(name)?;
        let directory = self.directory.join(directory(name));
        PublishedLog::open(&directory, key, |tiles| {
            compare::check_entries(&self.store, name, (tiles, self.lacking))
        })
    }
}

/// The directory of a log: no part of a name ever becomes a path.
pub(crate) fn directory(name: &LogName) -> String {
    Fingerprint::of(name.to_string().as_bytes()).to_string()
}
