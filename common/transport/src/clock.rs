//! Where a server takes the time from.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::time_provider::TimeProvider;
use rustls_pki_types::UnixTime;

/// A source of wall-clock time, in seconds since 1970-01-01 UTC.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> UnixTime;
}

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    /// A clock set before 1970 reads as 0, at which no certificate is valid.
    fn now(&self) -> UnixTime {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        UnixTime::since_unix_epoch(since.unwrap_or(Duration::ZERO))
    }
}

/// A clock that asks a function, for tests that set the time.
#[derive(Clone, Copy)]
pub struct ClockFn<F>(pub F);

impl<F: Fn() -> UnixTime + Send + Sync + 'static> Clock for ClockFn<F> {
    fn now(&self) -> UnixTime {
        (self.0)()
    }
}

impl<F> fmt::Debug for ClockFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClockFn(..)")
    }
}

/// Our clock, as rustls wants it.
#[derive(Debug)]
pub(crate) struct TlsTime(pub(crate) Arc<dyn Clock>);

impl TimeProvider for TlsTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(self.0.now())
    }
}
