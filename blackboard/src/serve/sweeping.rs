//! What is removed or ended by itself: at the start, and from time to time.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls_pki_types::UnixTime;
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
pub(super) fn sweep_uploads(register: &Register, content: &ContentStore, now: UnixTime) {
    let past = from_seconds(now.as_secs().saturating_sub(SENDING.as_secs()));
    match register.sweep_uploads(content, past) {
        Ok(0) => {}
        Ok(removed) => tracing::info!("removed what came of {removed} uploads never finished"),
        Err(error) => tracing::warn!("uploads that are over were not removed: {error}"),
    }
}

/// Enters which proposals nobody can sign any more.
pub(super) fn lapse(register: &Register, now: UnixTime) {
    match register.lapse_proposals(now) {
        Ok(0) => {}
        Ok(lapsed) => tracing::info!("{lapsed} proposals were not signed by everybody in time"),
        Err(error) => tracing::warn!("it was not entered which proposals have lapsed: {error}"),
    }
}

/// Does so from time to time.
pub(super) async fn keep_sweeping(shared: Arc<Shared>) {
    loop {
        sleep(SWEEP).await;
        let shared = Arc::clone(&shared);
        let swept = spawn_blocking(move || {
            lapse(&shared.register, shared.clock.now());
            sweep_uploads(&shared.register, &shared.content, shared.clock.now());
        });
        if swept.await.is_err() {
            return;
        }
    }
}
