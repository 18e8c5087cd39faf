//! The issuance log: all its files, and whether they are those of this database.

use std::path::Path;
use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_cli::{counted, local_time};
use scb_tlog::{HashReader as _, Tiles};

use super::Finding;
use crate::Error;
use crate::log::{require_agreement, with_mending};
use crate::store::{Records, Witness};
use crate::time::later;

const CHECK: &str = "log";
const MADE_ANEW: &str = "start `cuhk serve`: it makes the log anew from the database, the same as before. \
                         If only the directory was moved, put it back instead";

const CONTRADICTED: &str = "this home was put back without the newest entries of its log. If nothing was issued \
                            since, stop the server, put the directory `log` of the newer home in the place \
                            of this one, and start it. Else ask the service's operator to go on with the log \
                            as it is; students who saw the other log are rightly told `log_forked`";

/// For so long a witness may lag before it is told: 10 min. It looks every two seconds, and half a minute
/// after something was wrong.
const LATE_AFTER: Duration = Duration::from_secs(10 * 60);
const LATE: &str = "see on its machine whether it runs and reaches CUHK: `blackboard serve` logs why it does \
                    not cosign, `blackboard witness show` compares the log there. Until then only this home \
                    knows of the newest entries; hand-ins and their receipts go on. If the service is gone for \
                    good: cuhk service remove NAME";

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

/// Who cosigns the log, how far, who has not for long, and what a witness holds against it.
/// `serving` is since when `cuhk serve` runs, if it does: without it nobody can cosign.
pub(super) fn witnesses(
    records: &Records<'_>,
    now: UnixTime,
    serving: Option<UnixTime>,
) -> Result<Finding, Error> {
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
        let word = held
            .tree
            .map_or_else(|| "TREE".to_owned(), |tree| tree.to_string());
        let mend = format!("{CONTRADICTED}: blackboard witness accept-log --instead-of {word}");
        return Ok(Finding::fail(CHECK, seen, mend));
    }
    let (size, witnesses) = (log.size()?, log.witnesses()?);
    let mut told = Vec::new();
    let mut is_late = false;
    for witness in &witnesses {
        let (service, cosigned) = (&witness.service, witness.size);
        let waits = waits_since(records, witness, now, serving)?;
        is_late |= waits.is_some();
        let since = waits.map_or_else(String::new, |since| {
            format!(", and none of those since {}", local_time(since))
        });
        told.push(format!(
            "{service} has cosigned {cosigned} of {size} entries{since}"
        ));
    }
    let told = told.join("; ");
    Ok(match (witnesses.is_empty(), is_late) {
        (true, _) => Finding::ok(CHECK, "no service has cosigned it yet"),
        (false, false) => Finding::ok(CHECK, told),
        (false, true) => Finding::warn(CHECK, told, LATE),
    })
}

/// Since when entries wait for a witness, if that is too long. A service that was removed is no witness
/// any more.
fn waits_since(
    records: &Records<'_>,
    witness: &Witness,
    now: UnixTime,
    serving: Option<UnixTime>,
) -> Result<Option<UnixTime>, Error> {
    let log = records.log();
    let first = log.made_first(witness.size)?;
    let (Some(first), Some(_)) = (first, records.services().find(&witness.service)?) else {
        return Ok(None);
    };
    let (asked, until) = match serving {
        Some(start) => (first.max(start), now),
        None => (first, log.made_last(witness.size)?.unwrap_or(first)),
    };
    Ok((later(asked, LATE_AFTER) < until).then_some(first))
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
