//! What CUHK signs: its token signer is verified first, then the claims are read.

use rustls_pki_types::UnixTime;
use scb_certs::{ServiceName, ServiceUsage, SpiffeId, TrustStore};
use serde::de::DeserializeOwned;

use crate::jose::UnverifiedJws;

/// The signer's name and the claims of a token of this `typ` that CUHK signed.
///
/// # Errors
///
/// What is wrong with the form, the signer's certificate, the signature or the claims.
pub(crate) fn read<T: DeserializeOwned>(
    token: &str,
    typ: &str,
    trust: &TrustStore,
    at: UnixTime,
) -> Result<(SpiffeId, T), String> {
    let jws = UnverifiedJws::parse(token, typ).map_err(|error| error.to_string())?;
    let signer = trust
        .verify_service(jws.chain(), &ServiceName::cuhk(), ServiceUsage::Token, at)
        .map_err(|error| format!("its signer's certificate: {error}"))?;
    let key = signer
        .certificate()
        .public_key()
        .map_err(|error| error.to_string())?;
    let claims = jws.verify(&key).map_err(|error| error.to_string())?;
    Ok((signer.spiffe_id().clone(), claims))
}
