//! Waiting for an answer without a runtime.

use std::{
    cell::Cell,
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use crate::Error;

thread_local! {
    static IS_WORKER: Cell<bool> = const { Cell::new(false) };
}

/// Marks this thread as one that answers jobs.
pub(crate) fn become_worker() {
    IS_WORKER.set(true);
}

/// Whether this thread answers jobs, so that it must not wait for one.
pub(crate) fn is_worker() -> bool {
    IS_WORKER.get()
}

/// Refuses to wait for a job from inside a job: the thread could wait for itself.
pub(crate) fn refuse_nested() -> Result<(), Error> {
    if is_worker() {
        return Err(Error::Nested);
    }
    Ok(())
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future on this thread. Works inside a runtime too, where it holds up the
/// thread it is called on and nothing else: those who answer have their own threads.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    // Inside a task, tokio's budget would keep the future pending for ever.
    let mut future = pin!(tokio::task::unconstrained(future));
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
