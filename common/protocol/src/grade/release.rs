//! When a grade became visible: Blackboard signed that, and the assignment's log holds it.

use rustls_pki_types::UnixTime;
use scb_certs::{SpiffeId, TrustStore};

use crate::log_leaf::{Entry, Leaf};
use crate::receipt::log_proof::{self, Entered};
use crate::receipt::{LogProof, SignedLeaf, WitnessPolicy, Witnessed};
use crate::sole_signer::signing_blackboard;

/// The entry that released a grade, as it came; nothing of it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// The entry and Blackboard's signature of it.
    pub leaf: SignedLeaf,
    /// The proof that the log holds it, once CUHK has seen it.
    pub proof: Option<LogProof>,
}

/// Evidence: from this moment on the grade could be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedRelease {
    leaf: Leaf,
    witnessed: Option<Witnessed>,
}

impl VerifiedRelease {
    /// Verifies that the entry releases the grade that is entered with `graded`.
    pub(super) fn verify(
        release: &Release,
        graded: &Leaf,
        (trust, service): (&TrustStore, &SpiffeId),
    ) -> Result<Self, String> {
        let SignedLeaf {
            leaf: bytes,
            signature,
        } = &release.leaf;
        let leaf = Leaf::parse(bytes).map_err(|error| error.to_string())?;
        let signer = signing_blackboard(bytes, signature, trust, leaf.at)
            .map_err(|reason| format!("the signature of its release: {reason}"))?;
        let releases_it = match &leaf.entry {
            Entry::Released(released) => released.entries.contains(&graded.index),
            _ => false,
        };
        let is_later = leaf.index > graded.index && leaf.at >= graded.at;
        if !releases_it || !is_later || leaf.log != graded.log || signer != *service {
            return Err("the log entry does not release this grade".to_owned());
        }
        let entered = Entered {
            bytes,
            leaf: &leaf,
            service,
            chains: "",
        };
        let (proof, policy) = (release.proof.as_ref(), WitnessPolicy::default());
        let prove = |proof| log_proof::verify(proof, &entered, trust, &policy);
        let witnessed = proof.map(prove).transpose()?;
        Ok(Self { leaf, witnessed })
    }

    /// Since when it could be seen, by Blackboard's clock.
    pub fn at(&self) -> UnixTime {
        self.leaf.at
    }

    /// The number of the entry, in the log of the grade.
    pub fn index(&self) -> u64 {
        self.leaf.index
    }

    /// Who has seen the entry; nobody yet if the proof is still to come.
    pub fn witnessed(&self) -> Option<&Witnessed> {
        self.witnessed.as_ref()
    }
}
