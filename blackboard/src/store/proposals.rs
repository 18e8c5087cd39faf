//! Statements that wait for signatures made on other connections.
//!
//! Whatever is said about one is an entry of the assignment's log, in the same transaction.

mod accepted;
mod cosigners;
mod lapsing;
mod last;
mod listed;
mod logged;
mod named;
mod righting;
mod rows;
mod signing;
mod standing;

use std::time::Duration;

use rusqlite::{Connection, Transaction};
use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, StudentId};
use scb_protocol::Mode;
use scb_protocol::log_leaf::{Entry, LogName, Proposed, is_set_back};
use scb_protocol::message::proposal::{CosignerStanding, ProposalStanding, Reason, Said};
use scb_protocol::server::{Commitment, DeliveredSignature, PartlySigned};
use scb_protocol::statement::{Statement, SubmissionId};

pub(super) use self::lapsing::{overtake, put_right};
pub(crate) use self::listed::Told;
pub(crate) use self::logged::Window;
pub(super) use self::named::signed_since;
use self::rows::Stored;
pub(super) use self::rows::{UNANSWERED, WAITS_FOR_CUHK};
#[cfg(test)]
pub(crate) use self::signing::MOST_IN_A_DAY;
use self::signing::{check_new, end_one, sign};
use self::standing::look;
pub(super) use self::standing::signable_until;
use super::arrival::{Arriving, Dated};
use super::{
    Arrival, Error, Register, Store, Unfinished, as_committed, by_submission, closing, log,
    superseded, withdrawal,
};
use crate::quota::Quota;

/// Most proposals of one assignment that a student may have waiting for others.
pub(crate) const MAX_WAITING: usize = 8;

/// Signatures as they came over a connection, and what stood behind them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signing {
    /// The statement.
    pub(crate) statement: Statement,
    /// Its exact bytes.
    pub(crate) bytes: Vec<u8>,
    /// Each signature, by its signer.
    pub(crate) delivered: Vec<DeliveredSignature>,
    /// The detached CMS in which they came, DER.
    pub(crate) signatures: Vec<u8>,
    /// Which connection it was: its T2.
    pub(crate) connection: Fingerprint,
    /// What stood behind the signers, and what it said.
    pub(crate) assurance: (Mode, String),
    /// For how long the files may come, if these are the last.
    pub(crate) upload_window: Duration,
}

impl Arriving for Signing {
    fn assurance(&self) -> &str {
        &self.assurance.1
    }

    fn upload_window(&self) -> Duration {
        self.upload_window
    }
}

impl Signing {
    /// What was signed over a connection, with this behind the signers. If they are the last, the
    /// files may come for so long.
    pub(crate) fn new(
        part: &PartlySigned,
        assurance: (Mode, String),
        upload_window: Duration,
    ) -> Self {
        Self {
            upload_window,
            statement: part.statement().clone(),
            bytes: part.bytes().to_vec(),
            delivered: part.delivered(),
            signatures: part.signatures().to_vec(),
            connection: part.connection(),
            assurance,
        }
    }

    /// By the moment that counts of what came then, and by which it is entered: of this, if it was proposed before.
    fn dated(
        self,
        transaction: &Transaction<'_>,
        arrival: &Arrival,
        stored: Option<&Stored>,
    ) -> Result<Dated<Self>, Error> {
        let mut dated = arrival.dates(self);
        dated.at = log::arrival(transaction, &name_of(&dated.statement)?, dated.at)?;
        // Others may have come later and be entered before: with the last entry all have come.
        let last = stored.and_then(Stored::last_signed);
        if let Some(last) = last.filter(|last| !is_set_back(*last, dated.at)) {
            dated.put_off(last);
        }
        Ok(dated)
    }

    fn sids(&self) -> Vec<StudentId> {
        let delivered = self.delivered.iter();
        delivered.map(|one| one.sid.clone()).collect()
    }
}

/// That members put an end to a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End {
    /// The submission.
    pub(crate) submission: SubmissionId,
    /// Who was verified on the connection, the one who opened it first.
    pub(crate) members: Vec<StudentId>,
    /// Which connection it was: its T2.
    pub(crate) connection: Fingerprint,
    /// What they said why.
    pub(crate) reason: Option<Reason>,
    /// When.
    pub(crate) at: UnixTime,
}

/// A proposal with all that was signed of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proposal {
    /// The statement.
    pub(crate) statement: Statement,
    /// Its exact bytes.
    pub(crate) bytes: Vec<u8>,
    /// How it stands, for those who asked.
    pub(crate) standing: ProposalStanding,
    /// Every signature, in the order of the statement.
    pub(crate) delivered: Vec<DeliveredSignature>,
    /// Since when, and by which entry, it is complete: if everybody has signed.
    pub(crate) commitment: Option<Commitment>,
}

impl Store {
    /// A proposal, as it stands for these students at this moment.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::ProposalAltered`].
    pub(crate) async fn proposal(
        &self,
        submission: SubmissionId,
        asking: Vec<StudentId>,
        now: UnixTime,
    ) -> Result<Option<Proposal>, Error> {
        let find = move |connection: &Connection| match rows::find(connection, submission)? {
            Some(stored) => look(connection, stored, &asking, now).map(Some),
            None => Ok(None),
        };
        self.database.read(find).await
    }

    /// The proposals that everybody has signed, whose files are here, and that have no receipt yet;
    /// with their members.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::ProposalAltered`].
    pub(crate) async fn signed_proposals(
        &self,
    ) -> Result<Vec<(SubmissionId, Vec<StudentId>)>, Error> {
        let list = move |connection: &Connection| {
            let signed = rows::signed(connection)?;
            let with_members = |one: &Stored| (one.submission(), one.sids().cloned().collect());
            Ok(signed.iter().map(with_members).collect())
        };
        self.database.read(list).await
    }
}

impl Register {
    /// Records a statement that others are to sign as well, with the signatures that came, if the
    /// rules as they are at the moment that counts take it. The same statement again adds what was not signed
    /// before. Answered once it is durable.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] for the same submission ID with another statement;
    /// [`Error::ProposalEnded`]; if it is new, [`Error::SameProposed`], [`Error::TooManyProposals`],
    /// [`Error::TooManyUploads`] and [`Error::NotAdmitted`]; [`Error::ProposalAltered`]; [`Error::Storage`].
    pub(crate) async fn propose(
        &self,
        signing: Signing,
        arrival: Arrival,
        (waits_until, quota): (UnixTime, Quota),
    ) -> Result<ProposalStanding, Error> {
        let propose = move |transaction: &Transaction<'_>| {
            let submission = signing.statement.submission;
            let stored = rows::find(transaction, submission)?;
            let signing = signing.dated(transaction, &arrival, stored.as_ref())?;
            match stored {
                Some(stored) if stored.bytes != signing.bytes => {
                    Err(Error::Conflict { submission })
                }
                Some(stored) => sign(transaction, stored, &signing),
                None => {
                    check_new(transaction, &signing, quota)?;
                    as_committed::check_unknown(transaction, &signing.statement)?;
                    rows::insert(transaction, &signing, waits_until)?;
                    let statement = &signing.statement;
                    let entry = Entry::Proposed(Proposed {
                        submission,
                        statement_sha256: Fingerprint::of(&signing.bytes),
                        members: statement
                            .members
                            .iter()
                            .map(|one| one.sid.clone())
                            .collect(),
                        waits_until,
                    });
                    let name = name_of(statement)?;
                    log::append_as_of(transaction, &name, signing.at, entry)?;
                    sign(transaction, known(transaction, submission)?, &signing)
                }
            }
        };
        self.write(propose).await
    }

    /// Records signatures of what was proposed, if the rules as they are at the moment that counts take it.
    /// Whoever has signed before keeps that signature. With the last one the statement is complete:
    /// that moment counts for lateness. Of what is a submission by now nothing is recorded. Answered
    /// once it is durable.
    ///
    /// # Errors
    ///
    /// [`Error::NoProposal`] if this very statement was never proposed; [`Error::ProposalEnded`];
    /// [`Error::NotAdmitted`]; [`Error::Storage`].
    pub(crate) async fn sign(
        &self,
        signing: Signing,
        arrival: Arrival,
    ) -> Result<ProposalStanding, Error> {
        let work = move |transaction: &Transaction<'_>| {
            let submission = signing.statement.submission;
            let stored = rows::find(transaction, submission)?;
            let signing = signing.dated(transaction, &arrival, stored.as_ref())?;
            match stored.filter(|stored| stored.bytes == signing.bytes) {
                Some(stored) => sign(transaction, stored, &signing),
                None => Err(Error::NoProposal { submission }),
            }
        };
        self.write(work).await
    }

    /// Puts an end to a proposal: whoever has not signed it declines, whoever has takes it back.
    /// What everybody has signed is given up as long as its files have not come: by who proposed it,
    /// and what was signed over one connection by all together. Once it has ended so, the same again
    /// changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::NoProposal`] if it does not name all of them; [`Error::NotAllHere`] if others
    /// have to give it up as well; [`Error::ProposalEnded`] if it is handed in, its files are here
    /// or its time was over; [`Error::UploadExpired`]; [`Error::Storage`].
    pub(crate) async fn end_proposal(&self, end: End) -> Result<ProposalStanding, Error> {
        self.write(
            move |transaction| match is_proposed(transaction, end.submission)? {
                true => end_one(transaction, &end),
                false => withdrawal::withdraw(transaction, &end),
            },
        )
        .await
    }

    /// All files of a proposal had come at that moment, or are gone again (`None`).
    ///
    /// # Errors
    ///
    /// [`Error::NoProposal`]; [`Error::UploadExpired`] if everybody had signed it and its time was over by then;
    /// [`Error::LogClosed`], [`Error::Superseded`], [`Error::Storage`].
    pub(crate) async fn proposal_files(
        &self,
        submission: SubmissionId,
        files_at: Option<UnixTime>,
        (asking, now): (Vec<StudentId>, UnixTime),
    ) -> Result<ProposalStanding, Error> {
        let work = move |transaction: &Transaction<'_>| {
            let stored = known(transaction, submission)?;
            if let (Some(at), Some(committed)) = (files_at, stored.commitment()) {
                if stored.kept.files_at.is_none() && committed.upload_until < at {
                    return Err(Error::UploadExpired { submission });
                }
                closing::check_open(transaction, &stored.statement)?;
                // Whoever keeps back that they are all has chosen only now.
                superseded::check(transaction, &stored.statement, committed, now)?;
            }
            rows::files(transaction, submission, files_at)?;
            let stored = known(transaction, submission)?;
            Ok(look(transaction, stored, &asking, now)?.standing)
        };
        self.write(work).await
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.store().database.write(work).await
    }
}

/// The submissions whose files may come, or wait for signatures or for CUHK.
pub(super) fn open(connection: &Connection, now: UnixTime) -> Result<Vec<[u8; 16]>, Error> {
    rows::open(connection, now)
}

/// Whether it was proposed, is not handed in, and its rows are not what the log says.
pub(super) fn is_damaged(connection: &Connection, id: [u8; 16]) -> Result<bool, Error> {
    match rows::find(connection, SubmissionId::from_bytes(id)) {
        Err(Error::ProposalAltered { submission }) => {
            Ok(by_submission(connection, submission)?.is_none())
        }
        found => found.map(|_| false),
    }
}

/// What each member has said of what is handed in, and over which connection; nobody of what was no proposal. Of one
/// that was altered it is told by the log.
pub(super) fn said(
    connection: &Connection,
    statement: &Statement,
) -> Result<Vec<CosignerStanding>, Error> {
    match rows::find(connection, statement.submission) {
        Ok(found) => Ok(found.map_or_else(Vec::new, |stored| stored.standings())),
        Err(error @ Error::ProposalAltered { .. }) => {
            tracing::error!("told by the log: {error}");
            accepted::signed(connection, statement)
        }
        Err(error) => Err(error),
    }
}

/// What everybody has signed of this proposal: the statement, since when and by which entry it counts,
/// and when it was taken back. Nothing of one that was altered: it is held against nobody.
pub(super) fn signed_by_all(
    connection: &Connection,
    submission: SubmissionId,
) -> Result<Option<(Statement, Commitment, Option<UnixTime>)>, Error> {
    let found = match rows::find(connection, submission) {
        Err(error @ Error::ProposalAltered { .. }) => {
            tracing::error!("left out of what was signed later: {error}");
            None
        }
        found => found?,
    };
    Ok(found.and_then(|stored| {
        let commitment = stored.commitment()?;
        let said = stored.standings().into_iter();
        let taken_back = said.filter(|one| one.said == Said::Withdrawn);
        let taken_back = taken_back.filter_map(|one| one.at).max();
        Some((stored.statement, commitment, taken_back))
    }))
}

/// What everybody has signed, and whose files have not come.
pub(super) fn unfinished(connection: &Connection) -> Result<Vec<Unfinished>, Error> {
    let complete = righting::unended(connection)?.into_iter();
    let without_files = complete.filter(|stored| stored.kept.files_at.is_none());
    let unfinished = without_files.filter_map(|stored| {
        Some(Unfinished {
            commitment: stored.commitment()?,
            statement: stored.statement,
        })
    });
    Ok(unfinished.collect())
}

/// Until when the files of what everybody has signed may come, `Some(None)` if they are here; nothing of one whose rows
/// are not what the log says, or are gone.
pub(super) fn window(
    connection: &Connection,
    submission: SubmissionId,
) -> Result<Option<Option<UnixTime>>, Error> {
    match rows::find(connection, submission) {
        Ok(found) => {
            let signed = found.filter(|stored| stored.kept.signed.is_some());
            let until = |kept: rows::Kept| kept.files_at.is_none().then_some(kept.waits_until);
            Ok(signed.map(|stored| until(stored.kept)))
        }
        Err(Error::ProposalAltered { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether this submission ID was proposed.
pub(super) fn is_proposed(
    connection: &Connection,
    submission: SubmissionId,
) -> Result<bool, Error> {
    Ok(rows::find(connection, submission)?.is_some())
}

fn known(connection: &Connection, submission: SubmissionId) -> Result<Stored, Error> {
    rows::find(connection, submission)?.ok_or(Error::NoProposal { submission })
}

fn name_of(statement: &Statement) -> Result<LogName, Error> {
    LogName::of(statement).map_err(Error::Leaf)
}

/// When an entry about this statement would be made now.
fn moment(
    connection: &Connection,
    statement: &Statement,
    now: UnixTime,
) -> Result<UnixTime, Error> {
    log::moment(connection, &name_of(statement)?, now)
}

fn enter(
    transaction: &Transaction<'_>,
    statement: &Statement,
    at: UnixTime,
    entry: Entry,
) -> Result<u64, Error> {
    Ok(log::append(transaction, &name_of(statement)?, at, entry)?.index)
}
