//! The table of who has a part in which version, and that of what repeats one.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use rustls_pki_types::UnixTime;
use scb_protocol::log_leaf::LogName;
use scb_protocol::rules::Counts;
use scb_protocol::statement::{Statement, SubmissionId, SubmissionNumber};

use super::{
    Error, Record, as_integer, as_list, assignments, by_number, by_submission, commitment,
    detachments, groups, number, rulebook,
};

/// Most versions of one assignment in which the same members have a part: each stays, with its entries
/// in the log, and is told to whoever asks for his own.
pub(crate) const MOST: usize = 500;

/// The record whose receipt answers this submission ID: its own, or that of the same version.
pub(super) fn answer(
    connection: &Connection,
    submission: SubmissionId,
) -> Result<Option<Record>, Error> {
    match (
        by_submission(connection, submission)?,
        repeated(connection, submission)?,
    ) {
        (Some(own), _) => Ok(Some(own)),
        (None, Some(number)) => by_number(connection, number),
        (None, None) => Ok(None),
    }
}

/// The version that this statement repeats: the one that answered it before, or the one that counts for
/// its members.
pub(super) fn same(
    connection: &Connection,
    statement: &Statement,
) -> Result<Option<Record>, Error> {
    if let Some(number) = repeated(connection, statement.submission)? {
        let record = by_number(connection, number)?;
        return Ok(record.filter(|record| record.statement().is_same_version(statement)));
    }
    let commitment = commitment::find(connection, statement.submission)?;
    same_since(
        connection,
        statement,
        commitment.map(|(found, _)| (found.at, Some(found.index))),
    )
}

/// The version that counts for all of the members, if it is the very same: the same files by the same
/// students; where the first one counts, also the last one. A statement that was committed at a moment by which a member stands
/// otherwise, because that was earlier, is a version of its own.
pub(super) fn same_since(
    connection: &Connection,
    statement: &Statement,
    committed: Option<(UnixTime, Option<u64>)>,
) -> Result<Option<Record>, Error> {
    let mut same = None;
    for number in repeatable(connection, statement)? {
        let record = by_number(connection, number)?;
        let is_same = |record: &Record| record.statement().is_same_version(statement);
        same = same.or(record.filter(is_same));
    }
    match (same, committed) {
        (Some(record), Some(committed)) => {
            let alike = is_judged_alike(connection, &record, committed)?;
            Ok(alike.then_some(record))
        }
        (same, _) => Ok(same),
    }
}

/// Whether every member stands by this moment as he does by the record, or no better.
fn is_judged_alike(
    connection: &Connection,
    record: &Record,
    (at, index): (UnixTime, Option<u64>),
) -> Result<bool, Error> {
    let Some(accepted) = record.leaf.accepted() else {
        return Ok(false);
    };
    if accepted.committed_at <= at {
        return Ok(true);
    }
    let statement = record.statement();
    let Some(book) = rulebook::of_statement(connection, statement)? else {
        return Ok(false);
    };
    let (then, entry) = (accepted.committed_at, accepted.committed_index);
    let mut members = statement.members.iter().map(|member| &member.sid);
    Ok(members.all(|sid| book.judge(at, index, sid) == book.judge(then, entry, sid)))
}

/// Looks whether these members may hand in another version.
///
/// # Errors
///
/// [`Error::TooManyVersions`] if all of them have a part in as many as are taken; [`Error::Storage`].
pub(super) fn check_bound(connection: &Connection, statement: &Statement) -> Result<(), Error> {
    let sql = "SELECT count(*) FROM (SELECT number FROM parts WHERE course = ? AND assignment = ? \
               AND sid IN (SELECT value FROM json_each(?)) GROUP BY number HAVING count(*) = ?)";
    let members = &statement.members;
    let of_all: i64 = connection.prepare_cached(sql)?.query_one(
        params![
            statement.course.to_string(),
            statement.assignment.to_string(),
            as_list(members.iter().map(|member| &member.sid)),
            as_integer(members.len() as u64),
        ],
        |row| row.get(0),
    )?;
    match usize::try_from(of_all).unwrap_or(usize::MAX) < MOST {
        true => Ok(()),
        false => Err(Error::TooManyVersions { limit: MOST }),
    }
}

/// The version of which this submission is a repetition.
fn repeated(
    connection: &Connection,
    submission: SubmissionId,
) -> Result<Option<SubmissionNumber>, Error> {
    let sql = "SELECT number FROM repeats WHERE submission = ?";
    let mut query = connection.prepare_cached(sql)?;
    let found = query.query_row([submission.as_bytes()], |row| row.get(0));
    Ok(found.optional()?.map(number))
}

/// What answers this submission from now on is the receipt of that version.
pub(super) fn repeat(
    transaction: &Transaction<'_>,
    submission: SubmissionId,
    version: SubmissionNumber,
) -> Result<(), Error> {
    let sql = "INSERT INTO repeats (submission, number) VALUES (?, ?) ON CONFLICT DO NOTHING";
    let number = as_integer(version.get());
    transaction
        .prepare_cached(sql)?
        .execute(params![submission.as_bytes(), number])?;
    Ok(())
}

/// The version that counts for each of the members; where the first one does, also their last: the same
/// once more would not count either.
fn repeatable(
    connection: &Connection,
    statement: &Statement,
) -> Result<Vec<SubmissionNumber>, Error> {
    let log = LogName::of(statement).map_err(Error::Leaf)?;
    let found = assignments::find(connection, &log)?;
    let is_first = found.is_some_and(|found| found.rules().counts == Counts::First);
    let log = LogName::of(statement).map_err(Error::Leaf)?;
    let detachments = detachments::of(connection, &log)?;
    let mut of_all: Option<Vec<SubmissionNumber>> = None;
    for member in &statement.members {
        let own = (&member.sid, &detachments);
        let versions = groups::versions_of(connection, statement, own)?;
        let first = versions.first().filter(|_| is_first);
        let own = first.into_iter().chain(versions.last());
        let mut own: Vec<_> = own.map(|(_, number)| *number).collect();
        own.retain(|number| of_all.as_ref().is_none_or(|all| all.contains(number)));
        of_all = Some(own);
    }
    Ok(of_all.unwrap_or_default())
}

/// Every member has a part in it.
pub(super) fn insert(transaction: &Transaction<'_>, record: &Record) -> Result<(), Error> {
    let sql = "INSERT INTO parts (course, assignment, sid, number) VALUES (?, ?, ?, ?)";
    let mut insert = transaction.prepare_cached(sql)?;
    let statement = record.statement();
    for member in &statement.members {
        insert.execute(params![
            statement.course.to_string(),
            statement.assignment.to_string(),
            member.sid.as_str(),
            as_integer(record.number().get()),
        ])?;
    }
    Ok(())
}
