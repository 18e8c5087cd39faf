//! A bounded queue of jobs that is drained before its consumers end.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use crate::Error;

/// Where callers leave jobs.
pub(crate) struct Queue<J> {
    capacity: usize,
    state: Mutex<State<J>>,
    changed: Condvar,
}

struct State<J> {
    jobs: VecDeque<J>,
    closed: bool,
    consumers: usize,
}

impl<J> Queue<J> {
    pub(crate) fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self {
            capacity,
            state: Mutex::new(State {
                jobs: VecDeque::new(),
                closed: false,
                consumers: 0,
            }),
            changed: Condvar::new(),
        })
    }

    /// Leaves a job; never waits.
    pub(crate) fn push(&self, job: J) -> Result<(), Error> {
        let mut state = self.lock();
        if state.closed {
            return Err(Error::Closed);
        }
        if state.jobs.len() >= self.capacity {
            return Err(Error::Busy);
        }
        state.jobs.push_back(job);
        self.changed.notify_one();
        Ok(())
    }

    /// Takes no more jobs. What waits is still done.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    pub(crate) fn consumer(self: &Arc<Self>) -> Consumer<J> {
        self.lock().consumers += 1;
        Consumer(Arc::clone(self))
    }

    // No job runs under the lock, so a poisoned state is still whole.
    fn lock(&self) -> MutexGuard<'_, State<J>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One end that jobs come out of. When the last one goes, even by a panic, the queue is
/// closed and what waits is dropped, so that no caller waits for ever.
pub(crate) struct Consumer<J>(Arc<Queue<J>>);

impl<J> Consumer<J> {
    /// Waits for a job and takes up to `most` of those that wait, in order. Empty only
    /// when the queue is closed and drained.
    pub(crate) fn take(&self, most: usize) -> Vec<J> {
        let state = self.0.lock();
        let mut state = self
            .0
            .changed
            .wait_while(state, |state| state.jobs.is_empty() && !state.closed)
            .unwrap_or_else(PoisonError::into_inner);
        let count = most.min(state.jobs.len());
        state.jobs.drain(..count).collect()
    }
}

impl<J> Drop for Consumer<J> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.consumers -= 1;
        if state.consumers > 0 {
            return;
        }
        state.closed = true;
        let orphans = std::mem::take(&mut state.jobs);
        drop(state);
        drop(orphans);
    }
}
