//! One connection at a time brings the files of a submission.
//!
//! A client that lost its connection is back before the server has noticed that the old one is
//! dead: an upload from which nothing comes any more makes way for one that waits.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_protocol::statement::SubmissionId;
use scb_protocol::{Code, Refusal, Step};
use scb_storage::UploadId;
use tokio::sync::{Mutex as Turn, OwnedMutexGuard, watch};
use tokio::time::{sleep, timeout};

use crate::quota::Quota;

/// How long a newcomer waits for the one before to let go.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long nothing may come while another waits.
const QUIET: Duration = Duration::from_secs(2);
/// After so many seconds it is worth another try.
const RETRY_AFTER: u32 = 2;

/// Who is bringing files. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Uploads {
    open: Arc<Mutex<HashMap<SubmissionId, Arc<Slot>>>>,
    quota: Quota,
}

#[derive(Debug)]
struct Slot {
    turn: Arc<Turn<()>>,
    /// How many wait for their turn.
    waiting: watch::Sender<usize>,
    /// Bytes for which there is room as long as this is here.
    promised: AtomicU64,
    /// Until when the files may come, once somebody said so while they were on their way.
    until: watch::Sender<Option<UnixTime>>,
}

impl Uploads {
    /// Nobody yet.
    pub(crate) fn new(quota: Quota) -> Self {
        let open = Arc::default();
        Self { open, quota }
    }

    /// How much may be unfinished.
    pub(crate) fn quota(&self) -> Quota {
        self.quota
    }

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
                promised: AtomicU64::new(0),
                until: watch::Sender::new(None),
            })
        });
        Arc::clone(slot)
    }

    /// Whoever is bringing the files of this submission has until then.
    pub(crate) fn bound(&self, submission: SubmissionId, until: UnixTime) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = open.get(&submission) {
            slot.until.send_replace(Some(until));
        }
    }

    /// Bytes that others have on the disk, those whom nobody brings just now included, or that were
    /// promised to them.
    fn of_others(&self, submission: SubmissionId, kept: &[(UploadId, u64)]) -> u64 {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let promised = |id: &SubmissionId| {
            let slot = open.get(id);
            slot.map_or(0, |slot| slot.promised.load(Ordering::SeqCst))
        };
        let others = open.keys().filter(|id| **id != submission);
        let coming = others.map(promised);
        let waiting = kept
            .iter()
            .map(|(id, bytes)| (SubmissionId::from_bytes(*id), *bytes))
            .filter(|(id, _)| *id != submission && promised(id) == 0)
            .map(|(_, bytes)| bytes);
        coming.chain(waiting).fold(0, u64::saturating_add)
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
    /// Whether so little needs no promise.
    pub(crate) fn always_fits(&self, bytes: u64) -> bool {
        self.uploads.quota.has_room(bytes, u64::MAX, false)
    }

    /// Until when the files may come, if that was said since this turn was asked for; and when it changes.
    pub(crate) fn until(&self) -> watch::Receiver<Option<UnixTime>> {
        self.slot.until.subscribe()
    }

    /// Promises room for the files of this submission until it is dropped: so many bytes in all,
    /// beside what is `kept` of all that is unfinished.
    ///
    /// # Errors
    ///
    /// `storage_full`: there is none now.
    pub(crate) fn promise(
        &self,
        bytes: u64,
        kept: &[(UploadId, u64)],
        is_only_one: bool,
    ) -> Result<(), Refusal> {
        // Before the others are added up: of two that come at once at least one sees the other.
        self.slot.promised.store(bytes, Ordering::SeqCst);
        let others = self.uploads.of_others(self.submission, kept);
        if self.uploads.quota.has_room(bytes, others, is_only_one) {
            return Ok(());
        }
        self.slot.promised.store(0, Ordering::SeqCst);
        Err(Refusal::new(Code::StorageFull, Step::Six)
            .with("reason", "too much has not come whole")
            .with("bytes", bytes)
            .with("unfinished", others))
    }

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
        // Whoever waits for this turn asks for room himself.
        if self.turn.take().is_some() {
            self.slot.promised.store(0, Ordering::SeqCst);
        }
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

    const MIB: u64 = 1024 * 1024;
    const QUOTA: Quota = Quota {
        in_all: 100,
        per_student: 1,
        bytes_per_student: MIB,
        bytes_in_all: 40 * MIB,
    };

    fn id(last: u8) -> SubmissionId {
        format!("{:030}{last:02}", 0).parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_upload_makes_way_for_who_waits() {
        let uploads = Uploads::new(QUOTA);
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
        let uploads = Uploads::new(QUOTA);
        let first = uploads.claim(id(1)).await.unwrap();
        let alone = timeout(2 * PATIENCE, first.superseded()).await;
        assert!(alone.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_is_told_to_come_back() {
        let uploads = Uploads::new(QUOTA);
        let first = uploads.claim(id(1)).await.unwrap();
        let refused = uploads.claim(id(1)).await.unwrap_err();
        assert_eq!((refused.code, refused.retry_after), (Code::Busy, Some(2)));
        drop(first);
        uploads.claim(id(1)).await.unwrap();
    }

    #[tokio::test]
    async fn submissions_do_not_wait_for_each_other_and_leave_nothing() {
        let uploads = Uploads::new(QUOTA);
        let one = uploads.claim(id(1)).await.unwrap();
        let two = uploads.claim(id(2)).await.unwrap();
        assert_eq!(uploads.open.lock().unwrap().len(), 2);
        drop((one, two));
        assert!(uploads.open.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn room_is_promised_once_and_is_free_again_when_nobody_brings_it() {
        let uploads = Uploads::new(QUOTA);
        let one = uploads.claim(id(1)).await.unwrap();
        let two = uploads.claim(id(2)).await.unwrap();
        one.promise(30 * MIB, &[], true).unwrap();
        let full = two.promise(11 * MIB, &[], true).unwrap_err();
        assert_eq!(full.code, Code::StorageFull);
        two.promise(10 * MIB, &[], true).unwrap();
        two.promise(MIB, &[], false).unwrap();
        drop(one);
        two.promise(40 * MIB, &[], true).unwrap();
    }

    #[tokio::test]
    async fn what_lies_there_counts_as_long_as_nobody_brings_more_of_it() {
        let uploads = Uploads::new(QUOTA);
        let one = uploads.claim(id(1)).await.unwrap();
        let kept = [(*id(1).as_bytes(), 9 * MIB), (*id(3).as_bytes(), 25 * MIB)];
        one.promise(15 * MIB, &kept, true).unwrap();
        one.promise(15 * MIB + 1, &kept, true).unwrap_err();
        one.promise(15 * MIB, &kept, false).unwrap_err();
        // Somebody brings the third: what was promised to him counts, not what has come of it.
        let three = uploads.claim(id(3)).await.unwrap();
        three.promise(35 * MIB, &[], true).unwrap();
        one.promise(15 * MIB, &kept, true).unwrap_err();
    }
}
