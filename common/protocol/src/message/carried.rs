//! Grades as they go over the wire.

use serde::{Deserialize, Serialize};

use super::proof::CarriedProof;
use crate::grade::Release;
use crate::object::objects;
use crate::receipt::{LogProof, SignedLeaf};
use crate::values::Der;

/// A grade with all that proves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct CarriedGrade {
    /// Its exact bytes (JSON).
    pub grade: String,
    /// Blackboard's detached CMS signature of them.
    pub signature: Der,
    /// The exact bytes of its entry in the assignment's log (JSON).
    pub leaf: String,
    /// The proof that the log holds the entry, once CUHK has seen it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<CarriedProof>,
    /// Since when it may be seen.
    pub released: CarriedRelease,
}

/// The entry that says that a grade was released, with all that proves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct CarriedRelease {
    /// The exact bytes of the entry in the assignment's log (JSON).
    pub leaf: String,
    /// Blackboard's detached CMS signature of them.
    pub signature: Der,
    /// The proof that the log holds the entry, once CUHK has seen it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<CarriedProof>,
}

impl From<CarriedRelease> for Release {
    fn from(carried: CarriedRelease) -> Self {
        Self {
            leaf: SignedLeaf {
                leaf: carried.leaf.into_bytes(),
                signature: carried.signature.as_bytes().to_vec(),
            },
            proof: carried.proof.map(LogProof::from),
        }
    }
}

objects!(CarriedGrade, CarriedRelease);
