//! How far this machine's clock is from CUHK's, by CUHK's answers.
//!
//! A few seconds already decide who is late. Beyond a minute no hand-in would be accepted at all.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use rustls_pki_types::UnixTime;
use scb_protocol::{Assurance, CLOCK_SKEW, Refusal, clock_ahead, clock_ahead_in, in_words};

/// From how many seconds on it is remarked: students are judged by this clock to the second.
const REMARKED: u64 = 5;

/// What the last answer told; none of the answers is older than the question.
#[derive(Debug, Default)]
pub(crate) struct Clocks(Mutex<Option<Seen>>);

#[derive(Debug, Clone, Copy)]
struct Seen {
    /// By how many seconds this clock was ahead.
    ahead: i64,
    /// What it said then.
    now: UnixTime,
    at: Instant,
    /// What was remarked of it last; nothing of a clock that is right.
    remarked: Option<i64>,
}

impl Clocks {
    /// Takes note of an answer, whether it was accepted or not. The log is told once when the clocks come
    /// apart, again when it gets worse, and when it is over.
    pub(crate) fn note(&self, judged: Result<&Assurance, &Refusal>, now: UnixTime) {
        let ahead = match judged {
            Ok(assurance) => assurance
                .verification()
                .map(|answer| clock_ahead(answer.issued_at(), now)),
            Err(refusal) => clock_ahead_in(refusal),
        };
        if let Some(ahead) = ahead {
            self.saw(ahead, now, Instant::now());
        }
    }

    fn saw(&self, ahead: i64, now: UnixTime, at: Instant) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = seen.and_then(|seen| seen.remarked);
        let remarked = match (ahead.unsigned_abs() > REMARKED, before) {
            (true, Some(before)) if ahead.abs_diff(before) <= REMARKED => Some(before),
            (true, _) => {
                tracing::warn!("{}", told(ahead));
                Some(ahead)
            }
            (false, Some(_)) => {
                tracing::info!("this machine's clock is CUHK's again");
                None
            }
            (false, None) => None,
        };
        *seen = Some(Seen {
            ahead,
            now,
            at,
            remarked,
        });
    }

    /// By how many seconds this clock, which says `now`, is ahead of CUHK's: what the last answer told, and by
    /// how much it was set since.
    pub(crate) fn ahead(&self, now: UnixTime) -> Option<i64> {
        self.ahead_at(now, Instant::now())
    }

    fn ahead_at(&self, now: UnixTime, at: Instant) -> Option<i64> {
        let seen = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.map(|seen| {
            let passed = at.saturating_duration_since(seen.at).as_secs();
            let passed = i64::try_from(passed).unwrap_or(i64::MAX);
            let set = clock_ahead(seen.now, now).saturating_sub(passed);
            // Seconds are whole here and there.
            let set = if set.unsigned_abs() <= 1 { 0 } else { set };
            seen.ahead.saturating_add(set)
        })
    }

    /// Why nothing is taken, if the clocks are so far apart.
    pub(crate) fn ailment(&self, now: UnixTime) -> Option<String> {
        let ahead = self.ahead(now);
        let far = ahead.filter(|ahead| ahead.unsigned_abs() > CLOCK_SKEW);
        far.map(told)
    }
}

fn told(ahead: i64) -> String {
    let side = if ahead > 0 { "ahead of" } else { "behind" };
    let apart = ahead.unsigned_abs();
    let follows = match apart > CLOCK_SKEW {
        true => "nothing is taken until it is set",
        false => "students are judged by it to the second",
    };
    let apart = in_words(apart);
    format!("this machine's clock is {apart} {side} CUHK's: {follows} (timedatectl)")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use scb_protocol::from_seconds;

    use super::*;

    const NOW: u64 = 1_795_262_400;

    #[test]
    fn what_the_last_answer_told_counts_until_the_clock_is_set() {
        let (clocks, at) = (Clocks::default(), Instant::now());
        let ahead = |now, passed| {
            let at = at + Duration::from_secs(passed);
            clocks.ahead_at(from_seconds(now), at)
        };
        assert_eq!(ahead(NOW, 0), None);
        clocks.saw(70, from_seconds(NOW), at);
        assert_eq!(ahead(NOW, 0), Some(70));
        assert_eq!(ahead(NOW + 3600, 3600), Some(70), "time passes");
        assert_eq!(ahead(NOW + 3601, 3600), Some(70), "whole seconds");
        assert_eq!(ahead(NOW + 3600 - 70, 3600), Some(0), "it was set");
        assert_eq!(ahead(NOW + 10 + 100, 10), Some(170), "it was set wrongly");
        clocks.saw(-3, from_seconds(NOW), at);
        assert_eq!(ahead(NOW, 0), Some(-3));
    }

    #[test]
    fn what_is_remarked_is_remarked_once() {
        let clocks = Clocks::default();
        let remarked = |ahead| {
            clocks.saw(ahead, from_seconds(NOW), Instant::now());
            clocks.0.lock().unwrap().unwrap().remarked
        };
        let seen = [0, 5, -5, 6, 8, 11, 12, 70, 3, -70, -66].map(remarked);
        let told = [6, 6, 6, 12, 70];
        let told = told.map(Some);
        assert_eq!(seen[..3], [None; 3]);
        assert_eq!(seen[3..8], told);
        assert_eq!(seen[8..], [None, Some(-70), Some(-70)]);
    }

    #[test]
    fn says_how_far_and_what_follows() {
        let clocks = Clocks::default();
        let ailment = |ahead| {
            clocks.saw(ahead, from_seconds(NOW), Instant::now());
            clocks.ailment(from_seconds(NOW))
        };
        assert_eq!(ailment(60), None);
        assert_eq!(
            ailment(70).unwrap(),
            "this machine's clock is 70 s ahead of CUHK's: nothing is taken until it is set (timedatectl)"
        );
        let behind = ailment(-3600).unwrap();
        assert!(behind.contains("is 1 h 0 min behind CUHK's"), "{behind}");
        assert!(told(6).ends_with("judged by it to the second (timedatectl)"));
    }
}
