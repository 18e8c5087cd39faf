//! An entry that Blackboard signed, as it goes over the wire: beside a refusal, and with the word that a
//! statement was recorded.

use rustls_pki_types::UnixTime;
use scb_certs::{Chain, SigningKey};
use serde::{Deserialize, Serialize};

use super::SignedLeaf;
use crate::error::Error;
use crate::object::objects;
use crate::values::Der;

/// An entry of an assignment's log, and Blackboard's signature of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct SignedEntry {
    /// The leaf's exact bytes (JSON, UTF-8).
    leaf: String,
    /// Detached CMS SignedData (RFC 5652), DER, with the signer's chain.
    signature: Der,
}

objects!(SignedEntry);

impl SignedEntry {
    /// Signs an entry that is in the log.
    ///
    /// # Errors
    ///
    /// [`Error::Sign`]; [`Error::Leaf`] if it is none.
    pub fn sign(
        leaf: Vec<u8>,
        signer: (&SigningKey, &Chain),
        now: UnixTime,
    ) -> Result<Self, Error> {
        SignedLeaf::sign(leaf, signer, now)?.try_into()
    }

    pub(crate) fn to_leaf(&self) -> SignedLeaf {
        SignedLeaf {
            leaf: self.leaf.clone().into_bytes(),
            signature: self.signature.as_bytes().to_vec(),
        }
    }
}

impl TryFrom<SignedLeaf> for SignedEntry {
    type Error = Error;

    fn try_from(SignedLeaf { leaf, signature }: SignedLeaf) -> Result<Self, Error> {
        let leaf = String::from_utf8(leaf).map_err(|error| Error::Leaf(error.to_string()))?;
        let signature = Der::new(signature);
        Ok(Self { leaf, signature })
    }
}
