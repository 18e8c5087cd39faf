//! Asks CUHK again and again how much of each log it has seen, even when no log grows here.
//!
//! When both this server and CUHK are put back from old backups, the first answer shows nothing missing:
//! neither knows of the newer entries. If another copy of this server is still running elsewhere, it shows
//! CUHK those entries within a second, and asking again notices that.

use std::sync::Arc;
use std::time::Duration;

use scb_protocol::log_leaf::LogName;
use scb_storage::PublishedLog;
use tokio::sync::watch;
use tokio::time::Instant;

use super::super::link::Link;
use super::{LogWitness, PATIENCE, Trouble};

/// How often CUHK is asked what it has seen although no log grows.
const STILL_THERE: Duration = Duration::from_secs(5);

/// What is to be looked at again over one connection, and when.
pub(super) struct Again {
    /// Those that the look which has begun has still to come to.
    left: Vec<(LogName, Arc<PublishedLog>)>,
    /// How many have begun.
    looks: usize,
    looked: Instant,
}

impl Again {
    pub(super) fn new() -> Self {
        Self {
            left: Vec::new(),
            looks: 0,
            looked: Instant::now(),
        }
    }

    pub(super) fn put_off(&mut self) {
        self.looked = Instant::now();
    }

    pub(super) fn is_due(&self) -> bool {
        !self.left.is_empty() || self.looked.elapsed() > STILL_THERE
    }
}

impl LogWitness {
    /// Looks at all logs the first time on a connection, and at one in turn each time after that. As soon as a log
    /// has grown, the others wait for the next time: whoever hands in now waits for no log that is still.
    pub(super) async fn look_again(
        &mut self,
        link: &mut Link,
        again: &mut Again,
        grown: &watch::Receiver<()>,
    ) -> Result<(), Trouble> {
        link.by(Instant::now() + PATIENCE).status().await?;
        if again.left.is_empty() {
            again.left = self.logs.all();
            if again.looks == 0 {
                self.has_all = false;
                self.check_forgotten(link).await?;
            } else if let Some(turn) = again.looks.checked_rem(again.left.len()) {
                again.left = vec![again.left.swap_remove(turn)];
            }
            again.looks += 1;
        }
        while let Some((name, log)) = again.left.pop() {
            if self.is_paused(&name) || log.published().checkpoint.head().size == 0 {
                continue;
            }
            link.by(Instant::now() + PATIENCE);
            self.look(link, &name, &log).await?;
            if grown.has_changed().unwrap_or(false) {
                break;
            }
        }
        again.put_off();
        Ok(())
    }
}
