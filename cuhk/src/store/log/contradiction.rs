//! What witnesses hold against the log: its own signature under a tree with which it does not begin.

use rusqlite::params;
use rustls_pki_types::UnixTime;
use scb_certs::ServiceName;
use scb_tlog::Hash;

use super::{Log, Witness, tree_of};
use crate::Error;
use crate::store::convert;

/// A witness cannot cosign: what it has seen is not in the log any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// Which service it is.
    pub service: ServiceName,
    /// How many entries it has seen.
    pub size: u64,
    /// Their tree, which is its operator's word for going on without them.
    pub tree: Option<Hash>,
    /// When it said so first.
    pub told_at: UnixTime,
}

impl Log<'_> {
    /// Records what a witness holds against this log, unless that is known.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn contradicted(&self, witness: &Witness, now: UnixTime) -> Result<(), Error> {
        self.connection
            .prepare_cached(
                "INSERT INTO log_contradiction (service, size, checkpoint, told_at)
                 VALUES (?1, ?2, ?3, ?4) ON CONFLICT (service) DO UPDATE
                     SET size = ?2, checkpoint = ?3, told_at = ?4, settled_at = NULL
                     WHERE settled_at IS NOT NULL OR size < ?2",
            )?
            .execute(params![
                witness.service.as_str(),
                convert::integer(witness.size),
                witness.checkpoint,
                convert::seconds(now),
            ])?;
        Ok(())
    }

    /// A witness has cosigned the log as it is.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn settle(&self, service: &ServiceName, now: UnixTime) -> Result<(), Error> {
        self.connection
            .prepare_cached(
                "UPDATE log_contradiction SET settled_at = ?2
                 WHERE service = ?1 AND settled_at IS NULL",
            )?
            .execute(params![service.as_str(), convert::seconds(now)])?;
        Ok(())
    }

    /// What is held against the log and not settled.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::RecordInvalid`].
    pub fn contradictions(&self) -> Result<Vec<Contradiction>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT service, size, checkpoint, told_at FROM log_contradiction
             WHERE settled_at IS NULL ORDER BY service",
        )?;
        let rows = statement.query_map([], |row| {
            let (service, checkpoint): (String, String) = (row.get(0)?, row.get(2)?);
            Ok((service, row.get(1)?, checkpoint, row.get(3)?))
        })?;
        rows.map(|row| {
            let (service, size, checkpoint, told_at) = row?;
            Ok(Contradiction {
                service: service.parse().map_err(|_| Error::RecordInvalid {
                    what: "service name",
                })?,
                size: convert::number(size)?,
                tree: tree_of(&checkpoint),
                told_at: convert::time(told_at)?,
            })
        })
        .collect()
    }
}
