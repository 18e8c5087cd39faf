//! Blackboard's acceptance: the number, the time, and what exactly was accepted.

use std::collections::BTreeMap;

use rustls_pki_types::UnixTime;
use scb_certs::{Chain, Fingerprint, SigningKey, SpiffeId, sign_detached};
use serde::{Deserialize, Serialize};

use super::Evidence;
use crate::assurance::Mode;
use crate::error::Error;
use crate::object::objects;
use crate::statement::{Statement, SubmissionId, SubmissionNumber};
use crate::time::as_rfc3339;

/// The acceptance's `type`.
const TYPE: &str = "scb-acceptance";

/// What Blackboard signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub(super) struct Acceptance {
    #[serde(rename = "type")]
    kind: String,
    v: u8,
    pub(super) service: SpiffeId,
    pub(super) number: SubmissionNumber,
    pub(super) submission: SubmissionId,
    #[serde(with = "as_rfc3339")]
    pub(super) accepted_at: UnixTime,
    pub(super) mode: Mode,
    /// SHA-256 of each file of the receipt, by name.
    pub(super) files: BTreeMap<String, Fingerprint>,
}

objects!(Acceptance);

impl Acceptance {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let acceptance: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if acceptance.kind != TYPE || acceptance.v != 1 {
            return Err("another type or version".to_owned());
        }
        Ok(acceptance)
    }
}

/// SHA-256 of each file of the evidence, by name.
pub(super) fn hashes(evidence: &Evidence) -> BTreeMap<String, Fingerprint> {
    evidence
        .files()
        .into_iter()
        .map(|(name, bytes)| (name.to_owned(), Fingerprint::of(bytes)))
        .collect()
}

/// An acceptance and Blackboard's signature of its exact bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedAcceptance {
    /// The acceptance's exact bytes (JSON).
    pub acceptance: Vec<u8>,
    /// Detached CMS SignedData (RFC 5652), DER.
    pub signature: Vec<u8>,
}

impl SignedAcceptance {
    /// Whether it speaks of this statement, number, time and mode. Whoever alters a record may
    /// alter this, too: only [`VerifiedReceipt`](super::VerifiedReceipt) is evidence.
    pub fn speaks_of(
        &self,
        statement: &[u8],
        number: SubmissionNumber,
        accepted_at: UnixTime,
        mode: Mode,
    ) -> bool {
        Acceptance::parse(&self.acceptance).is_ok_and(|acceptance| {
            let hash = acceptance.files.get(super::file::STATEMENT);
            hash == Some(&Fingerprint::of(statement))
                && acceptance.number == number
                && acceptance.accepted_at == accepted_at
                && acceptance.mode == mode
        })
    }
}

/// Accepts a submission: gives it its number and signs. Takes microseconds, so that it can
/// happen inside the transaction that assigns the number.
///
/// # Errors
///
/// [`Error::Sign`] or [`Error::Encode`].
pub fn accept(
    evidence: &Evidence,
    statement: &Statement,
    number: SubmissionNumber,
    now: UnixTime,
    key: &SigningKey,
    chain: &Chain,
) -> Result<SignedAcceptance, Error> {
    let acceptance = Acceptance {
        kind: TYPE.to_owned(),
        v: 1,
        service: statement.service.clone(),
        number,
        submission: statement.submission,
        accepted_at: now,
        mode: evidence.mode,
        files: hashes(evidence),
    };
    let bytes =
        serde_json::to_vec(&acceptance).map_err(|error| Error::Encode(error.to_string()))?;
    let signature = sign_detached(&bytes, &[(key, chain)], now).map_err(|_| Error::Sign)?;
    Ok(SignedAcceptance {
        acceptance: bytes,
        signature,
    })
}
