//! Entries of logs that students are told, signed: each once, and not for everybody who asks.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use rustls_pki_types::UnixTime;
use scb_certs::Fingerprint;
use scb_protocol::receipt::SignedEntry;

use crate::identity::Identity;

/// Most that are kept: some megabytes. With more, all are signed anew.
const MOST: usize = 4096;

/// The signatures of now, all by one certificate.
#[derive(Debug, Default)]
pub(crate) struct Announced(Mutex<Signed>);

#[derive(Debug, Default)]
struct Signed {
    certificate: Option<Fingerprint>,
    /// By the hash of the leaf.
    entries: HashMap<Fingerprint, SignedEntry>,
}

impl Announced {
    /// The signed entry, as it was told before; by this identity, whoever signed before.
    ///
    /// # Errors
    ///
    /// [`scb_protocol::Error::Sign`]; [`scb_protocol::Error::Leaf`] if it is none.
    pub(crate) fn sign(
        &self,
        leaf: Vec<u8>,
        identity: &Identity,
        now: UnixTime,
    ) -> Result<SignedEntry, scb_protocol::Error> {
        let (sha256, certificate) = (Fingerprint::of(&leaf), identity.chain.leaf().fingerprint());
        if let Some(known) = self.known(&sha256, certificate) {
            return Ok(known);
        }
        let entry = SignedEntry::sign(leaf, (&identity.key, &identity.chain), now)?;
        let mut signed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if signed.certificate != Some(certificate) || signed.entries.len() >= MOST {
            signed.entries.clear();
            signed.certificate = Some(certificate);
        }
        signed.entries.insert(sha256, entry.clone());
        Ok(entry)
    }

    fn known(&self, sha256: &Fingerprint, certificate: Fingerprint) -> Option<SignedEntry> {
        let signed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_its = signed.certificate == Some(certificate);
        signed.entries.get(sha256).filter(|_| is_its).cloned()
    }
}
