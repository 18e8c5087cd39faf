//! What the client sends of each file: all of it, or what is missing here.

use super::{CommittedStatement, ReceivingContent};
use crate::message::blackboard::{Received, Request};
use crate::message::unexpected;
use crate::statement::Statement;
use crate::{Code, Refusal, Step};

/// A statement whose files come, and what there is once they have.
pub trait WithFiles {
    /// What it is then.
    type Next;

    /// The statement.
    fn statement(&self) -> &Statement;

    /// Its files have come, with the sizes and hashes that it states.
    ///
    /// # Errors
    ///
    /// Why it does not go on all the same.
    fn received(self) -> Result<Self::Next, Refusal>;
}

/// Waits for `upload`.
#[derive(Debug)]
pub struct ExpectUpload<S = CommittedStatement> {
    stated: S,
    have: Vec<Received>,
}

impl<S: WithFiles> ExpectUpload<S> {
    pub(in crate::server) fn new(stated: S, have: Vec<Received>) -> Self {
        Self { stated, have }
    }

    /// The statement.
    pub fn statement(&self) -> &Statement {
        self.stated.statement()
    }

    /// Takes from where each file comes: its beginning, or the end of what is here.
    ///
    /// # Errors
    ///
    /// `unexpected_message`, or `malformed_message` for any other place.
    pub fn handle(self, request: Request) -> Result<ReceivingContent<S>, Refusal> {
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
        Ok(ReceivingContent::new(self.stated, from))
    }
}
