//! Blackboard's signed word that it recorded a statement: kept before a byte of the files goes out, and
//! compared with the receipt that follows.

use std::path::{Path, PathBuf};

use scb_certs::Fingerprint;
use scb_protocol::client::SignedCommitment;
use scb_protocol::commitment::{Followed, VerifiedCommitment};
use scb_protocol::receipt::VerifiedReceipt;
use scb_protocol::statement::SubmissionId;

use super::completion::roots;
use super::hand_in::Talk;
use crate::{Error, Event, Observer, Setup, receipts};

/// A commitment that is kept here.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) path: PathBuf,
    pub(super) commitment: VerifiedCommitment,
}

/// Every commitment in this directory of receipts that verifies.
pub(super) fn kept(dir: &Path, roots: &[Fingerprint]) -> Result<Vec<Kept>, Error> {
    let good = |path: PathBuf| {
        let zip = receipts::read(&path).ok()?;
        let commitment = VerifiedCommitment::verify(&zip, roots).ok()?;
        Some(Kept { path, commitment })
    };
    let paths = receipts::list_commitments(dir)?;
    Ok(paths.into_iter().filter_map(good).collect())
}

fn kept_here(setup: &Setup) -> Result<Vec<Kept>, Error> {
    kept(&setup.receipts, &roots(setup))
}

/// Compares a receipt that is kept in `path` with what Blackboard had signed before it. What the receipt
/// proves needs no other evidence; what it contradicts stays as evidence.
///
/// # Errors
///
/// `commitment_broken`, of which the observer is told where both are.
pub(super) fn follow(
    setup: &Setup,
    (receipt, path): (&VerifiedReceipt, &Path),
    observer: &mut Observer<'_>,
) -> Result<(), Error> {
    let mut broken = Ok(());
    for kept in kept_here(setup)? {
        match kept.commitment.followed_by(receipt) {
            Ok(Followed::Proved) => receipts::remove_commitment(&kept.path)?,
            Ok(Followed::Named | Followed::Not) => {}
            Err(refusal) => {
                observer(&Event::CommitmentBroken {
                    commitment: kept.path,
                    receipt: path.to_owned(),
                });
                broken = Err(refusal.into());
            }
        }
    }
    broken
}

/// The members themselves have given it up, and Blackboard has entered that.
pub(super) fn given_up(setup: &Setup, submission: SubmissionId) -> Result<(), Error> {
    let kept = kept_here(setup)?.into_iter();
    let mut of_it = kept.filter(|kept| kept.commitment.submission() == submission);
    of_it.try_for_each(|kept| receipts::remove_commitment(&kept.path))
}

impl Talk<'_, '_> {
    /// Keeps what Blackboard has signed; where.
    pub(super) fn keep_commitment(&self, signed: &SignedCommitment) -> Result<PathBuf, Error> {
        receipts::save_commitment(&self.setup.receipts, &signed.commitment, &signed.zip)
    }

    /// As [`follow`], of a receipt that came on this connection.
    pub(super) fn follow(&mut self, receipt: &VerifiedReceipt, path: &Path) -> Result<(), Error> {
        follow(self.setup, (receipt, path), self.observer)
    }
}
