//! Identity tokens: CUHK's word, for 12 hours, that a certificate belongs to a student.
//!
//! A JWT (RFC 7519), ES256, `typ: scb-identity+jwt`, bound to the certificate by
//! `cnf.x5t#S256` (RFC 8705).

use std::fmt;
use std::time::Duration;

use data_encoding::HEXLOWER;
use rustls_pki_types::UnixTime;
use scb_certs::{
    Certificate, Chain, Fingerprint, SigningKey, SpiffeId, TrustStore, VerifiedStudent,
};
use serde::{Deserialize, Serialize};

use crate::cuhk_signed::{self, CuhkSigner, NotCuhks};
use crate::error::Error;
use crate::jose::{self, JwsError};
use crate::time::{from_seconds, is_future, is_past, rfc3339};
use crate::values::random;
use crate::{Code, Refusal, Step};

/// The token's `typ`.
pub const TOKEN_TYPE: &str = "scb-identity+jwt";
/// How long a token lives, unless its certificate ends earlier: 12 hours.
pub const TOKEN_LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);

/// What a token says. Unknown, missing or repeated claims are refused.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Claims {
    v: u8,
    pub(crate) iss: SpiffeId,
    pub(crate) aud: SpiffeId,
    pub(crate) sub: SpiffeId,
    pub(crate) iat: u64,
    pub(crate) exp: u64,
    jti: String,
    cnf: Confirmation,
}

impl Claims {
    /// SHA-256 of the certificate to which the token is bound.
    pub(crate) fn thumbprint(&self) -> Fingerprint {
        self.cnf.thumbprint
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Confirmation {
    #[serde(rename = "x5t#S256", with = "thumbprint")]
    thumbprint: Fingerprint,
}

/// Serde for a certificate's thumbprint as base64url, as in RFC 8705.
pub(crate) mod thumbprint {
    use scb_certs::Fingerprint;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(value: &Fingerprint, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&value.to_base64url())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Fingerprint, D::Error> {
        let text = String::deserialize(from)?;
        Fingerprint::from_base64url(&text).map_err(serde::de::Error::custom)
    }
}

/// Who gets a token for what.
#[derive(Debug)]
pub struct TokenRequest<'a> {
    /// CUHK's name.
    pub issuer: &'a SpiffeId,
    /// The service that may accept it.
    pub audience: &'a SpiffeId,
    /// The student's name.
    pub subject: &'a SpiffeId,
    /// The student's certificate; the token never outlives it.
    pub certificate: &'a Certificate,
    /// The time of issue.
    pub now: UnixTime,
}

/// Issues an identity token, signed with CUHK's token key.
///
/// # Errors
///
/// [`Error::Random`] or [`Error::Sign`].
pub fn issue_token(
    request: &TokenRequest<'_>,
    key: &SigningKey,
    chain: &Chain,
) -> Result<String, Error> {
    let iat = request.now.as_secs();
    let latest = request.certificate.not_after().as_secs();
    let claims = Claims {
        v: 1,
        iss: request.issuer.clone(),
        aud: request.audience.clone(),
        sub: request.subject.clone(),
        iat,
        exp: latest.min(iat + TOKEN_LIFETIME.as_secs()),
        jti: HEXLOWER.encode(&random::<16>()?),
        cnf: Confirmation {
            thumbprint: request.certificate.fingerprint(),
        },
    };
    jose::sign(TOKEN_TYPE, &claims, key, chain)
}

/// A token as it came from a peer. It says nothing until it is verified.
#[derive(Clone, Copy)]
pub struct UnverifiedToken<'a>(pub &'a str);

impl fmt::Debug for UnverifiedToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnverifiedToken(..)")
    }
}

impl UnverifiedToken<'_> {
    /// What CUHK says in it, to whomever; nobody has looked yet whether it is in force.
    pub(crate) fn claims(self, trust: &TrustStore, now: UnixTime) -> Result<Claims, NotCuhks> {
        read(self.0, trust, now).map(|(_, claims)| claims)
    }

    /// Verifies the token of `student` for `audience`.
    ///
    /// # Errors
    ///
    /// `token_invalid` (form, header, algorithm, signature, issuer, claims), `signer_withdrawn`
    /// (a fresh token helps), `token_audience`,
    /// `token_expired` (either way, beyond a skew of 60 s) or `token_mismatch` (another
    /// student's or certificate's token), about the student.
    pub fn verify(
        self,
        trust: &TrustStore,
        audience: &SpiffeId,
        student: &VerifiedStudent,
        now: UnixTime,
    ) -> Result<VerifiedToken, Refusal> {
        let refuse = |code| Refusal::new(code, Step::Three).about(student.sid());
        let (signer, claims) = read(self.0, trust, now).map_err(|error| {
            error
                .refusal(Code::TokenInvalid, Step::Three)
                .about(student.sid())
        })?;
        if claims.aud != *audience {
            return Err(refuse(Code::TokenAudience)
                .with("expected", audience)
                .with("got", claims.aud));
        }
        if is_past(claims.exp, now) {
            return Err(refuse(Code::TokenExpired)
                .with("expired", rfc3339(from_seconds(claims.exp)))
                .with("now", rfc3339(now)));
        }
        if is_future(claims.iat, now) || claims.exp <= claims.iat {
            return Err(refuse(Code::TokenExpired)
                .with("issued", rfc3339(from_seconds(claims.iat)))
                .with("now", rfc3339(now)));
        }
        let thumbprint = student.certificate().fingerprint();
        if claims.sub != *student.spiffe_id() || claims.cnf.thumbprint != thumbprint {
            return Err(refuse(Code::TokenMismatch));
        }
        Ok(VerifiedToken {
            subject: claims.sub,
            thumbprint,
            issued: from_seconds(claims.iat),
            expires: from_seconds(claims.exp),
            signer,
        })
    }
}

/// Everything about a token that does not depend on who shows it to whom.
fn read(token: &str, trust: &TrustStore, now: UnixTime) -> Result<(CuhkSigner, Claims), NotCuhks> {
    let signed = cuhk_signed::read::<Claims>(token, (TOKEN_TYPE, Code::TokenInvalid), trust, now)?;
    if signed.claims.v != 1 || signed.claims.iss != signed.name {
        return Err(JwsError::Claims.into());
    }
    Ok((signed.signer, signed.claims))
}

/// Evidence: CUHK issued this student a token for this certificate, and it is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedToken {
    subject: SpiffeId,
    thumbprint: Fingerprint,
    issued: UnixTime,
    expires: UnixTime,
    signer: CuhkSigner,
}

impl VerifiedToken {
    /// Whoever signed it.
    pub(crate) fn signer(&self) -> &CuhkSigner {
        &self.signer
    }

    /// The student's name.
    pub fn subject(&self) -> &SpiffeId {
        &self.subject
    }

    /// SHA-256 of the certificate to which the token is bound.
    pub fn thumbprint(&self) -> Fingerprint {
        self.thumbprint
    }

    /// When CUHK gave it.
    pub fn issued(&self) -> UnixTime {
        self.issued
    }

    /// When it expires.
    pub fn expires(&self) -> UnixTime {
        self.expires
    }
}

/// When a token of one's own expires; read without verification, to know when to refresh.
pub fn own_token_expiry(token: &str) -> Option<UnixTime> {
    let claims = token.split('.').nth(1)?;
    let claims = data_encoding::BASE64URL_NOPAD
        .decode(claims.as_bytes())
        .ok()?;
    let claims: Claims = serde_json::from_slice(&claims).ok()?;
    Some(from_seconds(claims.exp))
}
