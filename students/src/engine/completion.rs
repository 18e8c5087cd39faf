//! Receipts whose proof was still to come are completed whenever their members talk to Blackboard.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::vec;

use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, Fingerprint, StudentId};
use scb_protocol::client::{ExpectProof, ReceivingProof, Session};
use scb_protocol::message::blackboard::Request;
use scb_protocol::receipt::{LogProof, VerifiedReceipt, WitnessPolicy};
use scb_protocol::rejection::VerifiedRejection;
use scb_protocol::statement::SubmissionNumber;
use scb_protocol::{Code, Step};
use scb_tlog::KeyName;
use tokio::time::Instant;

use super::hand_in::Talk;
use super::links::{RECEIPT, REPLY};
use super::resumption::is_worth_another;
use super::{Engine, commitment, keeping, logged, tokens};
use crate::{Error, Observer, Setup, identity, receipts};

/// So many proofs of each kind are asked for on one connection.
const MOST: usize = 64;

/// What came of asking about all that waits.
#[derive(Debug, Default)]
pub struct Completed {
    /// Where those are that are complete now.
    pub paths: Vec<PathBuf>,
    /// Why it could not be asked in somebody's name; of several the first.
    pub failed: Option<Error>,
}

/// What is asked about on one connection, in this order.
type Turn = vec::IntoIter<Unproved>;

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
    /// All that waits.
    fn all(setup: &Setup) -> Result<Vec<Self>, Error> {
        let mut all = Self::receipts(setup)?;
        all.extend(Self::rejections(setup)?);
        Ok(all)
    }

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

    fn is_rejection(&self) -> bool {
        matches!(self.kept, Kept::Rejection(_))
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
    fn is_of(&self, sids: &[StudentId]) -> bool {
        let named = self.members();
        sids.iter().all(|sid| named.contains(sid))
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
        // It was read before the home was locked: another program may have completed it since.
        if receipts::read(&self.path).ok().as_ref() != Some(&self.zip) {
            return Ok(false);
        }
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

/// Takes out of what waits what these students may ask about on one connection: as many of each kind as that takes,
/// the latest first. What can never be completed any more waits for ever, and keeps back nothing that came after it.
fn take_turn(waiting: &mut Vec<Unproved>, sids: &[StudentId]) -> Turn {
    waiting.sort_by_key(|one| (one.is_rejection(), Reverse(one.entered_at())));
    let mut free = [MOST; 2];
    let (turn, rest): (Vec<_>, Vec<_>) = std::mem::take(waiting).into_iter().partition(|one| {
        let free = &mut free[usize::from(one.is_rejection())];
        let is_taken = *free > 0 && one.is_of(sids);
        *free -= usize::from(is_taken);
        is_taken
    });
    *waiting = rest;
    turn.into_iter()
}

/// Whether it would be the same in anybody's name: the home is taken, or the server is away, busy or another one.
fn is_of_all(error: &Error) -> bool {
    match error {
        Error::HomeBusy { .. } => true,
        Error::Refused(refusal) => {
            let of_server = [Code::Busy, Code::ServerIdentity].contains(&refusal.code);
            of_server || refusal.code.is_for_everybody() || is_worth_another(error)
        }
        _ => false,
    }
}

impl Talk<'_, '_> {
    /// Asks for what the latest of these members' receipts and rejections wait for, and completes those whose proof
    /// is there. What Blackboard gives and does not verify is left alone. The session goes on.
    pub(super) async fn complete_receipts(&mut self, session: Session) -> Result<Session, Error> {
        let members = self.members.iter();
        let sids: Vec<_> = members.map(|member| member.sid.clone()).collect();
        let mut turn = take_turn(&mut Unproved::all(self.setup)?, &sids);
        self.complete_next(session, (&mut turn, &mut Vec::new()))
            .await
    }

    /// The same for these, and where those are that were completed. What was not asked about stays in the turn.
    async fn complete_next(
        &mut self,
        mut session: Session,
        (turn, completed): (&mut Turn, &mut Vec<PathBuf>),
    ) -> Result<Session, Error> {
        for unproved in turn {
            let (expect, request) = unproved.ask(session);
            self.connection.send(&request).await?;
            let reply = self.connection.receive(Step::Six, REPLY).await?;
            let (next, proof) = self.receive_proof(expect.handle(reply)?).await?;
            session = next;
            let Some(proof) = proof else { continue };
            if unproved.complete(&proof, self.setup, self.observer)? {
                completed.push(unproved.path);
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
    /// Whoever cannot ask keeps back nothing about which another one can.
    ///
    /// # Errors
    ///
    /// [`Error::Cli`], if what is kept here cannot be listed. Why it could not be asked is in the answer.
    pub fn complete_receipts(&mut self, observer: &mut Observer<'_>) -> Result<Completed, Error> {
        let mut waiting = Unproved::all(&self.setup)?;
        let (mut completed, mut refused) = (Completed::default(), BTreeSet::new());
        while let Some(sid) = self.next_to_ask(&waiting, &refused) {
            let mut turn = take_turn(&mut waiting, std::slice::from_ref(&sid));
            let asked = self.ask_for(&sid, (&mut turn, &mut completed.paths), observer);
            waiting.extend(turn);
            let Err(error) = asked else { continue };
            let is_of_all = is_of_all(&error);
            completed.failed.get_or_insert(error);
            if is_of_all {
                break;
            }
            refused.insert(sid);
        }
        Ok(completed)
    }

    /// A student whose key is here, who was not refused yet, and of whom something waits.
    fn next_to_ask(
        &self,
        waiting: &[Unproved],
        refused: &BTreeSet<StudentId>,
    ) -> Option<StudentId> {
        let mut members = waiting.iter().flat_map(Unproved::members);
        members.find(|sid| {
            let is_here = || matches!(identity::chain(&self.setup.home, sid), Ok(Some(_)));
            !refused.contains(sid) && is_here()
        })
    }

    /// Asks about these on one connection, in the name of this student.
    fn ask_for(
        &mut self,
        sid: &StudentId,
        (turn, completed): (&mut Turn, &mut Vec<PathBuf>),
        observer: &mut Observer<'_>,
    ) -> Result<(), Error> {
        let mut members = self.open_all(std::slice::from_ref(sid))?;
        let _lock = self.lock()?;
        let mut observer = logged(observer);
        let (setup, clock) = (&mut self.setup, &self.clock);
        self.runtime.block_on(async {
            tokens::refresh(setup, clock, &mut members, &mut observer).await?;
            let (mut talk, session) = Talk::open(setup, clock, &members, &mut observer).await?;
            talk.complete_next(session, (turn, completed)).await?;
            talk.close().await;
            Ok(())
        })
    }
}
