//! The one thread that writes: what waits is committed together.

use std::{
    cell::Cell,
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{oneshot, watch};

use crate::{
    Error, checkpoints::Checkpoints, connection::die_on_failed_sync, queue::Consumer,
    wait::become_worker,
};

/// Most jobs in one transaction.
const BATCH: usize = 64;

thread_local! {
    /// Pages in the write-ahead log after the last commit of this thread.
    static WAL_PAGES: Cell<i32> = const { Cell::new(0) };
}

/// A unit of work as the writer sees it.
pub(crate) trait WriteJob: Send {
    /// Does the work; whether its changes are to be kept.
    fn run(&mut self, tx: &Transaction<'_>) -> bool;
    /// Answers the caller, once it is known whether the transaction is durable.
    fn answer(self: Box<Self>, outcome: Result<(), Error>);
}

/// A closure and who waits for its result.
pub(crate) struct Write<T, E, F> {
    work: Option<F>,
    result: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> Write<T, E, F> {
    pub(crate) fn new(work: F, reply: oneshot::Sender<Result<T, E>>) -> Self {
        Self {
            work: Some(work),
            result: None,
            reply,
        }
    }
}

impl<T, E, F> WriteJob for Write<T, E, F>
where
    F: FnOnce(&Transaction<'_>) -> Result<T, E> + Send,
    T: Send,
    E: From<Error> + Send,
{
    fn run(&mut self, tx: &Transaction<'_>) -> bool {
        self.result = self.work.take().map(|work| work(tx));
        matches!(self.result, Some(Ok(_)))
    }

    fn answer(self: Box<Self>, outcome: Result<(), Error>) {
        let panicked = self.work.is_none();
        let result = match (self.result, outcome) {
            (Some(Err(error)), _) => Err(error),
            (None, _) if panicked => Err(Error::JobPanicked.into()),
            (_, Err(error)) => Err(error.into()),
            (Some(result), Ok(())) => result,
            (None, Ok(())) => Err(Error::Closed.into()),
        };
        // A caller that went away is no reason to undo what is committed.
        let _ = self.reply.send(result);
    }
}

/// The writer thread's own.
pub(crate) struct Writer {
    pub(crate) path: PathBuf,
    pub(crate) conn: Connection,
    pub(crate) jobs: Consumer<Box<dyn WriteJob>>,
    pub(crate) commits: Arc<AtomicU64>,
    pub(crate) checkpoints: Checkpoints,
    /// Waited for before the connection is closed: the last connection to close tidies
    /// up the log, and only a writing one can.
    pub(crate) readers: Vec<JoinHandle<()>>,
    /// Dropped at the very end.
    pub(crate) finished: watch::Sender<()>,
}

impl Writer {
    /// Works until the queue is closed and drained, then closes the database.
    pub(crate) fn run(mut self) {
        become_worker();
        // In the place of SQLite's own checkpoints.
        self.conn.wal_hook(Some(|_, pages| {
            WAL_PAGES.set(pages);
            Ok(())
        }));
        loop {
            let mut waiting = VecDeque::from(self.jobs.take(BATCH));
            if waiting.is_empty() {
                break;
            }
            while !waiting.is_empty() {
                self.run_transaction(&mut waiting);
            }
            self.checkpoints
                .after(WAL_PAGES.take(), &self.conn, &self.path);
        }
        self.checkpoints.stop();
        for reader in self.readers {
            let _ = reader.join();
        }
        drop(self.conn);
        drop(self.finished);
    }

    /// Runs jobs as one transaction and answers them. Takes all that wait, unless
    /// SQLite gives up the transaction on the way: then those up to there.
    fn run_transaction(&mut self, waiting: &mut VecDeque<Box<dyn WriteJob>>) {
        let mut ran = Vec::with_capacity(waiting.len());
        let outcome = self.transaction(waiting, &mut ran);
        if outcome.is_ok() {
            self.commits.fetch_add(1, Ordering::Relaxed);
        }
        for job in ran {
            let outcome = outcome.clone();
            // Dropping what the job holds is foreign code, too.
            let _ = catch_unwind(AssertUnwindSafe(move || job.answer(outcome)));
        }
    }

    fn transaction(
        &mut self,
        waiting: &mut VecDeque<Box<dyn WriteJob>>,
        ran: &mut Vec<Box<dyn WriteJob>>,
    ) -> Result<(), Error> {
        let begun = self
            .conn
            .transaction_with_behavior(TransactionBehavior::Immediate);
        let tx = begun.inspect_err(|_| ran.extend(waiting.drain(..)))?;
        while let Some(job) = waiting.pop_front() {
            ran.push(job);
            if let Some(job) = ran.last_mut() {
                run_alone(&tx, job.as_mut())?;
            }
        }
        tx.commit().map_err(|error| {
            die_on_failed_sync(&self.path, &error);
            error.into()
        })
    }
}

/// Runs one job inside its own savepoint, so that its failure undoes nothing else.
fn run_alone(tx: &Transaction<'_>, job: &mut dyn WriteJob) -> Result<(), Error> {
    tx.prepare_cached("SAVEPOINT job")?.execute([])?;
    let kept = catch_unwind(AssertUnwindSafe(|| job.run(tx))).unwrap_or_else(|_| {
        tracing::error!("a write job panicked and was rolled back");
        false
    });
    if tx.is_autocommit() {
        return Err(Error::RolledBack);
    }
    if !kept {
        tx.prepare_cached("ROLLBACK TO job")?.execute([])?;
    }
    tx.prepare_cached("RELEASE job")?.execute([])?;
    Ok(())
}
