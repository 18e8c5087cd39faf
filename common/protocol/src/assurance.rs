//! What stands behind the members of a group: CUHK's answer of this moment or, while CUHK is
//! away and the server's configuration allows it, their identity tokens.

use std::fmt;

use rustls_pki_types::UnixTime;
use scb_certs::{Chain, SpiffeId, TrustStore, VerifiedStudent};
use serde::{Deserialize, Serialize};

use crate::identity_token::{UnverifiedToken, VerifiedToken};
use crate::verification::Verification;
use crate::{Refusal, Step};

/// What stands behind the members, as messages and receipts name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// CUHK was asked and confirmed every member.
    Verified,
    /// CUHK was away; identity tokens that had not expired were accepted instead.
    Tokens,
}

impl Mode {
    /// As it stands on the wire, in transcripts and in receipts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Tokens => "tokens",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Evidence about all members of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assurance {
    /// CUHK's answer.
    Verified(Verification),
    /// The members' identity tokens.
    Tokens(VerifiedTokens),
}

impl Assurance {
    /// Which of the two it is.
    pub fn mode(&self) -> Mode {
        match self {
            Self::Verified(_) => Mode::Verified,
            Self::Tokens(_) => Mode::Tokens,
        }
    }

    /// CUHK's answer, if CUHK was asked.
    pub fn verification(&self) -> Option<&Verification> {
        match self {
            Self::Verified(verification) => Some(verification),
            Self::Tokens(_) => None,
        }
    }

    /// The moment for which it speaks: when CUHK signed, or when the tokens were looked at.
    pub fn at(&self) -> UnixTime {
        match self {
            Self::Verified(verification) => verification.issued_at(),
            Self::Tokens(tokens) => tokens.at,
        }
    }

    /// Judges again the certificates with which CUHK signed, as revocation lists change. Refusals
    /// name `step`.
    ///
    /// # Errors
    ///
    /// `signer_withdrawn`, `verification_invalid` or `token_invalid`.
    pub(crate) fn check_signers(
        &self,
        trust: &TrustStore,
        now: UnixTime,
        step: Step,
    ) -> Result<(), Refusal> {
        match self {
            Self::Verified(verification) => verification.signer().check(trust, now, step),
            Self::Tokens(tokens) => tokens
                .evidence
                .iter()
                .try_for_each(|token| token.signer().check(trust, now, step)),
        }
    }

    /// The certificates of whoever signed it.
    pub(crate) fn signers(&self) -> Vec<&Chain> {
        match self {
            Self::Verified(verification) => vec![verification.signer().chain()],
            Self::Tokens(tokens) => {
                let evidence = tokens.evidence.iter();
                evidence.map(|token| token.signer().chain()).collect()
            }
        }
    }

    /// As it is kept in a receipt: CUHK's answer, or one token per line in member order.
    pub(crate) fn to_text(&self) -> String {
        match self {
            Self::Verified(verification) => verification.token().to_owned(),
            Self::Tokens(tokens) => tokens
                .tokens
                .iter()
                .map(|token| format!("{token}\n"))
                .collect(),
        }
    }
}

/// Evidence: at this moment every member had an identity token of CUHK in force, for this
/// service and for the certificate shown with it. `Debug` does not print the tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifiedTokens {
    tokens: Vec<String>,
    evidence: Vec<VerifiedToken>,
    at: UnixTime,
    until: UnixTime,
}

impl VerifiedTokens {
    /// Verifies one token per member, in member order. Refusals name `step`.
    ///
    /// # Errors
    ///
    /// A `token_…` code about the first member whose token does not hold.
    pub(crate) fn verify<'a>(
        members: impl IntoIterator<Item = (&'a VerifiedStudent, &'a str)>,
        trust: &TrustStore,
        audience: &SpiffeId,
        at: UnixTime,
        step: Step,
    ) -> Result<Self, Refusal> {
        let mut verified = Self {
            tokens: Vec::new(),
            evidence: Vec::new(),
            at,
            until: UnixTime::since_unix_epoch(std::time::Duration::MAX),
        };
        for (student, token) in members {
            let evidence = UnverifiedToken(token)
                .verify(trust, audience, student, at)
                .map_err(|refusal| Refusal { step, ..refusal })?;
            verified.until = verified.until.min(evidence.expires());
            verified.tokens.push(token.to_owned());
            verified.evidence.push(evidence);
        }
        Ok(verified)
    }

    /// How many members have shown one.
    pub fn members(&self) -> usize {
        self.tokens.len()
    }

    /// When CUHK gave the last of them.
    pub(crate) fn last_issued(&self) -> Option<UnixTime> {
        self.evidence.iter().map(VerifiedToken::issued).max()
    }

    /// When the first of them expires.
    pub fn until(&self) -> UnixTime {
        self.until
    }
}

impl fmt::Debug for VerifiedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedTokens")
            .field("members", &self.tokens.len())
            .field("at", &self.at)
            .field("until", &self.until)
            .finish_non_exhaustive()
    }
}
