//! What stands behind members when what they have signed is recorded is of that moment, and CUHK's answer
//! names the very statement that counts from then on. That of step 3 may be as old as the connection, and
//! names none: then it is asked anew. So it is where the clock here was set back since: the new answer tells
//! how far that is from CUHK's.

use std::sync::Arc;

use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, TrustStore};

use super::verification::{ask_about, verify_answer};
use super::{AcceptedStatement, PartlySigned, Policy, VerifiedMember};
use crate::assurance::{Assurance, Mode, VerifiedTokens};
use crate::verification::{Question, VERIFICATION_LIFETIME, Verification};
use crate::{Refusal, Step};

/// Waits for CUHK's answer about members whose statement is to be recorded.
#[derive(Debug)]
pub struct AwaitRecent {
    policy: Arc<Policy>,
    members: Vec<VerifiedMember>,
    question: Question,
    /// What stands behind them, if it is of the last minute: enough where CUHK is away by now.
    recent: Option<Assurance>,
}

impl AwaitRecent {
    /// Nothing if what stands behind them is of the last minute, or of the next by a clock that is behind, and
    /// names the statement if it has to.
    fn of(
        policy: &Arc<Policy>,
        members: &[VerifiedMember],
        (assurance, statement): (&Assurance, Option<&[u8]>),
        now: UnixTime,
    ) -> Result<Option<Self>, Refusal> {
        let apart = now.as_secs().abs_diff(assurance.at().as_secs());
        let is_recent = apart <= VERIFICATION_LIFETIME;
        // Tokens name nothing, and who was away a moment ago is not asked again.
        let told = assurance
            .verification()
            .and_then(Verification::statement_sha256);
        let names_it = assurance.mode() == Mode::Tokens || told == statement.map(Fingerprint::of);
        if is_recent && names_it {
            return Ok(None);
        }
        Ok(Some(Self {
            policy: Arc::clone(policy),
            members: members.to_vec(),
            question: ask_about(members.iter().map(VerifiedMember::student), statement)?,
            recent: is_recent.then(|| assurance.clone()),
        }))
    }

    /// What to ask CUHK, under a fresh nonce.
    pub fn question(&self) -> &Question {
        &self.question
    }

    /// Whether what CUHK said within the last minute is enough where it says nothing now.
    pub fn is_recent(&self) -> bool {
        self.recent.is_some()
    }

    /// Verifies CUHK's answer.
    ///
    /// # Errors
    ///
    /// `verification_invalid`, `platform_clock`, `signer_withdrawn` or `student_inactive`, in step 6.
    pub fn handle(
        self,
        answer: &str,
        trust: &TrustStore,
        now: UnixTime,
    ) -> Result<Assurance, Refusal> {
        let judge = (trust, &self.policy.service);
        let verified = verify_answer(answer, &self.question, Step::Six, judge, now)?;
        Ok(Assurance::Verified(verified))
    }

    /// Goes on without CUHK: with what it said within the last minute, which names no statement then, or as
    /// in step 3.
    ///
    /// # Errors
    ///
    /// `away`, or a `token_…` code, in step 6.
    pub fn without_cuhk(
        self,
        away: Refusal,
        trust: &TrustStore,
        now: UnixTime,
    ) -> Result<Assurance, Refusal> {
        if let Some(recent) = self.recent {
            return Ok(recent);
        }
        self.policy.outage.allows_tokens(away, trust, now)?;
        let shown = self.members.iter();
        let shown = shown.map(|member| (member.student(), member.token_text()));
        let service = &self.policy.service;
        let tokens = VerifiedTokens::verify(shown, trust, service, now, Step::Six)?;
        Ok(Assurance::Tokens(tokens))
    }
}

/// What members who are here have signed, and what stands behind them.
pub trait Standing {
    /// What CUHK is asked if that is not of the last minute, or does not name what counts from now on.
    ///
    /// # Errors
    ///
    /// `internal`: no random nonce.
    fn stale(&self, now: UnixTime) -> Result<Option<AwaitRecent>, Refusal>;

    /// This stands behind them now.
    fn stand(&mut self, assurance: Assurance);
}

impl Standing for AcceptedStatement {
    fn stale(&self, now: UnixTime) -> Result<Option<AwaitRecent>, Refusal> {
        let assured = (&self.assurance, Some(&self.bytes[..]));
        AwaitRecent::of(&self.policy, &self.members, assured, now)
    }

    fn stand(&mut self, assurance: Assurance) {
        self.assurance = assurance;
    }
}

impl Standing for PartlySigned {
    /// What counts is the entry of the last signature, which is another's.
    fn stale(&self, now: UnixTime) -> Result<Option<AwaitRecent>, Refusal> {
        AwaitRecent::of(&self.policy, &self.members, (&self.assurance, None), now)
    }

    fn stand(&mut self, assurance: Assurance) {
        self.assurance = assurance;
    }
}
