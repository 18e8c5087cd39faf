//! The table with CUHK's log as it was seen last.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use scb_protocol::audit::KnownLog;

use super::{Error, as_integer};

/// What was seen last, if anything was.
pub(super) fn find(connection: &Connection) -> Result<Option<KnownLog>, Error> {
    let mut query = connection.prepare_cached("SELECT verifier_key, checkpoint FROM known_log")?;
    let row: Option<(String, String)> = query
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    row.map(|(key, checkpoint)| KnownLog::read(&key, &checkpoint).map_err(Error::KnownLog))
        .transpose()
}

/// Puts it in the place of what was seen before. It never gets smaller.
pub(super) fn remember(
    transaction: &Transaction<'_>,
    known: &KnownLog,
    checkpoint: &str,
) -> Result<(), Error> {
    let sql = "INSERT INTO known_log (id, verifier_key, size, checkpoint) VALUES (1, ?, ?, ?) \
               ON CONFLICT DO UPDATE SET size = excluded.size, checkpoint = excluded.checkpoint \
               WHERE verifier_key = excluded.verifier_key AND size <= excluded.size";
    let key = known.key.to_string();
    let size = as_integer(known.head.size);
    let changed = transaction
        .prepare_cached(sql)?
        .execute(params![key, size, checkpoint])?;
    match changed {
        1 => Ok(()),
        _ => Err(Error::LogRolledBack),
    }
}
