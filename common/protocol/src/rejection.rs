//! Rejections: Blackboard's signed word that it refused verified members, as it entered it in the
//! log of the assignment. It goes out with the refusal, and the members keep it.

mod archive;
mod verify;

use rustls_pki_types::UnixTime;
use scb_certs::{Chain, SigningKey};
use serde::{Deserialize, Serialize};

pub use archive::is_rejection;
pub use verify::{ENTERED_ONCE, Refused, VerifiedRejection};

use crate::error::Error;
use crate::object::objects;
use crate::receipt::SignedLeaf;
use crate::values::Der;

/// The entry `refused` of an assignment's log, and Blackboard's signature of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct SignedRejection {
    /// The leaf's exact bytes (JSON, UTF-8).
    leaf: String,
    /// Detached CMS SignedData (RFC 5652), DER, with the signer's chain.
    signature: Der,
}

objects!(SignedRejection);

impl SignedRejection {
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
        let SignedLeaf { leaf, signature } = SignedLeaf::sign(leaf, signer, now)?;
        let leaf = String::from_utf8(leaf).map_err(|error| Error::Leaf(error.to_string()))?;
        let signature = Der::new(signature);
        Ok(Self { leaf, signature })
    }

    fn to_leaf(&self) -> SignedLeaf {
        SignedLeaf {
            leaf: self.leaf.clone().into_bytes(),
            signature: self.signature.as_bytes().to_vec(),
        }
    }
}
