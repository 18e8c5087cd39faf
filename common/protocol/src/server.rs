//! Blackboard's side of steps 3 to 6: one struct per expected message.
//!
//! Each `handle` consumes the state and returns the next one, or a refusal that ends the
//! connection. Evidence is what the next state asks for; there is no way round a check.

mod absent;
mod confirmation;
mod desk;
mod presentation;
mod proposal;
mod recent;
mod submission;
mod verification;
mod watch;

use std::fmt;

use rustls_pki_types::UnixTime;
use scb_certs::{Crl, SpiffeId, TrustStore};
use serde::{Deserialize, Serialize};

pub use absent::{AwaitAbsent, SUSPENDED_FOR};
pub use confirmation::ExpectConfirmation;
pub use desk::{Ending, ExpectRequest, Inquiry, MAX_QUESTIONS, Wanted};
pub use presentation::{ExpectPresentation, VerifiedPresentation};
pub use proposal::{
    AwaitCosigners, ConfirmedSigners, DeliveredSignature, GatheredSignatures, PartlySigned,
    join_delivered,
};
pub use recent::{AwaitRecent, Standing};
pub use submission::{
    AcceptedStatement, AwaitReverification, Commitment, CommittedStatement, ExpectUpload,
    ReceivingContent, VerifiedSubmission, WithFiles,
};
pub(crate) use submission::{verify_signatures, verify_signers};
pub(crate) use verification::questions;
pub use verification::{AwaitVerification, VerifiedMember};
pub use watch::{AwaitLook, LookAnswer, MemberWatch};

use crate::Refusal;
use crate::time::is_future;

/// What happens while CUHK cannot be reached. Never applied when CUHK answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outage {
    /// Everybody is refused with `cuhk_unavailable`.
    #[default]
    Refuse,
    /// Identity tokens count until they expire, as long as every revocation list is in force.
    Tokens,
}

impl fmt::Display for Outage {
    /// As in a configuration file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refuse => "refuse",
            Self::Tokens => "tokens",
        })
    }
}

impl Outage {
    /// Whether tokens count now; `away` is what is told otherwise.
    fn allows_tokens(
        self,
        away: Refusal,
        trust: &TrustStore,
        now: UnixTime,
    ) -> Result<(), Refusal> {
        let in_force = |list: &Crl| {
            let (from, to) = (list.this_update().as_secs(), list.next_update().as_secs());
            !is_future(from, now) && now.as_secs() < to
        };
        match self {
            Self::Refuse => Err(away),
            Self::Tokens if trust.crls().is_empty() || !trust.crls().iter().all(in_force) => {
                Err(away.with("revocation_lists", "expired"))
            }
            Self::Tokens => Ok(()),
        }
    }
}

/// What Blackboard accepts.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Blackboard's own name: the audience of tokens and statements.
    pub service: SpiffeId,
    /// Most members of a group, 1 to 8.
    pub max_members: u8,
    /// Most bytes of one hand-in, whatever its assignment allows.
    pub max_bytes: u64,
    /// What happens while CUHK is away.
    pub outage: Outage,
}
