//! One connection at a time brings the files of a submission.
//!
//! A client that lost its connection is back before the server has noticed that the old one is
//! dead: an upload from which nothing comes any more makes way for one that waits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use scb_protocol::statement::SubmissionId;
use scb_protocol::{Code, Refusal, Step};
use tokio::sync::{Mutex as Turn, OwnedMutexGuard, watch};
use tokio::time::{sleep, timeout};

/// How long a newcomer waits for the one before to let go.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long nothing may come while another waits.
const QUIET: Duration = Duration::from_secs(2);
/// After so many seconds it is worth another try.
const RETRY_AFTER: u32 = 2;

/// Who is bringing files. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Uploads {
    open: Arc<Mutex<HashMap<SubmissionId, Arc<Slot>>>>,
}

#[derive(Debug)]
struct Slot {
    turn: Arc<Turn<()>>,
    /// How many wait for their turn.
    waiting: watch::Sender<usize>,
}

impl Uploads {
    /// Waits for this submission's turn, after all who came before.
    ///
    /// # Errors
    ///
    /// `busy`: it did not come in time.
    pub(crate) async fn claim(&self, submission: SubmissionId) -> Result<Lease, Refusal> {
        let mut lease = Lease {
            slot: self.slot(submission),
            turn: None,
            submission,
            uploads: self.clone(),
        };
        let _waiting = Waiting::new(&lease.slot);
        let turn = Arc::clone(&lease.slot.turn).lock_owned();
        lease.turn = Some(timeout(PATIENCE, turn).await.map_err(|_| taken())?);
        Ok(lease)
    }

    fn slot(&self, submission: SubmissionId) -> Arc<Slot> {
        // What a panic may have left behind is still who is there.
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = open.entry(submission).or_insert_with(|| {
            Arc::new(Slot {
                turn: Arc::default(),
                waiting: watch::Sender::new(0),
            })
        });
        Arc::clone(slot)
    }
}

/// Counts as one who waits, until it is dropped.
struct Waiting(Arc<Slot>);

impl Waiting {
    fn new(slot: &Arc<Slot>) -> Self {
        slot.waiting.send_modify(|waiting| *waiting += 1);
        Self(Arc::clone(slot))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.send_modify(|waiting| *waiting -= 1);
    }
}

/// The turn of one connection, until it is dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    slot: Arc<Slot>,
    turn: Option<OwnedMutexGuard<()>>,
    submission: SubmissionId,
    uploads: Uploads,
}

impl Lease {
    /// Waits until nothing has come for a while although another waits. Begun anew whenever
    /// something comes. Cancel-safe.
    pub(crate) async fn superseded(&self) -> Refusal {
        sleep(QUIET).await;
        let mut waiting = self.slot.waiting.subscribe();
        // The slot is there as long as this is: it cannot be closed.
        let _ = waiting.wait_for(|waiting| *waiting > 0).await;
        taken()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.turn = None;
        let open = &self.uploads.open;
        let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
        // One is the map's and one is this; whoever waits has two more.
        if Arc::strong_count(&self.slot) <= 2 {
            open.remove(&self.submission);
        }
    }
}

fn taken() -> Refusal {
    Refusal::new(Code::Busy, Step::Six)
        .with("reason", "another connection brings these files")
        .retry_after(RETRY_AFTER)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn id(last: u8) -> SubmissionId {
        format!("{:030}{last:02}", 0).parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_upload_makes_way_for_who_waits() {
        let uploads = Uploads::default();
        let first = uploads.claim(id(1)).await.unwrap();
        let other = uploads.clone();
        let second = tokio::spawn(async move { other.claim(id(1)).await });
        assert_eq!(first.superseded().await.code, Code::Busy);
        assert!(!second.is_finished());
        drop(first);
        drop(second.await.unwrap().unwrap());
        assert!(uploads.open.lock().unwrap().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_makes_way_while_nobody_waits() {
        let uploads = Uploads::default();
        let first = uploads.claim(id(1)).await.unwrap();
        let alone = timeout(2 * PATIENCE, first.superseded()).await;
        assert!(alone.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_is_told_to_come_back() {
        let uploads = Uploads::default();
        let first = uploads.claim(id(1)).await.unwrap();
        let refused = uploads.claim(id(1)).await.unwrap_err();
        assert_eq!((refused.code, refused.retry_after), (Code::Busy, Some(2)));
        drop(first);
        uploads.claim(id(1)).await.unwrap();
    }

    #[tokio::test]
    async fn submissions_do_not_wait_for_each_other_and_leave_nothing() {
        let uploads = Uploads::default();
        let one = uploads.claim(id(1)).await.unwrap();
        let two = uploads.claim(id(2)).await.unwrap();
        assert_eq!(uploads.open.lock().unwrap().len(), 2);
        drop((one, two));
        assert!(uploads.open.lock().unwrap().is_empty());
    }
}
