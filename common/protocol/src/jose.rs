//! JSON Web Signatures (RFC 7515) as this system uses them: ES256, `typ`, `kid`, `x5c`, no more.

mod jwk;
mod provider;

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use scb_certs::{Chain, PublicKey, SigningKey, SpiffeId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::Error;

pub use jwk::{JwkSet, SpiffeBundle, key_id};
pub use provider::install as install_crypto;

/// Longest token in bytes.
pub(crate) const MAX_TOKEN: usize = 16 * 1024;

/// The only header that is accepted. `jku`, `x5u`, `jwk`, `crit` and anything else are unknown
/// fields and refused; so is a repeated one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StrictHeader {
    alg: String,
    typ: String,
    kid: String,
    x5c: Chain,
}

/// The header that is written.
#[derive(Serialize)]
struct OwnHeader<'a> {
    typ: &'a str,
    alg: &'a str,
    kid: String,
    x5c: &'a Chain,
}

/// Why a token is not one of ours. The caller names the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JwsError {
    /// Not three parts of base64url, or over the size limit.
    #[error("not a signed token in compact form")]
    Form,
    /// A header field is missing, repeated or not allowed.
    #[error("its header is not the required one")]
    Header,
    /// Another algorithm than ES256.
    #[error("its algorithm is not ES256")]
    Algorithm,
    /// Another `typ`.
    #[error("it is of another type")]
    Type,
    /// Another `kid` than that of the key in `x5c`.
    #[error("its key identifier is not that of its key")]
    KeyId,
    /// The signature does not verify.
    #[error("its signature does not verify")]
    Signature,
    /// A claim is missing, repeated, unknown or of the wrong type.
    #[error("its claims are not the required ones")]
    Claims,
}

/// A token whose header was read and nothing else; believe none of it yet.
pub(crate) struct UnverifiedJws<'a> {
    token: &'a str,
    kid: String,
    chain: Chain,
}

/// What any token says of itself, before anybody has verified it.
#[derive(Deserialize)]
pub(crate) struct Stamp {
    /// When it was given.
    pub(crate) iat: u64,
    /// To whom.
    pub(crate) aud: SpiffeId,
}

/// What this token says of itself, if it is one.
pub(crate) fn stamp(token: &str) -> Option<Stamp> {
    let claims = token.split('.').nth(1)?;
    let claims = BASE64URL_NOPAD.decode(claims.as_bytes()).ok()?;
    serde_json::from_slice(&claims).ok()
}

impl<'a> UnverifiedJws<'a> {
    /// Reads form and header.
    pub(crate) fn parse(token: &'a str, typ: &str) -> Result<Self, JwsError> {
        let mut parts = token.split('.');
        let (Some(header), Some(_), Some(_), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(JwsError::Form);
        };
        if token.len() > MAX_TOKEN {
            return Err(JwsError::Form);
        }
        let header = BASE64URL_NOPAD
            .decode(header.as_bytes())
            .map_err(|_| JwsError::Form)?;
        let header: StrictHeader = serde_json::from_slice(&header).map_err(|_| JwsError::Header)?;
        match header {
            StrictHeader { alg, .. } if alg != "ES256" => Err(JwsError::Algorithm),
            StrictHeader { typ: other, .. } if other != typ => Err(JwsError::Type),
            StrictHeader { kid, x5c, .. } => Ok(Self {
                token,
                kid,
                chain: x5c,
            }),
        }
    }

    /// The certificates of `x5c`, leaf first. Not verified.
    pub(crate) fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Checks the signature with a key that the caller has verified, then reads the claims.
    pub(crate) fn verify<T: DeserializeOwned>(&self, key: &PublicKey) -> Result<T, JwsError> {
        if self.kid != key_id(key) {
            return Err(JwsError::KeyId);
        }
        install_crypto();
        let key = DecodingKey::from_ec_der(key.point());
        let mut validation = Validation::new(Algorithm::ES256);
        // Times and audience are checked by the caller, who has the clock and the claims' types.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        jsonwebtoken::decode::<T>(self.token, &key, &validation)
            .map(|data| data.claims)
            .map_err(|error| match error.kind() {
                jsonwebtoken::errors::ErrorKind::Json(_) => JwsError::Claims,
                _ => JwsError::Signature,
            })
    }
}

/// Signs `claims` (ES256) with the key of `chain`'s leaf; `x5c` carries `chain`.
///
/// Not by the library, which would parse the private key anew, and copy it, for each token.
pub(crate) fn sign(
    typ: &str,
    claims: &impl Serialize,
    key: &SigningKey,
    chain: &Chain,
) -> Result<String, Error> {
    let header = OwnHeader {
        typ,
        alg: "ES256",
        kid: key_id(key.public_key()),
        x5c: chain,
    };
    let mut token = format!("{}.{}", part(&header)?, part(claims)?);
    let signature = key.sign_raw(token.as_bytes()).map_err(|_| Error::Sign)?;
    token.push('.');
    BASE64URL_NOPAD.encode_append(&signature, &mut token);
    Ok(token)
}

fn part(value: &impl Serialize) -> Result<String, Error> {
    let json = serde_json::to_vec(value).map_err(|_| Error::Sign)?;
    Ok(BASE64URL_NOPAD.encode(&json))
}
