//! The table of who has a part in which version.

use rusqlite::{Connection, Transaction, params};
use scb_protocol::statement::{Statement, SubmissionNumber};

use super::{Error, Record, as_integer, by_number, commitment, number};

/// The last version in which any of the members has a part, if it is the very same: the same
/// files by the same students. Whoever has a commitment to keep is not spared it.
pub(super) fn same(
    connection: &Connection,
    statement: &Statement,
) -> Result<Option<Record>, Error> {
    if commitment::find(connection, statement.submission)?.is_some() {
        return Ok(None);
    }
    let Some(last) = last(connection, statement)? else {
        return Ok(None);
    };
    let record = by_number(connection, last)?;
    Ok(record.filter(|record| record.statement().is_same_version(statement)))
}

fn last(connection: &Connection, statement: &Statement) -> Result<Option<SubmissionNumber>, Error> {
    let sql = "SELECT max(number) FROM parts WHERE course = ? AND assignment = ? AND sid = ?";
    let mut query = connection.prepare_cached(sql)?;
    let (course, assignment) = (
        statement.course.to_string(),
        statement.assignment.to_string(),
    );
    let mut last: Option<i64> = None;
    for member in &statement.members {
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
