//! Arithmetic on times, which saturates instead of failing.

use std::time::Duration;

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
