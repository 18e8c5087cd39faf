//! What each student has signed whose files may still come, or that waits for others: their table, and
//! beside it the proposals.

use rusqlite::{Connection, Transaction, params};
use rustls_pki_types::UnixTime;
use scb_certs::StudentId;
use scb_protocol::from_seconds;
use scb_protocol::statement::{Statement, SubmissionId};

use super::arrival::Dated;
use super::proposals::{UNANSWERED, WAITS_FOR_CUHK};
use super::{Committal, Error, as_integer};
use crate::quota::{Backlog, Quota};

/// Most other groups with which a student may have work of one assignment unfinished: among what he has
/// signed with each of them he could choose when its time is over.
pub(crate) const MOST_GROUPS: u32 = 2;

/// The bytes of a proposal's files, as they were signed.
const PROPOSED_BYTES: &str = "CASE WHEN json_valid(CAST(statement AS TEXT)) THEN \
    (SELECT total(json_extract(file.value, '$.size')) \
     FROM json_each(CAST(statement AS TEXT), '$.files') AS file) END";

/// Enters a commitment for each of its members, unless one of them has too much already, or one who
/// has something would add to what is too much of all.
pub(super) fn enter(
    transaction: &Transaction<'_>,
    committal: &Dated<Committal>,
    quota: Quota,
) -> Result<(), Error> {
    let statement = &committal.statement;
    let (submission, bytes) = (statement.submission, statement.files.size());
    let members = together(statement);
    for member in &statement.members {
        let groups = other_groups(transaction, committal, (&member.sid, &members))?;
        if groups >= MOST_GROUPS {
            let sid = member.sid.clone();
            return Err(Error::TooManyGroups { sid, groups });
        }
        check_given_up(transaction, &member.sid, (quota, committal.at))?;
        check(
            transaction,
            &member.sid,
            (submission, bytes),
            (quota, committal.at),
        )?;
        forget(transaction, &member.sid, committal.at)?;
    }
    insert(transaction, statement, committal.upload_until)
}

/// The rows of a commitment say again what is right of it, and are there again.
pub(super) fn put_right(
    transaction: &Transaction<'_>,
    statement: &Statement,
    upload_until: UnixTime,
) -> Result<(), Error> {
    let sql = "DELETE FROM backlog WHERE submission = ?";
    let key = [statement.submission.as_bytes()];
    transaction.prepare_cached(sql)?.execute(key)?;
    insert(transaction, statement, upload_until)
}

fn insert(
    transaction: &Transaction<'_>,
    statement: &Statement,
    upload_until: UnixTime,
) -> Result<(), Error> {
    let sql = "INSERT INTO backlog (sid, submission, bytes, upload_until, course, assignment, members) \
               VALUES (?, ?, ?, ?, ?, ?, ?)";
    let mut insert = transaction.prepare_cached(sql)?;
    let members = together(statement);
    for member in &statement.members {
        insert.execute(params![
            member.sid.as_str(),
            statement.submission.as_bytes(),
            as_integer(statement.files.size()),
            as_integer(upload_until.as_secs()),
            statement.course.to_string(),
            statement.assignment.to_string(),
            members,
        ])?;
    }
    Ok(())
}

/// Its members' IDs in order.
fn together(statement: &Statement) -> String {
    let members = statement.members.iter().map(|one| one.sid.as_str());
    let mut members: Vec<_> = members.collect();
    members.sort_unstable();
    members.join(",")
}

/// Looks whether a student may have so many bytes unfinished beside what he has: what was committed, and
/// what he has signed that waits.
///
/// # Errors
///
/// [`Error::TooManyUploads`]; [`Error::Storage`].
pub(super) fn check(
    connection: &Connection,
    sid: &StudentId,
    (submission, bytes): (SubmissionId, u64),
    (quota, now): (Quota, UnixTime),
) -> Result<(), Error> {
    let has = of(connection, sid, submission, now)?;
    // Whoever has nothing else need not wait for others.
    let all = match has.number {
        0 => 0,
        _ => in_all(connection, now)?,
    };
    let is_too_much = !quota.takes_beside(all);
    match is_too_much || !quota.takes_another(has, bytes) {
        true => Err(Error::TooManyUploads {
            sid: sid.clone(),
            unfinished: has.number,
            bytes: has.bytes,
            in_all: is_too_much.then_some(all),
        }),
        false => Ok(()),
    }
}

/// With how many other groups, himself alone among them, a student has work of this assignment unfinished.
fn other_groups(
    connection: &Connection,
    committal: &Dated<Committal>,
    (sid, members): (&StudentId, &str),
) -> Result<u32, Error> {
    let sql = "SELECT count(DISTINCT members) FROM backlog \
               WHERE sid = ? AND course = ? AND assignment = ? AND members <> ? AND upload_until >= ? \
               AND NOT EXISTS (SELECT 1 FROM settled WHERE settled.submission = backlog.submission)";
    let statement = &committal.statement;
    let key = params![
        sid.as_str(),
        statement.course.to_string(),
        statement.assignment.to_string(),
        members,
        as_integer(committal.at.as_secs()),
    ];
    let number: i64 = connection
        .prepare_cached(sql)?
        .query_one(key, |row| row.get(0))?;
    Ok(u32::try_from(number).unwrap_or(u32::MAX))
}

/// What a student has unfinished beside this submission.
pub(super) fn of(
    connection: &Connection,
    sid: &StudentId,
    beside: SubmissionId,
    now: UnixTime,
) -> Result<Backlog, Error> {
    let sql = format!(
        "SELECT count(*), CAST(total(bytes) AS INTEGER) FROM (SELECT bytes FROM backlog \
         WHERE sid = ?1 AND submission <> ?2 AND upload_until >= ?3 \
         AND NOT EXISTS (SELECT 1 FROM settled WHERE settled.submission = backlog.submission) \
         UNION ALL SELECT {PROPOSED_BYTES} AS bytes FROM cosigners JOIN proposals USING (submission) \
         WHERE sid = ?1 AND said = 'signed' AND submission <> ?2 AND ended IS NULL \
         AND (waits_until >= ?3 OR {WAITS_FOR_CUHK}) AND {UNANSWERED})"
    );
    let key = params![sid.as_str(), beside.as_bytes(), as_integer(now.as_secs())];
    let read = |row: &rusqlite::Row<'_>| -> rusqlite::Result<(i64, i64)> {
        Ok((row.get(0)?, row.get(1)?))
    };
    let (number, bytes) = connection.prepare_cached(&sql)?.query_row(key, read)?;
    Ok(Backlog {
        number: u32::try_from(number).unwrap_or(u32::MAX),
        bytes: bytes.unsigned_abs(),
    })
}

/// Looks how much a student has given up whose files might still have come: it stays in the records and in
/// the log.
fn check_given_up(
    connection: &Connection,
    sid: &StudentId,
    (quota, now): (Quota, UnixTime),
) -> Result<(), Error> {
    let sql = "SELECT upload_until FROM backlog JOIN withdrawals USING (submission) \
               WHERE sid = ? AND upload_until >= ? ORDER BY upload_until DESC";
    let mut query = connection.prepare_cached(sql)?;
    let key = params![sid.as_str(), as_integer(now.as_secs())];
    let ends = query.query_map(key, |row| row.get(0))?;
    let ends: Vec<i64> = ends.collect::<Result<_, _>>()?;
    // With the end of the last one that is too much there is one less than too much.
    let most = usize::try_from(quota.most_given_up()).unwrap_or(usize::MAX);
    let Some(end) = most.checked_sub(1).and_then(|last| ends.get(last)) else {
        return Ok(());
    };
    Err(Error::TooManyGivenUp {
        sid: sid.clone(),
        given_up: u32::try_from(ends.len()).unwrap_or(u32::MAX),
        room_at: from_seconds(end.unsigned_abs().saturating_add(1)),
    })
}

/// How many hand-ins of all students are unfinished.
fn in_all(connection: &Connection, now: UnixTime) -> Result<u32, Error> {
    let sql = format!(
        "SELECT (SELECT count(DISTINCT submission) FROM backlog WHERE upload_until >= ?1 \
          AND NOT EXISTS (SELECT 1 FROM answered WHERE answered.submission = backlog.submission)) \
         + (SELECT count(*) FROM proposals WHERE ended IS NULL \
          AND (waits_until >= ?1 OR {WAITS_FOR_CUHK}) AND {UNANSWERED})"
    );
    let mut query = connection.prepare_cached(&sql)?;
    let all: i64 = query.query_one([as_integer(now.as_secs())], |row| row.get(0))?;
    Ok(u32::try_from(all).unwrap_or(u32::MAX))
}

/// Removes what this student's rows say of times that are over, and of what is handed in. What was
/// given up stays for its time.
fn forget(transaction: &Transaction<'_>, sid: &StudentId, now: UnixTime) -> Result<(), Error> {
    let sql = "DELETE FROM backlog WHERE sid = ? AND (upload_until < ? \
               OR EXISTS (SELECT 1 FROM answered WHERE answered.submission = backlog.submission))";
    let key = params![sid.as_str(), as_integer(now.as_secs())];
    transaction.prepare_cached(sql)?.execute(key)?;
    Ok(())
}
