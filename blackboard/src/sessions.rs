//! Limits how many idle connections each student may hold open.
//!
//! A new connection beyond the limit is let in, and the oldest idle one of the same student is closed.
//! Refusing the new one instead would let anybody with a copy of a key keep its owner out. A connection on
//! which something is going on is never closed for another one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use scb_certs::StudentId;
use tokio::sync::Notify;

/// Connections that one student may leave open without a word: three devices, each with ten windows.
pub(crate) const MOST_IDLE: usize = 32;

/// Who waits, by the student whose certificate opened the connection, the longest first.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<HashMap<StudentId, Vec<Arc<Notify>>>>);

/// A connection on which the next message is waited for, until this is dropped.
#[derive(Debug)]
pub(crate) struct Idle<'a> {
    sessions: &'a Sessions,
    sid: StudentId,
    closed: Arc<Notify>,
}

impl Sessions {
    /// A connection of this student waits from now on. If it is one too many, the one that has waited
    /// longest is told.
    pub(crate) fn wait(&self, sid: &StudentId) -> Idle<'_> {
        let closed = Arc::new(Notify::new());
        let mut waiting = self.waiting();
        let own = waiting.entry(sid.clone()).or_default();
        own.push(Arc::clone(&closed));
        if own.len() > MOST_IDLE {
            own.remove(0).notify_one();
        }
        Idle {
            sessions: self,
            sid: sid.clone(),
            closed,
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<StudentId, Vec<Arc<Notify>>>> {
        // What a panic may have left behind is a list still.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Idle<'_> {
    /// Ends when this connection is to be closed, as the student has opened too many since. Cancel-safe.
    pub(crate) async fn displaced(&self) {
        self.closed.notified().await;
    }
}

impl Drop for Idle<'_> {
    fn drop(&mut self) {
        let mut waiting = self.sessions.waiting();
        if let Some(own) = waiting.get_mut(&self.sid) {
            own.retain(|one| !Arc::ptr_eq(one, &self.closed));
            if own.is_empty() {
                waiting.remove(&self.sid);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn is_displaced(idle: &Idle<'_>) -> bool {
        idle.displaced().now_or_never().is_some()
    }

    #[test]
    fn the_one_that_has_waited_longest_goes_and_nobody_elses() {
        let sessions = Sessions::default();
        let [one, other] = ["1155000001", "1155000002"].map(|sid| sid.parse().unwrap());
        let of_other = sessions.wait(&other);
        let idle: Vec<_> = (0..MOST_IDLE).map(|_| sessions.wait(&one)).collect();
        assert!(!idle.iter().any(is_displaced));
        let next = sessions.wait(&one);
        assert!(is_displaced(&idle[0]));
        assert!(!idle[1..].iter().any(is_displaced));
        assert!(!is_displaced(&next) && !is_displaced(&of_other));
    }

    #[test]
    fn what_waits_no_more_takes_no_place() {
        let sessions = Sessions::default();
        let sid = "1155000001".parse().unwrap();
        let idle: Vec<_> = (0..MOST_IDLE).map(|_| sessions.wait(&sid)).collect();
        for _ in 0..100 {
            drop(sessions.wait(&sid));
        }
        // The first of these was one too many, and the next ones have its place.
        assert!(is_displaced(&idle[0]));
        assert!(!idle[1..].iter().any(is_displaced));
        drop(idle);
        assert!(sessions.waiting().is_empty());
        let again: Vec<_> = (0..MOST_IDLE).map(|_| sessions.wait(&sid)).collect();
        assert!(!again.iter().any(is_displaced));
    }
}
