//! What `cuhk prune` is said to have removed from the issuance log: whether it can have been so.

use rustls_pki_types::UnixTime;
use scb_cli::local_time;

use super::Finding;
use crate::Error;
use crate::calendar::days;
use crate::config::MIN_QUESTION_RETENTION_DAYS;
use crate::store::{Records, Removed};
use crate::time::earlier;

pub(super) const CHECK: &str = "log-pruned";

const FORGED: &str = "somebody who can write in this home says so to hide entries, of questions or of what operators \
                      did; or this machine's clock was ahead when `cuhk prune` ran. Compare the entries with those \
                      of the newest backups, each restored to a new place: `cuhk operations list --json`, and what \
                      students see with `student audit`";

const EARLIER: &str = "if a build of before 23 November 2026 has pruned here, that may be so: it stopped at questions only, \
                       and `cuhk prune` mends it as soon as what was passed over is as old. If none has, somebody who \
                       can write in this home says so to hide entries: compare the entries with those of the newest \
                       backups, each restored to a new place, with `cuhk operations list --json` and `student audit`";

pub(super) fn check(records: &Records<'_>, now: UnixTime) -> Result<Finding, Error> {
    let Some(removed) = records.log().removed()? else {
        return Ok(Finding::ok(CHECK, "every entry since the first is kept"));
    };
    let said = format!(
        "questions from before {} are pruned, all of them before entry {}",
        local_time(removed.before),
        removed.below
    );
    let told = |doubt| format!("it is said that {said}; {doubt}");
    if let Some(doubt) = never(records, removed, now)? {
        return Ok(Finding::fail(CHECK, told(doubt), FORGED));
    }
    let earlier = removed.below <= records.log().removed_by_questions()?;
    Ok(match out_of_order(records, removed, now)? {
        Some(doubt) if earlier => Finding::warn(CHECK, told(doubt), EARLIER),
        Some(doubt) => Finding::fail(CHECK, told(doubt), FORGED),
        None => Finding::ok(CHECK, said),
    })
}

/// Why no build has pruned that: neither what is younger than 100 days goes, nor the newest entry.
fn never(records: &Records<'_>, removed: Removed, now: UnixTime) -> Result<Option<String>, Error> {
    let log = records.log();
    let young = earlier(now, days(MIN_QUESTION_RETENTION_DAYS));
    if removed.before > young {
        let none = format!("none younger than {MIN_QUESTION_RETENTION_DAYS} days ever is");
        return Ok(Some(none));
    }
    let newest = removed.below >= log.size()?;
    Ok(newest.then(|| "the newest entry never is".to_owned()))
}

/// Why no build of today has pruned that: nothing goes that comes after something younger; and a log has no
/// questions from before its first certificate.
fn out_of_order(
    records: &Records<'_>,
    removed: Removed,
    now: UnixTime,
) -> Result<Option<String>, Error> {
    let log = records.log();
    if let Some((entry, at)) = log.passed_over(removed, now)? {
        let at = local_time(at);
        return Ok(Some(format!(
            "entry {entry} is of {at}, and nothing after it ever is"
        )));
    }
    let first = log.made_first(0)?.filter(|first| *first >= removed.before);
    Ok(first.map(|first| format!("the first entry is of {}", local_time(first))))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use scb_certs::{Fingerprint, Serial, ServiceName};
    use scb_protocol::LogEntry;
    use scb_protocol::values::Nonce;

    use super::*;
    use crate::doctor::{Outcome, operations};
    use crate::store::{Act, Place, Store, Unpinned, temporary};

    const DAY: u64 = 24 * 60 * 60;
    const TODAY: u64 = 1000;
    const SID: &str = "1155000001";

    fn at(day: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(day * DAY))
    }

    fn asked(store: &Store, day: u64) {
        asked_at(store, day * DAY);
    }

    fn asked_at(store: &Store, at: u64) {
        let entry = move |place: Place| LogEntry::Verification {
            v: 1,
            subject: SID.to_owned(),
            nth: place.nth,
            certificates: place.certificates,
            asker: ServiceName::blackboard(),
            nonce: Nonce::from_bytes([1; 16]),
            cert_sha256: Fingerprint::from_bytes([2; 32]),
            inactive: None,
            at,
        };
        let entered =
            store.write_blocking(move |records| records.log().append(&SID.parse()?, entry));
        entered.unwrap();
    }

    fn certified(store: &Store, day: u64) {
        certified_at(store, day * DAY);
    }

    fn certified_at(store: &Store, at: u64) {
        let serial = Serial::random().unwrap();
        let entry = move |place: Place| LogEntry::Certificate {
            v: 1,
            subject: SID.to_owned(),
            nth: place.nth,
            certificates: place.certificates + 1,
            profile: "student".to_owned(),
            serial,
            cert_sha256: Fingerprint::of(serial.as_bytes()),
            key_sha256: Fingerprint::of(serial.as_bytes()),
            not_before: at,
            not_after: at + 30 * DAY,
        };
        let entered = store.write_blocking(move |records| {
            let number = records.log().append(&SID.parse()?, entry)?;
            let named = "UPDATE log_entry SET serial = ?1 WHERE number = ?2";
            let of = (serial.as_bytes(), number.cast_signed());
            Ok::<_, Error>(records.connection().execute(named, of)?)
        });
        assert_eq!(entered.unwrap(), 1);
    }

    /// Noted, and entered in the log.
    fn suspended(store: &Store, day: u64) {
        let note = move |records: &Records<'_>| {
            records.note(&SID, "suspended", at(day))?;
            records.pin_operations()
        };
        assert_eq!(store.write_blocking(note).unwrap(), Unpinned::Newer);
    }

    fn office() -> (tempfile::TempDir, Store) {
        let (dir, store) = temporary();
        (dir, store.done_by(Act::of("roster suspend")))
    }

    fn found(store: &Store) -> Finding {
        let found = store.read_blocking(|records| check(records, at(TODAY)));
        found.unwrap()
    }

    fn is_ok(store: &Store) -> bool {
        found(store).outcome == Outcome::Ok
    }

    /// As `cuhk prune` does, so many days later than the first of all.
    fn pruned(store: &Store, moment: u64, now: u64) {
        pruned_before(store, at(moment), at(now));
    }

    fn pruned_before(store: &Store, moment: UnixTime, now: UnixTime) {
        let prune = move |records: &Records<'_>| {
            let log = records.log();
            let removed = log.removal(moment, now, log.size()?)?;
            for (number, _) in log.old(removed, 0, usize::MAX >> 1)? {
                log.remove(number)?;
            }
            log.note_removed(removed)
        };
        store.write_blocking(prune).unwrap();
    }

    /// The operations, the entries about them, and what says that all of it is from before then.
    fn forged(store: &Store, below: u64, before: u64) {
        let forge = move |records: &Records<'_>| {
            let connection = records.connection();
            connection.execute_batch(
                "DROP TRIGGER IF EXISTS operation_is_kept; DELETE FROM operation;
                 DELETE FROM log_entry WHERE subject = 'cuhk/operations'",
            )?;
            let said = "INSERT OR REPLACE INTO removed_questions VALUES (1, ?1, ?2, 0)";
            let of = (below.cast_signed(), (before * DAY).cast_signed());
            Ok::<_, Error>(connection.execute(said, of)?)
        };
        store.write_blocking(forge).unwrap();
    }

    fn fails(store: &Store, words: &str) {
        let found = found(store);
        assert_eq!(found.outcome, Outcome::Fail, "{found:?}");
        assert!(found.seen.contains(words), "{found:?}");
    }

    #[test]
    fn whoever_hides_what_operators_did_behind_what_is_said_to_be_pruned_is_noticed() {
        let (dir, store) = office();
        certified(&store, 600);
        asked(&store, 610);
        certified(&store, 980);
        suspended(&store, 995);
        certified(&store, 998);
        assert!(is_ok(&store));
        // All that the check of the operations sees is in order: there are none, and none is missing.
        forged(&store, 5, 850);
        let log = dir.path().join("log");
        let operations = store
            .read_blocking(move |records| operations::check(&log, records, at(TODAY)))
            .unwrap();
        assert_eq!(operations.outcome, Outcome::Ok, "{operations:?}");
        fails(&store, "the newest entry never is");
        forged(&store, 4, 850);
        fails(&store, "entry 2 is of");
        forged(&store, 4, 999);
        fails(&store, "none younger than 100 days ever is");

        // Of a home that is new.
        let (_dir, store) = office();
        suspended(&store, 995);
        certified(&store, 998);
        forged(&store, 1, 850);
        fails(&store, "the first entry is of");
    }

    /// As migration 0023 does with a row that is there.
    fn by_an_earlier_build(store: &Store) {
        let marked = store.write_blocking(|records| {
            let mark = "UPDATE removed_questions SET by_questions_below = below";
            Ok::<_, Error>(records.connection().execute(mark, [])?)
        });
        assert_eq!(marked.unwrap(), 1);
    }

    #[test]
    fn what_an_earlier_build_has_pruned_is_doubted_until_it_is_pruned_again() {
        let (dir, store) = office();
        certified(&store, 600);
        for day in [610, 611] {
            asked(&store, day);
        }
        // It passed over the certificate, and removed the entry about what an operator did.
        certified(&store, 700);
        suspended(&store, 700);
        suspended(&store, 701);
        let old = "DELETE FROM log_entry WHERE number IN (1, 4);
                   INSERT INTO removed_questions (id, below, before) VALUES (1, 5, 650 * 86400)";
        let remove = store.write_blocking(move |records| {
            Ok::<_, Error>(records.connection().execute_batch(old)?)
        });
        remove.unwrap();
        certified(&store, 998);
        let log = dir.path().join("log");
        let pins = || {
            let log = log.clone();
            let found =
                store.read_blocking(move |records| operations::check(&log, records, at(TODAY)));
            found.unwrap()
        };
        fails(&store, "entry 3 is of");
        assert_eq!(pins().outcome, Outcome::Fail);

        by_an_earlier_build(&store);
        let warned = found(&store);
        assert_eq!(warned.outcome, Outcome::Warn, "{warned:?}");
        assert!(warned.seen.contains("entry 3 is of"), "{warned:?}");
        let warned = pins();
        assert_eq!(warned.outcome, Outcome::Warn, "{warned:?}");
        assert!(warned.seen.contains("is not in the database"), "{warned:?}");

        // By the rule of today, once that is old.
        pruned(&store, 850, TODAY);
        assert!(is_ok(&store), "{:?}", found(&store));
        assert_eq!(pins().outcome, Outcome::Warn, "what is gone is gone");
        // What nobody has pruned in whatever build is no better for it.
        forged(&store, 7, 850);
        by_an_earlier_build(&store);
        fails(&store, "the newest entry never is");
        forged(&store, 5, 999);
        by_an_earlier_build(&store);
        fails(&store, "none younger than 100 days ever is");
    }

    #[test]
    fn a_certificate_of_a_clock_that_was_ahead_for_some_minutes_bounds_what_is_pruned() {
        let (_dir, store) = office();
        certified(&store, 100);
        for day in [101, 102, 300] {
            asked(&store, day);
        }
        // Half an hour before what is pruned ends, and half an hour after that: the clock was set right.
        let (minutes, moment) = (30 * 60, 400 * DAY);
        certified_at(&store, moment + minutes);
        asked_at(&store, moment - minutes);
        asked_at(&store, moment + 1);
        asked_at(&store, moment + 2);
        let before = UnixTime::since_unix_epoch(Duration::from_secs(moment));
        pruned_before(&store, before, at(TODAY));
        let gone = store.read_blocking(|records| records.log().removed());
        assert_eq!(gone.unwrap().unwrap().below, 4);
        assert!(is_ok(&store), "{:?}", found(&store));
    }

    #[test]
    fn what_was_pruned_is_in_order_also_where_a_clock_was_ahead() {
        let (_dir, store) = office();
        certified(&store, 100);
        for day in [101, 102, 103] {
            asked(&store, day);
        }
        suspended(&store, 104);
        certified(&store, 500);
        pruned(&store, 300, 700);
        assert!(is_ok(&store), "{:?}", found(&store));

        // Then a clock was ahead, to a day that is over by now.
        certified(&store, 990);
        for day in [510, 520] {
            asked(&store, day);
        }
        certified(&store, 530);
        asked(&store, 900);
        pruned(&store, 600, 920);
        let gone = store.read_blocking(|records| records.log().removed());
        assert_eq!(
            gone.unwrap().unwrap().below,
            10,
            "up to the question of day 900"
        );
        assert!(is_ok(&store), "{:?}", found(&store));
    }
}
