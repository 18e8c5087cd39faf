//! What the log says of a commitment, whatever its row says: nobody is refused under a signature, or told
//! another time, for a row that somebody altered.

use rusqlite::{Connection, Transaction, params};
use scb_certs::Fingerprint;
use scb_protocol::log_leaf::{Entry, Leaf, LogName};
use scb_protocol::server::Commitment;
use scb_protocol::statement::{Statement, SubmissionId};

use super::{Error, as_integer, as_list, commitment, log};

/// The commitment under the ID of this statement, and what it is about by the log. Where that is this very
/// statement and the row has another one, the row is put right.
///
/// # Errors
///
/// [`Error::ProposalAltered`] if the log knows neither; [`Error::Storage`].
pub(super) fn of(
    transaction: &Transaction<'_>,
    (statement, bytes): (&Statement, &[u8]),
) -> Result<Option<(Commitment, Vec<u8>)>, Error> {
    let submission = statement.submission;
    let Some((found, kept)) = commitment::find(transaction, submission)? else {
        return Ok(None);
    };
    if kept == bytes || !is_entered(transaction, (statement, bytes), found)? {
        check(transaction, submission, (found, &kept))?;
        return Ok(Some((found, kept)));
    }
    check_window(transaction, statement, found)?;
    tracing::error!(
        "the statement of the commitment {submission} was altered; the one that is in the log came again, \
         and is written back"
    );
    let sql = "UPDATE commitments SET statement = ? WHERE submission = ?";
    let mut update = transaction.prepare_cached(sql)?;
    update.execute(params![bytes, submission.as_bytes()])?;
    Ok(Some((found, bytes.to_vec())))
}

/// Refuses a statement that the log has under this ID, and no row has any more: it would get another time, or be
/// refused for that one.
///
/// # Errors
///
/// [`Error::ProposalAltered`]; [`Error::Storage`].
pub(super) fn check_unknown(connection: &Connection, statement: &Statement) -> Result<(), Error> {
    let submission = statement.submission;
    let name = LogName::of(statement).map_err(Error::Leaf)?;
    let mut query = connection.prepare_cached(BEGUN)?;
    match query.exists([name.to_string(), submission.to_string()])? {
        true => Err(Error::ProposalAltered { submission }),
        false => Ok(()),
    }
}

/// As the index has it: where and how are to be written as there.
const BEGUN: &str = "SELECT 1 FROM log_entries INDEXED BY log_entries_begun \
    WHERE log = (SELECT id FROM logs WHERE origin = ?1) AND kind IN ('committed', 'proposed') \
    AND CASE WHEN json_valid(CAST(leaf AS TEXT)) \
    THEN json_extract(CAST(leaf AS TEXT), '$.entry.' || kind || '.submission') END = ?2 LIMIT 1";

/// Compares a row with the entry that was made with it, and gives its statement.
///
/// # Errors
///
/// [`Error::ProposalAltered`], [`Error::Storage`].
pub(super) fn check(
    connection: &Connection,
    submission: SubmissionId,
    (found, kept): (Commitment, &[u8]),
) -> Result<Statement, Error> {
    let altered = || Error::ProposalAltered { submission };
    let statement = Statement::parse(kept).map_err(|_| altered())?;
    let is_it = statement.submission == submission;
    if !is_it || !is_entered(connection, (&statement, kept), found)? {
        return Err(altered());
    }
    check_window(connection, &statement, found)?;
    Ok(statement)
}

/// Whether this very statement was committed then, by the entry that the row names.
fn is_entered(
    connection: &Connection,
    (statement, bytes): (&Statement, &[u8]),
    found: Commitment,
) -> Result<bool, Error> {
    let name = LogName::of(statement).map_err(Error::Leaf)?;
    let Some(leaf) = log::sound_leaf(connection, &name, found.index)? else {
        return Ok(false);
    };
    let is_it = |leaf: Leaf| match leaf.entry {
        Entry::Committed(committed) => {
            leaf.at == found.at
                && committed.submission == statement.submission
                && committed.statement_sha256 == Fingerprint::of(bytes)
        }
        _ => false,
    };
    Ok(Leaf::parse(&leaf).is_ok_and(is_it))
}

/// The log does not say how long files may come; two tables do, as long as that counts.
fn check_window(
    connection: &Connection,
    statement: &Statement,
    found: Commitment,
) -> Result<(), Error> {
    let sql = "SELECT count(*) FROM backlog WHERE sid IN (SELECT value FROM json_each(?)) \
               AND submission = ? AND upload_until <> ?";
    let (submission, sids) = (
        statement.submission,
        as_list(statement.members.iter().map(|one| &one.sid)),
    );
    let until = as_integer(found.upload_until.as_secs());
    let key = params![sids, submission.as_bytes(), until];
    let others: i64 = connection
        .prepare_cached(sql)?
        .query_one(key, |row| row.get(0))?;
    match others {
        0 => Ok(()),
        _ => Err(Error::ProposalAltered { submission }),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_cli::{Home, Role};

    use super::*;
    use crate::store::Store;

    #[test]
    fn what_the_log_has_is_found_without_reading_it() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::create(&dir.path().join("home"), Role::Blackboard).unwrap();
        let database = Store::open(&home).unwrap().database;
        let plan = |transaction: &Transaction<'_>| {
            let mut query = transaction.prepare(&format!("EXPLAIN QUERY PLAN {BEGUN}"))?;
            Ok::<_, Error>(query.query_row(["a", "b"], |row| row.get::<_, String>(3))?)
        };
        let plan = database.write_blocking(plan).unwrap();
        assert!(
            plan.ends_with("log_entries_begun (log=? AND <expr>=?)"),
            "{plan}"
        );
    }
}
