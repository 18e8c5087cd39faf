//! The time by which a run goes: this machine's, corrected by what a server has told over a
//! connection on which it had proved itself.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rustls_pki_types::UnixTime;
use scb_protocol::{Code, Refusal, Step, from_seconds};
use scb_transport::Clock;

use super::Setup;
use crate::words::Words;
use crate::{ClockOffset, Error};

/// What a run knows of the servers' time.
#[derive(Debug, Default)]
pub(super) struct HeardTime {
    correction: Correction,
    /// How far the clock here is from the server's that was heard last.
    offset: Option<ClockOffset>,
    /// In which somebody is warned, who was not yet.
    words: Option<Words>,
}

/// Seconds that are added to the clock here.
#[derive(Clone, Debug, Default)]
struct Correction(Arc<AtomicI64>);

impl Correction {
    fn seconds(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    fn apply(&self, here: UnixTime) -> UnixTime {
        from_seconds(here.as_secs().saturating_add_signed(self.seconds()))
    }

    fn undo(&self, now: UnixTime) -> UnixTime {
        from_seconds(now.as_secs().saturating_add_signed(-self.seconds()))
    }

    fn set(&self, offset: ClockOffset) {
        self.0.store(offset.behind(), Ordering::SeqCst);
    }
}

#[derive(Debug)]
struct Corrected {
    here: Arc<dyn Clock>,
    by: Correction,
}

impl Clock for Corrected {
    fn now(&self) -> UnixTime {
        self.by.apply(self.here.now())
    }
}

impl Setup {
    /// A clock that shows this one's time until a server has told its own.
    pub(crate) fn corrected(&self, here: Arc<dyn Clock>) -> Arc<dyn Clock> {
        let by = self.heard.correction.clone();
        Arc::new(Corrected { here, by })
    }

    /// Whoever is at the keyboard is told once, on standard error, if the clock here is off.
    pub(crate) fn warn_of_clock(&mut self, words: Words) {
        self.heard.words = Some(words);
    }

    /// Takes note of the time that a server said, which this run goes by from now on. `now` is what
    /// the corrected clock shows.
    ///
    /// # Errors
    ///
    /// [`Error::ClockOff`] if the clock here is too far from it; `server_misbehaved` if it is neither the
    /// time here nor that of the server before.
    pub(crate) fn hear_time(
        &mut self,
        step: Step,
        now: UnixTime,
        server: u64,
    ) -> Result<(), Error> {
        let here = self.heard.correction.undo(now);
        let (offset, since) = (
            ClockOffset::between(here, server),
            ClockOffset::between(now, server),
        );
        let is_first = self.heard.offset.replace(offset).is_none();
        if offset.is_hopeless() {
            return Err(Error::ClockOff(offset));
        }
        // Whoever has set the clock meanwhile agrees with the server again.
        if !is_first && since.is_disagreement() && offset.is_disagreement() {
            return Err(Refusal::new(Code::ServerMisbehaved, step)
                .with("reason", "its time is not that of the other server")
                .into());
        }
        self.heard.correction.set(offset);
        self.warn(offset);
        Ok(())
    }

    /// How far the clock here is from the server's that was heard last.
    pub fn clock_offset(&self) -> Option<ClockOffset> {
        self.heard.offset
    }

    fn warn(&mut self, offset: ClockOffset) {
        if offset.is_allowed() {
            return;
        }
        if let Some(words) = self.heard.words.take() {
            // A warning that cannot be shown stops nothing.
            let _ = writeln!(std::io::stderr(), "{}", words.goes_by_server(offset));
        }
    }
}
