//! What a log sends to a witness over HTTP, and what it believes of the answer (C2SP tlog-witness,
//! `add-checkpoint`). Bytes only: who sends them is no business of this crate.

use std::fmt::Write as _;

use crate::{ConsistencyProof, Cosignature, Error, SignatureLine, VerifiedCheckpoint, VerifierKey};

/// A checkpoint, and the proof that it extends what the witness has cosigned before.
#[derive(Clone, Debug)]
pub struct AddCheckpoint {
    checkpoint: VerifiedCheckpoint,
    old: u64,
    growth: ConsistencyProof,
}

impl AddCheckpoint {
    /// Offers a checkpoint to a witness that has cosigned `old` entries, none at first: then there
    /// is nothing to prove.
    pub fn new(checkpoint: VerifiedCheckpoint, old: u64, growth: ConsistencyProof) -> Self {
        Self {
            checkpoint,
            old,
            growth,
        }
    }

    /// The body of the request.
    pub fn body(&self) -> String {
        let mut body = format!("old {}\n", self.old);
        for hash in self.growth.hashes() {
            // Writing to a string cannot fail.
            let _ = writeln!(body, "{hash}");
        }
        body + "\n" + &self.checkpoint.to_string()
    }

    /// The witness's line in the body of a 200, and what it says. Lines by other keys are passed
    /// over.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if a line is no signature line; [`Error::SignatureMissing`] if none is
    /// by this key; [`Error::SignatureInvalid`] if it is over another checkpoint.
    pub fn cosignature(
        &self,
        answer: &str,
        witness: &VerifierKey,
    ) -> Result<(SignatureLine, Cosignature), Error> {
        let lines = answer
            .strip_suffix('\n')
            .ok_or_else(|| Error::malformed("list of cosignatures", "no newline at the end"))?;
        let lines: Vec<SignatureLine> = lines
            .split('\n')
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        let line = lines.into_iter().find(|line| line.is_by(witness));
        let line = line.ok_or_else(|| crate::note::missing(witness))?;
        let cosigned = self.checkpoint.clone().with(line.clone());
        Ok((line, cosigned.cosignature(witness)?))
    }
}

/// How many entries the witness has cosigned: the body of a 409, of type `text/x.tlog.size`.
///
/// # Errors
///
/// [`Error::Malformed`].
pub fn read_tree_size(answer: &str) -> Result<u64, Error> {
    let malformed = || Error::malformed("tree size", "not a decimal number and a newline");
    let digits = answer.strip_suffix('\n').ok_or_else(malformed)?;
    let size: u64 = digits.parse().map_err(|_| malformed())?;
    match size.to_string() == digits {
        true => Ok(size),
        false => Err(malformed()),
    }
}
