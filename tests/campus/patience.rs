//! How long a test waits: patiently where nothing is promised, and else by what this machine can do now.

use std::time::{Duration, Instant};

/// Longer than anything here takes: reached only by a failing test.
pub const LONG: Duration = Duration::from_secs(60);

/// How long what CUHK has withdrawn, revoked or suspended may still count.
pub const PROMISED: Duration = Duration::from_secs(5);

/// What may come to a time that is promised: several times what the same takes while nothing is to be waited for.
pub fn usual<T>(does: impl FnOnce() -> T) -> Duration {
    let begun = Instant::now();
    does();
    4 * begun.elapsed()
}
