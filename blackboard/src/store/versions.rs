//! The table of who has a part in which version, and that of what repeats one.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use rustls_pki_types::UnixTime;
use scb_certs::StudentId;
use scb_protocol::rules::Part;
use scb_protocol::statement::{StatedMember, Statement, SubmissionId, SubmissionNumber};

use super::{Error, Record, as_integer, by_number, by_submission, commitment, number, rulebook};

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

/// The version that this statement repeats: the one that answered it before, or the last one in
/// which any of the members has a part.
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

/// The last version in which any of the members has a part, if it is the very same: the same
/// files by the same students. A statement that was committed at a moment by which a member stands
/// otherwise, because that was earlier, is a version of its own.
pub(super) fn same_since(
    connection: &Connection,
    statement: &Statement,
    committed: Option<(UnixTime, Option<u64>)>,
) -> Result<Option<Record>, Error> {
    let Some(last) = last(connection, statement, &statement.members)? else {
        return Ok(None);
    };
    let record = by_number(connection, last)?;
    let same = record.filter(|record| record.statement().is_same_version(statement));
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
    let Some((first, others)) = statement.members.split_first() else {
        return Ok(());
    };
    let sql = "SELECT number FROM parts WHERE course = ? AND assignment = ? AND sid = ?";
    let mut query = connection.prepare_cached(sql)?;
    let place = [
        statement.course.to_string(),
        statement.assignment.to_string(),
    ];
    let key = params![place[0], place[1], first.sid.as_str()];
    let numbers = query.query_map(key, |row| row.get(0))?;
    let numbers: Vec<i64> = numbers.collect::<Result<_, _>>()?;
    if numbers.len() < MOST {
        return Ok(());
    }
    let sql = "SELECT 1 FROM parts WHERE course = ? AND assignment = ? AND sid = ? AND number = ?";
    let mut query = connection.prepare_cached(sql)?;
    let mut of_all = 0;
    for number in numbers {
        let mut has_part = |member: &StatedMember| {
            query.exists(params![place[0], place[1], member.sid.as_str(), number])
        };
        let mut all = true;
        for member in others {
            all = all && has_part(member)?;
        }
        of_all += usize::from(all);
    }
    match of_all < MOST {
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

/// The last version of each member who has one, and who else has a part in it.
pub(super) fn parts(connection: &Connection, statement: &Statement) -> Result<Vec<Part>, Error> {
    let mut parts: Vec<Part> = Vec::new();
    for member in &statement.members {
        let Some(number) = last(connection, statement, std::slice::from_ref(member))? else {
            continue;
        };
        // Most often all of them have it together: it is read once.
        let known = parts.iter().find(|part| part.number == number);
        let members = match known.map(|part| part.members.clone()) {
            Some(members) => members,
            None => match by_number(connection, number)? {
                Some(record) => sids(&record),
                None => continue,
            },
        };
        parts.push(Part {
            sid: member.sid.clone(),
            number,
            members,
        });
    }
    Ok(parts)
}

fn sids(record: &Record) -> Vec<StudentId> {
    let members = record.statement().members.iter();
    members.map(|member| member.sid.clone()).collect()
}

/// The last version in which any of these has a part.
fn last(
    connection: &Connection,
    statement: &Statement,
    members: &[StatedMember],
) -> Result<Option<SubmissionNumber>, Error> {
    let sql = "SELECT max(number) FROM parts WHERE course = ? AND assignment = ? AND sid = ?";
    let mut query = connection.prepare_cached(sql)?;
    let (course, assignment) = (
        statement.course.to_string(),
        statement.assignment.to_string(),
    );
    let mut last: Option<i64> = None;
    for member in members {
        let key = params![course, assignment, member.sid.as_str()];
        last = last.max(query.query_one(key, |row| row.get(0))?);
    }
    Ok(last.map(number))
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
