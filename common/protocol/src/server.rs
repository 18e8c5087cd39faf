//! Blackboard's side of steps 3 to 6: one struct per expected message.
//!
//! Each `handle` consumes the state and returns the next one, or a refusal that ends the
//! connection. Evidence is what the next state asks for; there is no way round a check.

mod confirmation;
mod presentation;
mod submission;
mod verification;
mod watch;

use scb_certs::SpiffeId;

pub use confirmation::ExpectConfirmation;
pub use presentation::{ExpectPresentation, VerifiedPresentation};
pub use submission::{
    AcceptedStatement, AwaitReverification, ExpectSubmission, ReceivingContent, VerifiedSubmission,
};
pub(crate) use submission::{verify_signatures, verify_signers};
pub use verification::{AwaitVerification, VerifiedMember};
pub use watch::{AwaitLook, MemberWatch};

use crate::statement::Label;

/// What Blackboard accepts.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Blackboard's own name: the audience of tokens and statements.
    pub service: SpiffeId,
    /// Most members of a group, 1 to 8.
    pub max_members: u8,
    /// Largest report in bytes.
    pub max_bytes: u64,
    /// The course that is open.
    pub course: Label,
    /// The assignment that is open.
    pub assignment: Label,
}
