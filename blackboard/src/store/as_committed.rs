//! A commitment as the log holds it, not as its row in the database says.
//!
//! Somebody may have altered the row. Nobody is refused under a signature, or told another time, because of
//! that: where the log has the commitment, the hand-in goes on.

use std::collections::BTreeMap;

use rusqlite::{Connection, Transaction, params};
use rustls_pki_types::UnixTime;
use scb_certs::Fingerprint;
use scb_protocol::from_seconds;
use scb_protocol::log_leaf::{Entry, Leaf, LogName};
use scb_protocol::server::Commitment;
use scb_protocol::statement::{Statement, SubmissionId};

use super::{Error, as_list, backlog, commitment, log};

/// The commitment under the ID of this statement, and what it is about by the log. Where that is this very
/// statement it counts as the log says, and a row that says something else is put right.
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
    let Some((entered, agree)) = entered(transaction, (statement, bytes), found)? else {
        let (_, commitment) = check(transaction, submission, (found, &kept))?;
        return Ok(Some((commitment, kept)));
    };
    if entered != found || kept != bytes || !agree {
        tracing::error!(
            "what was recorded of the commitment {submission} was altered; its statement came again, which the log \
             has, and is written back with what the log says of it"
        );
        commitment::put_right(transaction, (submission, bytes), entered)?;
        backlog::put_right(transaction, statement, entered.upload_until)?;
    }
    Ok(Some((entered, bytes.to_vec())))
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
const BEGUN: &str = "SELECT number FROM log_entries INDEXED BY log_entries_begun \
    WHERE log = (SELECT id FROM logs WHERE origin = ?1) AND kind IN ('committed', 'proposed') \
    AND CASE WHEN json_valid(CAST(leaf AS TEXT)) \
    THEN json_extract(CAST(leaf AS TEXT), '$.entry.' || kind || '.submission') END = ?2";

/// The statement of a row, and since when and until when it counts by the log.
///
/// # Errors
///
/// [`Error::ProposalAltered`] if the log has no such statement under this ID, [`Error::Storage`].
pub(super) fn check(
    connection: &Connection,
    submission: SubmissionId,
    (found, kept): (Commitment, &[u8]),
) -> Result<(Statement, Commitment), Error> {
    let altered = || Error::ProposalAltered { submission };
    let statement = Statement::parse(kept).map_err(|_| altered())?;
    if statement.submission != submission {
        return Err(altered());
    }
    let entered = entered(connection, (&statement, kept), found)?;
    let (entered, _) = entered.ok_or_else(altered)?;
    Ok((statement, entered))
}

/// Since when, and by which entry, this very statement is committed by the log, whatever the row says, and whether all
/// rows say the same of until when its files may come; nothing of what the log does not have.
fn entered(
    connection: &Connection,
    (statement, bytes): (&Statement, &[u8]),
    found: Commitment,
) -> Result<Option<(Commitment, bool)>, Error> {
    let name = LogName::of(statement).map_err(Error::Leaf)?;
    let sha256 = Fingerprint::of(bytes);
    let is_it = |leaf: &Leaf| match &leaf.entry {
        Entry::Committed(one) => one.statement_sha256 == sha256,
        _ => false,
    };
    let mut begun = begun(connection, &name, statement.submission)?.into_iter();
    let Some(leaf) = begun.find(is_it) else {
        return Ok(None);
    };
    let Window { until, agree } = window(connection, statement, found.upload_until)?;
    let commitment = Commitment {
        index: leaf.index,
        at: leaf.at,
        upload_until: until,
    };
    Ok(Some((commitment, agree)))
}

/// The entries by which something was begun under this ID, those that are what the log commits to.
pub(super) fn begun(
    connection: &Connection,
    name: &LogName,
    submission: SubmissionId,
) -> Result<Vec<Leaf>, Error> {
    let mut query = connection.prepare_cached(BEGUN)?;
    let key = [name.to_string(), submission.to_string()];
    let numbers = query.query_map(key, |row| row.get::<_, i64>(0))?;
    let mut begun = Vec::new();
    for number in numbers {
        let number = number?.unsigned_abs();
        let leaf = log::sound_leaf(connection, name, number)?;
        let leaf = leaf.and_then(|leaf| Leaf::parse(&leaf).ok());
        begun.extend(leaf.filter(|leaf| leaf.index == number));
    }
    Ok(begun)
}

/// Until when files may come.
struct Window {
    until: UnixTime,
    /// Whether all rows say so.
    agree: bool,
}

/// Until when its files may come. The log does not say that; its row does and, as long as that counts, one for each of
/// its members. What most of them say counts, and of as many, as with a single member, the latest: nobody's files are
/// refused for one row, and what may come longer than it should is nothing but what was signed then.
fn window(
    connection: &Connection,
    statement: &Statement,
    in_row: UnixTime,
) -> Result<Window, Error> {
    let sql = "SELECT upload_until FROM backlog \
               WHERE sid IN (SELECT value FROM json_each(?)) AND submission = ?";
    let sids = as_list(statement.members.iter().map(|one| &one.sid));
    let mut query = connection.prepare_cached(sql)?;
    let rows = query.query_map(params![sids, statement.submission.as_bytes()], |row| {
        row.get::<_, i64>(0)
    })?;
    let mut said = BTreeMap::from([(in_row.as_secs(), 1)]);
    for row in rows {
        *said.entry(row?.unsigned_abs()).or_insert(0) += 1;
    }
    let agree = said.len() == 1;
    let most = said
        .into_iter()
        .max_by_key(|(until, number)| (*number, *until));
    let until = most.map_or(in_row, |(until, _)| from_seconds(until));
    Ok(Window { until, agree })
}

#[cfg(test)]
mod tests {
    use super::BEGUN;
    use crate::store::log::tests::plan_of;

    #[test]
    fn what_the_log_has_is_found_without_reading_it() {
        let plan = plan_of(BEGUN);
        let index = "log_entries_begun (log=? AND <expr>=?)";
        assert!(plan.ends_with(index), "{plan}");
    }
}
