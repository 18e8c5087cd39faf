//! Exactly the members have signed: no more, no fewer, each once.

use std::collections::BTreeSet;

use scb_certs::{DetachedSignature, Fingerprint};

use crate::message::cuhk::MemberQuestion;
use crate::{Code, Refusal, Step};

/// Verifies the detached CMS signatures of `statement` by the certificates of `members`.
///
/// # Errors
///
/// `signature_invalid` (form, a signature, a signer who is not a member, a signer twice) or
/// `signature_missing`, about the first member who did not sign.
pub(crate) fn verify_signatures(
    statement: &[u8],
    signatures: &[u8],
    members: &[MemberQuestion],
) -> Result<(), Refusal> {
    let invalid = |reason: &dyn std::fmt::Display| {
        Refusal::new(Code::SignatureInvalid, Step::Six).with("reason", reason)
    };
    let signers = DetachedSignature::parse(signatures)
        .and_then(|parsed| parsed.verify(statement))
        .map_err(|error| invalid(&error))?;
    let signed: BTreeSet<Fingerprint> = signers
        .iter()
        .map(|signer| signer.certificate.fingerprint())
        .collect();
    for member in members {
        if !signed.contains(&member.cert_sha256) {
            return Err(Refusal::new(Code::SignatureMissing, Step::Six).about(&member.sid));
        }
    }
    if signers.len() != members.len() {
        return Err(invalid(&"somebody who is not a member has signed"));
    }
    Ok(())
}
