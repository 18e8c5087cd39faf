//! When the same members, alone or with others, have committed several statements in time, only the last of
//! these may bring its files once that time is over.
//!
//! Otherwise a group could commit many versions and choose among them later, which would give it until then
//! to finish.

use rusqlite::{Connection, params};
use rustls_pki_types::UnixTime;
use scb_certs::StudentId;
use scb_protocol::from_seconds;
use scb_protocol::log_leaf::{LogName, MAX_STEP_BACK};
use scb_protocol::rules::{Detachments, Price, Rulebook};
use scb_protocol::server::Commitment;
use scb_protocol::statement::{Statement, SubmissionId, SubmissionNumber};

use super::{
    Error, as_integer, by_number, by_submission, commitment, detachments, number, proposals,
    rulebook,
};

/// Looks whether files that come now may still come for this statement.
///
/// # Errors
///
/// [`Error::Superseded`] if they are worth more than what is committed now, and the very same members, or
/// they and others, have committed another statement later that is worth as much; [`Error::Storage`].
pub(super) fn check(
    connection: &Connection,
    statement: &Statement,
    commitment: Commitment,
    now: UnixTime,
) -> Result<(), Error> {
    // Most often there are none, and nothing more to read.
    let candidates = candidates(connection, statement, commitment)?;
    if candidates.is_empty() {
        return Ok(());
    }
    let Some(book) = rulebook::of_statement(connection, statement)? else {
        return Ok(());
    };
    let log = LogName::of(statement).map_err(Error::Leaf)?;
    let detachments = detachments::of(connection, &log)?;
    let judge = Judge { book, statement };
    let then = judge.prices(commitment.at, Some(commitment.index));
    if at_most(&judge.prices(now, None), &then) {
        return Ok(());
    }
    // What was given up in time left another one the last.
    let in_time =
        |at: Option<UnixTime>| at.is_some_and(|at| at_most(&judge.prices(at, None), &then));
    for candidate in candidates.iter().filter(|one| !in_time(one.given_up)) {
        // By the teacher's word a version is not that of whom he took out of it.
        if candidate.is_without(connection, (statement, &detachments))? {
            continue;
        }
        let Some((later, of)) = candidate.read(connection)? else {
            continue;
        };
        let is_other = of.is_by_all_of(statement) && !of.is_same_version(statement);
        let as_good = at_most(&judge.prices(later.at, Some(later.index)), &then);
        if is_other && later.index > commitment.index && as_good && !in_time(later.given_up) {
            return Err(Error::Superseded {
                submission: statement.submission,
                by: of.submission,
            });
        }
    }
    Ok(())
}

/// What the members' work costs them, in their order: nothing in time, something when it is late, all
/// of it when the assignment is closed.
struct Judge<'a> {
    book: Rulebook,
    statement: &'a Statement,
}

impl Judge<'_> {
    fn prices(&self, at: UnixTime, index: Option<u64>) -> Vec<Price> {
        let members = self.statement.members.iter();
        let each = members.map(|member| self.book.judge(at, index, &member.sid).price());
        each.collect()
    }
}

/// Whether nobody pays more for one than for the other.
fn at_most(one: &[Price], other: &[Price]) -> bool {
    one.iter().zip(other).all(|(one, other)| one <= other)
}

/// A statement that was committed after another one.
struct Later {
    at: UnixTime,
    index: u64,
    given_up: Option<UnixTime>,
}

/// What may be such a statement, by what is known without reading it.
struct Candidate {
    place: Kept,
    given_up: Option<UnixTime>,
}

/// Where it is kept.
enum Kept {
    /// What was signed over one connection, and may still come or was given up.
    Commitment(SubmissionId),
    /// What was handed in.
    Version(SubmissionNumber),
    /// What was signed over several connections.
    Proposal(SubmissionId),
}

/// What one of the members has committed later for the same assignment, the latest first of each kind.
fn candidates(
    connection: &Connection,
    statement: &Statement,
    commitment: Commitment,
) -> Result<Vec<Candidate>, Error> {
    let Some(first) = statement.members.iter().map(|member| &member.sid).min() else {
        return Ok(Vec::new());
    };
    let mut found = committed(connection, statement, (first, commitment.index))?;
    found.extend(handed_in(connection, statement, (first, commitment.at))?);
    // What is later in the log may have come a little before.
    let since = commitment.at.as_secs().saturating_sub(MAX_STEP_BACK);
    let since = from_seconds(since);
    let signed = proposals::signed_since(connection, statement, (first, since))?;
    let signed = signed
        .into_iter()
        .filter(|one| *one != statement.submission);
    found.extend(signed.map(|submission| Candidate {
        place: Kept::Proposal(submission),
        given_up: None,
    }));
    Ok(found)
}

/// What was committed after this entry over one connection.
fn committed(
    connection: &Connection,
    statement: &Statement,
    (sid, index): (&StudentId, u64),
) -> Result<Vec<Candidate>, Error> {
    let sql = "SELECT submission, withdrawals.at FROM backlog JOIN commitments USING (submission) \
               LEFT JOIN withdrawals USING (submission) \
               WHERE sid = ? AND course = ? AND assignment = ? AND commitments.log_index > ? \
               ORDER BY commitments.log_index DESC";
    let key = params![
        sid.as_str(),
        statement.course.to_string(),
        statement.assignment.to_string(),
        as_integer(index),
    ];
    let mut query = connection.prepare_cached(sql)?;
    let found = query.query_map(key, |row| {
        let given_up: Option<i64> = row.get(1)?;
        Ok(Candidate {
            place: Kept::Commitment(SubmissionId::from_bytes(row.get(0)?)),
            given_up: given_up.map(|at| from_seconds(at.unsigned_abs())),
        })
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Other versions that were accepted since that moment.
fn handed_in(
    connection: &Connection,
    statement: &Statement,
    (sid, since): (&StudentId, UnixTime),
) -> Result<Vec<Candidate>, Error> {
    let sql = "SELECT number FROM parts JOIN submissions USING (number) \
               WHERE course = ? AND assignment = ? AND sid = ? AND accepted_at >= ? \
               AND submission <> ? ORDER BY number DESC";
    let key = params![
        statement.course.to_string(),
        statement.assignment.to_string(),
        sid.as_str(),
        as_integer(since.as_secs()),
        statement.submission.as_bytes(),
    ];
    let mut query = connection.prepare_cached(sql)?;
    let found = query.query_map(key, |row| {
        Ok(Candidate {
            place: Kept::Version(number(row.get(0)?)),
            given_up: None,
        })
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

impl Candidate {
    /// Whether it is a version out of which a member of this statement was taken.
    fn is_without(
        &self,
        connection: &Connection,
        (statement, detachments): (&Statement, &Detachments),
    ) -> Result<bool, Error> {
        let number = match self.place {
            Kept::Version(number) => Some(number),
            Kept::Commitment(submission) | Kept::Proposal(submission) => {
                by_submission(connection, submission)?.map(|record| record.number())
            }
        };
        let mut members = statement.members.iter();
        Ok(number.is_some_and(|number| {
            members.any(|member| detachments.of(number, &member.sid).is_some())
        }))
    }

    fn read(&self, connection: &Connection) -> Result<Option<(Later, Statement)>, Error> {
        match self.place {
            Kept::Commitment(submission) => {
                let found = commitment::find(connection, submission)?;
                let read = |(committed, bytes): (Commitment, Vec<u8>)| {
                    let later = Later {
                        at: committed.at,
                        index: committed.index,
                        given_up: self.given_up,
                    };
                    Some((later, Statement::parse(&bytes).ok()?))
                };
                Ok(found.and_then(read))
            }
            Kept::Version(number) => {
                let record = by_number(connection, number)?;
                Ok(record.and_then(|record| {
                    let later = Later {
                        at: record.committed_at()?,
                        index: record.committed_index()?,
                        given_up: None,
                    };
                    Some((later, record.statement().clone()))
                }))
            }
            Kept::Proposal(submission) => {
                let signed = proposals::signed_by_all(connection, submission)?;
                Ok(signed.map(|(statement, committed, given_up)| {
                    let later = Later {
                        at: committed.at,
                        index: committed.index,
                        given_up,
                    };
                    (later, statement)
                }))
            }
        }
    }
}
