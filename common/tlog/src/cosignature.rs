//! What a witness does: it looks at a checkpoint, compares it with the last one that it
//! cosigned, and cosigns what grew out of it.

use crate::note::missing;
use crate::{
    Algorithm, ConsistencyProof, Error, NoteKey, SignatureLine, TreeHead, VerifiedCheckpoint,
    VerifierKey,
};

/// A checkpoint of which it is proved that its tree begins with an earlier one.
#[derive(Clone, Debug)]
pub struct Growth {
    checkpoint: VerifiedCheckpoint,
}

impl Growth {
    /// The checkpoint.
    pub fn checkpoint(&self) -> &VerifiedCheckpoint {
        &self.checkpoint
    }
}

/// Checks that a checkpoint's tree begins with all the entries of the tree `known`.
///
/// # Errors
///
/// [`Error::Shrunk`], [`Error::GrowthUnproved`]: the log has, or may have, rewritten its history.
pub fn verify_growth(
    known: &TreeHead,
    checkpoint: VerifiedCheckpoint,
    proof: &ConsistencyProof,
) -> Result<Growth, Error> {
    known.check_growth(&checkpoint.head(), proof)?;
    Ok(Growth { checkpoint })
}

/// A witness's key (C2SP tlog-cosignature, Ed25519, version 1).
#[derive(Debug)]
pub struct Cosigner(NoteKey);

impl Cosigner {
    /// The witness with this key.
    ///
    /// # Errors
    ///
    /// [`Error::KeyMalformed`] if the key is not for cosignatures.
    pub fn new(key: NoteKey) -> Result<Self, Error> {
        match key.verifier().algorithm() {
            Algorithm::CosignatureV1 => Ok(Self(key)),
            Algorithm::Ed25519 => Err(Error::KeyMalformed),
        }
    }

    /// The public half.
    pub fn verifier(&self) -> &VerifierKey {
        self.0.verifier()
    }

    /// States that at `time` (seconds since 1970) this is the largest tree of the log that the
    /// witness has seen. That it is recorded durably before is the caller's duty.
    pub fn cosign(&self, growth: &Growth, time: u64) -> SignatureLine {
        let message = message(growth.checkpoint.note().text(), time);
        let mut value = time.to_be_bytes().to_vec();
        value.extend(self.0.sign(message.as_bytes()));
        SignatureLine::new(self.verifier(), value)
    }
}

/// A witness's verified word about a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cosignature {
    time: u64,
}

impl Cosignature {
    /// When it was made, seconds since 1970.
    pub fn time(&self) -> u64 {
        self.time
    }
}

impl VerifiedCheckpoint {
    /// Verifies a witness's cosignature.
    ///
    /// # Errors
    ///
    /// [`Error::SignatureMissing`], [`Error::SignatureInvalid`].
    pub fn cosignature(&self, witness: &VerifierKey) -> Result<Cosignature, Error> {
        let line = self.note().line(witness).ok_or_else(|| missing(witness))?;
        if witness.algorithm() != Algorithm::CosignatureV1 {
            return Err(missing(witness));
        }
        let invalid = || Error::SignatureInvalid {
            name: witness.name().clone(),
        };
        let (time, signature) = line.signature().split_first_chunk().ok_or_else(invalid)?;
        let time = u64::from_be_bytes(*time);
        let message = message(self.note().text(), time);
        witness.verify(message.as_bytes(), signature)?;
        Ok(Cosignature { time })
    }
}

fn message(text: &str, time: u64) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}
