//! The issuance log: all its files, and whether they are those of this database.

use std::path::Path;

use scb_tlog::{HashReader as _, Tiles};

use super::Finding;
use crate::Error;
use crate::store::Records;

const CHECK: &str = "log";

/// Reads the whole log: some seconds for a million entries.
pub(super) fn look(directory: &Path, records: &Records<'_>) -> Result<Finding, Error> {
    let log = records.log();
    log.check()?;
    let known = log.size()?;
    let Some(checkpoint) = scb_tlog::inspect(directory)? else {
        let seen = format!("nothing is published yet, {known} entries wait for `cuhk serve`");
        return Ok(Finding::ok(CHECK, seen));
    };
    let published = checkpoint.head().size;
    let tiles = Tiles::new(directory, published);
    if !log.agrees_with(&tiles)? {
        let path = directory.to_owned();
        return Err(Error::LogContradicted { path });
    }
    Ok(match known.checked_sub(tiles.size()) {
        Some(waiting) => Finding::ok(
            CHECK,
            format!("{published} entries lead to the checkpoint, {waiting} wait for it"),
        ),
        None => Finding::warn(
            CHECK,
            format!("the database has {known} entries of {published}: it is older than the log"),
            "start `cuhk serve`, which goes on after them; their contents are lost",
        ),
    })
}
