//! Waiting for a server that has no time: visibly, and not for ever.

use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use scb_protocol::{Code, Refusal};

use crate::{Error, Event, Observer};

/// How long one command waits in all unless told otherwise.
pub(super) const USUAL: Duration = Duration::from_secs(120);
/// How long to wait for a server that does not say how long, in seconds.
const PAUSE: u32 = 2;
/// Most that a server may ask for at a time, in seconds.
const LONGEST: u32 = 60;
const SECOND: Duration = Duration::from_secs(1);

/// What is left of the time that a command may spend waiting.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    left: Duration,
    /// Also for servers that are away or stopping.
    stubborn: bool,
    waited: bool,
}

impl Patience {
    /// `wanted` is what the command line says: so long in all, and also for a server that is
    /// away. Otherwise only for one that says that it is busy.
    pub(super) fn new(wanted: Option<Duration>) -> Self {
        Self {
            left: wanted.unwrap_or(USUAL),
            stubborn: wanted.is_some(),
            waited: false,
        }
    }

    /// Waits for nobody.
    pub(super) fn none() -> Self {
        Self::new(Some(Duration::ZERO))
    }

    /// Waits if trying again is safe and worth it. Everything that is tried again here is the
    /// same request, with the same key or the same submission ID: nothing is done twice.
    ///
    /// # Errors
    ///
    /// The error itself, if it is final or there is no time left.
    pub(super) async fn wait(
        &mut self,
        error: Error,
        observer: &mut Observer<'_>,
    ) -> Result<(), Error> {
        match &error {
            Error::Refused(refusal) if self.is_worth_it(refusal) => {
                let asked = refusal.retry_after.unwrap_or(PAUSE).clamp(1, LONGEST);
                if Duration::from_secs(asked.into()) > self.left {
                    return Err(error);
                }
                self.count_down(refusal, asked, observer).await;
                Ok(())
            }
            _ => Err(error),
        }
    }

    async fn count_down(&mut self, refusal: &Refusal, asked: u32, observer: &mut Observer<'_>) {
        for left in (1..=asked).rev() {
            observer(&Event::Waiting {
                step: refusal.step,
                code: refusal.code,
                left,
                asked,
            });
            tokio::time::sleep(SECOND).await;
        }
        tokio::time::sleep(jitter()).await;
        self.left = self.left.saturating_sub(Duration::from_secs(asked.into()));
        self.waited = true;
    }

    fn is_worth_it(&self, refusal: &Refusal) -> bool {
        match refusal.code {
            Code::Busy => true,
            code if code.is_for_everybody() => self.stubborn,
            Code::ConnectionLost | Code::ShuttingDown => self.stubborn,
            // Nobody there at the first attempt is a wrong address; later, a restart.
            Code::ConnectionFailed => self.stubborn && self.waited,
            _ => false,
        }
    }
}

/// Up to half a second, so that those who were turned away together do not come back together.
pub(super) fn jitter() -> Duration {
    let mut byte = [0];
    // Without randomness there is no jitter; the wait itself does not depend on it.
    let _ = SystemRandom::new().fill(&mut byte);
    Duration::from_millis(2 * u64::from(byte[0]))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_protocol::Step;

    use super::*;

    /// Whether it waits, and how often it says so.
    fn waits(patience: &mut Patience, refusal: Refusal) -> (bool, usize) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let mut said = 0;
        let error = Error::from(refusal);
        let waited = runtime.block_on(patience.wait(error, &mut |_| said += 1));
        (waited.is_ok(), said)
    }

    fn refusal(code: Code) -> Refusal {
        Refusal::new(code, Step::Three).retry_after(1)
    }

    #[test]
    fn waits_for_a_busy_server_as_long_as_it_asks() {
        let mut patience = Patience::new(None);
        assert_eq!(waits(&mut patience, refusal(Code::Busy)), (true, 1));
        assert_eq!(patience.left, USUAL - SECOND);
    }

    #[test]
    fn does_not_wait_longer_than_there_is_time() {
        let mut patience = Patience::new(Some(SECOND));
        assert_eq!(waits(&mut patience, refusal(Code::Busy)), (true, 1));
        assert_eq!(waits(&mut patience, refusal(Code::Busy)), (false, 0));
        let mut none = Patience::new(Some(Duration::ZERO));
        assert_eq!(waits(&mut none, refusal(Code::Busy)), (false, 0));
    }

    #[test]
    fn waits_for_a_server_that_is_away_only_if_told_to() {
        for code in [
            Code::CuhkUnavailable,
            Code::StatusUnavailable,
            Code::ServiceUncertified,
            Code::ConnectionLost,
        ] {
            assert!(!waits(&mut Patience::new(None), refusal(code)).0, "{code}");
            let mut stubborn = Patience::new(Some(USUAL));
            assert!(waits(&mut stubborn, refusal(code)).0, "{code}");
            assert!(waits(&mut stubborn, refusal(Code::ConnectionFailed)).0);
        }
        let mut stubborn = Patience::new(Some(USUAL));
        assert!(!waits(&mut stubborn, refusal(Code::ConnectionFailed)).0);
        assert!(!waits(&mut stubborn, refusal(Code::ProofInvalid)).0);
    }
}
