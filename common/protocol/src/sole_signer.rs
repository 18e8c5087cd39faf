//! A detached signature by one signer alone, as services sign.

use rustls_pki_types::UnixTime;
use scb_certs::{
    Chain, DetachedSignature, ServiceName, ServiceUsage, Signer, SpiffeId, TrustStore,
};

/// The chain of the one who signed these bytes; nobody has judged it yet.
///
/// # Errors
///
/// As [`sole_signature`].
pub(crate) fn sole_signer(content: &[u8], signature: &[u8]) -> Result<Chain, String> {
    sole_signature(content, signature).map(|signer| signer.chain)
}

/// The one who signed these bytes, with the time that the signature names.
///
/// # Errors
///
/// The signature's form, that it does not verify, or that it is not exactly one.
pub(crate) fn sole_signature(content: &[u8], signature: &[u8]) -> Result<Signer, String> {
    let text = |error: scb_certs::Error| error.to_string();
    let signature = DetachedSignature::parse(signature).map_err(text)?;
    match signature.verify(content).map_err(text)?.as_slice() {
        [signer] => Ok(signer.clone()),
        _ => Err("not exactly one signature".to_owned()),
    }
}

/// The Blackboard that signed these bytes, and nobody else did, with a certificate for signatures
/// in force at the moment `at`.
///
/// # Errors
///
/// As [`sole_signer`]; or the certificate.
pub fn signing_blackboard(
    content: &[u8],
    signature: &[u8],
    trust: &TrustStore,
    at: UnixTime,
) -> Result<SpiffeId, String> {
    let chain = sole_signer(content, signature)?;
    let (name, usage) = (ServiceName::blackboard(), ServiceUsage::Signature);
    let service = trust.verify_service(&chain, &name, usage, at);
    let service = service.map_err(|error| error.to_string())?;
    Ok(service.spiffe_id().clone())
}
