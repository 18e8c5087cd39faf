//! The table of who has a part in which version.

use rusqlite::{Connection, Transaction, params};
use scb_certs::StudentId;
use scb_protocol::rules::Part;
use scb_protocol::statement::{StatedMember, Statement, SubmissionNumber};

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
    let Some(last) = last(connection, statement, &statement.members)? else {
        return Ok(None);
    };
    let record = by_number(connection, last)?;
    Ok(record.filter(|record| record.statement().is_same_version(statement)))
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
