//! What the log says of a proposal, whatever the tables say: nobody is shown, signs or is blamed for
//! another statement than the one that was proposed.

use rusqlite::Connection;
use rustls_pki_types::UnixTime;
use scb_certs::Fingerprint;
use scb_protocol::log_leaf::{Entry, Leaf, LogName, Proposed};
use scb_protocol::statement::Statement;

use crate::store::{Error, log};

/// Whether this very statement was proposed at that time, by the entry that was made then.
pub(super) fn is_as_proposed(
    connection: &Connection,
    statement: &Statement,
    (bytes, at): (&[u8], UnixTime),
) -> Result<bool, Error> {
    let name = LogName::of(statement).map_err(Error::Leaf)?;
    let entered = log::leaves_of(connection, &name, ("proposed", at))?;
    let sha256 = Fingerprint::of(bytes);
    let is_it = |proposed: &Proposed| {
        proposed.submission == statement.submission && proposed.statement_sha256 == sha256
    };
    let mut leaves = entered.iter().filter_map(|leaf| Leaf::parse(leaf).ok());
    Ok(leaves.any(|leaf| matches!(&leaf.entry, Entry::Proposed(proposed) if is_it(proposed))))
}
