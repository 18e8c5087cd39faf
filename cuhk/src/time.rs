//! Arithmetic on times, which saturates instead of failing; and moments within a second.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls_pki_types::UnixTime;

/// `span` after `time`.
pub(crate) fn later(time: UnixTime, span: Duration) -> UnixTime {
    let seconds = time.as_secs().saturating_add(span.as_secs());
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

/// `span` before `time`, or 1970.
pub(crate) fn earlier(time: UnixTime, span: Duration) -> UnixTime {
    let seconds = time.as_secs().saturating_sub(span.as_secs());
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

/// The time now, since 1970, with the part of a second that this machine's clock has: what is done twice within
/// a second differs.
pub(crate) fn moment(now: UnixTime) -> Duration {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = Duration::from_secs(now.as_secs());
    since_1970.map_or(now, |since| since.max(now))
}
