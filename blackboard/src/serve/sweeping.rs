//! What is removed or ended by itself: at the start, and from time to time.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls_pki_types::UnixTime;
use scb_cli::{counted, rfc3339};
use scb_protocol::from_seconds;
use scb_storage::ContentStore;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::handler::Shared;
use crate::store::Register;

/// How long content that no record names is kept.
const UNNAMED: Duration = Duration::from_secs(24 * 60 * 60);

/// How often uploads that are over are removed.
const SWEEP: Duration = Duration::from_secs(60 * 60);
/// How long after its time an upload may still be on its way.
const SENDING: Duration = Duration::from_secs(60 * 60);

/// So far the clock may be ahead of what is known of the time, and still be believed: 31 days.
const LULL: u64 = 31 * 24 * 60 * 60;

/// Whether this machine's clock is believed. What is removed because its time is over, or entered as
/// lapsed into a log, is so for ever.
#[derive(Debug)]
pub(super) struct ClockTrust {
    last: Option<UnixTime>,
    is_told: bool,
}

impl ClockTrust {
    /// Believed up to 31 days after the last number was given.
    pub(super) fn since_last_number(register: &Register) -> Self {
        Self {
            last: register.last_number_at(),
            is_told: false,
        }
    }

    /// Somebody says that the clock is right.
    pub(super) fn vouch(&mut self, now: UnixTime) {
        self.last = Some(now);
    }

    /// Whether it is believed. While a server runs the clock goes on by an hour from one look to the next.
    pub(super) fn believes(&mut self, register: &Register, now: UnixTime) -> bool {
        let last = self.last.max(register.last_number_at());
        let believed = last.is_none_or(|last| now.as_secs().saturating_sub(last.as_secs()) <= LULL);
        match (believed, last) {
            (true, _) => (self.last, self.is_told) = (Some(now), false),
            (false, Some(last)) if !self.is_told => {
                self.is_told = true;
                tracing::warn!(
                    "this machine's clock says {}, but nothing that it can be held against is later \
                     than {}: nothing is removed by it, and no proposal lapses, until the next hand-in; \
                     set the clock (`timedatectl` shows it), or start with --clock-is-right",
                    rfc3339(now),
                    rfc3339(last)
                );
            }
            (false, _) => {}
        }
        believed
    }
}

/// Content without a record harms nobody: what cannot be swept stays.
pub(super) fn sweep(register: &Register, content: &ContentStore) {
    let swept = SystemTime::now()
        .checked_sub(UNNAMED)
        .map(|moment| register.sweep(content, moment));
    if let Some(Err(error)) = swept {
        tracing::warn!("content that no record names was not removed: {error}");
    }
}

/// Removes what came of uploads that nobody can go on with any more. Whoever is sending when the
/// time is over has a little more.
fn sweep_uploads(register: &Register, content: &ContentStore, now: UnixTime) {
    let past = from_seconds(now.as_secs().saturating_sub(SENDING.as_secs()));
    match register.sweep_uploads(content, past) {
        Ok(0) => {}
        Ok(removed) => tracing::info!(
            "removed what came of {} never finished",
            counted(removed, "upload")
        ),
        Err(error) => tracing::warn!("uploads that are over were not removed: {error}"),
    }
}

/// Enters which proposals nobody can sign any more, and removes what came of uploads that are over. In this order:
/// the first puts right what the second goes by, and without it nothing is removed.
pub(super) fn end_what_is_over(register: &Register, content: &ContentStore, now: UnixTime) {
    match register.lapse_proposals(now) {
        Ok(0) => {}
        Ok(lapsed) => tracing::info!(
            "not signed by everybody in time: {}",
            counted(lapsed, "proposal")
        ),
        Err(error) => {
            tracing::warn!("it was not entered which proposals have lapsed: {error}");
            return;
        }
    }
    sweep_uploads(register, content, now);
}

/// Does so from time to time.
pub(super) async fn keep_sweeping(shared: Arc<Shared>, mut trust: ClockTrust) {
    loop {
        sleep(SWEEP).await;
        let (register, content) = (shared.register.clone(), shared.content.clone());
        let now = shared.clock.now();
        if !trust.believes(&register, now) {
            continue;
        }
        // Rows that are put right, here or where an assignment was to be closed, may show that something is complete.
        let _left = shared.unfinished.left_over();
        let swept = spawn_blocking(move || {
            end_what_is_over(&register, &content, now);
            if let Err(error) = register.put_right_what_is_over() {
                tracing::warn!(
                    "whether rows of what is handed in were altered was not seen: {error}"
                );
            }
        });
        if swept.await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_cli::{Home, Role};

    use super::*;
    use crate::store::Store;

    const DAY: u64 = 24 * 60 * 60;

    fn register() -> (tempfile::TempDir, Register) {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::create(&dir.path().join("home"), Role::Blackboard).unwrap();
        let register = Register::open(&home, Store::open(&home).unwrap()).unwrap();
        (dir, register)
    }

    #[test]
    fn by_a_clock_far_ahead_of_the_last_number_nothing_is_removed() {
        let (_dir, register) = register();
        let noted = register.last_number_at().unwrap().as_secs();
        let days = |days| from_seconds(noted + days * DAY);
        let mut trust = ClockTrust::since_last_number(&register);
        assert!(!trust.believes(&register, days(32)));
        assert!(
            !trust.believes(&register, days(33)),
            "it does not get used to it"
        );
        assert!(trust.believes(&register, days(31)));
        // A server that runs through a quiet summer.
        assert!(trust.believes(&register, days(60)));
        assert!(!trust.believes(&register, days(92)), "a leap while it runs");
        trust.vouch(days(800));
        assert!(trust.believes(&register, days(801)));
    }
}
