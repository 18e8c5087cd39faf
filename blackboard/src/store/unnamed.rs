//! Finds stored content that no record names or will ever name: what a crash left behind between writing a
//! file and recording it.
//!
//! Records and logs are written together, so that one shows what the other lacks. If entries or numbers are
//! missing, an unnamed file may be all that is left of an acknowledged hand-in. In that case only content
//! that was committed and written after the last of them is removed.

use std::collections::HashSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::Connection;
use rustls_pki_types::UnixTime;
use scb_protocol::from_seconds;
use scb_protocol::statement::{Statement, SubmissionId};
use scb_storage::Stored;

use super::{Error, as_integer, contents};

/// What is known of content that no record names.
#[derive(Debug)]
pub(super) struct Unnamed {
    named: HashSet<[u8; 32]>,
    doubt: Option<Doubt>,
}

/// Something is missing that was recorded before.
#[derive(Debug)]
struct Doubt {
    since: UnixTime,
    /// What was committed after that.
    known: HashSet<[u8; 32]>,
}

impl Unnamed {
    /// Whether this is what a crash left, and nothing else.
    pub(super) fn is_left(&self, stored: &Stored) -> bool {
        let Some(sha256) = stored.sha256.filter(|sha256| !self.named.contains(sha256)) else {
            return false;
        };
        self.doubt.as_ref().is_none_or(|doubt| {
            stored.written > moment(doubt.since) && doubt.known.contains(&sha256)
        })
    }
}

fn moment(time: UnixTime) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(time.as_secs())
}

/// What may be removed, where this is the highest number ever given; `None` if nothing may: a record cannot
/// be read, an entry has none, or what is missing is not over.
pub(super) fn of(connection: &Connection, highest: u64) -> Result<Option<Unnamed>, Error> {
    let Some(named) = contents(connection)? else {
        return Ok(None);
    };
    // Also where a process was killed after it had noted the number: an old database looks the same.
    let is_behind = highest > last_recorded(connection)?;
    if is_behind || !all_recorded(connection)? {
        return Ok(None);
    }
    let Some(lost) = lost(connection)? else {
        return Ok(None);
    };
    let Some(since) = lost.max(gap(connection)?) else {
        let doubt = None;
        return Ok(Some(Unnamed { named, doubt }));
    };
    let doubt = Some(Doubt {
        since,
        known: committed_since(connection, since)?,
    });
    Ok(Some(Unnamed { named, doubt }))
}

/// The highest number that has a record.
fn last_recorded(connection: &Connection) -> Result<u64, Error> {
    let mut query = connection.prepare_cached("SELECT max(number) FROM submissions")?;
    let last: Option<i64> = query.query_one([], |row| row.get(0))?;
    Ok(last.map_or(0, i64::unsigned_abs))
}

/// Whether all that the logs say was accepted has its record.
fn all_recorded(connection: &Connection) -> Result<bool, Error> {
    let mut query = connection.prepare_cached("SELECT submission FROM submissions")?;
    let records = query.query_map([], |row| row.get::<_, [u8; 16]>(0))?;
    let records: HashSet<String> = records
        .map(|id| id.map(|id| SubmissionId::from_bytes(id).to_string()))
        .collect::<Result<_, _>>()?;
    let sql = "SELECT CASE WHEN json_valid(CAST(leaf AS TEXT)) \
               THEN json_extract(CAST(leaf AS TEXT), '$.entry.' || kind || '.submission') END \
               FROM log_entries WHERE kind IN ('accepted', 'restored')";
    let mut query = connection.prepare_cached(sql)?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let accepted: Option<String> = row.get(0)?;
        if accepted.is_none_or(|accepted| !records.contains(&accepted)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// When the last log went on after lost entries; `None` in the place of that if one has not.
fn lost(connection: &Connection) -> Result<Option<Option<UnixTime>>, Error> {
    let sql = "SELECT (SELECT min(at) FROM log_entries AS said WHERE said.log = lost.log \
               AND said.kind = 'recovered' AND said.number > lost.last) \
               FROM (SELECT log, max(number) AS last FROM log_entries WHERE leaf IS NULL GROUP BY log) \
               AS lost";
    let mut query = connection.prepare_cached(sql)?;
    let rows = query.query_map([], |row| row.get::<_, Option<i64>>(0))?;
    let all: Option<Vec<i64>> = rows.collect::<Result<_, _>>()?;
    Ok(all.map(|all| all.into_iter().max().map(time)))
}

/// When the first number after the last gap was given.
fn gap(connection: &Connection) -> Result<Option<UnixTime>, Error> {
    let sql = "SELECT max(accepted_at) FROM (SELECT accepted_at, \
               number - lag(number, 1, 0) OVER (ORDER BY number) AS step FROM submissions) \
               WHERE step > 1";
    let mut query = connection.prepare_cached(sql)?;
    let at: Option<i64> = query.query_one([], |row| row.get(0))?;
    Ok(at.map(time))
}

/// Content of what was committed, or proposed, after that moment.
fn committed_since(connection: &Connection, since: UnixTime) -> Result<HashSet<[u8; 32]>, Error> {
    let sql = "SELECT statement FROM commitments WHERE committed_at > ?1 \
               UNION ALL SELECT statement FROM proposals WHERE proposed_at > ?1";
    let mut query = connection.prepare_cached(sql)?;
    let key = [as_integer(since.as_secs())];
    let rows = query.query_map(key, |row| row.get::<_, Vec<u8>>(0))?;
    let mut known = HashSet::new();
    for row in rows {
        if let Ok(statement) = Statement::parse(&row?) {
            known.extend(statement.files.iter().map(|file| *file.sha256.as_bytes()));
        }
    }
    Ok(known)
}

fn time(stored: i64) -> UnixTime {
    from_seconds(stored.unsigned_abs())
}
