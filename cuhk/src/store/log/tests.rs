//! The entries' contract.

#![allow(clippy::unwrap_used)]

use rusqlite::StatementStatus;
use scb_certs::Fingerprint;
use scb_protocol::from_seconds;
use scb_protocol::values::Nonce;

use super::*;
use crate::store::{Records, temporary};

fn asked(subject: &Subject) -> impl FnOnce(Place) -> LogEntry {
    asked_at(subject, 1000)
}

fn asked_at(subject: &Subject, at: u64) -> impl FnOnce(Place) -> LogEntry {
    let subject = subject.to_string();
    move |place| LogEntry::Verification {
        v: 1,
        subject,
        nth: place.nth,
        certificates: place.certificates,
        asker: ServiceName::blackboard(),
        nonce: Nonce::from_bytes([1; 16]),
        cert_sha256: Fingerprint::from_bytes([2; 32]),
        inactive: None,
        at,
    }
}

#[test]
fn entries_are_numbered_without_gaps() {
    let (_dir, store) = temporary();
    store
        .write_blocking(|records| {
            let (one, other) = ("1155000001".parse()?, "1155000002".parse()?);
            let log = records.log();
            for (number, subject) in [&one, &other, &one, &one].into_iter().enumerate() {
                assert_eq!(log.append(subject, asked(subject))?, number as u64);
            }
            let entries = log.of(&one, 1, 4, 10)?;
            let numbers: Vec<_> = entries.iter().map(|entry| entry.number).collect();
            assert_eq!(numbers, [0, 2, 3]);
            let nth = |entry: &LoggedEntry| LogEntry::from_content(&entry.content).unwrap().nth();
            assert_eq!(entries.iter().map(nth).collect::<Vec<_>>(), [1, 2, 3]);
            assert_eq!(
                log.of(&one, 2, 3, 10)?,
                entries[1..2],
                "a page of a smaller log"
            );
            assert_eq!(log.of(&one, 1, 4, 1)?, entries[..1], "a short page");
            assert_eq!((log.count(&one, 3)?, log.count(&one, 4)?), (2, 3));
            Ok(())
        })
        .unwrap();
}

#[test]
fn commitments_are_those_of_the_entries() {
    let (_dir, store) = temporary();
    store
        .write_blocking(|records| {
            let (subject, log) = ("1155000001".parse()?, records.log());
            log.append(&subject, asked(&subject))?;
            log.adopt(&[9; 32])?;
            log.append(&subject, asked(&subject))?;
            let all = log.commitments(0, 10)?;
            let entries = log.of(&subject, 1, 3, 10)?;
            let computed = |entry: &LoggedEntry| commitment(&entry.salt, &entry.content);
            assert_eq!(all[0], computed(&entries[0]));
            assert_eq!(all[1], [9; 32], "whose content is lost");
            assert_eq!(all[2], computed(&entries[1]));
            assert_eq!(log.commitments(1, 1)?, all[1..2]);
            assert_eq!(log.size()?, 3);
            assert!(log.adopt(&[9; 31]).is_err());
            Ok(())
        })
        .unwrap();
}

#[test]
fn the_ten_thousandth_entry_costs_what_the_first_did() {
    let (_dir, store) = temporary();
    store
        .write_blocking(|records| {
            let (subject, log) = ("1155000001".parse()?, records.log());
            let cost = || {
                log.append(&subject, asked(&subject))?;
                let asking = log.connection.prepare_cached(LAST)?;
                Ok::<_, Error>(asking.reset_status(StatementStatus::VmStep))
            };
            cost()?;
            cost()?;
            let early = cost()?;
            for _ in 3..10_000 {
                log.append(&subject, asked(&subject))?;
            }
            cost()?;
            assert_eq!(cost()?, early, "steps of the database for one more");
            Ok(())
        })
        .unwrap();
}

#[test]
fn an_altered_entry_is_never_shown() {
    let (_dir, store) = temporary();
    store
        .write_blocking(|records| {
            let (subject, log) = ("1155000001".parse()?, records.log());
            log.append(&subject, asked(&subject))?;
            log.check()?;
            let alter = "UPDATE log_entry SET content = replace(content, '1000', '1001')";
            assert_eq!(log.connection.execute(alter, [])?, 1);
            for looked in [log.check(), log.of(&subject, 1, 1, 1).map(drop)] {
                assert!(matches!(looked, Err(Error::RecordInvalid { .. })));
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn the_largest_log_that_a_witness_saw_is_kept() {
    let (_dir, store) = temporary();
    store
        .write_blocking(|records| {
            let mut witness = Witness {
                service: ServiceName::blackboard(),
                verifier_key: "key".into(),
                size: 5,
                checkpoint: "first".into(),
            };
            let log = records.log();
            log.set_witness(&witness)?;
            (witness.size, witness.checkpoint) = (7, "second".into());
            log.set_witness(&witness)?;
            assert_eq!(log.witnesses()?, [witness.clone()]);
            let late = Witness {
                size: 6,
                ..witness.clone()
            };
            log.set_witness(&late)?;
            assert_eq!(log.witnesses()?, [witness], "what came late is older");
            let other_key = Witness {
                verifier_key: "another".into(),
                ..late
            };
            log.set_witness(&other_key)?;
            assert_eq!(log.witnesses()?, [other_key]);
            Ok(())
        })
        .unwrap();
}

/// Enters a certificate, as it was issued.
fn issue(records: &Records<'_>, subject: &Subject) -> Result<Serial, Error> {
    let serial = Serial::random().unwrap();
    let entry = |place: Place| LogEntry::Certificate {
        v: 1,
        subject: subject.to_string(),
        nth: place.nth,
        certificates: place.certificates,
        profile: "student".to_owned(),
        serial,
        cert_sha256: Fingerprint::of(serial.as_bytes()),
        key_sha256: Fingerprint::of(serial.as_bytes()),
        not_before: 90,
        not_after: 1090,
    };
    records.log().insert(subject, Some(&serial), entry)?;
    Ok(serial)
}

/// Removes what is older than `moment`, as if the first `public` entries were published.
fn remove(log: &Log<'_>, moment: u64, public: u64) -> Result<u64, Error> {
    remove_at(log, (moment, 1000), public)
}

fn remove_at(log: &Log<'_>, (moment, now): (u64, u64), public: u64) -> Result<u64, Error> {
    let removed = log.removal(from_seconds(moment), from_seconds(now), public)?;
    let count = log.count_old(removed)?;
    let old = log.old(removed, 0, usize::MAX >> 1)?;
    assert_eq!(count, old.len() as u64);
    if count > 0 {
        log.note_removed(removed)?;
    }
    old.iter().try_for_each(|(number, _)| log.remove(*number))?;
    Ok(count)
}

fn numbers(log: &Log<'_>, subject: &Subject) -> Result<Vec<u64>, Error> {
    let entries = log.of(subject, 1, log.size()?, 100)?;
    Ok(entries.iter().map(|entry| entry.number).collect())
}

#[test]
fn old_questions_go_and_certificates_and_the_newest_entries_stay() {
    let (_dir, store) = temporary();
    store
        .write_blocking(|records| {
            let (one, other) = ("1155000001".parse()?, "1155000002".parse()?);
            let log = records.log();
            let serial = issue(records, &one)?;
            for at in 100..105 {
                log.append(&one, asked_at(&one, at))?;
            }
            log.append(&other, asked_at(&other, 105))?;
            log.adopt(&[9; 32])?;
            log.append(&one, asked_at(&one, 200))?;
            log.append(&one, asked_at(&one, 201))?;
            let size = log.size()?;
            assert_eq!(log.removed()?, None);

            assert_eq!(remove(&log, 200, size)?, 6, "five and the lost one");
            assert_eq!(numbers(&log, &one)?, [0, 8, 9]);
            assert_eq!(numbers(&log, &other)?, [6], "the newest, though it is old");
            assert_eq!(log.number_of(&serial)?, Some(0));
            assert_eq!((log.size()?, log.count(&one, size)?), (size, 8));
            let removed = log.removed()?.unwrap();
            assert_eq!((removed.below, removed.before), (8, from_seconds(200)));
            assert_eq!(remove(&log, 200, size)?, 0, "again");

            log.append(&other, asked_at(&other, 202))?;
            issue(records, &one)?;
            let last = log.of(&one, 9, u64::MAX >> 1, 1)?.remove(0);
            let last = LogEntry::from_content(&last.content).unwrap();
            assert_eq!((last.nth(), last.certificates()), (9, 2));
            assert_eq!(remove(&log, 200, log.size()?)?, 1, "no longer the newest");
            log.check()
        })
        .unwrap();
}

#[test]
fn what_is_young_or_not_published_is_never_removed() {
    let (_dir, store) = temporary();
    store
        .write_blocking(|records| {
            let (one, log) = ("1155000001".parse()?, records.log());
            // The clock was ahead for the third, and was set back.
            for at in [100, 101, 300, 102, 103] {
                log.append(&one, asked_at(&one, at))?;
            }
            assert_eq!(remove(&log, 100, 5)?, 0, "nothing is that old");
            assert_eq!(remove(&log, 200, 0)?, 0, "nothing is published");
            assert_eq!(remove(&log, 200, 1)?, 0, "the last that is public stays");
            assert_eq!(remove(&log, 200, 2)?, 1);
            assert_eq!(remove(&log, 200, 5)?, 1, "up to the first that is young");
            assert_eq!(numbers(&log, &one)?, [2, 3, 4]);
            assert_eq!(remove(&log, 400, 5)?, 2);
            assert_eq!(numbers(&log, &one)?, [4]);
            let before = log.removed()?.unwrap();
            assert_eq!(remove(&log, 150, 5)?, 0, "kept longer from now on");
            assert_eq!(log.removed()?, Some(before), "what was said stays true");
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_question_that_is_dated_in_the_future_is_as_old_as_what_comes_after_it() {
    let (_dir, store) = temporary();
    store
        .write_blocking(|records| {
            let (one, log) = ("1155000001".parse()?, records.log());
            // The clock was ahead by years for the second; then it was set right.
            for at in [100, 9000, 101, 201, 202] {
                log.append(&one, asked_at(&one, at))?;
            }
            assert_eq!(
                remove_at(&log, (101, 202), 5)?,
                1,
                "the second may be young"
            );
            assert_eq!(remove_at(&log, (200, 202), 5)?, 2);
            assert_eq!(numbers(&log, &one)?, [3, 4]);
            // With nothing older after it, it may be of this very moment.
            log.append(&one, asked_at(&one, 9001))?;
            log.append(&one, asked_at(&one, 9002))?;
            assert_eq!(remove_at(&log, (300, 400), 7)?, 2);
            assert_eq!(numbers(&log, &one)?, [5, 6]);
            Ok(())
        })
        .unwrap();
}

#[test]
fn what_operators_did_today_stays_where_nobody_has_asked_for_long() {
    let (_dir, store) = temporary();
    let store = store.done_by(crate::store::Act::of("roster suspend"));
    store
        .write_blocking(|records| {
            let (one, log) = ("1155000001".parse()?, records.log());
            for at in 100..105 {
                log.append(&one, asked_at(&one, at))?;
            }
            for at in [500, 501] {
                records.note(&one, "suspended", from_seconds(at))?;
                records.pin_operations()?;
            }
            log.append(&one, asked_at(&one, 90))?;
            let pins = || {
                let mut pins = Vec::new();
                log.each_pin(|pin| {
                    pins.push(pin.nth);
                    Ok(())
                })?;
                Ok::<_, Error>(pins)
            };
            assert_eq!(
                remove_at(&log, (400, 600), 8)?,
                5,
                "an old question bounds nothing"
            );
            assert_eq!(
                log.removed()?.unwrap().below,
                5,
                "up to what was done at 500"
            );
            assert_eq!(pins()?, [1, 2]);

            // Older than the questions that are kept, and not than the operations.
            log.append(&one, asked_at(&one, 9000))?;
            log.append(&one, asked_at(&one, 9001))?;
            assert_eq!(remove_at(&log, (8000, 9002), 10)?, 1);
            assert_eq!(pins()?, [1, 2]);
            assert_eq!(records.operations().remove_before(from_seconds(8000))?, 2);
            let removed = log.removal(from_seconds(8000), from_seconds(9002), 10)?;
            assert_eq!(log.count_old(removed)?, 0, "these are no questions");
            for (number, _) in log.old(removed, 0, 100)? {
                log.remove(number)?;
            }
            assert_eq!(pins()?, [2], "the newest");
            Ok(())
        })
        .unwrap();
}

#[test]
fn what_was_removed_is_not_published_again() {
    let (_dir, store) = temporary();
    store
        .write_blocking(|records| {
            let (one, log) = ("1155000001".parse()?, records.log());
            for at in 100..105 {
                log.append(&one, asked_at(&one, at))?;
            }
            remove(&log, 200, 4)?;
            assert_eq!(log.commitments(3, 10)?.len(), 2);
            for from in 0..3 {
                let missing = log.commitments(from, 10);
                assert!(
                    matches!(missing, Err(Error::RecordInvalid { .. })),
                    "{from}"
                );
            }
            Ok(())
        })
        .unwrap();
}
