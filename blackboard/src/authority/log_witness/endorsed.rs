//! CUHK's word which keys are those of a log: the one at hand, or a new one.

use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_protocol::log_leaf::LogName;
use scb_protocol::witness::{CosignedCheckpoint, ExpectEndorsement};
use scb_protocol::{SignedLogKeys, VerifiedLogKeys};
use scb_tlog::VerifierKey;

use super::super::ListsThen;
use super::super::link::Link;
use super::{LogWitness, Trouble};
use crate::witnessed::Cosigned;

/// An endorsement is asked for anew when it is so old, so that its signer's certificate is in force
/// when receipts are made.
const ENDORSEMENT_AGE: Duration = Duration::from_secs(24 * 60 * 60);

impl LogWitness {
    /// CUHK's endorsement: the one at hand if it counts and is not old, else a new one.
    pub(super) async fn keys(
        &mut self,
        link: &mut Link,
        name: &LogName,
        key: &VerifierKey,
    ) -> Result<(SignedLogKeys, VerifiedLogKeys), Trouble> {
        let at_hand = self.keys_at_hand(name, key).await?;
        if let (Some(keys), false) = (at_hand, self.known(name).is_forgotten) {
            return Ok(keys);
        }
        let (expect, request) = ExpectEndorsement::new(self.service.clone(), key.clone());
        let reply = link.ask(&request).await?;
        let keys = expect.handle(reply, &self.dialer.trust(), self.dialer.now())?;
        self.store.keep_endorsement(name, &keys.0).await?;
        let known = self.known(name);
        (known.keys, known.is_forgotten) = (Some(keys.clone()), false);
        Ok(keys)
    }

    /// Whether CUHK, asked anew, endorses another key for its cosignatures than the one at hand.
    pub(super) async fn has_another_witness(
        &mut self,
        link: &mut Link,
        name: &LogName,
        key: &VerifierKey,
    ) -> Result<bool, Trouble> {
        let at_hand = self.known(name).keys.clone();
        self.known(name).is_forgotten = true;
        let (_, endorsed) = self.keys(link, name, key).await?;
        Ok(at_hand.is_some_and(|(_, keys)| keys.witness() != endorsed.witness()))
    }

    pub(super) async fn keys_at_hand(
        &mut self,
        name: &LogName,
        key: &VerifierKey,
    ) -> Result<Option<(SignedLogKeys, VerifiedLogKeys)>, Trouble> {
        let signed = match self.known(name).keys.take() {
            Some((signed, _)) => Some(signed),
            None => self.store.endorsement(name).await?,
        };
        let keys = signed.and_then(|signed| {
            let verified = self.verify(&signed, key)?;
            Some((signed, verified))
        });
        self.known(name).keys.clone_from(&keys);
        self.recall(name, keys.as_ref()).await?;
        let now = self.dialer.now();
        Ok(keys.filter(|(_, verified)| is_young(verified, now)))
    }

    /// What an earlier run kept counts from the start on.
    async fn recall(
        &mut self,
        name: &LogName,
        keys: Option<&(SignedLogKeys, VerifiedLogKeys)>,
    ) -> Result<(), Trouble> {
        let (Some((signed, verified)), None) = (keys, self.witnessed.newest(name)) else {
            return Ok(());
        };
        let read =
            |note: String| CosignedCheckpoint::read(&note, verified.log(), verified.witness()).ok();
        if let Some(checkpoint) = self.store.cosigned(name).await?.and_then(read) {
            let lists = self.store.lists_of_cosigned(name).await?;
            let lists = lists.and_then(|pem| ListsThen::read(&pem).ok());
            let lists = lists.map_or_else(|| self.lists_now(), Arc::new);
            self.tell(name, (checkpoint, lists), (signed, verified));
        }
        Ok(())
    }

    /// Whoever makes receipts knows of it from now on.
    pub(super) fn tell(
        &self,
        name: &LogName,
        (checkpoint, lists): (CosignedCheckpoint, Arc<ListsThen>),
        (signed, verified): (&SignedLogKeys, &VerifiedLogKeys),
    ) {
        let cosigned = Cosigned {
            checkpoint,
            endorsement: signed.clone(),
            keys: verified.clone(),
            lists,
        };
        self.witnessed.set(name, cosigned);
    }

    fn verify(&self, signed: &SignedLogKeys, key: &VerifierKey) -> Option<VerifiedLogKeys> {
        let (keys, signature) = (signed.keys.as_bytes(), &signed.signature);
        let (trust, now) = (self.dialer.trust(), self.dialer.now());
        let verified = VerifiedLogKeys::verify(keys, signature, &trust, &self.service, now);
        verified.ok().filter(|verified| verified.log() == key)
    }
}

fn is_young(keys: &VerifiedLogKeys, now: UnixTime) -> bool {
    let age = now.as_secs().saturating_sub(keys.issued_at().as_secs());
    age < ENDORSEMENT_AGE.as_secs()
}
