//! How fast an upload goes and for how long, at the end of its progress bar.

use std::collections::VecDeque;
use std::fmt::Write;
use std::time::{Duration, Instant};

use indicatif::style::ProgressTracker;
use indicatif::{FormattedDuration, HumanBytes, ProgressState};

/// For so long nothing is told: the first megabytes only fill the buffers on the way, and say nothing of the link.
const FILLING: Duration = Duration::from_secs(1);
/// The pace is that of so much time.
const LOOKED_AT: Duration = Duration::from_secs(15);
/// Not more often is noted how far it is.
const APART: Duration = Duration::from_millis(250);

/// How far it was at which moment, the oldest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Pace(VecDeque<(Duration, u64)>);

/// So many bytes in a second, and the time that the others take then.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    rate: u64,
    left: Duration,
}

impl Pace {
    fn note(&mut self, at: Duration, sent: u64) {
        let last = self.0.back().map_or(FILLING, |(last, _)| *last + APART);
        if at < last {
            return;
        }
        self.0.push_back((at, sent));
        while self
            .0
            .get(1)
            .is_some_and(|(next, _)| *next + LOOKED_AT <= at)
        {
            self.0.pop_front();
        }
    }

    /// What is known after at least a second, and while anything goes at all.
    fn told(&self, at: Duration, sent: u64, total: u64) -> Option<Told> {
        let (from, before) = self.0.front()?;
        let took = at.checked_sub(*from).filter(|took| *took >= FILLING)?;
        let millis = u64::try_from(took.as_millis()).ok()?;
        let done = u128::from(sent.checked_sub(*before)?);
        let rate = u64::try_from(done * 1000 / u128::from(millis)).ok()?;
        let left = total.saturating_sub(sent).checked_div(rate)?;
        let left = Duration::from_secs(left);
        Some(Told { rate, left })
    }
}

impl ProgressTracker for Pace {
    fn clone_box(&self) -> Box<dyn ProgressTracker> {
        Box::new(self.clone())
    }

    fn tick(&mut self, state: &ProgressState, _: Instant) {
        self.note(state.elapsed(), state.pos());
    }

    fn reset(&mut self, _: &ProgressState, _: Instant) {
        self.0.clear();
    }

    fn write(&self, state: &ProgressState, to: &mut dyn Write) {
        let total = state.len().unwrap_or_default();
        if let Some(Told { rate, left }) = self.told(state.elapsed(), state.pos(), total) {
            let _ = write!(to, "{}/s  {}", HumanBytes(rate), FormattedDuration(left));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Of 60 MB, looked at every 10 ms until `end`.
    fn sent(until: u64, far: impl Fn(u64) -> u64) -> (Pace, Option<Told>) {
        let mut pace = Pace::default();
        for at in (0..=until).step_by(10) {
            pace.note(ms(at), far(at));
        }
        let told = pace.told(ms(until), far(until), 60_000_000);
        (pace, told)
    }

    #[test]
    fn what_fills_the_buffers_at_once_is_no_pace() {
        // 6 MB are gone at once, then 3 MB in each second.
        let far = |at| 6_000_000 + 3_000 * at;
        for nothing_yet in [0, 500, 1_000, 1_900] {
            assert_eq!(sent(nothing_yet, far).1, None, "{nothing_yet}");
        }
        for (at, left) in [(2_000, 16), (5_000, 13), (17_000, 1)] {
            let rate = 3_000_000;
            let left = Duration::from_secs(left);
            assert_eq!(sent(at, far).1, Some(Told { rate, left }), "{at}");
        }
    }

    #[test]
    fn it_is_that_of_the_last_seconds() {
        let slower = |at: u64| 1_000 * at.min(20_000) + 100 * at.saturating_sub(20_000);
        let (pace, told) = sent(40_000, slower);
        assert_eq!(told.map(|told| told.rate), Some(100_000));
        assert!(pace.0.len() < 64, "{}", pace.0.len());
    }

    #[test]
    fn where_nothing_goes_nothing_is_told() {
        assert_eq!(sent(30_000, |_| 5_000_000).1, None);
    }

    #[test]
    fn what_was_there_before_is_not_sent_now() {
        let rest = |at| 40_000_000 + 1_000 * at;
        let (rate, left) = (1_000_000, Duration::from_secs(15));
        assert_eq!(sent(5_000, rest).1, Some(Told { rate, left }));
    }
}
