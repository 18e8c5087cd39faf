//! A verified receipt taken apart: for the Blackboard that gave it, and has lost what it says.

use scb_certs::Fingerprint;

use super::archive::{UnverifiedProof, open};
use super::verify::invalid;
use super::{Evidence, LogProof, SignedLeaf, VerifiedReceipt};
use crate::Refusal;

/// What a receipt was made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptParts {
    /// What does not depend on its number.
    pub evidence: Evidence,
    /// The entry that accepts, signed.
    pub leaf: SignedLeaf,
    /// The proof that the log holds it; nothing while it was still to come.
    pub proof: Option<LogProof>,
}

impl ReceiptParts {
    /// Verifies a receipt under these roots, and takes it apart.
    ///
    /// # Errors
    ///
    /// As [`VerifiedReceipt::verify`].
    pub fn verified(
        receipt: &[u8],
        roots: &[Fingerprint],
    ) -> Result<(VerifiedReceipt, Self), Refusal> {
        let verified = VerifiedReceipt::verify_under(receipt, roots)?;
        let parts = open(receipt).map_err(invalid)?;
        let proof = match parts.proof {
            UnverifiedProof::Here(proof) => Some(*proof),
            UnverifiedProof::Pending(_) => None,
        };
        let (evidence, leaf) = (parts.evidence, parts.leaf);
        let parts = Self {
            evidence,
            leaf,
            proof,
        };
        Ok((verified, parts))
    }
}
