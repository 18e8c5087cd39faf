//! The threads that read, each with a read-only connection of its own.
//!
//! They are ours rather than a runtime's blocking pool: a connection stays on its
//! thread, their number bounds the work, the command lines need no runtime, and a
//! runtime that shuts down does not wait for a long query.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::{Error, queue::Consumer, wait::become_worker};

/// A query as a reader thread sees it.
pub(crate) trait ReadJob: Send {
    /// Runs the query and answers the caller.
    fn run(self: Box<Self>, conn: &Connection);
}

/// A closure and who waits for its result.
pub(crate) struct Read<T, E, F> {
    pub(crate) work: F,
    pub(crate) reply: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> ReadJob for Read<T, E, F>
where
    F: FnOnce(&Connection) -> Result<T, E> + Send,
    T: Send,
    E: From<Error> + Send,
{
    fn run(self: Box<Self>, conn: &Connection) {
        if self.reply.is_closed() {
            return;
        }
        let work = self.work;
        let result = catch_unwind(AssertUnwindSafe(|| snapshot(conn, work)));
        let _ = self.reply.send(result.unwrap_or_else(|_| {
            tracing::error!("a read job panicked");
            Err(Error::JobPanicked.into())
        }));
    }
}

/// Works until the queue is closed and drained.
pub(crate) fn run(conn: Connection, jobs: Consumer<Box<dyn ReadJob>>) {
    become_worker();
    while let Some(job) = jobs.take(1).pop() {
        // What the caller's types do when they are dropped is foreign code, too.
        let _ = catch_unwind(AssertUnwindSafe(|| job.run(&conn)));
    }
}

/// Reads inside one transaction, which sees the database as it was when it first looked.
fn snapshot<T, E, F>(conn: &Connection, work: F) -> Result<T, E>
where
    F: FnOnce(&Connection) -> Result<T, E>,
    E: From<Error>,
{
    let tx = conn.unchecked_transaction().map_err(Error::from)?;
    work(&tx)
}
