//! The issuance log: all its files, and whether they are those of this database.

use std::path::Path;

use scb_tlog::{HashReader as _, Tiles};

use super::Finding;
use crate::Error;
use crate::log::{require_agreement, with_mending};
use crate::store::Records;

const CHECK: &str = "log";
const MADE_ANEW: &str = "start `cuhk serve`: it makes the log anew from the database, the same as before. \
                         If only the directory was moved, put it back instead";

/// A log without a checkpoint is new, or files of it are lost.
fn unpublished(directory: &Path, recorded: u64, known: u64, cosigned: Option<u64>) -> Finding {
    match (recorded, known) {
        (0, 0) => Finding::ok(CHECK, "no entry yet"),
        (0, _) => {
            let seen = format!(
                "none of the {known} entries that the database has is in {}{}",
                directory.display(),
                cosigned.map_or_else(String::new, |cosigned| format!(
                    ", and {cosigned} of them were published and cosigned by a witness"
                ))
            );
            Finding::warn(CHECK, seen, MADE_ANEW)
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
    compare(directory, records).map_err(|error| with_mending(error, &records.log(), directory))
}

fn compare(directory: &Path, records: &Records<'_>) -> Result<Finding, Error> {
    let log = records.log();
    log.check()?;
    let known = log.size()?;
    let Some(checkpoint) = scb_tlog::inspect(directory)? else {
        require_agreement(&log, &Tiles::new(directory, 0), directory)?;
        let recorded = scb_tlog::recorded(directory)?.size;
        return Ok(unpublished(directory, recorded, known, log.witnessed()?));
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
