//! The issuance log: all its files, and whether they are those of this database.

use std::path::Path;

use scb_tlog::{HashReader as _, Tiles};

use super::Finding;
use crate::Error;
use crate::log::require_agreement;
use crate::store::Records;

const CHECK: &str = "log";

/// A log without a checkpoint is new, or the checkpoint is lost.
fn unpublished(recorded: u64, known: u64) -> Finding {
    match recorded {
        0 => {
            let seen = format!("nothing is published yet, {known} entries wait for `cuhk serve`");
            Finding::ok(CHECK, seen)
        }
        _ => Finding::warn(
            CHECK,
            format!("there is no checkpoint, though {recorded} entries are in the log"),
            "start `cuhk serve`, which signs one; if it was lost, others may be, too: compare the \
             directory `log` with a backup",
        ),
    }
}

/// Reads the whole log: some seconds for a million entries.
pub(super) fn look(directory: &Path, records: &Records<'_>) -> Result<Finding, Error> {
    let log = records.log();
    log.check()?;
    let known = log.size()?;
    let Some(checkpoint) = scb_tlog::inspect(directory)? else {
        require_agreement(&log, &Tiles::new(directory, 0), directory)?;
        return Ok(unpublished(scb_tlog::recorded(directory)?.size, known));
    };
    let published = checkpoint.head().size;
    let tiles = Tiles::new(directory, published);
    require_agreement(&log, &tiles, directory)?;
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
