//! Verifications: CUHK's signed answer to a service that asks about members.
//!
//! A JWT, ES256, `typ: scb-verification+jwt`, for this asker and this nonce, good for 60 s.

use rustls_pki_types::UnixTime;
use scb_certs::{Chain, Fingerprint, SigningKey, SpiffeId, StudentId, TrustStore};
use serde::{Deserialize, Serialize};

use crate::cuhk_signed::{self, CuhkSigner, NotCuhks};
use crate::error::Error;
use crate::identity_token::thumbprint;
use crate::jose::{self, JwsError};
use crate::message::cuhk::MemberQuestion;
use crate::time::{CLOCK_SKEW, from_seconds, is_future, is_past};
use crate::values::Nonce;
use crate::{Code, Refusal, Step};

/// The verification's `typ`.
const VERIFICATION_TYPE: &str = "scb-verification+jwt";
/// How many seconds an answer is good for.
pub const VERIFICATION_LIFETIME: u64 = 60;
/// By how many seconds the platform's clock is ahead of CUHK's, in a refusal.
const AHEAD: &str = "seconds_ahead";
/// By how many it is behind.
const BEHIND: &str = "seconds_behind";
/// Most members in one question.
pub const MAX_QUESTION: usize = 8;

/// What a service asks CUHK: these members, these certificates, this nonce.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Fresh for each question.
    pub nonce: Nonce,
    /// The members, in order, each once.
    pub members: Vec<MemberQuestion>,
    /// SHA-256 of the statement that is to be recorded or stored, if the question is about one: CUHK repeats
    /// it under its signature, and learns nothing else of it.
    pub statement_sha256: Option<Fingerprint>,
}

impl Question {
    /// What the answer repeats.
    pub fn repeated(&self) -> Repeated {
        (self.nonce, self.statement_sha256)
    }
}

/// Why a member is not active.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InactiveReason {
    /// Not on the roster, or this certificate is not one that CUHK issued to this student.
    Unknown,
    /// The certificate was revoked.
    Revoked,
    /// The certificate has expired.
    Expired,
    /// The roster no longer lists the student as active.
    Suspended,
}

impl std::fmt::Display for InactiveReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unknown => "unknown",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::Suspended => "suspended",
        })
    }
}

/// CUHK's answer about one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberAnswer {
    /// The student ID that was asked about.
    pub sid: StudentId,
    /// The certificate that was asked about.
    pub cert_sha256: Fingerprint,
    /// `None` if the member is active.
    pub inactive: Option<InactiveReason>,
    /// When CUHK looked.
    pub checked_at: UnixTime,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    v: u8,
    iss: SpiffeId,
    aud: SpiffeId,
    nonce: Nonce,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    statement_sha256: Option<Fingerprint>,
    iat: u64,
    exp: u64,
    members: Vec<MemberClaim>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MemberClaim {
    sub: SpiffeId,
    active: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<InactiveReason>,
    #[serde(rename = "x5t#S256", with = "thumbprint")]
    thumbprint: Fingerprint,
    checked_at: u64,
}

/// Signs CUHK's answer to `asker`, with what it [repeats](Question::repeated) of the question.
///
/// # Errors
///
/// [`Error::Sign`].
pub fn issue_verification(
    issuer: &SpiffeId,
    asker: &SpiffeId,
    (nonce, statement_sha256): (Nonce, Option<Fingerprint>),
    answers: &[MemberAnswer],
    now: UnixTime,
    key: &SigningKey,
    chain: &Chain,
) -> Result<String, Error> {
    let member = |answer: &MemberAnswer| MemberClaim {
        sub: SpiffeId::new_student(issuer.trust_domain(), &answer.sid),
        active: answer.inactive.is_none(),
        reason: answer.inactive,
        thumbprint: answer.cert_sha256,
        checked_at: answer.checked_at.as_secs(),
    };
    let claims = Claims {
        v: 1,
        iss: issuer.clone(),
        aud: asker.clone(),
        nonce,
        statement_sha256,
        iat: now.as_secs(),
        exp: now.as_secs() + VERIFICATION_LIFETIME,
        members: answers.iter().map(member).collect(),
    };
    jose::sign(VERIFICATION_TYPE, &claims, key, chain)
}

/// Evidence: CUHK said, to this service, that all these members are active.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    token: String,
    nonce: Nonce,
    statement_sha256: Option<Fingerprint>,
    issued_at: UnixTime,
    members: Vec<MemberQuestion>,
    signer: CuhkSigner,
}

/// What an answer repeats of its question: the nonce, and the statement that it is about, if there is one.
type Repeated = (Nonce, Option<Fingerprint>);

impl Verification {
    /// Verifies an answer to one's own question.
    ///
    /// # Errors
    ///
    /// `verification_invalid` (signature, issuer, asker, nonce, statement, members, thumbprints), `platform_clock` (the
    /// clock here is more than 60 s from CUHK's: what is judged by it now would not be accepted afterwards),
    /// `signer_withdrawn` (a new answer helps), or `student_inactive` about the first member of whom CUHK says so.
    pub fn verify(
        token: &str,
        trust: &TrustStore,
        asker: &SpiffeId,
        question: &Question,
        now: UnixTime,
    ) -> Result<Self, Refusal> {
        let asked = (Some(&question.members[..]), Some(question.repeated()));
        Self::judge(token, trust, asker, asked, now)
    }

    /// Verifies an answer that somebody else asked for, as a member or an auditor does: all
    /// but the nonce. `at` is the time at which it must have been in force.
    ///
    /// # Errors
    ///
    /// As [`Verification::verify`].
    pub fn verify_for(
        token: &str,
        trust: &TrustStore,
        asker: &SpiffeId,
        members: &[MemberQuestion],
        at: UnixTime,
    ) -> Result<Self, Refusal> {
        Self::judge(token, trust, asker, (Some(members), None), at)
    }

    /// Verifies an answer about whomever, all of whom it must call active: who that is remains to be
    /// compared. Otherwise as [`Verification::verify_for`].
    ///
    /// # Errors
    ///
    /// As [`Verification::verify`].
    pub(crate) fn verify_told(
        token: &str,
        trust: &TrustStore,
        asker: &SpiffeId,
        at: UnixTime,
    ) -> Result<Self, Refusal> {
        Self::judge(token, trust, asker, (None, None), at)
    }

    fn judge(
        token: &str,
        trust: &TrustStore,
        asker: &SpiffeId,
        (asked, repeated): (Option<&[MemberQuestion]>, Option<Repeated>),
        at: UnixTime,
    ) -> Result<Self, Refusal> {
        let (signer, claims) = read(token, trust, at)
            .map_err(|error| error.refusal(Code::VerificationInvalid, Step::Three))?;
        if claims.aud != *asker {
            return Err(invalid("it was given to another service"));
        }
        match repeated {
            // What answers another question says nothing about these members.
            Some((nonce, _)) if nonce != claims.nonce => {
                return Err(invalid("it answers another question (nonce)"));
            }
            Some((_, statement)) if statement != claims.statement_sha256 => {
                return Err(invalid("it answers a question about another statement"));
            }
            // The question was asked just now: what differs are the clocks.
            Some(_) => check_clocks(clock_ahead(from_seconds(claims.iat), at))?,
            None if is_past(claims.exp, at) || is_future(claims.iat, at) => {
                return Err(invalid("it is not in force at this time"));
            }
            None => {}
        }
        let members = match asked {
            Some(members) => members.to_vec(),
            None => told(&claims)?,
        };
        check_members(&claims, &members)?;
        Ok(Self {
            token: token.to_owned(),
            nonce: claims.nonce,
            statement_sha256: claims.statement_sha256,
            issued_at: from_seconds(claims.iat),
            members,
            signer,
        })
    }

    /// Whoever signed it.
    pub(crate) fn signer(&self) -> &CuhkSigner {
        &self.signer
    }

    /// The signed answer itself (JWT).
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The nonce of the question.
    pub fn nonce(&self) -> Nonce {
        self.nonce
    }

    /// SHA-256 of the statement that it names, if it names one.
    pub fn statement_sha256(&self) -> Option<Fingerprint> {
        self.statement_sha256
    }

    /// Whether it is about this statement, or none in particular.
    pub(crate) fn may_be_about(&self, statement: Fingerprint) -> bool {
        self.statement_sha256.is_none_or(|named| named == statement)
    }

    /// When CUHK signed it.
    pub fn issued_at(&self) -> UnixTime {
        self.issued_at
    }

    /// The members of whom it speaks, in order.
    pub fn members(&self) -> &[MemberQuestion] {
        &self.members
    }
}

/// Of whom it speaks, in order.
fn told(claims: &Claims) -> Result<Vec<MemberQuestion>, Refusal> {
    let member = |claim: &MemberClaim| {
        Some(MemberQuestion {
            sid: claim.sub.student()?.clone(),
            cert_sha256: claim.thumbprint,
        })
    };
    let members: Option<Vec<_>> = claims.members.iter().map(member).collect();
    members.ok_or_else(|| invalid("it speaks of somebody who is no student"))
}

fn read(token: &str, trust: &TrustStore, at: UnixTime) -> Result<(CuhkSigner, Claims), NotCuhks> {
    let signed = cuhk_signed::read::<Claims>(
        token,
        (VERIFICATION_TYPE, Code::VerificationInvalid),
        trust,
        at,
    )?;
    let claims = signed.claims;
    let lifetime = claims.exp.checked_sub(claims.iat);
    if claims.v != 1 || claims.iss != signed.name || lifetime != Some(VERIFICATION_LIFETIME) {
        return Err(JwsError::Claims.into());
    }
    Ok((signed.signer, claims))
}

/// Exactly the members asked, in order, with the thumbprints asked, all active.
fn check_members(claims: &Claims, members: &[MemberQuestion]) -> Result<(), Refusal> {
    let asked = members
        .iter()
        .map(|member| (Some(&member.sid), member.cert_sha256));
    let told = claims
        .members
        .iter()
        .map(|claim| (claim.sub.student(), claim.thumbprint));
    let same_domain = claims
        .members
        .iter()
        .all(|claim| claim.sub.trust_domain() == claims.iss.trust_domain());
    if !same_domain || !asked.eq(told) {
        return Err(invalid("it speaks of other members or certificates"));
    }
    for (claim, member) in claims.members.iter().zip(members) {
        match (claim.active, claim.reason) {
            (true, None) => {}
            (true, Some(_)) => return Err(invalid("it contradicts itself")),
            (false, reason) => return Err(inactive(&member.sid, reason)),
        }
    }
    Ok(())
}

fn inactive(sid: &StudentId, reason: Option<InactiveReason>) -> Refusal {
    let refusal = Refusal::new(Code::StudentInactive, Step::Three).about(sid);
    match reason {
        Some(reason) => refusal.with("reason", reason),
        None => refusal,
    }
}

/// By how many seconds a clock that says `now` is ahead of CUHK's, which said `theirs` just now; behind it if
/// negative.
pub fn clock_ahead(theirs: UnixTime, now: UnixTime) -> i64 {
    let (theirs, now) = (theirs.as_secs(), now.as_secs());
    let apart = i64::try_from(now.abs_diff(theirs)).unwrap_or(i64::MAX);
    if now < theirs { -apart } else { apart }
}

/// What a refusal with `platform_clock` says of the platform's clock, as [`clock_ahead`] does.
pub fn clock_ahead_in(refusal: &Refusal) -> Option<i64> {
    let seconds = |name: &str| refusal.params.get(name)?.parse().ok();
    let behind = || seconds(BEHIND).map(|behind: i64| behind.saturating_neg());
    let told = seconds(AHEAD).or_else(behind);
    told.filter(|_| refusal.code == Code::PlatformClock)
}

fn check_clocks(ahead: i64) -> Result<(), Refusal> {
    let apart = ahead.unsigned_abs();
    match (apart <= CLOCK_SKEW, ahead > 0) {
        (true, _) => Ok(()),
        (false, true) => Err(Refusal::new(Code::PlatformClock, Step::Three).with(AHEAD, apart)),
        (false, false) => Err(Refusal::new(Code::PlatformClock, Step::Three).with(BEHIND, apart)),
    }
}

fn invalid(reason: impl std::fmt::Display) -> Refusal {
    Refusal::new(Code::VerificationInvalid, Step::Three).with("reason", reason)
}
