//! Of several statements that the same members commit in time, only the last may bring its files once
//! that time is over: whoever could choose among them then would have had until then.

use rusqlite::{Connection, params};
use rustls_pki_types::UnixTime;
use scb_certs::StudentId;
use scb_protocol::rules::{Price, Rulebook};
use scb_protocol::server::Commitment;
use scb_protocol::statement::{Statement, SubmissionId};

use super::{Error, as_integer, by_number, commitment, number, proposals, rulebook, withdrawal};

/// Looks whether files that come now may still come for this statement.
///
/// # Errors
///
/// [`Error::Superseded`] if they are worth more than what is committed now, and the very same members
/// have committed another statement later that is worth as much; [`Error::Storage`].
pub(super) fn check(
    connection: &Connection,
    statement: &Statement,
    commitment: Commitment,
    now: UnixTime,
) -> Result<(), Error> {
    // Most often there is none, and nothing more to read.
    let later = Later::than(connection, statement, commitment)?;
    if later.is_empty() {
        return Ok(());
    }
    let Some(book) = rulebook::of_statement(connection, statement)? else {
        return Ok(());
    };
    let judge = Judge { book, statement };
    let then = judge.prices(commitment.at, Some(commitment.index));
    if at_most(&judge.prices(now, None), &then) {
        return Ok(());
    }
    let replaces = |later: &Later| {
        let as_good = at_most(&judge.prices(later.at, Some(later.index)), &then);
        // What was given up in time left it the last one.
        let given_up = later.given_up.map(|at| judge.prices(at, None));
        as_good && !given_up.is_some_and(|prices| at_most(&prices, &then))
    };
    match later.into_iter().find(replaces) {
        Some(later) => Err(Error::Superseded {
            submission: statement.submission,
            by: later.submission,
        }),
        None => Ok(()),
    }
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

/// A statement of the same members about the same assignment that was committed after another one.
struct Later {
    submission: SubmissionId,
    at: UnixTime,
    index: u64,
    given_up: Option<UnixTime>,
}

impl Later {
    fn than(
        connection: &Connection,
        statement: &Statement,
        commitment: Commitment,
    ) -> Result<Vec<Self>, Error> {
        let mut found = Self::committed(connection, statement)?;
        found.extend(Self::handed_in(connection, statement, commitment.at)?);
        found.extend(Self::proposed(connection, statement, commitment.at)?);
        found.retain(|one| one.submission != statement.submission && one.index > commitment.index);
        Ok(found)
    }

    /// What was signed over one connection, and may still come or was given up.
    fn committed(connection: &Connection, statement: &Statement) -> Result<Vec<Self>, Error> {
        let sql = "SELECT submission FROM backlog WHERE sid = ? AND submission <> ?";
        let mut query = connection.prepare_cached(sql)?;
        let mut rows = query.query(params![
            first(statement).map(StudentId::as_str),
            statement.submission.as_bytes(),
        ])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let submission = SubmissionId::from_bytes(row.get(0)?);
            let Some((committed, bytes)) = commitment::find(connection, submission)? else {
                continue;
            };
            if Statement::parse(&bytes).is_ok_and(|one| is_alike(&one, statement)) {
                found.push(Self {
                    submission,
                    at: committed.at,
                    index: committed.index,
                    given_up: withdrawal::at(connection, submission)?,
                });
            }
        }
        Ok(found)
    }

    fn handed_in(
        connection: &Connection,
        statement: &Statement,
        since: UnixTime,
    ) -> Result<Vec<Self>, Error> {
        let sql = "SELECT number FROM parts JOIN submissions USING (number) \
                   WHERE course = ? AND assignment = ? AND sid = ? AND accepted_at >= ?";
        let mut query = connection.prepare_cached(sql)?;
        let mut rows = query.query(params![
            statement.course.to_string(),
            statement.assignment.to_string(),
            first(statement).map(StudentId::as_str),
            as_integer(since.as_secs()),
        ])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let record = by_number(connection, number(row.get(0)?))?;
            let Some(record) = record.filter(|one| is_alike(one.statement(), statement)) else {
                continue;
            };
            if let (Some(at), Some(index)) = (record.committed_at(), record.committed_index()) {
                found.push(Self {
                    submission: record.statement().submission,
                    at,
                    index,
                    given_up: None,
                });
            }
        }
        Ok(found)
    }

    /// What was signed over several connections.
    fn proposed(
        connection: &Connection,
        statement: &Statement,
        since: UnixTime,
    ) -> Result<Vec<Self>, Error> {
        let Some(first) = first(statement) else {
            return Ok(Vec::new());
        };
        let signed = proposals::signed_by_all(connection, statement, (first, since))?;
        let alike = signed
            .into_iter()
            .filter(|(one, ..)| is_alike(one, statement));
        let later = alike.map(|(one, commitment, taken_back)| Self {
            submission: one.submission,
            at: commitment.at,
            index: commitment.index,
            given_up: taken_back,
        });
        Ok(later.collect())
    }
}

fn first(statement: &Statement) -> Option<&StudentId> {
    statement.members.iter().map(|member| &member.sid).min()
}

/// Whether both are of the very same members about the very same assignment, and of other files: of the
/// same ones there is nothing to choose.
fn is_alike(one: &Statement, other: &Statement) -> bool {
    one.is_of_same_group(other) && !one.is_same_version(other)
}
