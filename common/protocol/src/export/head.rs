//! What an archive is, signed by Blackboard: of which log, how many entries, and whether these are
//! all there will be.

use std::collections::BTreeMap;

use rustls_pki_types::UnixTime;
use scb_certs::{Chain, Fingerprint, SigningKey, SpiffeId, TrustStore, sign_detached};
use serde::{Deserialize, Serialize};

use super::Reading;
use crate::error::Error;
use crate::log_leaf::LogName;
use crate::object::objects;
use crate::sole_signer::signing_blackboard;
use crate::time::as_rfc3339;

/// The document's `type`.
const TYPE: &str = "scb-export";

/// What an archive is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct Head {
    #[serde(rename = "type")]
    kind: String,
    v: u8,
    /// Who exported it.
    pub service: SpiffeId,
    /// The assignment's log.
    pub log: LogName,
    /// When it was exported, by Blackboard's clock.
    #[serde(with = "as_rfc3339")]
    pub exported_at: UnixTime,
    /// How many entries of the log are in it: all there were.
    pub entries: u64,
    /// How many submissions are in it: all that these entries accept.
    pub accepted: u64,
    /// The number, from 0, of the entry that closed the assignment, if nothing can come after it; absent: more
    /// may come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<u64>,
    /// Of how many entries only the commitment is left. With one that nothing stands in for the archive is
    /// never final: what it said nobody knows.
    pub lost: u64,
    /// SHA-256 of each of [`file::BOUND`](super::file::BOUND), by name.
    pub files: BTreeMap<String, Fingerprint>,
}

objects!(Head);

impl Head {
    /// Of a log, with nothing in it yet.
    pub fn new(service: SpiffeId, log: LogName, exported_at: UnixTime) -> Self {
        Self {
            kind: TYPE.to_owned(),
            v: 1,
            service,
            log,
            exported_at,
            entries: 0,
            accepted: 0,
            closed: None,
            lost: 0,
            files: BTreeMap::new(),
        }
    }

    /// Whether nothing can come any more, and everything that came is known: of so many entries it is not.
    pub fn is_final(&self, unknown: u64) -> bool {
        self.closed.is_some() && unknown == 0
    }

    /// Of an archive with these entries, and with these files beside them.
    #[must_use]
    pub fn over(mut self, reading: &Reading, files: BTreeMap<String, Fingerprint>) -> Self {
        self.entries = reading.head().size;
        self.accepted = reading.accepted();
        self.closed = reading.closed();
        self.lost = reading.lost_entries();
        self.files = files;
        self
    }
}

/// A head and Blackboard's signature of its exact bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHead {
    /// The exact bytes (JSON).
    pub head: Vec<u8>,
    /// Detached CMS SignedData (RFC 5652), DER.
    pub signature: Vec<u8>,
}

impl SignedHead {
    /// Signs a head.
    ///
    /// # Errors
    ///
    /// [`Error::Encode`], [`Error::Sign`].
    pub fn sign(head: &Head, (key, chain): (&SigningKey, &Chain)) -> Result<Self, Error> {
        let bytes = serde_json::to_vec(head).map_err(|error| Error::Encode(error.to_string()))?;
        let signature = sign_detached(&bytes, &[(key, chain)], head.exported_at);
        Ok(Self {
            signature: signature.map_err(|_| Error::Sign)?,
            head: bytes,
        })
    }

    /// Reads it; nothing is verified.
    pub(super) fn read(&self) -> Result<Head, String> {
        let head: Head = serde_json::from_slice(&self.head).map_err(|error| error.to_string())?;
        match head.kind == TYPE && head.v == 1 && head.log.is_of(&head.service) {
            true => Ok(head),
            false => Err("another type, version or service".to_owned()),
        }
    }

    /// Blackboard signed it, and nobody else.
    pub(super) fn verify(&self, head: &Head, trust: &TrustStore) -> Result<(), String> {
        let service = signing_blackboard(&self.head, &self.signature, trust, head.exported_at)?;
        match service == head.service {
            true => Ok(()),
            false => Err("another service exported it".to_owned()),
        }
    }
}
