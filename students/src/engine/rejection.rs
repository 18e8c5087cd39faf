//! Blackboard's signed word that it refused these members is verified and kept, as a receipt is.

use std::path::PathBuf;

use scb_certs::ServiceName;
use scb_protocol::Refusal;
use scb_protocol::receipt::WitnessPolicy;
use scb_protocol::rejection::{Refused, VerifiedRejection};

use super::completion::roots;
use super::hand_in::Talk;
use crate::setup::service_id;
use crate::{Error, Event, Setup, receipts};

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

/// A rejection kept here whose proof is still to come.
pub(super) struct UnprovedRejection {
    pub(super) path: PathBuf,
    pub(super) zip: Vec<u8>,
    pub(super) rejection: VerifiedRejection,
}

impl UnprovedRejection {
    /// Every one that is kept here and verifies.
    pub(super) fn all(setup: &Setup) -> Result<Vec<Self>, Error> {
        let (roots, policy) = (roots(setup), WitnessPolicy::default());
        let read = |path: PathBuf| {
            let zip = receipts::read(&path).ok()?;
            let rejection = VerifiedRejection::verify(&zip, &roots, &policy).ok()?;
            let unproved = rejection.witnessed().is_none();
            unproved.then_some(Self {
                path,
                zip,
                rejection,
            })
        };
        let paths = receipts::list_rejections(&setup.receipts)?;
        Ok(paths.into_iter().filter_map(read).collect())
    }
}
