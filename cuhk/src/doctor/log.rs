//! The issuance log: all its files, and whether they are those of this database.

use std::path::Path;

use scb_cli::{counted, local_time};
use scb_tlog::{HashReader as _, Tiles};

use super::Finding;
use crate::Error;
use crate::log::{require_agreement, with_mending};
use crate::store::{Records, Witness};

const CHECK: &str = "log";
const MADE_ANEW: &str = "start `cuhk serve`: it makes the log anew from the database, the same as before. \
                         If only the directory was moved, put it back instead";

const CONTRADICTED: &str = "this home was put back without the newest entries of its log. If nothing was issued \
                            since, stop the server, put the directory `log` of the newer home in the place \
                            of this one, and start it. Else ask the service's operator to go on with the log \
                            as it is: blackboard witness accept-log. Students who saw the other log are \
                            rightly told `log_forked`";

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

/// Who cosigns the log, how far, and what a witness holds against it.
pub(super) fn witnesses(records: &Records<'_>) -> Result<Finding, Error> {
    const CHECK: &str = "log-witness";
    let log = records.log();
    if let Some(held) = log.contradictions()?.first() {
        let seen = format!(
            "{} holds a checkpoint of {}, signed by this log's key, with which this log does not begin, \
             and has cosigned none since {}",
            held.service,
            counted(held.size, "entry"),
            local_time(held.told_at)
        );
        return Ok(Finding::fail(CHECK, seen, CONTRADICTED));
    }
    let size = log.size()?;
    let told = |witness: Witness| {
        let (service, cosigned) = (witness.service, witness.size);
        format!("{service} has cosigned {cosigned} of {size} entries")
    };
    let told: Vec<_> = log.witnesses()?.into_iter().map(told).collect();
    Ok(match told.is_empty() {
        true => Finding::ok(CHECK, "no service has cosigned it yet"),
        false => Finding::ok(CHECK, told.join("; ")),
    })
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
