//! A clock that stands still until a test moves it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustls_pki_types::UnixTime;

/// Where [`FixedClock::default`] begins: 2026-03-02 04:00:00 UTC, a Monday noon in Hong Kong.
const BEGINNING: u64 = 1_772_424_000;

/// A clock that stands still until it is set. Clones show the same time.
#[derive(Debug, Clone)]
pub struct FixedClock(Arc<AtomicU64>);

impl Default for FixedClock {
    fn default() -> Self {
        Self::new(UnixTime::since_unix_epoch(Duration::from_secs(BEGINNING)))
    }
}

impl FixedClock {
    /// Shows `now`.
    pub fn new(now: UnixTime) -> Self {
        Self(Arc::new(AtomicU64::new(now.as_secs())))
    }

    /// The time it shows.
    pub fn now(&self) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(self.0.load(Ordering::SeqCst)))
    }

    /// Shows `now` from here on.
    pub fn set(&self, now: UnixTime) {
        self.0.store(now.as_secs(), Ordering::SeqCst);
    }

    /// Moves forward, by whole seconds.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_secs(), Ordering::SeqCst);
    }

    /// Moves back, by whole seconds.
    pub fn rewind(&self, by: Duration) {
        self.0.fetch_sub(by.as_secs(), Ordering::SeqCst);
    }

    /// A function that reads it, from which other crates make clocks of their own kind.
    pub fn reader(&self) -> impl Fn() -> UnixTime + Clone + Send + Sync + 'static {
        let clock = self.clone();
        move || clock.now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stands_still_until_moved() {
        let clock = FixedClock::default();
        let read = clock.reader();
        assert_eq!(read(), clock.now());
        clock.advance(Duration::from_secs(90));
        assert_eq!(read().as_secs(), BEGINNING + 90);
        clock.rewind(Duration::from_secs(100));
        assert_eq!(read().as_secs(), BEGINNING - 10);
    }
}
