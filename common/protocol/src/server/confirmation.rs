//! Step 5: both sides confirm the session key.

use std::sync::Arc;

use super::{ExpectRequest, Policy, VerifiedMember};
use crate::assurance::Assurance;
use crate::message::blackboard::{Reply, Request};
use crate::message::unexpected;
use crate::session::SessionKey;
use crate::transcript::Transcript2;
use crate::{Code, Refusal, Step};

/// Waits for `confirm`.
#[derive(Debug)]
pub struct ExpectConfirmation {
    policy: Arc<Policy>,
    members: Vec<VerifiedMember>,
    assurance: Assurance,
    key: SessionKey,
}

impl ExpectConfirmation {
    pub(super) fn new(
        policy: Arc<Policy>,
        members: Vec<VerifiedMember>,
        assurance: Assurance,
        key: SessionKey,
    ) -> Self {
        Self {
            policy,
            members,
            assurance,
            key,
        }
    }

    /// What stands behind the members.
    pub fn assurance(&self) -> &Assurance {
        &self.assurance
    }

    /// What the session key is bound to.
    pub fn transcript(&self) -> Transcript2 {
        self.key.transcript()
    }

    /// Checks that the client opened every share.
    ///
    /// # Errors
    ///
    /// `unexpected_message` or `confirmation_failed`.
    pub fn handle(self, request: Request) -> Result<(ExpectRequest, Reply), Refusal> {
        let Request::Confirm { mac } = request else {
            return Err(unexpected("confirm", &request, Step::Five));
        };
        if !self.key.awaited_from_client().matches(&mac) {
            return Err(Refusal::new(Code::ConfirmationFailed, Step::Five));
        }
        let reply = Reply::Confirmed {
            mac: self.key.server_confirmation(),
        };
        let next = ExpectRequest::new(self.policy, self.members, self.assurance, self.key);
        Ok((next, reply))
    }
}
