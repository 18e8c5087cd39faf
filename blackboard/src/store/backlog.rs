//! The table of what each student has signed whose files may still come.

use rusqlite::{Connection, Transaction, params};
use rustls_pki_types::UnixTime;
use scb_certs::StudentId;
use scb_protocol::statement::SubmissionId;

use super::{Committal, Error, as_integer};
use crate::quota::{Backlog, Quota};

/// Enters a commitment for each of its members, unless one of them has too much already, or one who
/// has something would add to what is too much of all.
pub(super) fn enter(
    transaction: &Transaction<'_>,
    committal: &Committal,
    quota: Quota,
) -> Result<(), Error> {
    let (submission, bytes) = (
        committal.statement.submission,
        committal.statement.files.size(),
    );
    for member in &committal.statement.members {
        let has = of(transaction, &member.sid, submission, committal.at)?;
        // Whoever has nothing else need not wait for others.
        let all = match has.number {
            0 => 0,
            _ => in_all(transaction, committal.at)?,
        };
        let is_too_much = !quota.takes_beside(all);
        if is_too_much || !quota.takes_another(has, bytes) {
            return Err(Error::TooManyUploads {
                sid: member.sid.clone(),
                unfinished: has.number,
                bytes: has.bytes,
                in_all: is_too_much.then_some(all),
            });
        }
        forget(transaction, &member.sid, committal.at)?;
        let sql = "INSERT INTO backlog (sid, submission, bytes, upload_until) VALUES (?, ?, ?, ?)";
        transaction.prepare_cached(sql)?.execute(params![
            member.sid.as_str(),
            submission.as_bytes(),
            as_integer(bytes),
            as_integer(committal.upload_until.as_secs()),
        ])?;
    }
    Ok(())
}

/// What a student has unfinished beside this submission.
pub(super) fn of(
    connection: &Connection,
    sid: &StudentId,
    beside: SubmissionId,
    now: UnixTime,
) -> Result<Backlog, Error> {
    let sql = "SELECT count(*), CAST(total(bytes) AS INTEGER) FROM backlog \
               WHERE sid = ? AND submission <> ? AND upload_until >= ? \
               AND submission NOT IN (SELECT submission FROM settled)";
    let key = params![sid.as_str(), beside.as_bytes(), as_integer(now.as_secs())];
    let read = |row: &rusqlite::Row<'_>| -> rusqlite::Result<(i64, i64)> {
        Ok((row.get(0)?, row.get(1)?))
    };
    let (number, bytes) = connection.prepare_cached(sql)?.query_row(key, read)?;
    Ok(Backlog {
        number: u32::try_from(number).unwrap_or(u32::MAX),
        bytes: bytes.unsigned_abs(),
    })
}

/// How many hand-ins of all students are unfinished.
fn in_all(connection: &Connection, now: UnixTime) -> Result<u32, Error> {
    let sql = "SELECT count(DISTINCT submission) FROM backlog WHERE upload_until >= ? \
               AND submission NOT IN (SELECT submission FROM answered)";
    let mut query = connection.prepare_cached(sql)?;
    let all: i64 = query.query_one([as_integer(now.as_secs())], |row| row.get(0))?;
    Ok(u32::try_from(all).unwrap_or(u32::MAX))
}

/// Removes what this student's rows say of times that are over.
fn forget(transaction: &Transaction<'_>, sid: &StudentId, now: UnixTime) -> Result<(), Error> {
    let sql = "DELETE FROM backlog WHERE sid = ? AND (upload_until < ? \
               OR submission IN (SELECT submission FROM settled))";
    let key = params![sid.as_str(), as_integer(now.as_secs())];
    transaction.prepare_cached(sql)?.execute(key)?;
    Ok(())
}
