//! The assignments' logs: entries are numbered in the same transaction as what they record. The
//! tiles follow.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use rustls_pki_types::UnixTime;
use scb_certs::Fingerprint;
use scb_protocol::COMMITMENT_SIZE;
use scb_protocol::from_seconds;
use scb_protocol::log_leaf::{Entry, Leaf, LogName, MAX_STEP_BACK, is_set_back, leaf_commitment};
use scb_protocol::message::proposal::ProposalState;
use scb_protocol::statement::SubmissionId;

use super::{Error, as_integer};

/// An entry as it was appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Appended {
    /// Its number in the log, from 0.
    pub(crate) index: u64,
    /// Its time.
    pub(crate) at: UnixTime,
    /// The leaf's exact bytes.
    pub(crate) leaf: Vec<u8>,
}

/// The time of an entry that is appended now: never before the last one's. Of a clock that was set by a
/// little that one counts until it has caught up.
///
/// # Errors
///
/// [`Error::ClockSetBack`] if it is behind by more: deadlines that are over would be open again;
/// [`Error::Storage`].
pub(crate) fn moment(
    connection: &Connection,
    log: &LogName,
    now: UnixTime,
) -> Result<UnixTime, Error> {
    match id_of(connection, log)? {
        Some(id) => moment_in(connection, id, now),
        None => Ok(now),
    }
}

/// By when what came at that moment is judged and entered: then, though others were entered meanwhile. Whoever
/// comes in time is late for nobody's sake. Where a clock that was set back a little meanwhile makes that too early
/// it is the time of the last entry.
///
/// # Errors
///
/// As [`moment`], if it is further back than that.
pub(crate) fn arrival(
    connection: &Connection,
    log: &LogName,
    came: UnixTime,
) -> Result<UnixTime, Error> {
    match moment(connection, log, came) {
        Ok(_) => Ok(came),
        Err(Error::ClockSetBack { .. }) => {
            let entered = came.as_secs().saturating_add(MAX_STEP_BACK);
            moment(connection, log, from_seconds(entered))
        }
        Err(other) => Err(other),
    }
}

fn moment_in(connection: &Connection, id: i64, now: UnixTime) -> Result<UnixTime, Error> {
    // The latest of all: one that came before another may follow it.
    let sql = "SELECT at FROM log_entries WHERE log = ?1 AND at IS NOT NULL AND number >= \
               coalesce((SELECT number FROM clock_vouched WHERE log = ?1), 0) \
               ORDER BY at DESC LIMIT 1";
    let mut query = connection.prepare_cached(sql)?;
    let last: Option<i64> = query.query_row([id], |row| row.get(0)).optional()?;
    let last = from_seconds(last.unwrap_or_default().unsigned_abs());
    match is_set_back(last, now) {
        true => Err(Error::ClockSetBack { last, now }),
        false => Ok(last.max(now)),
    }
}

/// Somebody vouches for the clock: it was ahead when the last entries were made, and those that are there
/// now bind no later one.
pub(super) fn vouch(transaction: &Transaction<'_>) -> Result<(), Error> {
    let sql = "INSERT OR REPLACE INTO clock_vouched (log, number) \
               SELECT log, max(number) + 1 FROM log_entries GROUP BY log";
    transaction.execute(sql, [])?;
    Ok(())
}

/// Appends an entry to the log of an assignment, at [`moment`]; the first one begins the log. It counts
/// once the transaction is durable.
///
/// # Errors
///
/// [`Error::ClockSetBack`]; [`Error::ProposalEnded`] for what is about a hand-in that has ended by this very log, whatever the
/// tables say; [`Error::Leaf`] if the entry is too large; [`Error::Storage`].
pub(crate) fn append(
    transaction: &Transaction<'_>,
    log: &LogName,
    at: UnixTime,
    entry: Entry,
) -> Result<Appended, Error> {
    let id = begin(transaction, log)?;
    let at = moment_in(transaction, id, at)?;
    write(transaction, (id, log), at, entry)
}

/// As [`append`], of a time that is said elsewhere as well or of [`arrival`], and may be a little before the last one's.
pub(crate) fn append_as_of(
    transaction: &Transaction<'_>,
    log: &LogName,
    at: UnixTime,
    entry: Entry,
) -> Result<Appended, Error> {
    let id = begin(transaction, log)?;
    moment_in(transaction, id, at)?;
    write(transaction, (id, log), at, entry)
}

fn write(
    transaction: &Transaction<'_>,
    (id, log): (i64, &LogName),
    at: UnixTime,
    entry: Entry,
) -> Result<Appended, Error> {
    if let Some(submission) = entry.submission() {
        check_open(transaction, id, submission)?;
    }
    let (index, kind) = (size_of(transaction, id)?, entry.name());
    let leaf = Leaf::new(log.clone(), index, at, entry).and_then(|leaf| leaf.to_bytes());
    let leaf = leaf.map_err(Error::Leaf)?;
    let sql = "INSERT INTO log_entries (log, number, commitment, kind, at, leaf) \
               VALUES (?, ?, ?, ?, ?, ?)";
    transaction.prepare_cached(sql)?.execute(params![
        id,
        as_integer(index),
        leaf_commitment(&leaf),
        kind,
        as_integer(at.as_secs()),
        leaf,
    ])?;
    Ok(Appended { index, at, leaf })
}

/// Nothing follows what has ended.
fn check_open(connection: &Connection, id: i64, submission: SubmissionId) -> Result<(), Error> {
    match ended_in(connection, id, submission)? {
        Some((state, _)) => Err(Error::ProposalEnded { submission, state }),
        None => Ok(()),
    }
}

/// How a hand-in has ended, by the log's own word; nothing of one that is still open.
pub(crate) fn ending(
    connection: &Connection,
    log: &LogName,
    submission: SubmissionId,
) -> Result<Option<ProposalState>, Error> {
    Ok(ended(connection, log, submission)?.map(|(state, _)| state))
}

/// The same, and when.
pub(crate) fn ended(
    connection: &Connection,
    log: &LogName,
    submission: SubmissionId,
) -> Result<Option<(ProposalState, UnixTime)>, Error> {
    match id_of(connection, log)? {
        Some(id) => ended_in(connection, id, submission),
        None => Ok(None),
    }
}

/// As the index has it: where and how are to be written as there.
const ENDING: &str = "SELECT kind, at FROM log_entries INDEXED BY log_entries_ending WHERE log = ?1 \
    AND kind IN ('accepted', 'declined', 'lapsed', 'restored', 'withdrawn') \
    AND CASE WHEN json_valid(CAST(leaf AS TEXT)) \
    THEN json_extract(CAST(leaf AS TEXT), '$.entry.' || kind || '.submission') END = ?2 LIMIT 1";

fn ended_in(
    connection: &Connection,
    id: i64,
    submission: SubmissionId,
) -> Result<Option<(ProposalState, UnixTime)>, Error> {
    let mut query = connection.prepare_cached(ENDING)?;
    let found: Option<(String, i64)> = query
        .query_row(params![id, submission.to_string()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    use ProposalState::{Accepted, Declined, Lapsed, Withdrawn};
    let mut states = [Accepted, Declined, Lapsed, Withdrawn].into_iter();
    let mut state = |kind: String| match kind.as_str() {
        "restored" => Some(Accepted),
        kind => states.find(|state| state.as_str() == kind),
    };
    Ok(found.and_then(|(kind, at)| Some((state(kind)?, from_seconds(at.unsigned_abs())))))
}

/// Takes over commitments whose leaves are lost, the first of them number `from`, which must be
/// the next.
///
/// # Errors
///
/// [`Error::LogGrown`] if the log has another number of entries; [`Error::Storage`].
pub(crate) fn adopt(
    transaction: &Transaction<'_>,
    log: &LogName,
    from: u64,
    commitments: &[Fingerprint],
) -> Result<(), Error> {
    let id = begin(transaction, log)?;
    if size_of(transaction, id)? != from {
        return Err(Error::LogGrown { log: log.clone() });
    }
    let sql = "INSERT INTO log_entries (log, number, commitment) VALUES (?, ?, ?)";
    let mut insert = transaction.prepare_cached(sql)?;
    for (number, commitment) in (from..).zip(commitments) {
        insert.execute(params![id, as_integer(number), commitment.as_bytes()])?;
    }
    Ok(())
}

/// How many entries a log has.
pub(crate) fn size(connection: &Connection, log: &LogName) -> Result<u64, Error> {
    match id_of(connection, log)? {
        Some(id) => size_of(connection, id),
        None => Ok(0),
    }
}

/// The names of all logs.
pub(crate) fn names(connection: &Connection) -> Result<Vec<LogName>, Error> {
    let mut query = connection.prepare_cached("SELECT origin FROM logs ORDER BY origin")?;
    let rows = query.query_map([], |row| row.get::<_, String>(0))?;
    rows.map(|name| name?.parse().map_err(Error::Leaf))
        .collect()
}

/// All logs, with how many entries each has.
pub(crate) fn sizes(connection: &Connection) -> Result<Vec<(LogName, u64)>, Error> {
    let sql = "SELECT origin, (SELECT coalesce(max(number) + 1, 0) FROM log_entries WHERE log = id) \
               FROM logs ORDER BY origin";
    let mut query = connection.prepare_cached(sql)?;
    let rows = query.query_map([], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))
    })?;
    rows.map(|row| {
        let (name, size) = row?;
        Ok((name.parse().map_err(Error::Leaf)?, size.unsigned_abs()))
    })
    .collect()
}

/// Commitments from number `from` on, at most `most`.
pub(crate) fn commitments(
    connection: &Connection,
    log: &LogName,
    from: u64,
    most: usize,
) -> Result<Vec<[u8; COMMITMENT_SIZE]>, Error> {
    let Some(id) = id_of(connection, log)? else {
        return Ok(Vec::new());
    };
    let sql = "SELECT commitment FROM log_entries WHERE log = ? AND number >= ? \
               ORDER BY number LIMIT ?";
    let mut query = connection.prepare_cached(sql)?;
    let rows = query.query_map(params![id, as_integer(from), most as i64], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The exact bytes of an entry; nothing of one that is not there, or of which only the commitment is.
pub(crate) fn leaf(
    connection: &Connection,
    log: &LogName,
    index: u64,
) -> Result<Option<Vec<u8>>, Error> {
    let Some(id) = id_of(connection, log)? else {
        return Ok(None);
    };
    let sql = "SELECT leaf FROM log_entries WHERE log = ? AND number = ?";
    let mut query = connection.prepare_cached(sql)?;
    let leaf = query.query_row(params![id, as_integer(index)], |row| row.get(0));
    Ok(leaf.optional()?.flatten())
}

/// As [`leaf`]; nothing of one that is not what the log commits to.
pub(super) fn sound_leaf(
    connection: &Connection,
    log: &LogName,
    index: u64,
) -> Result<Option<Vec<u8>>, Error> {
    let held = commitments(connection, log, index, 1)?;
    let leaf = leaf(connection, log, index)?;
    Ok(leaf.filter(|leaf| held == [leaf_commitment(leaf)]))
}

fn begin(transaction: &Transaction<'_>, log: &LogName) -> Result<i64, Error> {
    if let Some(id) = id_of(transaction, log)? {
        return Ok(id);
    }
    transaction
        .prepare_cached("INSERT INTO logs (origin) VALUES (?)")?
        .execute([log.to_string()])?;
    Ok(transaction.last_insert_rowid())
}

fn id_of(connection: &Connection, log: &LogName) -> Result<Option<i64>, Error> {
    let mut query = connection.prepare_cached("SELECT id FROM logs WHERE origin = ?")?;
    let id = query.query_row([log.to_string()], |row| row.get(0));
    Ok(id.optional()?)
}

fn size_of(connection: &Connection, id: i64) -> Result<u64, Error> {
    let sql = "SELECT coalesce(max(number) + 1, 0) FROM log_entries WHERE log = ?";
    let size: i64 = connection
        .prepare_cached(sql)?
        .query_one([id], |row| row.get(0))?;
    Ok(size.unsigned_abs())
}

/// How many submissions were accepted by entries beyond the first so many of their logs.
pub(super) fn accepted_beyond(
    connection: &Connection,
    sizes: &BTreeMap<LogName, u64>,
) -> Result<u64, Error> {
    let sql = "SELECT count(*) FROM log_entries JOIN logs ON log = id \
               WHERE origin = ? AND number >= ? AND kind = 'accepted'";
    let mut query = connection.prepare_cached(sql)?;
    let mut all: i64 = 0;
    for (name, size) in self::sizes(connection)? {
        let from = sizes.get(&name).copied().unwrap_or(0);
        if from < size {
            let key = params![name.to_string(), as_integer(from)];
            all += query.query_one(key, |row| row.get::<_, i64>(0))?;
        }
    }
    Ok(all.unsigned_abs())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) mod tests;
