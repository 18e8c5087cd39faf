//! Logs whose newest entries this server has published and signed, and the database does not have.

use std::sync::Arc;

use scb_certs::Fingerprint;
use scb_protocol::log_leaf::LogName;
use scb_storage::Published;
use scb_tlog::HashReader as _;

use super::Logs;
use crate::store::Error;

/// A log of which the tiles have more than the database.
#[derive(Debug)]
pub(crate) struct Ahead {
    /// The log.
    pub(crate) name: LogName,
    /// How many entries the database has.
    pub(crate) has: u64,
    published: Arc<Published>,
}

impl Ahead {
    /// How many entries were published.
    pub(crate) fn published(&self) -> u64 {
        self.published.tiles.size()
    }

    /// What is committed to in the entries that the database does not have.
    ///
    /// # Errors
    ///
    /// [`Error::Log`], [`Error::LogContradicted`].
    pub(crate) fn commitments(&self) -> Result<Vec<Fingerprint>, Error> {
        let commitment = |index| {
            let entry = self.published.tiles.entry(index);
            let entry = entry.map_err(|error| Error::from(error).in_log(&self.name))?;
            let bytes = entry.try_into().map_err(|_| Error::LogContradicted {
                log: self.name.clone(),
                index,
            })?;
            Ok(Fingerprint::from_bytes(bytes))
        };
        (self.has..self.published()).map(commitment).collect()
    }
}

impl Logs {
    /// The logs of which the database lacks the newest entries.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn ahead(&self) -> Result<Vec<Ahead>, Error> {
        let mut ahead = Vec::new();
        for (name, log) in self.all() {
            let (has, published) = (self.0.store.log_size_blocking(&name)?, log.published());
            if has < published.tiles.size() {
                ahead.push(Ahead {
                    name,
                    has,
                    published,
                });
            }
        }
        Ok(ahead)
    }
}
