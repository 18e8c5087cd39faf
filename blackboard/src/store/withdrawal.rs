//! The table of commitments that were given up: their files can never come, or nobody wants to send
//! them any more. Until then the place on the disk is kept, and the assignment is not closed.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use rustls_pki_types::UnixTime;
use scb_certs::StudentId;
use scb_protocol::from_seconds;
use scb_protocol::log_leaf::{Ended, Entry, LogName};
use scb_protocol::message::proposal::{
    CosignerStanding, ProposalStanding, ProposalState, Reason, Said,
};
use scb_protocol::server::Commitment;
use scb_protocol::statement::{Statement, SubmissionId};

use super::{End, Error, as_committed, as_integer, commitment, log, versions};

/// Records that all who signed a commitment give it up, here and in the log of its assignment. The
/// same again changes nothing, whichever of them says it.
pub(super) fn withdraw(
    transaction: &Transaction<'_>,
    end: &End,
) -> Result<ProposalStanding, Error> {
    let submission = end.submission;
    let found = commitment::find(transaction, submission)?;
    let (found, bytes) = found.ok_or(Error::NoProposal { submission })?;
    let (statement, commitment) = as_committed::check(transaction, submission, (found, &bytes))?;
    check_named(&statement, &end.members)?;
    if let Some(at) = given_up(transaction, &statement)? {
        let members = statement.members.iter().map(|member| member.sid.clone());
        let said = (at, members.collect(), None);
        return Ok(standing(&statement, commitment, said));
    }
    if versions::answer(transaction, submission)?.is_some() {
        let state = ProposalState::Accepted;
        return Err(Error::ProposalEnded { submission, state });
    }
    check_all_here(&statement, &end.members)?;
    if commitment.upload_until < end.at {
        return Err(Error::UploadExpired { submission });
    }
    let at = enter(transaction, &statement, end)?;
    let said = (at, end.members.clone(), end.reason.clone());
    Ok(standing(&statement, commitment, said))
}

/// Refuses what was given up: the log's word is enough.
///
/// # Errors
///
/// [`Error::ProposalEnded`]; [`Error::ProposalAltered`] if only the table says so: nobody is refused under a
/// signature for that; [`Error::Storage`].
pub(super) fn check_stands(connection: &Connection, statement: &Statement) -> Result<(), Error> {
    let (submission, state) = (statement.submission, ProposalState::Withdrawn);
    match has_ended(connection, statement)? || given_up(connection, statement)?.is_some() {
        true => Err(Error::ProposalEnded { submission, state }),
        false => Ok(()),
    }
}

/// Whether it was given up by the log.
fn has_ended(connection: &Connection, statement: &Statement) -> Result<bool, Error> {
    let name = LogName::of(statement).map_err(Error::Leaf)?;
    let ending = log::ending(connection, &name, statement.submission)?;
    Ok(ending == Some(ProposalState::Withdrawn))
}

/// When it was given up by the table, if the log does not say otherwise.
fn given_up(connection: &Connection, statement: &Statement) -> Result<Option<UnixTime>, Error> {
    let submission = statement.submission;
    let at = at(connection, submission)?;
    match at.is_none() || has_ended(connection, statement)? {
        true => Ok(at),
        false => Err(Error::ProposalAltered { submission }),
    }
}

/// Who is not named learns nothing of it.
fn check_named(statement: &Statement, here: &[StudentId]) -> Result<(), Error> {
    let submission = statement.submission;
    let is_named = |sid: &StudentId| statement.members.iter().any(|member| member.sid == *sid);
    match here.iter().all(is_named) {
        true => Ok(()),
        false => Err(Error::NoProposal { submission }),
    }
}

/// One member does not give up what others rely on.
fn check_all_here(statement: &Statement, here: &[StudentId]) -> Result<(), Error> {
    let mut named = statement.members.iter().map(|member| &member.sid);
    let absent = named.find(|named| !here.contains(named));
    absent.map_or(Ok(()), |sid| Err(Error::NotAllHere { sid: sid.clone() }))
}

/// When it was given up.
pub(super) fn at(
    connection: &Connection,
    submission: SubmissionId,
) -> Result<Option<UnixTime>, Error> {
    let mut query = connection.prepare_cached("SELECT at FROM withdrawals WHERE submission = ?")?;
    let at: Option<i64> = query
        .query_row([submission.as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(at.map(|at| from_seconds(at.unsigned_abs())))
}

/// Answers when that was.
fn enter(
    transaction: &Transaction<'_>,
    statement: &Statement,
    end: &End,
) -> Result<UnixTime, Error> {
    let name = LogName::of(statement).map_err(Error::Leaf)?;
    let entry = Entry::Withdrawn(Ended {
        submission: end.submission,
        members: end.members.clone(),
        connection: end.connection,
        reason: end.reason.clone(),
    });
    let log::Appended { index, at, .. } = log::append(transaction, &name, end.at, entry)?;
    let sql = "INSERT INTO withdrawals (submission, at, log_index) VALUES (?, ?, ?)";
    transaction.prepare_cached(sql)?.execute(params![
        end.submission.as_bytes(),
        as_integer(at.as_secs()),
        as_integer(index),
    ])?;
    Ok(at)
}

/// All have signed it over one connection, and these have taken it back over another one.
fn standing(
    statement: &Statement,
    commitment: Commitment,
    (at, with, reason): (UnixTime, Vec<StudentId>, Option<Reason>),
) -> ProposalStanding {
    let member = |sid: &StudentId| CosignerStanding {
        sid: sid.clone(),
        said: Said::Withdrawn,
        at: Some(at),
        with: with.clone(),
        reason: reason.clone(),
        refused: None,
    };
    let members = statement.members.iter();
    ProposalStanding {
        submission: statement.submission,
        state: ProposalState::Withdrawn,
        proposed_at: commitment.at,
        until: commitment.upload_until,
        files_at: None,
        number: None,
        members: members.map(|named| member(&named.sid)).collect(),
    }
}
