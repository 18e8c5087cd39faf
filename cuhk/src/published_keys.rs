//! The keys for tokens as they are published: those whose tokens may still count.

use std::sync::Arc;

use rustls_pki_types::UnixTime;
use scb_certs::Certificate;

use crate::Error;
use crate::keys::KeyState;
use crate::store::{Records, Store};

/// One set of keys. Two sets never have the same number.
#[derive(Debug)]
pub(crate) struct PublishedKeys {
    /// The epoch in which it was put together.
    pub(crate) sequence: u64,
    /// The certificates, newest first.
    pub(crate) signers: Vec<Certificate>,
}

impl PublishedKeys {
    /// The set of this epoch: the one that is known, or a new one. Within an epoch it does not
    /// change, so that the number tells: a key whose last token has run out stays a little longer.
    pub(crate) async fn of_epoch(
        epoch: u64,
        known: Option<&Arc<Self>>,
        store: &Store,
        now: UnixTime,
    ) -> Result<Arc<Self>, Error> {
        if let Some(known) = known.filter(|known| known.sequence == epoch) {
            return Ok(Arc::clone(known));
        }
        let signers = store.read(move |records| signers(records, now)).await?;
        Ok(Arc::new(Self {
            sequence: epoch,
            signers,
        }))
    }
}

fn signers(records: &Records<'_>, now: UnixTime) -> Result<Vec<Certificate>, Error> {
    let mut signers = records.signers().all()?;
    signers.reverse();
    let counts = signers.into_iter().filter(|signer| {
        matches!(
            KeyState::of_signer(signer, now),
            KeyState::Active | KeyState::Retiring
        )
    });
    Ok(counts
        .filter_map(|signer| signer.record.certificate)
        .collect())
}
