//! What is known of changes at CUHK.

use std::time::Duration;

use tokio::time::Instant;

/// For how long what was verified before counts after the last word of CUHK.
pub(super) const TRUSTED: Duration = Duration::from_secs(5);

/// Counts the moments at which something may have changed: the status epoch or the
/// revocation lists did, or CUHK was out of touch for a while.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subscription {
    changes: u64,
    heard: Instant,
}

impl Subscription {
    /// Nothing is known yet.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            changes: 0,
            heard: now,
        }
    }

    /// CUHK has said something.
    pub(super) fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    /// Something may have changed.
    pub(super) fn changed(&mut self) {
        self.changes = self.changes.wrapping_add(1);
    }

    /// How often something may have changed.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// Whether CUHK has said something at or after this moment.
    pub(super) fn has_heard_since(&self, moment: Instant) -> bool {
        self.heard >= moment
    }

    /// Whether CUHK has been out of touch for so long that nothing verified before counts.
    pub(crate) fn is_stale(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.heard) > TRUSTED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_counts_after_five_seconds_without_a_word() {
        let now = Instant::now();
        let after = |seconds| now + Duration::from_secs(seconds);
        let mut subscription = Subscription::new(now);
        assert!(!subscription.is_stale(after(5)));
        assert!(subscription.is_stale(after(6)));
        subscription.heard(after(6));
        assert!(!subscription.is_stale(after(11)));
        assert!(subscription.is_stale(after(12)));
    }
}
