//! What the client sends of each file: all of it, or what is missing here.

use super::{AcceptedStatement, Commitment, ReceivingContent};
use crate::message::blackboard::{Received, Request};
use crate::message::unexpected;
use crate::statement::Statement;
use crate::{Code, Refusal, Step};

/// Waits for `upload`.
#[derive(Debug)]
pub struct ExpectUpload {
    accepted: AcceptedStatement,
    commitment: Commitment,
    have: Vec<Received>,
}

impl ExpectUpload {
    pub(super) fn new(
        accepted: AcceptedStatement,
        commitment: Commitment,
        have: Vec<Received>,
    ) -> Self {
        Self {
            accepted,
            commitment,
            have,
        }
    }

    /// The statement.
    pub fn statement(&self) -> &Statement {
        &self.accepted.statement
    }

    /// When it was committed.
    pub fn commitment(&self) -> Commitment {
        self.commitment
    }

    /// Takes from where each file comes: its beginning, or the end of what is here.
    ///
    /// # Errors
    ///
    /// `unexpected_message`, or `malformed_message` for any other place.
    pub fn handle(self, request: Request) -> Result<ReceivingContent, Refusal> {
        let Request::Upload { from } = request else {
            return Err(unexpected("upload", &request, Step::Six));
        };
        let malformed = |reason: &str| {
            Refusal::new(Code::MalformedMessage, Step::Six)
                .with("message", "upload")
                .with("field", "from")
                .with("reason", reason)
        };
        if from.len() != self.have.len() {
            return Err(malformed("not one number for each file"));
        }
        let mut pairs = from.iter().zip(&self.have);
        if !pairs.all(|(from, have)| *from == 0 || *from == have.received) {
            return Err(malformed("neither the beginning nor where it stopped"));
        }
        Ok(ReceivingContent::new(self.accepted, self.commitment, from))
    }
}
