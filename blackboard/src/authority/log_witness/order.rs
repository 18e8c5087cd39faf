//! In which order logs are shown to CUHK.

use std::sync::Arc;

use scb_protocol::log_leaf::LogName;
use scb_storage::PublishedLog;

use super::LogWitness;

/// When a log has its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Turn {
    /// It has entries that CUHK has never cosigned: somebody waits for a receipt.
    Grown,
    /// It is not known yet whether CUHK, as it is now, has seen all of it.
    Unseen,
    /// It has.
    Through,
}

impl LogWitness {
    /// All logs: first those for which receipts wait, then those that were not compared with what CUHK has
    /// seen since it is connected. It may have been put back from a backup, and then there are many.
    pub(super) fn in_order(&self) -> Vec<(Turn, LogName, Arc<PublishedLog>)> {
        let turn = |(name, log): (LogName, Arc<PublishedLog>)| {
            let size = log.published().checkpoint.head().size;
            let cosigned = self.witnessed.newest(&name);
            let cosigned = cosigned.map_or(0, |newest| newest.checkpoint.size());
            let seen = self.known.get(&name).and_then(|known| known.seen);
            let turn = match (size > cosigned, seen.is_some_and(|seen| seen >= size)) {
                _ if size == 0 => Turn::Through,
                (true, _) => Turn::Grown,
                (false, false) => Turn::Unseen,
                (false, true) => Turn::Through,
            };
            (turn, name, log)
        };
        let mut all: Vec<_> = self.logs.all().into_iter().map(turn).collect();
        all.sort_by_key(|(turn, ..)| *turn);
        all
    }
}
