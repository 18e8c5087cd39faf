//! What operators did: whether the records are those that the issuance log holds this home to.

use std::path::Path;

use scb_cli::counted;
use scb_tlog::{HashReader as _, Tiles};

use super::Finding;
use crate::Error;
use crate::store::{Pin, Records};

const CHECK: &str = "operations";

const REWRITTEN: &str = "somebody who can write in this home has made them anew, or put another database here: see \
                         which, with `cuhk operations list --json` of this home and of the newest backups, each \
                         restored to a new place, and who could have done so";

const LOST: &str = "start `cuhk serve`, which enters the operations of now. If no old backup was restored here, somebody \
                    has removed entries from the database: compare it with the newest backups";

pub(super) fn check(directory: &Path, records: &Records<'_>) -> Result<Finding, Error> {
    let operations = records.operations();
    operations.check()?;
    let last = operations.head()?.map_or(0, |(number, ..)| number);
    let published = scb_tlog::recorded(directory)?.size;
    let pin = records.log().pin()?;
    if let Some(pin) = &pin
        && !holds(records, pin, &Tiles::new(directory, published))?
    {
        let seen = format!(
            "they are not the first {} of which entry {} of the issuance log was made",
            pin.operations, pin.entry
        );
        return Ok(Finding::fail(CHECK, seen, REWRITTEN));
    }
    let held = match &pin {
        Some(pin) => format!("holds this home to the first {}", pin.operations),
        None => "holds this home to none yet".to_owned(),
    };
    let seen = format!("{}; the issuance log {held}", counted(last, "operation"));
    Ok(
        match records.log().unknown_after(pin.as_ref(), published)? {
            0 => Finding::ok(CHECK, seen),
            unknown => {
                let entries = counted(unknown, "entry");
                let seen =
                    format!("{seen}; after that it has {entries} of which nothing is known here");
                Finding::warn(CHECK, seen, LOST)
            }
        },
    )
}

/// Whether the entry is in the log, and the operations are those of which it was made.
fn holds(records: &Records<'_>, pin: &Pin, tiles: &Tiles) -> Result<bool, Error> {
    let is_in_log = pin.entry >= tiles.size() || tiles.entry(pin.entry)? == pin.commitment;
    let leads = records.operations().leads_to(pin.operations, &pin.chain)?;
    Ok(is_in_log && leads != Some(false))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use rustls_pki_types::UnixTime;
    use scb_cli::Operator;

    use super::*;
    use crate::doctor::Outcome;
    use crate::store::{Act, Store, temporary};

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    fn office() -> (tempfile::TempDir, Store) {
        let (dir, store) = temporary();
        let by = Operator {
            uid: 998,
            user: None,
            login_uid: None,
            login: None,
            sudo_user: None,
        };
        let operation = "roster suspend".to_owned();
        let store = store.done_by(Act { operation, by });
        suspended(&store, &["1155000001", "1155000002", "1155000003"]);
        (dir, store)
    }

    fn suspended(store: &Store, sids: &'static [&str]) {
        let note = |records: &Records<'_>| {
            let mut sids = sids.iter().zip(100..);
            sids.try_for_each(|(sid, when)| records.note(sid, "suspended", at(when)))
        };
        store.write_blocking(note).unwrap();
    }

    /// As `cuhk serve` does.
    fn pinned(store: &Store) -> bool {
        let pin = |records: &Records<'_>| {
            let (number, chain, when) = records.operations().head()?.unwrap();
            records.log().pin_operations((number, chain), when)
        };
        store.write_blocking(pin).unwrap()
    }

    fn found(dir: &tempfile::TempDir, store: &Store) -> Finding {
        let log = dir.path().join("log");
        store
            .read_blocking(move |records| check(&log, records))
            .unwrap()
    }

    fn done(store: &Store, sql: &'static str) {
        let job = |records: &Records<'_>| Ok(records.connection().execute_batch(sql)?);
        store.write_blocking(job).unwrap();
    }

    #[test]
    fn operations_that_were_made_anew_are_not_those_that_the_log_holds() {
        let (dir, store) = office();
        assert!(found(&dir, &store).seen.contains("to none yet"));
        assert!(pinned(&store));
        assert!(!pinned(&store), "once for each that is the last");
        suspended(&store, &["1155000004"]);
        let one_more = found(&dir, &store);
        assert_eq!(one_more.outcome, Outcome::Ok, "{one_more:?}");
        assert!(one_more.seen.contains("4 operations"), "{one_more:?}");
        assert!(one_more.seen.contains("to the first 3"), "{one_more:?}");
        assert!(pinned(&store));

        // With all their hashes, and as many.
        let anew = "DROP TRIGGER operation_is_kept; DELETE FROM operation WHERE number > 1;";
        done(&store, anew);
        let fewer = found(&dir, &store);
        assert_eq!(fewer.outcome, Outcome::Fail, "{fewer:?}");
        suspended(&store, &["1155000002", "1155000003", "1155000005"]);
        let checked = store.read_blocking(|records| records.operations().check());
        assert_eq!(checked.unwrap(), 4);
        let rewritten = found(&dir, &store);
        assert_eq!(rewritten.outcome, Outcome::Fail, "{rewritten:?}");

        // Without what tells.
        done(&store, "DELETE FROM log_entry WHERE nth = 2");
        let held = found(&dir, &store);
        assert_eq!(
            held.outcome,
            Outcome::Fail,
            "the one before tells as well: {held:?}"
        );
        done(
            &store,
            "INSERT INTO log_entry (number, commitment) VALUES (7, zeroblob(32))",
        );
        done(&store, "DELETE FROM log_entry WHERE nth = 1");
        let gone = found(&dir, &store);
        assert_eq!(gone.outcome, Outcome::Warn, "{gone:?}");
        assert!(gone.seen.contains("8 entries"), "{gone:?}");
    }

    #[test]
    fn what_was_pruned_is_held_as_far_as_it_is_known() {
        let (dir, store) = office();
        pinned(&store);
        for moment in [102, 103] {
            let prune = move |records: &Records<'_>| records.operations().remove_before(at(moment));
            store.write_blocking(prune).unwrap();
            assert_eq!(found(&dir, &store).outcome, Outcome::Ok, "{moment}");
        }
        suspended(&store, &["1155000004"]);
        let prune = |records: &Records<'_>| records.operations().remove_before(at(1000));
        store.write_blocking(prune).unwrap();
        assert_eq!(found(&dir, &store).outcome, Outcome::Ok);
    }
}
