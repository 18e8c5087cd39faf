//! Token introspection (RFC 7662): what an identity token says and whether it counts, for the
//! service that it was issued for; as JSON, or as a JWT that CUHK signs (RFC 9701).

use rustls_pki_types::UnixTime;
use scb_certs::{Chain, SigningKey, SpiffeId, StudentId, TrustStore, VerifiedService};
use serde::{Serialize, Serializer};

use crate::error::Error;
use crate::identity_token::{Claims, UnverifiedToken};
use crate::jose;
use crate::message::cuhk::MemberQuestion;
use crate::verification::MemberAnswer;
use crate::{Code, Refusal, Step};

/// The `typ` of a signed answer (RFC 9701, section 5).
pub const INTROSPECTION_TYPE: &str = "token-introspection+jwt";

impl UnverifiedToken<'_> {
    /// Reads a token about which `asker` asks. Whether its student is active is asked next
    /// ([`AskedToken::member`]).
    ///
    /// # Errors
    ///
    /// For the log, and not for the asker: `token_invalid`, `signer_withdrawn`, `token_audience`
    /// (issued for another service) or `token_expired` (by CUHK's own clock, without any skew).
    pub fn asked_about(
        self,
        trust: &TrustStore,
        asker: &VerifiedService,
        now: UnixTime,
    ) -> Result<AskedToken, Refusal> {
        let refuse = |code| Err(Refusal::new(code, Step::Three));
        let claims = self
            .claims(trust, now)
            .map_err(|error| error.refusal(Code::TokenInvalid, Step::Three))?;
        if claims.aud != *asker.spiffe_id() {
            return refuse(Code::TokenAudience);
        }
        if claims.exp <= now.as_secs() || claims.iat > now.as_secs() {
            return refuse(Code::TokenExpired);
        }
        match claims.sub.student() {
            Some(sid) if claims.sub.trust_domain() == claims.iss.trust_domain() => Ok(AskedToken {
                sid: sid.clone(),
                claims,
            }),
            _ => refuse(Code::TokenInvalid),
        }
    }
}

/// Evidence: CUHK issued this token for the service that asks about it, and it has not expired.
#[derive(Debug)]
pub struct AskedToken {
    sid: StudentId,
    claims: Claims,
}

impl AskedToken {
    /// The student and the certificate on which it depends whether the token counts.
    pub fn member(&self) -> MemberQuestion {
        MemberQuestion {
            sid: self.sid.clone(),
            cert_sha256: self.claims.thumbprint(),
        }
    }

    /// What the service is told, when the records say this of the student. An answer about
    /// somebody else makes no token count.
    pub fn answered(self, answer: &MemberAnswer) -> Introspection {
        let asked = self.member();
        let same = answer.sid == asked.sid && answer.cert_sha256 == asked.cert_sha256;
        match answer.inactive {
            None if same => Introspection(Some(self)),
            _ => Introspection::inactive(),
        }
    }
}

/// What CUHK tells of a token (RFC 7662, section 2.2): all that it says, or only that it does not
/// count, whatever the reason.
#[derive(Debug)]
pub struct Introspection(Option<AskedToken>);

impl Introspection {
    /// Of a token that does not count, is none, or is not the asker's business.
    pub fn inactive() -> Self {
        Self(None)
    }

    /// The student whose token counts.
    pub fn student(&self) -> Option<&StudentId> {
        self.0.as_ref().map(|token| &token.sid)
    }

    /// The answer as a JWT for this asker alone (RFC 9701). It says of itself by `typ` that it is
    /// no token.
    ///
    /// # Errors
    ///
    /// [`Error::Sign`].
    pub fn sign(
        &self,
        issuer: &SpiffeId,
        asker: &SpiffeId,
        now: UnixTime,
        key: &SigningKey,
        chain: &Chain,
    ) -> Result<String, Error> {
        let claims = Signed {
            v: 1,
            iss: issuer,
            aud: asker,
            iat: now.as_secs(),
            token_introspection: self,
        };
        jose::sign(INTROSPECTION_TYPE, &claims, key, chain)
    }
}

/// RFC 9701, section 5. Neither `sub` nor `exp`: nobody is to take it for an access token.
#[derive(Serialize)]
struct Signed<'a> {
    v: u8,
    iss: &'a SpiffeId,
    aud: &'a SpiffeId,
    iat: u64,
    token_introspection: &'a Introspection,
}

impl Serialize for Introspection {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Members<'a> {
            active: bool,
            #[serde(flatten)]
            claims: Option<&'a Claims>,
        }
        let claims = self.0.as_ref().map(|token| &token.claims);
        let active = claims.is_some();
        Members { active, claims }.serialize(to)
    }
}
