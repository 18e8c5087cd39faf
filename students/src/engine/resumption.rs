//! Going on by itself when the connection breaks while files are on their way.
//!
//! What was signed and recorded stays as it is: another connection asks Blackboard how much it has
//! and sends the rest. As long as it has more each time, this goes on; otherwise it comes to an end.

use std::time::Duration;

use scb_protocol::{Code, Refusal, Step};

use super::patience::{USUAL, jitter};
use crate::{Error, Event, Observer};

/// Attempts in a row that bring nothing, the one that was interrupted included.
const FRUITLESS: u32 = 6;
/// Before the second attempt; before each further one it is twice as long.
const FIRST: Duration = Duration::from_millis(500);
/// Longest time between two attempts.
const LONGEST: Duration = Duration::from_secs(10);

/// How an upload fares that was interrupted.
#[derive(Debug)]
pub(super) struct Resumption {
    /// Most that Blackboard has said it has, in bytes.
    most: Option<u64>,
    /// Attempts in a row since then, which all failed.
    fruitless: u32,
    /// How long it has waited since then, and may wait.
    waited: Duration,
    patience: Duration,
}

impl Resumption {
    /// `patience` as for [`super::patience::Patience::new`]; with none at all nobody connects again.
    pub(super) fn new(patience: Option<Duration>) -> Self {
        Self {
            most: None,
            fruitless: 0,
            waited: Duration::ZERO,
            patience: patience.unwrap_or(USUAL),
        }
    }

    /// Waits a little if `error` interrupted an upload that is worth another connection. `there` is
    /// what Blackboard had of it at the last one; `None` if nothing has been recorded.
    ///
    /// # Errors
    ///
    /// The error itself, or `connection_lost` after too many attempts that brought nothing.
    pub(super) async fn wait(
        &mut self,
        error: Error,
        there: Option<u64>,
        observer: &mut Observer<'_>,
    ) -> Result<(), Error> {
        let (refusal, there) = match (error, there) {
            (Error::Refused(refusal), Some(there)) if is_interruption(refusal.code) => {
                (refusal, there)
            }
            (error, _) => return Err(error),
        };
        self.count(there);
        let Some(pause) = self.pause() else {
            return Err(self.given_up(refusal).into());
        };
        // Told once: the attempts that follow until something has come are the same interruption.
        if self.fruitless == 1 {
            observer(&Event::Interrupted { code: refusal.code });
        }
        self.waited += pause;
        tokio::time::sleep(pause + jitter()).await;
        Ok(())
    }

    /// An attempt has failed before which so much was there.
    fn count(&mut self, there: u64) {
        if self.most.is_none_or(|most| there > most) {
            self.most = Some(there);
            self.fruitless = 0;
            self.waited = Duration::ZERO;
        }
        self.fruitless = self.fruitless.saturating_add(1);
    }

    /// How long to wait before the next attempt; `None` if there is none.
    fn pause(&self) -> Option<Duration> {
        let doubled = FIRST.saturating_mul(2_u32.saturating_pow(self.fruitless - 1));
        let pause = doubled.min(LONGEST);
        let goes_on = self.fruitless < FRUITLESS && self.waited + pause <= self.patience;
        goes_on.then_some(pause)
    }

    /// What to do is the same whatever the last attempt failed of.
    fn given_up(&self, last: Refusal) -> Refusal {
        if self.fruitless == 1 {
            return last;
        }
        let lost = Refusal::new(Code::ConnectionLost, Step::Six).with("attempts", self.fruitless);
        match last.code {
            Code::ConnectionLost => lost,
            code => lost.with("last", code.as_str()),
        }
    }
}

/// Whether another connection goes on with it.
pub(super) fn is_worth_another(error: &Error) -> bool {
    matches!(error, Error::Refused(refusal) if is_interruption(refusal.code))
}

/// Whether what was recorded is as good as before, and only the way there is gone.
fn is_interruption(code: Code) -> bool {
    matches!(
        code,
        Code::ConnectionLost | Code::ConnectionFailed | Code::Timeout | Code::ShuttingDown
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// What comes of it, and whether it was told.
    fn after(
        resumption: &mut Resumption,
        code: Code,
        there: Option<u64>,
    ) -> (Result<(), Error>, bool) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let (error, mut told) = (Refusal::new(code, Step::Three).into(), false);
        let mut observer = |_: &Event| told = true;
        let waited = resumption.wait(error, there, &mut observer);
        (runtime.block_on(waited), told)
    }

    fn refused(result: Result<(), Error>) -> Refusal {
        match result.unwrap_err() {
            Error::Refused(refusal) => refusal,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn goes_on_as_long_as_more_has_come_and_tells_each_interruption_once() {
        let mut resumption = Resumption::new(None);
        for there in 0..20 {
            let (result, told) = after(&mut resumption, Code::ConnectionLost, Some(there));
            result.unwrap();
            assert!(told);
            let (result, told) = after(&mut resumption, Code::ConnectionFailed, Some(there));
            result.unwrap();
            assert!(!told);
        }
    }

    #[test]
    fn gives_up_after_so_many_attempts_that_brought_nothing() {
        let mut resumption = Resumption::new(None);
        for _ in 1..FRUITLESS {
            after(&mut resumption, Code::Timeout, Some(7)).0.unwrap();
        }
        let last = refused(after(&mut resumption, Code::ConnectionFailed, Some(7)).0);
        assert_eq!((last.code, last.step), (Code::ConnectionLost, Step::Six));
        assert_eq!(last.params["attempts"], "6");
        assert_eq!(last.params["last"], "connection_failed");
    }

    #[test]
    fn waits_no_longer_than_it_may() {
        let mut none = Resumption::new(Some(Duration::ZERO));
        let refusal = refused(after(&mut none, Code::Timeout, Some(7)).0);
        assert_eq!((refusal.code, refusal.step), (Code::Timeout, Step::Three));
        let mut little = Resumption::new(Some(3 * FIRST));
        for _ in 0..2 {
            let lost = after(&mut little, Code::ConnectionLost, Some(7));
            lost.0.unwrap();
        }
        let lost = refused(after(&mut little, Code::ConnectionLost, Some(7)).0);
        assert_eq!(lost.params["attempts"], "3");
    }

    #[test]
    fn whatever_is_no_interruption_of_an_upload_stays_as_it_is() {
        let mut resumption = Resumption::new(None);
        for (code, there) in [
            (Code::ConnectionLost, None),
            (Code::ConnectionFailed, None),
            (Code::UploadExpired, Some(7)),
            (Code::StorageFull, Some(7)),
        ] {
            let (result, told) = after(&mut resumption, code, there);
            assert_eq!((refused(result).code, told), (code, false));
        }
    }
}
