//! Proofs of possession: each member's JWS over T1, made with the certified key.

use data_encoding::BASE64URL_NOPAD;
use scb_certs::{Chain, SigningKey, SpiffeId, VerifiedStudent};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::jose::{self, UnverifiedJws};
use crate::transcript::Transcript1;
use crate::{Code, Refusal, Step};

/// The proof's `typ`.
pub(crate) const PROOF_TYPE: &str = "scb-proof+jwt";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    v: u8,
    sub: SpiffeId,
    t1: String,
}

/// Proves possession of the certified key on the connection that T1 describes.
///
/// # Errors
///
/// [`Error::Sign`].
pub(crate) fn prove(
    t1: &Transcript1,
    student: &SpiffeId,
    key: &SigningKey,
    chain: &Chain,
) -> Result<String, Error> {
    let claims = Claims {
        v: 1,
        sub: student.clone(),
        t1: BASE64URL_NOPAD.encode(t1.as_bytes()),
    };
    let leaf = Chain::new(vec![chain.leaf().clone()]).map_err(|_| Error::Sign)?;
    jose::sign(PROOF_TYPE, &claims, key, &leaf)
}

/// Evidence: the holder of the student's key endorsed T1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct VerifiedProof(());

/// Verifies a member's proof over T1.
///
/// # Errors
///
/// `proof_invalid`: another key, student, connection, challenge, member set or session key.
pub(crate) fn verify(
    proof: &str,
    t1: &Transcript1,
    student: &VerifiedStudent,
) -> Result<VerifiedProof, Refusal> {
    check(proof, t1, student).map_err(|reason| {
        Refusal::new(Code::ProofInvalid, Step::Three)
            .about(student.sid())
            .with("reason", reason)
    })?;
    Ok(VerifiedProof(()))
}

fn check(proof: &str, t1: &Transcript1, student: &VerifiedStudent) -> Result<(), String> {
    let jws = UnverifiedJws::parse(proof, PROOF_TYPE).map_err(|error| error.to_string())?;
    if jws.chain().leaf() != student.certificate() {
        return Err("it was made with another certificate".to_owned());
    }
    let key = student
        .certificate()
        .public_key()
        .map_err(|error| error.to_string())?;
    let claims: Claims = jws.verify(&key).map_err(|error| error.to_string())?;
    if claims.v != 1 || claims.sub != *student.spiffe_id() {
        return Err("its claims are not the required ones".to_owned());
    }
    if claims.t1 != BASE64URL_NOPAD.encode(t1.as_bytes()) {
        return Err("it is for another connection or challenge".to_owned());
    }
    Ok(())
}
