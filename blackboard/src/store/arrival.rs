//! When something that was signed had come, and by which moment it is judged and recorded.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_protocol::from_seconds;
use scb_protocol::log_leaf::MAX_STEP_BACK;
use scb_protocol::receipt::earliest_entry;
use scb_transport::Clock;

/// For so many seconds CUHK's answer is waited for, and a little. Less than what clocks are set by: the next entry
/// of a log may be so much older than the last one.
const ASKED: u64 = 3;

/// What came so many seconds ago is entered by now, whatever CUHK took: a little more than it is waited for.
const SETTLES: u64 = MAX_STEP_BACK;
const _: () = assert!(
    SETTLES > ASKED,
    "what came is entered as of then for so long"
);

/// The last moment of which everything that came is entered by now. What follows from nothing having come, a log
/// says of no later one.
pub(super) fn settled(now: UnixTime) -> UnixTime {
    from_seconds(now.as_secs().saturating_sub(SETTLES))
}

/// From when on everything is entered that came up to that moment.
pub(super) fn settles_at(moment: UnixTime) -> UnixTime {
    from_seconds(moment.as_secs().saturating_add(SETTLES))
}

/// When it had come, by the clock that counts.
#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    came: UnixTime,
    clock: Arc<dyn Clock>,
}

impl Arrival {
    /// It came then.
    pub(crate) fn new(came: UnixTime, clock: Arc<dyn Clock>) -> Self {
        Self { came, clock }
    }

    /// As if it had come just now.
    pub(crate) fn just_now(self) -> Self {
        let came = self.clock.now();
        Self { came, ..self }
    }

    /// What was signed, by the moment that counts of it.
    pub(super) fn dates<T: Arriving>(&self, signed: T) -> Dated<T> {
        let at = self.moment(signed.assurance());
        let window = signed.upload_window().as_secs();
        Dated {
            signed,
            at,
            upload_until: from_seconds(at.as_secs().saturating_add(window)),
        }
    }

    /// The moment that counts: that one, where nothing but CUHK's answer was waited for since; now, if it took
    /// longer. Nobody is late because CUHK hangs. By what CUHK said, which is in the entry as well, its clock
    /// shows that it is no earlier: behind an entry of before that it could not stand.
    fn moment(&self, assurance: &str) -> UnixTime {
        let now = self.clock.now();
        if now.as_secs().saturating_sub(self.came.as_secs()) > ASKED {
            return now;
        }
        let earliest = earliest_entry(assurance).unwrap_or(self.came);
        self.came.max(earliest).min(now)
    }
}

/// What members have signed, and comes to be recorded.
pub(super) trait Arriving {
    /// What CUHK said of those who signed it.
    fn assurance(&self) -> &str;
    /// For how long its files may come after that.
    fn upload_window(&self) -> Duration;
}

/// What was signed, with when that was.
#[derive(Debug, Clone)]
pub(super) struct Dated<T> {
    signed: T,
    /// When it is recorded.
    pub(super) at: UnixTime,
    /// Until when its files may come.
    pub(super) upload_until: UnixTime,
}

impl<T> Dated<T> {
    /// Recorded no earlier than at that moment, with as much time for its files.
    pub(super) fn put_off(&mut self, moment: UnixTime) {
        let later = moment.as_secs().saturating_sub(self.at.as_secs());
        let add = |time: UnixTime| from_seconds(time.as_secs().saturating_add(later));
        (self.at, self.upload_until) = (add(self.at), add(self.upload_until));
    }
}

impl<T> Deref for Dated<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.signed
    }
}
