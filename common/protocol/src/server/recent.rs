//! What stands behind members when what they have signed is recorded is of that moment. CUHK's answer of
//! step 3 may be as old as the connection: then it is asked anew. So it is where the clock here was set back since:
//! the new answer tells how far that is from CUHK's.

use std::sync::Arc;

use rustls_pki_types::UnixTime;
use scb_certs::TrustStore;

use super::verification::{ask_about, verify_answer};
use super::{AcceptedStatement, PartlySigned, Policy, VerifiedMember};
use crate::assurance::{Assurance, VerifiedTokens};
use crate::verification::{Question, VERIFICATION_LIFETIME};
use crate::{Refusal, Step};

/// Waits for CUHK's answer about members who came a while ago, and whose statement is to be recorded.
#[derive(Debug)]
pub struct AwaitRecent {
    policy: Arc<Policy>,
    members: Vec<VerifiedMember>,
    question: Question,
}

impl AwaitRecent {
    /// Nothing if what stands behind them is of the last minute, or of the next by a clock that is behind.
    fn of(
        policy: &Arc<Policy>,
        members: &[VerifiedMember],
        assurance: &Assurance,
        now: UnixTime,
    ) -> Result<Option<Self>, Refusal> {
        let apart = now.as_secs().abs_diff(assurance.at().as_secs());
        if apart <= VERIFICATION_LIFETIME {
            return Ok(None);
        }
        Ok(Some(Self {
            policy: Arc::clone(policy),
            members: members.to_vec(),
            question: ask_about(members.iter().map(VerifiedMember::student))?,
        }))
    }

    /// What to ask CUHK, under a fresh nonce.
    pub fn question(&self) -> &Question {
        &self.question
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

    /// Goes on without CUHK, as in step 3.
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
    /// What CUHK is asked if that is not of the last minute.
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
        AwaitRecent::of(&self.policy, &self.members, &self.assurance, now)
    }

    fn stand(&mut self, assurance: Assurance) {
        self.assurance = assurance;
    }
}

impl Standing for PartlySigned {
    fn stale(&self, now: UnixTime) -> Result<Option<AwaitRecent>, Refusal> {
        AwaitRecent::of(&self.policy, &self.members, &self.assurance, now)
    }

    fn stand(&mut self, assurance: Assurance) {
        self.assurance = assurance;
    }
}
