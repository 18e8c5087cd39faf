//! Receipts whose proof was still to come are completed whenever their members talk to Blackboard.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use scb_certs::{Certificate, Fingerprint, StudentId};
use scb_protocol::Step;
use scb_protocol::client::{Member, Session};
use scb_protocol::receipt::VerifiedReceipt;
use scb_protocol::rejection::VerifiedRejection;
use scb_protocol::statement::SubmissionNumber;
use scb_transport::Clock;

use super::hand_in::Talk;
use super::links::REPLY;
use super::rejection::UnprovedRejection;
use super::{Engine, logged, tokens};
use crate::{Error, Observer, Setup, identity, receipts};

/// So many proofs are asked for on one connection; the rest later.
const MOST: usize = 64;

/// A receipt kept here whose proof is still to come.
#[derive(Debug)]
pub(crate) struct Unproved {
    /// Where it is kept.
    pub(crate) path: PathBuf,
    zip: Vec<u8>,
    /// What it proves already.
    pub(crate) receipt: VerifiedReceipt,
}

impl Unproved {
    /// Every one that is kept here and verifies.
    pub(crate) fn all(setup: &Setup) -> Result<Vec<Self>, Error> {
        let roots = roots(setup);
        let read = |path: PathBuf| {
            let zip = receipts::read(&path).ok()?;
            let receipt = VerifiedReceipt::verify_under(&zip, &roots).ok()?;
            receipt
                .witnessed()
                .is_none()
                .then_some(Self { path, zip, receipt })
        };
        let paths = receipts::list(&setup.receipts)?;
        Ok(paths.into_iter().filter_map(read).collect())
    }

    /// Whether all of these were members: Blackboard tells nobody else.
    fn is_of(&self, members: &[Member]) -> bool {
        let named = &self.receipt.statement().members;
        let is_named = |member: &Member| named.iter().any(|named| named.sid == member.sid);
        members.iter().all(is_named)
    }
}

/// The submissions of which a good receipt is kept here.
pub(super) fn numbers_kept(setup: &Setup) -> Result<Vec<SubmissionNumber>, Error> {
    let roots = roots(setup);
    let number = |path: PathBuf| {
        let receipt = VerifiedReceipt::verify_under(&receipts::read(&path).ok()?, &roots);
        receipt.ok().map(|receipt| receipt.number())
    };
    let paths = receipts::list(&setup.receipts)?;
    Ok(paths.into_iter().filter_map(number).collect())
}

/// SHA-256 of the roots under which receipts count here.
pub(super) fn roots(setup: &Setup) -> Vec<Fingerprint> {
    let trust = setup.trust().map(AsRef::as_ref);
    let roots = trust.map_or(&[][..], scb_certs::TrustStore::roots).iter();
    let former = setup.home.former_roots();
    roots.chain(&former).map(Certificate::fingerprint).collect()
}

/// The members of each receipt and rejection kept here whose proof is still to come.
fn waiting_members(setup: &Setup) -> Result<Vec<Vec<StudentId>>, Error> {
    let receipts = Unproved::all(setup)?.into_iter().map(|one| {
        let members = one.receipt.statement().members.iter();
        members.map(|member| member.sid.clone()).collect()
    });
    let rejections = UnprovedRejection::all(setup)?;
    let rejections = rejections
        .iter()
        .map(|one| one.rejection.members().to_vec());
    Ok(receipts.chain(rejections).collect())
}

/// Completes what is kept of these members' receipts. Answers which ones.
pub(super) async fn complete(
    setup: &mut Setup,
    clock: &Arc<dyn Clock>,
    members: &[Member],
    observer: &mut Observer<'_>,
) -> Result<Vec<PathBuf>, Error> {
    let (mut talk, session) = Talk::open(setup, clock, members, observer).await?;
    let (_, completed) = talk.complete_receipts(session).await?;
    talk.close().await;
    Ok(completed)
}

impl Talk<'_, '_> {
    /// Asks for what these members' receipts and rejections wait for, and completes those whose proof is there.
    /// What Blackboard gives and does not verify is left alone. The session goes on.
    pub(super) async fn complete_receipts(
        &mut self,
        mut session: Session,
    ) -> Result<(Session, Vec<PathBuf>), Error> {
        let mut completed = Vec::new();
        let waiting = Unproved::all(self.setup)?;
        let own = waiting.into_iter().filter(|one| one.is_of(self.members));
        for unproved in own.take(MOST) {
            let submission = unproved.receipt.statement().submission;
            let (expect, request) = session.ask_proof(submission);
            self.connection.send(&request).await?;
            let reply = self.connection.receive(Step::Six, REPLY).await?;
            let (next, proof) = expect.handle(reply)?;
            session = next;
            let Some(proof) = proof else { continue };
            let complete = VerifiedReceipt::complete(&unproved.zip, &proof, &roots(self.setup));
            if let Ok((zip, _)) = complete {
                receipts::complete(&unproved.path, &zip)?;
                completed.push(unproved.path);
            }
        }
        let session = self.complete_rejections(session, &mut completed).await?;
        Ok((session, completed))
    }

    /// The same for what is kept of refusals.
    async fn complete_rejections(
        &mut self,
        mut session: Session,
        completed: &mut Vec<PathBuf>,
    ) -> Result<Session, Error> {
        let own = |one: &UnprovedRejection| {
            let mut members = self.members.iter();
            members.all(|member| one.rejection.members().contains(&member.sid))
        };
        let waiting = UnprovedRejection::all(self.setup)?;
        let waiting: Vec<_> = waiting.into_iter().filter(own).take(MOST).collect();
        for unproved in waiting {
            let (log, entry) = unproved.rejection.entry();
            let (expect, request) = session.ask_refusal_proof(log.clone(), entry);
            self.connection.send(&request).await?;
            let reply = self.connection.receive(Step::Six, REPLY).await?;
            let (next, proof) = expect.handle(reply)?;
            session = next;
            let Some(proof) = proof else { continue };
            let complete = VerifiedRejection::complete(&unproved.zip, &proof, &roots(self.setup));
            if let Ok((zip, _)) = complete {
                receipts::complete(&unproved.path, &zip)?;
                completed.push(unproved.path);
            }
        }
        Ok(session)
    }
}

impl Engine {
    /// Completes the receipts kept here whose proof was still to come, asking in the name of those
    /// of their members whose keys are here. Answers which ones were completed.
    ///
    /// # Errors
    ///
    /// Why it could not be asked; receipts that were completed before stay so.
    pub fn complete_receipts(
        &mut self,
        observer: &mut Observer<'_>,
    ) -> Result<Vec<PathBuf>, Error> {
        let mut asked = BTreeSet::new();
        let mut completed = Vec::new();
        for members in waiting_members(&self.setup)? {
            let here =
                |sid: &&StudentId| matches!(identity::chain(&self.setup.home, sid), Ok(Some(_)));
            let Some(sid) = members.iter().find(here) else {
                continue;
            };
            if !asked.insert(sid.clone()) {
                continue;
            }
            let mut members = self.open_all(std::slice::from_ref(sid))?;
            let _lock = self.lock()?;
            let mut observer = logged(observer);
            let (setup, clock) = (&mut self.setup, &self.clock);
            completed.extend(self.runtime.block_on(async {
                tokens::refresh(setup, clock, &mut members, &mut observer).await?;
                complete(setup, clock, &members, &mut observer).await
            })?);
        }
        Ok(completed)
    }
}
