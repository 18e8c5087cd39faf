//! Blackboard's signed word that it refused these members is verified and kept, as a receipt is.

use std::path::PathBuf;

use scb_certs::ServiceName;
use scb_protocol::Refusal;
use scb_protocol::rejection::{Refused, VerifiedRejection};

use super::hand_in::Talk;
use crate::setup::service_id;
use crate::{Error, Event, receipts};

impl Talk<'_, '_> {
    /// What to say of a statement that was refused. The signed entry that came along is kept; if it
    /// is not about this very refusal, the server misbehaves. A disk that does not take it makes no
    /// other refusal of it.
    pub(super) fn refused(&mut self, error: Error, statement: &[u8]) -> Error {
        let Error::Refused(refusal) = &error else {
            return error;
        };
        if refusal.rejection.is_none() {
            return error;
        }
        match self.keep_rejection(refusal, statement) {
            Ok(path) => {
                self.observe(&Event::RejectionKept { path });
                error
            }
            Err(Error::Refused(misbehaved)) => misbehaved.into(),
            Err(local) => refusal.clone().with("not_kept", local).into(),
        }
    }

    fn keep_rejection(&self, refusal: &Refusal, statement: &[u8]) -> Result<PathBuf, Error> {
        let trust = self.setup.require_trust()?;
        let service = service_id(&trust, &ServiceName::blackboard());
        let members: Vec<_> = self.members.iter().map(|one| one.sid.clone()).collect();
        let sent = Refused {
            statement,
            members: &members,
        };
        let now = self.clock.now();
        let (zip, rejection) = VerifiedRejection::of(refusal, sent, (&trust, &service), now)?;
        receipts::save_rejection(&self.setup.receipts, &rejection, &zip)
    }
}
