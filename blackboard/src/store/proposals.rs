//! Statements that wait for signatures made on other connections.
//!
//! Whatever is said about one is an entry of the assignment's log, in the same transaction.

mod rows;

use rusqlite::{Connection, Transaction};
use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, StudentId};
use scb_protocol::log_leaf::{Ended, Entry, Lapsed, LogName, Proposed, Signed};
use scb_protocol::message::proposal::{
    ListedProposal, ProposalStanding, ProposalState, Reason, Said,
};
use scb_protocol::rules::{Assigned, Found, admit};
use scb_protocol::server::{Commitment, DeliveredSignature, PartlySigned};
use scb_protocol::statement::{Statement, SubmissionId};
use scb_protocol::{Mode, from_seconds};

use self::rows::Stored;
use super::{Error, Register, Store, assignments, by_submission, commitment, log};

/// Most proposals of one assignment that a student may have waiting for others.
pub(crate) const MAX_WAITING: usize = 8;
/// How long it is told what has become of a proposal, in seconds.
const TOLD: u64 = 30 * 24 * 60 * 60;

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
    /// When they came.
    pub(crate) at: UnixTime,
}

impl Signing {
    /// What was signed over a connection, with this behind the signers.
    pub(crate) fn new(part: &PartlySigned, assurance: (Mode, String), at: UnixTime) -> Self {
        Self {
            statement: part.statement().clone(),
            bytes: part.bytes().to_vec(),
            delivered: part.delivered(),
            signatures: part.signatures().to_vec(),
            connection: part.connection(),
            assurance,
            at,
        }
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

    /// The proposals that name all of these students and wait, or ended lately; the latest first.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::ProposalAltered`].
    pub(crate) async fn proposals_for(
        &self,
        asking: Vec<StudentId>,
        now: UnixTime,
    ) -> Result<Vec<ListedProposal>, Error> {
        let since = from_seconds(now.as_secs().saturating_sub(TOLD));
        let list = move |connection: &Connection| {
            let mut listed = Vec::new();
            for stored in rows::naming(connection, &asking, since)? {
                listed.extend(list_one(connection, stored, &asking, now)?);
            }
            Ok(listed)
        };
        self.database.read(list).await
    }
}

impl Register {
    /// Records a statement that others are to sign as well, with the signatures that came, if the
    /// rules as they are at this moment take it. The same statement again adds what was not signed
    /// before. Answered once it is durable.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] for the same submission ID with another statement;
    /// [`Error::ProposalEnded`]; if it is new, [`Error::SameProposed`], [`Error::TooManyProposals`]
    /// and [`Error::NotAdmitted`]; [`Error::Storage`].
    pub(crate) async fn propose(
        &self,
        signing: Signing,
        waits_until: UnixTime,
    ) -> Result<ProposalStanding, Error> {
        let propose = move |transaction: &Transaction<'_>| {
            let submission = signing.statement.submission;
            match rows::find(transaction, submission)? {
                Some(stored) if stored.bytes != signing.bytes => {
                    Err(Error::Conflict { submission })
                }
                Some(stored) => sign(transaction, stored, &signing),
                None => {
                    check_new(transaction, &signing)?;
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
                    });
                    enter(transaction, statement, signing.at, entry)?;
                    sign(transaction, known(transaction, submission)?, &signing)
                }
            }
        };
        self.write(propose).await
    }

    /// Records signatures of what was proposed, if the rules as they are at this moment take it.
    /// Whoever has signed before keeps that signature. With the last one the statement is complete:
    /// that moment counts for lateness. Answered once it is durable.
    ///
    /// # Errors
    ///
    /// [`Error::NoProposal`] if this very statement was never proposed; [`Error::ProposalEnded`];
    /// [`Error::NotAdmitted`]; [`Error::Storage`].
    pub(crate) async fn sign(&self, signing: Signing) -> Result<ProposalStanding, Error> {
        let work = move |transaction: &Transaction<'_>| {
            let submission = signing.statement.submission;
            let stored = rows::find(transaction, submission)?;
            match stored.filter(|stored| stored.bytes == signing.bytes) {
                Some(stored) => sign(transaction, stored, &signing),
                None => Err(Error::NoProposal { submission }),
            }
        };
        self.write(work).await
    }

    /// Puts an end to a proposal: whoever has not signed it declines, whoever has takes it back.
    /// Once it has ended so, the same again changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::NoProposal`] if it does not name all of them; [`Error::ProposalEnded`] if
    /// everybody has signed, or its time was over; [`Error::Storage`].
    pub(crate) async fn end_proposal(&self, end: End) -> Result<ProposalStanding, Error> {
        self.write(move |transaction| end_one(transaction, &end))
            .await
    }

    /// All files of a proposal have come, or are gone again (`None`).
    ///
    /// # Errors
    ///
    /// [`Error::NoProposal`], [`Error::Storage`].
    pub(crate) async fn proposal_files(
        &self,
        submission: SubmissionId,
        files_at: Option<UnixTime>,
        (asking, now): (Vec<StudentId>, UnixTime),
    ) -> Result<ProposalStanding, Error> {
        let work = move |transaction: &Transaction<'_>| {
            rows::files(transaction, submission, files_at)?;
            let stored = known(transaction, submission)?;
            Ok(look(transaction, stored, &asking, now)?.standing)
        };
        self.write(work).await
    }

    /// Enters which proposals have waited long enough: nobody can sign them any more.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::ProposalAltered`].
    pub(crate) fn lapse_proposals(&self, now: UnixTime) -> Result<usize, Error> {
        let lapse = move |transaction: &Transaction<'_>| {
            let mut lapsed = 0;
            for stored in rows::unended(transaction)? {
                // By everybody's extensions: until then somebody could still sign.
                let all: Vec<_> = stored.sids().cloned().collect();
                let (submission, statement) = (stored.submission(), stored.statement.clone());
                if look(transaction, stored, &all, now)?.standing.state == ProposalState::Lapsed {
                    rows::end(transaction, submission, ProposalState::Lapsed, now)?;
                    let entry = Entry::Lapsed(Lapsed { submission });
                    enter(transaction, &statement, now, entry)?;
                    lapsed += 1;
                }
            }
            Ok(lapsed)
        };
        self.store().database.write_blocking(lapse)
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.store().database.write(work).await
    }
}

/// The submissions whose files may come, or wait for signatures.
pub(super) fn open(connection: &Connection, now: UnixTime) -> Result<Vec<[u8; 16]>, Error> {
    rows::open(connection, now)
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

/// A statement under an ID that is used for nothing, of work that does not wait already, by
/// somebody for whom not too much waits.
fn check_new(connection: &Connection, signing: &Signing) -> Result<(), Error> {
    let submission = signing.statement.submission;
    if commitment::find(connection, submission)?.is_some()
        || by_submission(connection, submission)?.is_some()
    {
        return Err(Error::Conflict { submission });
    }
    let sids = signing.sids();
    let mut own = 0;
    for stored in rows::waiting(connection, &signing.statement, signing.at)? {
        if stored.statement.is_same_version(&signing.statement) {
            let submission = stored.submission();
            return Err(Error::SameProposed { submission });
        }
        own += usize::from(sids.iter().any(|sid| stored.has_signed(sid)));
    }
    match own < MAX_WAITING {
        true => Ok(()),
        false => Err(Error::TooManyProposals { limit: MAX_WAITING }),
    }
}

/// Records those signatures that are new.
fn sign(
    transaction: &Transaction<'_>,
    stored: Stored,
    signing: &Signing,
) -> Result<ProposalStanding, Error> {
    let (submission, sids) = (stored.submission(), signing.sids());
    let standing = look(transaction, stored.clone(), &sids, signing.at)?.standing;
    match standing.state {
        ProposalState::Waiting | ProposalState::Signed => {}
        state if state == ProposalState::Lapsed && stored.kept.ended.is_none() => {
            // The rules may say better why: it is closed.
            check_rules(transaction, &stored, signing)?;
            return Err(Error::ProposalEnded { submission, state });
        }
        state => return Err(Error::ProposalEnded { submission, state }),
    }
    if sids.iter().all(|sid| stored.has_signed(sid)) {
        return Ok(standing);
    }
    check_rules(transaction, &stored, signing)?;
    let (mode, assurance) = &signing.assurance;
    let entry = Entry::Signed(Signed {
        submission,
        members: sids.clone(),
        connection: signing.connection,
        p7s_sha256: Fingerprint::of(&signing.signatures),
        mode: *mode,
        verification_sha256: Fingerprint::of(assurance.as_bytes()),
    });
    let index = enter(transaction, &stored.statement, signing.at, entry)?;
    rows::deliver(transaction, signing, index)?;
    Ok(look(
        transaction,
        known(transaction, submission)?,
        &sids,
        signing.at,
    )?
    .standing)
}

/// What rules say if it were complete now, with the extensions and earlier versions of those who
/// have signed by then: nobody learns from a proposal what others have been given, or handed in.
fn check_rules(connection: &Connection, stored: &Stored, signing: &Signing) -> Result<(), Error> {
    let mut found = assignments::look_up(connection, &stored.statement)?;
    if let Found::Assigned(assigned) = &mut found {
        let sids = signing.sids();
        let counts = |sid: &StudentId| sids.contains(sid) || stored.has_signed(sid);
        assigned
            .extensions
            .retain(|extension| counts(&extension.sid));
        assigned.parts.retain(|part| counts(&part.sid));
    }
    admit(&stored.statement, &found, signing.at)
        .map(drop)
        .map_err(|refusal| Error::NotAdmitted(Box::new(refusal)))
}

fn end_one(transaction: &Transaction<'_>, end: &End) -> Result<ProposalStanding, Error> {
    let submission = end.submission;
    let stored = known(transaction, submission)?;
    if !end.members.iter().all(|sid| stored.names(sid)) {
        return Err(Error::NoProposal { submission });
    }
    let standing = look(transaction, stored.clone(), &end.members, end.at)?.standing;
    match standing.state {
        ProposalState::Waiting => {}
        ProposalState::Declined | ProposalState::Withdrawn => return Ok(standing),
        state => return Err(Error::ProposalEnded { submission, state }),
    }
    let declines = end.members.iter().any(|sid| !stored.has_signed(sid));
    let (state, said) = match declines {
        true => (ProposalState::Declined, Said::Declined),
        false => (ProposalState::Withdrawn, Said::Withdrawn),
    };
    let speaks = |sid: &&StudentId| !declines || !stored.has_signed(sid);
    let members: Vec<_> = end.members.iter().filter(speaks).cloned().collect();
    let ended = Ended {
        submission,
        members: members.clone(),
        connection: end.connection,
        reason: end.reason.clone(),
    };
    let entry = match declines {
        true => Entry::Declined(ended),
        false => Entry::Withdrawn(ended),
    };
    let index = enter(transaction, &stored.statement, end.at, entry)?;
    rows::say(transaction, end, (said, &members), index)?;
    rows::end(transaction, submission, state, end.at)?;
    Ok(look(
        transaction,
        known(transaction, submission)?,
        &end.members,
        end.at,
    )?
    .standing)
}

/// The proposal as it stands for those who ask: by the extensions of theirs and of those who have
/// signed. Others' are not told, not even by the time until which it waits.
fn look(
    connection: &Connection,
    stored: Stored,
    asking: &[StudentId],
    now: UnixTime,
) -> Result<Proposal, Error> {
    let assigned = assigned_for(connection, &stored, asking)?;
    let record = by_submission(connection, stored.submission())?;
    let number = record.map(|record| record.number());
    let closes = assigned
        .as_ref()
        .and_then(|assigned| assigned.rules.closes_for_all(&assigned.extensions));
    let until = match stored.kept.signed {
        Some(_) => stored.kept.waits_until,
        None => closes.map_or(stored.kept.waits_until, |closes| {
            closes.min(stored.kept.waits_until)
        }),
    };
    let state = match (number, stored.kept.ended) {
        (Some(_), _) => ProposalState::Accepted,
        (None, Some(ended)) => ended,
        (None, None) if now > until => ProposalState::Lapsed,
        (None, None) if stored.kept.signed.is_some() => ProposalState::Signed,
        (None, None) => ProposalState::Waiting,
    };
    let commitment = stored.kept.signed.map(|(at, index)| Commitment {
        index,
        at,
        upload_until: until,
    });
    let standing = ProposalStanding {
        submission: stored.submission(),
        state,
        proposed_at: stored.kept.proposed_at,
        until,
        files_at: stored.kept.files_at,
        number,
        members: stored.standings(),
    };
    Ok(Proposal {
        delivered: stored.delivered(),
        statement: stored.statement,
        bytes: stored.bytes,
        standing,
        commitment,
    })
}

fn list_one(
    connection: &Connection,
    stored: Stored,
    asking: &[StudentId],
    now: UnixTime,
) -> Result<Option<ListedProposal>, Error> {
    let Some(assigned) = assigned_for(connection, &stored, asking)? else {
        return Ok(None);
    };
    let course_title = assignments::course_title(connection, &stored.statement.course)?;
    let proposal = look(connection, stored, asking, now)?;
    let submission = proposal.standing.submission;
    let statement = String::from_utf8(proposal.bytes);
    Ok(Some(ListedProposal {
        statement: statement.map_err(|_| Error::ProposalAltered { submission })?,
        standing: proposal.standing,
        course_title,
        rules: assigned.rules,
        extensions: assigned.extensions,
    }))
}

/// The assignment, with the extensions of those who ask and of those who have signed.
fn assigned_for(
    connection: &Connection,
    stored: &Stored,
    asking: &[StudentId],
) -> Result<Option<Assigned>, Error> {
    let Found::Assigned(mut assigned) = assignments::look_up(connection, &stored.statement)? else {
        return Ok(None);
    };
    let shown = |sid: &StudentId| asking.contains(sid) || stored.has_signed(sid);
    assigned
        .extensions
        .retain(|extension| shown(&extension.sid));
    Ok(Some(assigned))
}

fn enter(
    transaction: &Transaction<'_>,
    statement: &Statement,
    at: UnixTime,
    entry: Entry,
) -> Result<u64, Error> {
    let name = LogName::of(statement).map_err(Error::Leaf)?;
    Ok(log::append(transaction, &name, at, entry)?.index)
}
