//! Exactly the members have signed: no more, no fewer, each once.

use rustls_pki_types::UnixTime;
use scb_certs::{DetachedSignature, Signer, TrustStore, VerifiedStudent};

use crate::certificate::certificate_refusal;
use crate::statement::StatedMember;
use crate::{Code, Refusal, Step};

/// Verifies the detached CMS signatures of `statement` by the certificates of `members`, and
/// returns the signers in member order. Their chains are not judged here: until then a member without a stated
/// certificate is who his certificate says.
///
/// # Errors
///
/// `signature_invalid` (form, a signature, a signer who is not a member, a signer twice), about the
/// first member whose signature fails if it is one, or `signature_missing`, about the first member
/// who did not sign.
pub(crate) fn verify_signatures(
    statement: &[u8],
    signatures: &[u8],
    members: &[StatedMember],
) -> Result<Vec<Signer>, Refusal> {
    let invalid = |reason: &dyn std::fmt::Display| {
        Refusal::new(Code::SignatureInvalid, Step::Six).with("reason", reason)
    };
    let parsed = DetachedSignature::parse(signatures).map_err(|error| invalid(&error))?;
    let signed = parsed.verify(statement).map_err(|error| {
        let refusal = invalid(&error);
        match first_refused(&parsed, statement, members) {
            Some(member) => refusal.about(&member.sid),
            None => refusal,
        }
    })?;
    let signers = members
        .iter()
        .map(|member| signer(&signed, member))
        .collect::<Result<Vec<_>, Refusal>>()?;
    if signed.len() != members.len() {
        return Err(invalid(&"somebody who is not a member has signed"));
    }
    Ok(signers)
}

fn first_refused<'a>(
    parsed: &DetachedSignature,
    statement: &[u8],
    members: &'a [StatedMember],
) -> Option<&'a StatedMember> {
    let refused = parsed.refused_signers(statement);
    let refused: Vec<_> = refused.iter().map(|signer| signer.fingerprint()).collect();
    let mut members = members.iter();
    members.find(|member| matches!(member.cert_sha256, Some(own) if refused.contains(&own)))
}

fn signer(signed: &[Signer], member: &StatedMember) -> Result<Signer, Refusal> {
    signed
        .iter()
        .find(|signer| member.is_signed_by(signer))
        .cloned()
        .ok_or_else(|| Refusal::new(Code::SignatureMissing, Step::Six).about(&member.sid))
}

/// Judges the chains that the signatures carry, as the receipt will be judged: without them
/// nobody could verify it. Returns the members in order.
///
/// # Errors
///
/// A `certificate_…` code about the first member whose chain does not hold.
pub(crate) fn verify_signers(
    signers: &[Signer],
    members: &[StatedMember],
    trust: &TrustStore,
    at: UnixTime,
) -> Result<Vec<VerifiedStudent>, Refusal> {
    let mut students = Vec::with_capacity(members.len());
    for (signer, member) in signers.iter().zip(members) {
        let student = trust
            .verify_student(&signer.chain, at)
            .map_err(|error| certificate_refusal(&error, Step::Six).about(&member.sid))?;
        if *student.sid() != member.sid {
            return Err(Refusal::new(Code::CertificateWrongRole, Step::Six)
                .about(&member.sid)
                .with("found", student.sid()));
        }
        students.push(student);
    }
    Ok(students)
}
