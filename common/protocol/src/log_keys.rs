//! The endorsement of a log's keys: CUHK says with which key a service signs its log, and with
//! which it cosigns that log itself, so that whoever trusts CUHK's root can verify both.
//!
//! JSON whose exact bytes are signed (detached CMS) with the key that signs tokens.

use rustls_pki_types::UnixTime;
use scb_certs::{
    Chain, ServiceName, ServiceUsage, SigningKey, SpiffeId, TrustStore, sign_detached,
};
use scb_tlog::{Algorithm, VerifierKey};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::object::objects;
use crate::sole_signer::sole_signer;
use crate::time::{as_rfc3339, is_future, is_past, rfc3339};
use crate::witness::{is_log_of, is_witness_of};

/// The document's `type`.
const TYPE: &str = "scb-log-keys";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
struct Contents {
    #[serde(rename = "type")]
    kind: String,
    v: u8,
    service: SpiffeId,
    log: String,
    witness: String,
    #[serde(with = "as_rfc3339")]
    issued_at: UnixTime,
}

objects!(Contents);

/// Why an endorsement does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogKeysError {
    /// It is not in the required form; says what.
    #[error("the endorsement of the log's keys is malformed: {0}")]
    Malformed(String),
    /// Its signature does not verify, or is not CUHK's; says why.
    #[error("CUHK did not sign the endorsement of the log's keys: {0}")]
    Untrusted(String),
    /// It is about another service.
    #[error("it endorses the keys of {0}")]
    OtherService(SpiffeId),
    /// A key is not for what it is said to be for, or has a name that is not its owner's.
    #[error("the key {0} is not what it is endorsed as")]
    OtherKey(String),
    /// It says to be of a time at which its signer's certificate was not in force.
    #[error("it is of {}, when its signer's certificate was not in force", rfc3339(*.0))]
    OtherTime(UnixTime),
}

/// An endorsement as it is stored and sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedLogKeys {
    /// Its exact bytes (JSON): `keys.json` in a receipt.
    pub keys: String,
    /// Detached CMS SignedData (RFC 5652), DER: `keys.p7s` in a receipt.
    pub signature: Vec<u8>,
}

impl SignedLogKeys {
    /// Endorses the key of a service's log and CUHK's own key for cosignatures of it. The signer
    /// is CUHK's for tokens.
    ///
    /// # Errors
    ///
    /// [`Error::Sign`], [`Error::Encode`].
    pub fn sign(
        service: &SpiffeId,
        log: &VerifierKey,
        witness: &VerifierKey,
        (key, chain): (&SigningKey, &Chain),
        now: UnixTime,
    ) -> Result<Self, Error> {
        let contents = Contents {
            kind: TYPE.to_owned(),
            v: 1,
            service: service.clone(),
            log: log.to_string(),
            witness: witness.to_string(),
            issued_at: now,
        };
        let keys =
            serde_json::to_string(&contents).map_err(|error| Error::Encode(error.to_string()))?;
        let signature = sign_detached(keys.as_bytes(), &[(key, chain)], now);
        let signature = signature.map_err(|_| Error::Sign)?;
        Ok(Self { keys, signature })
    }
}

/// Evidence: CUHK endorsed these keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedLogKeys {
    service: SpiffeId,
    log: VerifierKey,
    witness: VerifierKey,
    issued_at: UnixTime,
}

impl VerifiedLogKeys {
    /// Verifies `keys.json` and `keys.p7s`: exactly one signer, CUHK's for tokens, whose chain is
    /// in force at the moment `at` by the roots and lists of `trust`; about this `service`. Of a
    /// receipt, `at` is the time of the cosignature.
    ///
    /// # Errors
    ///
    /// [`LogKeysError`].
    pub fn verify(
        keys: &[u8],
        signature: &[u8],
        trust: &TrustStore,
        service: &SpiffeId,
        at: UnixTime,
    ) -> Result<Self, LogKeysError> {
        let chain = sole_signer(keys, signature).map_err(LogKeysError::Untrusted)?;
        trust
            .verify_service(&chain, &ServiceName::cuhk(), ServiceUsage::Token, at)
            .map_err(|error| LogKeysError::Untrusted(error.to_string()))?;
        let contents = contents(keys)?;
        if contents.service != *service {
            return Err(LogKeysError::OtherService(contents.service));
        }
        let (leaf, issued_at) = (chain.leaf(), contents.issued_at);
        if is_future(leaf.not_before().as_secs(), issued_at)
            || is_past(leaf.not_after().as_secs(), issued_at)
        {
            return Err(LogKeysError::OtherTime(issued_at));
        }
        Ok(Self {
            log: key(&contents.log, Algorithm::Ed25519, |name| {
                is_log_of(name, service)
            })?,
            witness: key(&contents.witness, Algorithm::CosignatureV1, |name| {
                is_witness_of(name, service)
            })?,
            service: contents.service,
            issued_at,
        })
    }

    /// Whose log it is.
    pub fn service(&self) -> &SpiffeId {
        &self.service
    }

    /// The key that signs the log's checkpoints; its name is the log's origin.
    pub fn log(&self) -> &VerifierKey {
        &self.log
    }

    /// CUHK's key for cosignatures.
    pub fn witness(&self) -> &VerifierKey {
        &self.witness
    }

    /// When CUHK says to have endorsed them.
    pub fn issued_at(&self) -> UnixTime {
        self.issued_at
    }
}

fn contents(keys: &[u8]) -> Result<Contents, LogKeysError> {
    let contents: Contents =
        serde_json::from_slice(keys).map_err(|error| LogKeysError::Malformed(error.to_string()))?;
    match contents.kind == TYPE && contents.v == 1 {
        true => Ok(contents),
        false => Err(LogKeysError::Malformed("another type or version".into())),
    }
}

fn key(
    text: &str,
    algorithm: Algorithm,
    is_owner: impl FnOnce(&str) -> bool,
) -> Result<VerifierKey, LogKeysError> {
    let key: VerifierKey = text
        .parse()
        .map_err(|error: scb_tlog::Error| LogKeysError::Malformed(error.to_string()))?;
    match key.algorithm() == algorithm && is_owner(key.name().as_str()) {
        true => Ok(key),
        false => Err(LogKeysError::OtherKey(text.to_owned())),
    }
}
