//! Records that are gone though a log has accepted them: nothing here deletes one, so somebody who writes to the
//! database has.

use std::collections::BTreeSet;

use rusqlite::Connection;
use scb_protocol::log_leaf::{Entry, Leaf, LogName};
use scb_protocol::statement::SubmissionNumber;

use super::{Error, Store, as_integer};

impl Store {
    /// What a log has accepted and of which there is no record, in order. Entries that cannot be read say nothing here:
    /// `fsck` names those.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn missing_records(
        &self,
        log: &LogName,
    ) -> Result<BTreeSet<SubmissionNumber>, Error> {
        let log = log.clone();
        self.database
            .read_blocking(move |connection| missing(connection, &log))
    }
}

fn missing(connection: &Connection, log: &LogName) -> Result<BTreeSet<SubmissionNumber>, Error> {
    let sql = "SELECT leaf FROM log_entries WHERE log = (SELECT id FROM logs WHERE origin = ?) \
               AND kind IN ('accepted', 'restored') AND leaf IS NOT NULL";
    let mut entries = connection.prepare_cached(sql)?;
    let mut rows = entries.query([log.to_string()])?;
    let mut record = connection.prepare_cached("SELECT 1 FROM submissions WHERE number = ?")?;
    let mut missing = BTreeSet::new();
    while let Some(row) = rows.next()? {
        let leaf: Vec<u8> = row.get(0)?;
        let number = match Leaf::parse(&leaf).map(|leaf| leaf.entry) {
            Ok(Entry::Accepted(accepted)) => accepted.number,
            Ok(Entry::Restored(restored)) => restored.number,
            _ => continue,
        };
        if !record.exists([as_integer(number.get())])? {
            missing.insert(number);
        }
    }
    Ok(missing)
}
