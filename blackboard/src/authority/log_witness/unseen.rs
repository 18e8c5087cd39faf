//! Which logs CUHK, as it is now, may not know: it may have been put back from a backup. Until it does, an old
//! backup of this server would not be noticed.

use std::collections::BTreeSet;

use scb_cli::with_causes;
use scb_protocol::log_leaf::LogName;

use super::LogWitness;

impl LogWitness {
    /// Those of which CUHK has cosigned something and has not said since it is connected that it has seen that.
    fn unseen(&self) -> BTreeSet<LogName> {
        let logs = self.logs.all().into_iter().map(|(name, _)| name);
        logs.filter(|name| {
            let cosigned = self.witnessed.newest(name);
            let seen = self.known.get(name).and_then(|known| known.seen);
            cosigned.is_some_and(|newest| seen.is_none_or(|seen| seen < newest.checkpoint.size()))
        })
        .collect()
    }

    /// Tells which, and writes it down for commands, if others are unseen than before. Where that cannot be written
    /// it is logged once, and keeps CUHK from nothing.
    pub(super) async fn note_unseen(&mut self) {
        let unseen = self.unseen();
        if self.noted.as_ref() == Some(&unseen) {
            return;
        }
        let now = self.dialer.now();
        let kept = self.store.keep_unseen(unseen.clone(), now).await;
        // Whoever is told that there are none left finds none written down.
        self.witnessed.tally().unseen(unseen.clone());
        match kept {
            Ok(()) => (self.noted, self.is_unnoted) = (Some(unseen), false),
            Err(error) if !std::mem::replace(&mut self.is_unnoted, true) => tracing::error!(
                "cannot note which logs CUHK may not know: {}",
                with_causes(&error)
            ),
            Err(_) => {}
        }
    }
}
