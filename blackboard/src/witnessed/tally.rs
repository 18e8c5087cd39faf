//! What came of asking the witnesses, in numbers: for whoever looks after this server.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use scb_protocol::log_leaf::LogName;

/// How CUHK is called among the witnesses.
pub(crate) const CUHK: &str = "cuhk";
/// What is counted of a checkpoint that was cosigned; otherwise it is a code, or a word, for why not.
pub(crate) const COSIGNED: &str = "cosigned";

/// Counts since the start. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally(Arc<Mutex<Counts>>);

/// What was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// How many requests came to what end, by witness and end.
    pub(crate) requests: BTreeMap<(String, &'static str), u64>,
    /// When each witness cosigned last, by its own clock, in seconds since 1970.
    pub(crate) last: BTreeMap<String, u64>,
    /// Of how many logs it is not known that CUHK, as it is now, has seen all.
    pub(crate) left: usize,
    /// Those of them of which it has cosigned something that it may not know any more.
    pub(crate) unseen: BTreeSet<LogName>,
}

impl Tally {
    /// A request to this witness came to this end.
    pub(crate) fn count(&self, witness: &str, end: &'static str) {
        let mut counts = self.counts();
        *counts
            .requests
            .entry((witness.to_owned(), end))
            .or_default() += 1;
    }

    /// A witness cosigned at this time, by its own clock: in this run or an earlier one.
    pub(crate) fn cosigned(&self, witness: &str, at: u64) {
        let mut counts = self.counts();
        let last = counts.last.entry(witness.to_owned()).or_default();
        *last = at.max(*last);
    }

    /// Of so many logs it is not known that CUHK has seen all.
    pub(crate) fn left(&self, logs: usize) {
        self.counts().left = logs;
    }

    /// CUHK, as it is now, may not know what it has cosigned of these logs.
    pub(crate) fn unseen(&self, logs: BTreeSet<LogName>) {
        self.counts().unseen = logs;
    }

    /// What was counted until now.
    pub(crate) fn so_far(&self) -> Counts {
        self.counts().clone()
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        // What a panic may have left behind is counted.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_witness_and_end_and_keeps_the_last_time() {
        let tally = Tally::default();
        for end in [COSIGNED, "timeout", COSIGNED] {
            tally.clone().count(CUHK, end);
        }
        tally.count("library.example/w", COSIGNED);
        for at in [5, 9, 7] {
            tally.cosigned(CUHK, at);
        }
        let counts = tally.so_far();
        let of = |witness: &str, end| counts.requests[&(witness.to_owned(), end)];
        assert_eq!((of(CUHK, COSIGNED), of(CUHK, "timeout")), (2, 1));
        assert_eq!(of("library.example/w", COSIGNED), 1);
        assert_eq!(counts.last[CUHK], 9);
    }
}
