//! Receipts whose proof was still to come are completed whenever their members talk to Blackboard.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, Fingerprint, StudentId};
use scb_protocol::Step;
use scb_protocol::client::{ExpectProof, Member, ReceivingProof, Session};
use scb_protocol::message::blackboard::Request;
use scb_protocol::receipt::{LogProof, VerifiedReceipt, WitnessPolicy};
use scb_protocol::rejection::VerifiedRejection;
use scb_protocol::statement::SubmissionNumber;
use scb_tlog::KeyName;
use scb_transport::Clock;
use tokio::time::Instant;

use super::hand_in::Talk;
use super::links::{RECEIPT, REPLY};
use super::{Engine, commitment, keeping, logged, tokens};
use crate::{Error, Observer, Setup, identity, receipts};

/// So many proofs of each kind are asked for on one connection.
const MOST: usize = 64;

/// What was asked for in one run, and what came of it.
#[derive(Debug, Default)]
struct Asked {
    /// Where each is that was asked about.
    about: BTreeSet<PathBuf>,
    /// Where those are that are complete now.
    completed: Vec<PathBuf>,
}

/// What is kept here and waits for its proof.
#[derive(Debug)]
struct Unproved {
    path: PathBuf,
    zip: Vec<u8>,
    kept: Kept,
}

/// What waits; it verifies as far as it goes.
#[derive(Debug)]
enum Kept {
    Receipt(Box<VerifiedReceipt>),
    Rejection(Box<VerifiedRejection>),
}

impl Unproved {
    /// Every receipt that waits.
    fn receipts(setup: &Setup) -> Result<Vec<Self>, Error> {
        let waiting = |(path, zip, receipt): Good| {
            let waits = receipt.witnessed().is_none();
            let kept = Kept::Receipt(Box::new(receipt));
            waits.then_some(Self { path, zip, kept })
        };
        Ok(good_receipts(setup)?.filter_map(waiting).collect())
    }

    /// Every rejection that waits.
    fn rejections(setup: &Setup) -> Result<Vec<Self>, Error> {
        let (roots, policy) = (roots(setup), WitnessPolicy::default());
        let waiting = |path: PathBuf| {
            let zip = receipts::read(&path).ok()?;
            let rejection = VerifiedRejection::verify(&zip, &roots, &policy).ok()?;
            let waits = rejection.witnessed().is_none();
            let kept = Kept::Rejection(Box::new(rejection));
            waits.then_some(Self { path, zip, kept })
        };
        let paths = receipts::list_rejections(&setup.receipts)?;
        Ok(paths.into_iter().filter_map(waiting).collect())
    }

    /// When Blackboard entered it, by its clock.
    fn entered_at(&self) -> UnixTime {
        match &self.kept {
            Kept::Receipt(receipt) => receipt.accepted_at(),
            Kept::Rejection(rejection) => rejection.refused_at(),
        }
    }

    fn members(&self) -> Vec<StudentId> {
        match &self.kept {
            Kept::Receipt(receipt) => {
                let members = receipt.statement().members.iter();
                members.map(|member| member.sid.clone()).collect()
            }
            Kept::Rejection(rejection) => rejection.members().to_vec(),
        }
    }

    /// Whether all of these were members: Blackboard tells nobody else.
    fn is_of(&self, members: &[Member]) -> bool {
        let named = self.members();
        members.iter().all(|member| named.contains(&member.sid))
    }

    fn ask(&self, session: Session) -> (ExpectProof, Request) {
        match &self.kept {
            Kept::Receipt(receipt) => session.ask_proof(receipt.statement().submission),
            Kept::Rejection(rejection) => {
                let (log, entry) = rejection.entry();
                session.ask_refusal_proof(log.clone(), entry)
            }
        }
    }

    /// Puts what it becomes with this proof in its place, or beside it if that has less in it. Answers whether what
    /// is kept in its place is complete then.
    fn complete(
        &self,
        proof: &LogProof,
        setup: &Setup,
        observer: &mut Observer<'_>,
    ) -> Result<bool, Error> {
        let roots = roots(setup);
        let completed = match &self.kept {
            Kept::Receipt(_) => VerifiedReceipt::complete(&self.zip, proof, &roots)
                .map(|(zip, receipt)| (zip, Some(receipt))),
            Kept::Rejection(_) => {
                VerifiedRejection::complete(&self.zip, proof, &roots).map(|(zip, _)| (zip, None))
            }
        };
        let is_whole = proof.missing.is_empty();
        let Ok((zip, receipt)) = completed else {
            return Ok(false);
        };
        // Cosigned by CUHK, and the same others are missing: that is known.
        if !is_whole && self.awaited() == Some(proof.missing.as_slice()) {
            return Ok(false);
        }
        let (path, is_in_place) = match (&self.kept, &receipt) {
            (Kept::Receipt(old), Some(new)) if !new.shows_all_of(old) => {
                if !is_whole || keeping::is_kept(setup, new)? {
                    return Ok(false);
                }
                let beside = keeping::beside(setup, &self.path, (&zip, new), observer)?;
                (beside, false)
            }
            _ => {
                receipts::complete(&self.path, &zip)?;
                (self.path.clone(), true)
            }
        };
        let followed = receipt.map_or(Ok(()), |receipt| {
            commitment::follow(setup, (&receipt, &path), observer)
        });
        match followed {
            // The observer is told, and `student receipts` and `history` tell it again: no reason to stop.
            Ok(()) | Err(Error::Refused(_)) => Ok(is_whole && is_in_place),
            Err(local) => Err(local),
        }
    }

    /// Whose cosignatures are missing by what is kept, if CUHK's is in it.
    fn awaited(&self) -> Option<&[KeyName]> {
        match &self.kept {
            Kept::Receipt(receipt) => receipt.awaited(),
            Kept::Rejection(rejection) => rejection.awaited(),
        }
    }
}

/// A receipt that is kept here: where, its bytes, and what it proves.
pub(super) type Good = (PathBuf, Vec<u8>, VerifiedReceipt);

/// Every receipt kept here that verifies.
pub(super) fn good_receipts(setup: &Setup) -> Result<impl Iterator<Item = Good>, Error> {
    let roots = roots(setup);
    let good = move |path: PathBuf| {
        let zip = receipts::read(&path).ok()?;
        let receipt = VerifiedReceipt::verify_under(&zip, &roots).ok()?;
        Some((path, zip, receipt))
    };
    Ok(receipts::list(&setup.receipts)?
        .into_iter()
        .filter_map(good))
}

/// The submissions of which a good receipt is kept here.
pub(super) fn numbers_kept(setup: &Setup) -> Result<Vec<SubmissionNumber>, Error> {
    let good = good_receipts(setup)?;
    Ok(good.map(|(_, _, receipt)| receipt.number()).collect())
}

/// SHA-256 of the roots under which receipts count here.
pub(super) fn roots(setup: &Setup) -> Vec<Fingerprint> {
    let trust = setup.trust().map(AsRef::as_ref);
    let roots = trust.map_or(&[][..], scb_certs::TrustStore::roots).iter();
    let former = setup.home.former_roots();
    roots.chain(&former).map(Certificate::fingerprint).collect()
}

/// As many as one connection takes, the latest first: what can never be completed any more waits for ever, and keeps
/// back nothing that came after it.
fn turn<T>(waiting: impl Iterator<Item = T>, entered_at: impl Fn(&T) -> UnixTime) -> Vec<T> {
    let mut turn: Vec<_> = waiting.collect();
    turn.sort_by_key(|one| Reverse(entered_at(one)));
    turn.truncate(MOST);
    turn
}

/// Asks on one connection about what these members wait for, and was not asked about yet.
async fn complete(
    setup: &mut Setup,
    clock: &Arc<dyn Clock>,
    members: &[Member],
    asked: &mut Asked,
    observer: &mut Observer<'_>,
) -> Result<(), Error> {
    let (mut talk, session) = Talk::open(setup, clock, members, observer).await?;
    talk.complete_next(session, asked).await?;
    talk.close().await;
    Ok(())
}

impl Talk<'_, '_> {
    /// Asks for what the latest of these members' receipts and rejections wait for, and completes those whose proof
    /// is there. What Blackboard gives and does not verify is left alone. The session goes on.
    pub(super) async fn complete_receipts(&mut self, session: Session) -> Result<Session, Error> {
        self.complete_next(session, &mut Asked::default()).await
    }

    /// The same for those that were not asked about in this run.
    async fn complete_next(
        &mut self,
        mut session: Session,
        asked: &mut Asked,
    ) -> Result<Session, Error> {
        let receipts = Unproved::receipts(self.setup)?.into_iter();
        let rejections = Unproved::rejections(self.setup)?.into_iter();
        let next = |one: &Unproved| one.is_of(self.members) && !asked.about.contains(&one.path);
        let mut waiting = turn(receipts.filter(next), Unproved::entered_at);
        waiting.extend(turn(rejections.filter(next), Unproved::entered_at));
        for unproved in waiting {
            asked.about.insert(unproved.path.clone());
            let (expect, request) = unproved.ask(session);
            self.connection.send(&request).await?;
            let reply = self.connection.receive(Step::Six, REPLY).await?;
            let (next, proof) = self.receive_proof(expect.handle(reply)?).await?;
            session = next;
            let Some(proof) = proof else { continue };
            if unproved.complete(&proof, self.setup, self.observer)? {
                asked.completed.push(unproved.path);
            }
        }
        Ok(session)
    }

    async fn receive_proof(
        &mut self,
        mut receiving: ReceivingProof,
    ) -> Result<(Session, Option<LogProof>), Error> {
        let deadline = Instant::now() + RECEIPT;
        while !receiving.is_complete() {
            let chunk = self.connection.receive_chunk(Step::Six, deadline);
            receiving.chunk(&chunk.await?)?;
        }
        Ok(receiving.finish()?)
    }
}

impl Engine {
    /// Completes the receipts kept here whose proof was still to come, asking in the name of those
    /// of their members whose keys are here: about each once, on as many connections as that takes.
    /// Answers which ones were completed.
    ///
    /// # Errors
    ///
    /// Why it could not be asked; receipts that were completed before stay so.
    pub fn complete_receipts(
        &mut self,
        observer: &mut Observer<'_>,
    ) -> Result<Vec<PathBuf>, Error> {
        let mut asked = Asked::default();
        while let Some(sid) = self.next_to_ask(&asked)? {
            let mut members = self.open_all(std::slice::from_ref(&sid))?;
            let _lock = self.lock()?;
            let mut observer = logged(observer);
            let (setup, clock) = (&mut self.setup, &self.clock);
            self.runtime.block_on(async {
                tokens::refresh(setup, clock, &mut members, &mut observer).await?;
                complete(setup, clock, &members, &mut asked, &mut observer).await
            })?;
        }
        Ok(asked.completed)
    }

    /// A student whose key is here, and of whom something waits that was not asked about yet.
    fn next_to_ask(&self, asked: &Asked) -> Result<Option<StudentId>, Error> {
        let receipts = Unproved::receipts(&self.setup)?.into_iter();
        let waiting = receipts.chain(Unproved::rejections(&self.setup)?);
        let left = waiting.filter(|one| !asked.about.contains(&one.path));
        let mut members = left.flat_map(|one| one.members());
        let is_here =
            |sid: &StudentId| matches!(identity::chain(&self.setup.home, sid), Ok(Some(_)));
        Ok(members.find(is_here))
    }
}

#[cfg(test)]
mod tests {
    use scb_protocol::from_seconds;

    use super::*;

    #[test]
    fn the_latest_are_asked_about_first_however_many_wait_before_them() {
        let waiting = || 1..=MOST as u64 + 2;
        let first = turn(waiting(), |at| from_seconds(*at));
        assert_eq!(first.len(), MOST);
        assert_eq!(first[..2], [MOST as u64 + 2, MOST as u64 + 1]);
        let then = turn(waiting().filter(|at| !first.contains(at)), |at| {
            from_seconds(*at)
        });
        assert_eq!(then, [2, 1]);
    }
}
