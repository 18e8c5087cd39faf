//! The proof that completes what members keep, as it is told.

use scb_tlog::KeyName;
use serde::{Deserialize, Serialize};

use crate::log_keys::SignedLogKeys;
use crate::object::objects;
use crate::receipt::{CommittedEntry, JudgedBy, LogProof};
use crate::values::Der;

/// The proof of a submission's entry, as it belongs into its receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct CarriedProof {
    /// `receipt.tlog-proof`.
    pub proof: String,
    /// `log.vkey`.
    pub log_key: String,
    /// `witness.vkey`.
    pub witness_key: String,
    /// `keys.json`.
    pub keys: String,
    /// `keys.p7s`.
    pub signature: Der,
    /// `committed.json`, `committed.tlog-proof` and `committed.jwt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committed: Option<CommittedEntry>,
    /// `rules.json` and what else lateness is judged by.
    #[serde(default, skip_serializing_if = "JudgedBy::is_empty")]
    pub judged: JudgedBy,
    /// Whose cosignatures Blackboard still waits for: with any, it is CUHK's alone that is here.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "names")]
    pub missing: Vec<KeyName>,
}

objects!(CarriedProof);

/// Witnesses' names as text.
mod names {
    use scb_tlog::{Error, KeyName};
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(names: &[KeyName], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(names.iter().map(KeyName::as_str))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<KeyName>, D::Error> {
        let names = Vec::<String>::deserialize(from)?;
        let names: Result<_, Error> = names.iter().map(|name| name.parse()).collect();
        names.map_err(D::Error::custom)
    }
}

impl From<&LogProof> for CarriedProof {
    fn from(proof: &LogProof) -> Self {
        Self {
            proof: proof.proof.clone(),
            log_key: proof.log_key.clone(),
            witness_key: proof.witness_key.clone(),
            keys: proof.keys.keys.clone(),
            signature: Der::new(proof.keys.signature.clone()),
            committed: proof.committed.clone(),
            judged: proof.judged.clone(),
            missing: proof.missing.clone(),
        }
    }
}

impl From<CarriedProof> for LogProof {
    fn from(carried: CarriedProof) -> Self {
        Self {
            proof: carried.proof,
            log_key: carried.log_key,
            witness_key: carried.witness_key,
            keys: SignedLogKeys {
                keys: carried.keys,
                signature: carried.signature.as_bytes().to_vec(),
            },
            committed: carried.committed,
            judged: carried.judged,
            lists: String::new(),
            missing: carried.missing,
        }
    }
}
