//! What is handed in of a log: read from the tiles, where nobody waits for it.

use scb_certs::Fingerprint;
use scb_protocol::witness::{MAX_ENTRIES, Offer};
use scb_protocol::{Code, Refusal, Step};
use scb_storage::{Published, PublishedLog};
use scb_tlog::{Error as LogError, consistency_proof};
use tokio::task::spawn_blocking;

/// What comes after the first `old` entries, as far as one message takes it.
pub(super) fn offer(log: &PublishedLog, old: u64) -> Result<Offer, LogError> {
    let Published { checkpoint, tiles } = &*log.published();
    let size = checkpoint.head().size;
    let end = size.min(old.saturating_add(MAX_ENTRIES as u64));
    let checkpoint = match end == size {
        true => checkpoint.clone(),
        false => log.checkpoint_of(end)?,
    };
    let entry = |number| {
        let entry = tiles.entry(number)?.try_into();
        let entry = entry.map_err(|_| LogError::OutOfRange {
            asked: number,
            size,
        })?;
        Ok(Fingerprint::from_bytes(entry))
    };
    Ok(Offer {
        checkpoint,
        old,
        growth: consistency_proof(tiles, old, end)?,
        entries: (old..end).map(entry).collect::<Result<_, LogError>>()?,
    })
}

/// Reads tiles where nobody waits for it.
pub(super) async fn off_the_runtime<T: Send + 'static>(
    job: impl FnOnce() -> Result<T, LogError> + Send + 'static,
) -> Result<T, Refusal> {
    let internal = |reason: &dyn std::fmt::Display| {
        Refusal::new(Code::Internal, Step::Six).with("reason", reason)
    };
    match spawn_blocking(job).await {
        Ok(done) => done.map_err(|error| internal(&error)),
        Err(error) => Err(internal(&error)),
    }
}
