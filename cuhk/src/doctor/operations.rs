//! What operators did: whether the records are those that the issuance log holds this home to.

use std::path::Path;

use rustls_pki_types::UnixTime;
use scb_cli::{counted, local_time};
use scb_tlog::{HashReader as _, Tiles};

use super::Finding;
use crate::Error;
use crate::calendar::days;
use crate::config::MIN_OPERATION_RETENTION_DAYS;
use crate::store::{Pin, Records};
use crate::time::earlier;

const CHECK: &str = "operations";

const REWRITTEN: &str = "somebody who can write in this home has made them anew, or put another database here: see \
                         which, with `cuhk operations list --json` of this home and of the newest backups, each \
                         restored to a new place, and who could have done so";

const LOST: &str = "start `cuhk serve`, which enters the operations of now. If no old backup was restored here, somebody \
                    has removed entries from the database: compare it with the newest backups";

const EARLIER: &str = "if a build of before 23 November 2026 has pruned here, it took the oldest of these entries with the \
                       questions, and nothing is amiss: it is said until the operations that they held are pruned. If \
                       none has, somebody who can write in this home has removed them: compare `cuhk operations list \
                       --json` with the newest backups, each restored to a new place";

pub(super) fn check(
    directory: &Path,
    records: &Records<'_>,
    now: UnixTime,
) -> Result<Finding, Error> {
    let operations = records.operations();
    operations.check()?;
    let last = operations.head()?.map_or(0, |(number, ..)| number);
    let published = scb_tlog::recorded(directory)?.size;
    let pin = records.log().pin()?;
    if let Some(doubt) = doubt(records, &Tiles::new(directory, published), now)? {
        return Ok(Finding::fail(CHECK, doubt, REWRITTEN));
    }
    let held = match &pin {
        Some(pin) => format!("holds this home to the first {}", pin.operations),
        None => "holds this home to none yet".to_owned(),
    };
    let seen = format!("{}; the issuance log {held}", counted(last, "operation"));
    let unknown = records.log().unknown_after(pin.as_ref(), published)?;
    if unknown > 0 {
        let entries = counted(unknown, "entry");
        let seen = format!("{seen}; after that it has {entries} of which nothing is known here");
        return Ok(Finding::warn(CHECK, seen, LOST));
    }
    Ok(match first_after_gap(records)? {
        Some(first) => Finding::warn(CHECK, format!("{seen}; {}", missing(&first)), EARLIER),
        None => Finding::ok(CHECK, seen),
    })
}

/// Why the operations are not those of which the entries were made, or not as `cuhk prune` leaves them: that
/// removes none that is younger than a year, and up to one that an entry holds.
fn doubt(records: &Records<'_>, tiles: &Tiles, now: UnixTime) -> Result<Option<String>, Error> {
    let operations = records.operations();
    let removed = operations.removed()?;
    let young = earlier(now, days(MIN_OPERATION_RETENTION_DAYS));
    let by_questions = records.log().removed_by_questions()?;
    let (mut doubt, mut before) = (None, None::<Pin>);
    records.log().each_pin(|pin| {
        let found = match () {
            () if !is_next(removed, before.as_ref(), &pin)
                && (before.is_some() || by_questions == 0) =>
            {
                Some(missing(&pin))
            }
            () if !is_in_log(&pin, tiles)?
                || operations.leads_to(pin.operations, &pin.chain)? == Some(false) =>
            {
                Some(contradiction(&pin))
            }
            () if removed >= pin.operations && pin.at >= young => Some(format!(
                "the first {removed} are gone, and entry {} of the issuance log holds one of {}: none so young is \
                 ever pruned",
                pin.entry,
                local_time(pin.at)
            )),
            () if is_between(removed, before.as_ref(), &pin) => Some(format!(
                "the first {removed} are gone, and nothing is pruned up to one that no entry of the issuance log \
                 holds"
            )),
            () => None,
        };
        doubt = doubt.take().or(found);
        before = Some(pin);
        Ok(())
    })?;
    let last = match before {
        Some(last) => (last.operations < removed).then(|| contradiction(&last)),
        None => (removed > 0).then(|| {
            format!(
                "the first {removed} are gone, and no entry of the issuance log is about any: the newest is never pruned"
            )
        }),
    };
    Ok(doubt.or(last))
}

/// The first entry about them, if some before it are missing which an earlier build has removed.
fn first_after_gap(records: &Records<'_>) -> Result<Option<Pin>, Error> {
    let removed = records.operations().removed()?;
    let mut first = None;
    records.log().each_pin(|pin| {
        first.get_or_insert(pin);
        Ok(())
    })?;
    Ok(first.filter(|pin| !is_next(removed, None, pin)))
}

fn missing(pin: &Pin) -> String {
    format!(
        "an entry of the issuance log about them, before entry {}, is not in the database",
        pin.entry
    )
}

fn contradiction(pin: &Pin) -> String {
    format!(
        "they are not the first {} of which entry {} of the issuance log was made",
        pin.operations, pin.entry
    )
}

/// Whether none is missing before this one. The oldest go after the operations that they held.
fn is_next(removed: u64, before: Option<&Pin>, pin: &Pin) -> bool {
    match before {
        Some(before) => pin.nth == before.nth + 1,
        None => pin.nth == 1 || pin.operations <= removed,
    }
}

fn is_in_log(pin: &Pin, tiles: &Tiles) -> Result<bool, Error> {
    Ok(pin.entry >= tiles.size() || tiles.entry(pin.entry)? == pin.commitment)
}

/// Whether the last that was removed is one of those between two entries, the beginning being like an entry.
fn is_between(removed: u64, before: Option<&Pin>, pin: &Pin) -> bool {
    let from = match before {
        Some(before) => before.operations,
        None if pin.nth == 1 => 0,
        None => return false,
    };
    from < removed && removed < pin.operations
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::doctor::Outcome;
    use crate::store::{Act, Store, Unpinned, temporary};

    /// As long as every operation is kept, in seconds.
    const YEAR: u64 = 366 * 24 * 60 * 60;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    fn office() -> (tempfile::TempDir, Store) {
        let (dir, store) = temporary();
        let store = store.done_by(Act::of("roster suspend"));
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
        let pinned = store.write_blocking(|records| records.pin_operations());
        pinned.unwrap() == Unpinned::Newer
    }

    fn found(dir: &tempfile::TempDir, store: &Store) -> Finding {
        found_at(1000, dir, store)
    }

    fn found_at(now: u64, dir: &tempfile::TempDir, store: &Store) -> Finding {
        let log = dir.path().join("log");
        store
            .read_blocking(move |records| check(&log, records, at(now)))
            .unwrap()
    }

    fn fails(dir: &tempfile::TempDir, store: &Store, words: &str) {
        let found = found(dir, store);
        assert_eq!(found.outcome, Outcome::Fail, "{found:?}");
        assert!(found.seen.contains(words), "{found:?}");
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
        assert!(!pinned(&store), "what is foreign is not entered");

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
    fn what_was_pruned_after_a_year_is_not_missed() {
        let (dir, store) = office();
        pinned(&store);
        suspended(&store, &["1155000004"]);
        let prune = |records: &Records<'_>| records.operations().remove_before(at(1000));
        assert_eq!(store.write_blocking(prune).unwrap(), 3, "up to the entry");
        let later = found_at(103 + YEAR, &dir, &store);
        assert_eq!(later.outcome, Outcome::Ok, "{later:?}");
        assert_eq!(
            found_at(101 + YEAR, &dir, &store).outcome,
            Outcome::Fail,
            "nobody prunes so early"
        );
        assert!(pinned(&store));
        assert_eq!(store.write_blocking(prune).unwrap(), 1);
        assert_eq!(found_at(103 + YEAR, &dir, &store).outcome, Outcome::Ok);
    }

    const REMOVED: &str = "UPDATE operation_removed SET (number, chain) =
        (SELECT number, chain FROM operation WHERE number = ?1);";

    fn claimed(store: &Store, number: u64) {
        let claim = move |records: &Records<'_>| {
            let connection = records.connection();
            connection.execute(REMOVED, [number.cast_signed()])?;
            let remove = "DELETE FROM operation WHERE number <= ?1";
            Ok(connection.execute(remove, [number.cast_signed()])?)
        };
        assert!(store.write_blocking(claim).unwrap() > 0);
    }

    #[test]
    fn whoever_says_that_what_was_just_done_was_pruned_is_noticed() {
        let (dir, store) = office();
        pinned(&store);
        claimed(&store, 3);
        fails(&dir, &store, "the first 3 are gone");
        // What is done later, and entered, hides nothing.
        suspended(&store, &["1155000004"]);
        assert!(pinned(&store));
        fails(&dir, &store, "none so young is ever pruned");

        // All but the last.
        let (dir, store) = office();
        pinned(&store);
        claimed(&store, 2);
        fails(&dir, &store, "no entry of the issuance log holds");

        // Those between two entries, and the first of these gone as well.
        let (dir, store) = office();
        pinned(&store);
        suspended(&store, &["1155000004", "1155000005"]);
        assert!(pinned(&store));
        assert_eq!(found(&dir, &store).outcome, Outcome::Ok);
        claimed(&store, 4);
        fails(&dir, &store, "the first 4 are gone");
        done(&store, "DELETE FROM log_entry WHERE nth = 1");
        fails(&dir, &store, "is not in the database");
    }

    #[test]
    fn whoever_begins_a_new_list_beyond_what_was_entered_is_noticed() {
        let (dir, store) = office();
        pinned(&store);
        let beyond =
            "UPDATE operation_removed SET number = 7, chain = zeroblob(32); DELETE FROM operation;";
        done(&store, beyond);
        // Also once what was entered is old enough to go.
        let not_those = || {
            fails(&dir, &store, "the first 7 are gone");
            let later = found_at(1000 + YEAR, &dir, &store);
            assert_eq!(later.outcome, Outcome::Fail, "{later:?}");
            assert!(later.seen.contains("not the first 3"), "{later:?}");
        };
        not_those();
        suspended(&store, &["1155000004"]);
        let checked = store.read_blocking(|records| records.operations().check());
        assert_eq!(checked.unwrap(), 1);
        assert!(!pinned(&store), "the new list is not entered");
        not_those();
    }
}
