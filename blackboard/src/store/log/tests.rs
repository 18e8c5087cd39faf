//! Entries of assignments' logs: their order, times and ends.

use scb_cli::{Home, Role};
use scb_protocol::log_leaf::{Contents, Ended, Lapsed, MAX_STEP_BACK};
use scb_storage::Database;

use super::*;
use crate::store::Store;

fn database() -> (tempfile::TempDir, Database) {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::create(&dir.path().join("home"), Role::Blackboard).unwrap();
    let database = Store::open(&home).unwrap().database;
    (dir, database)
}

/// How SQLite finds what a query of two keys asks for.
pub(in crate::store) fn plan_of(query: &'static str) -> String {
    let plan = move |transaction: &Transaction<'_>| {
        let mut query = transaction.prepare(&format!("EXPLAIN QUERY PLAN {query}"))?;
        Ok::<_, Error>(query.query_row(["a", "b"], |row| row.get::<_, String>(3))?)
    };
    let (_dir, database) = database();
    database.write_blocking(plan).unwrap()
}

fn log(assignment: &str) -> LogName {
    format!("cuhk.example/blackboard/CSCI-3150/{assignment}")
        .parse()
        .unwrap()
}

fn enter(transaction: &Transaction<'_>, log: &LogName) -> Result<Appended, Error> {
    append(
        transaction,
        log,
        from_seconds(1000),
        Entry::Rules(Contents::new()),
    )
}

#[test]
fn each_log_is_numbered_without_gaps() {
    let (_dir, database) = database();
    let work = |transaction: &Transaction<'_>| {
        let (one, other) = (log("asg1"), log("asg2"));
        for (log, index) in [(&one, 0), (&other, 0), (&one, 1), (&one, 2)] {
            let appended = enter(transaction, log)?;
            assert_eq!(appended.index, index);
            let parsed = Leaf::parse(&appended.leaf).unwrap();
            assert_eq!((parsed.log, parsed.index), (log.clone(), index));
            let commitment = leaf_commitment(&appended.leaf);
            assert_eq!(commitments(transaction, log, index, 9)?, [commitment]);
        }
        assert_eq!(
            (size(transaction, &one)?, size(transaction, &other)?),
            (3, 1)
        );
        assert_eq!(commitments(transaction, &one, 0, 2)?.len(), 2);
        assert_eq!(sizes(transaction)?, [(one, 3), (other, 1)]);
        Ok::<_, Error>(())
    };
    database.write_blocking(work).unwrap();
}

#[test]
fn what_came_before_an_entry_is_entered_as_of_then_and_takes_no_log_further_back() {
    let (_dir, database) = database();
    let work = |transaction: &Transaction<'_>| {
        let one = log("asg1");
        append(
            transaction,
            &one,
            from_seconds(1000),
            Entry::Rules(Contents::new()),
        )?;
        let came = arrival(transaction, &one, from_seconds(997))?;
        assert_eq!(came, from_seconds(997));
        for _ in 0..100 {
            let entered = append_as_of(transaction, &one, came, Entry::Rules(Contents::new()))?;
            assert_eq!(entered.at, came);
        }
        // The clock was set back by a little, and it came before that: never before what verifiers take.
        let set_back = arrival(transaction, &one, from_seconds(992))?;
        assert_eq!(set_back, from_seconds(1000));
        let too_far = arrival(transaction, &one, from_seconds(989)).unwrap_err();
        assert!(matches!(too_far, Error::ClockSetBack { .. }), "{too_far:?}");
        assert_eq!(
            moment(transaction, &one, from_seconds(998))?,
            from_seconds(1000)
        );
        Ok::<_, Error>(())
    };
    database.write_blocking(work).unwrap();
}

#[test]
fn the_times_of_entries_never_go_back_unless_somebody_vouches_for_the_clock() {
    let (_dir, database) = database();
    let work = |transaction: &Transaction<'_>| {
        let (one, other) = (log("asg1"), log("asg2"));
        let enter = |log: &LogName, at| {
            let rules = Entry::Rules(Contents::new());
            append(transaction, log, from_seconds(at), rules)
        };
        enter(&one, 1000)?;
        let a_little = enter(&one, 1000 - MAX_STEP_BACK)?;
        assert_eq!(a_little.at, from_seconds(1000));
        assert_eq!(Leaf::parse(&a_little.leaf).unwrap().at, from_seconds(1000));
        let Error::ClockSetBack { last, now } = enter(&one, 999 - MAX_STEP_BACK).unwrap_err()
        else {
            panic!();
        };
        assert_eq!((last, now), (from_seconds(1000), from_seconds(994)));
        assert_eq!(enter(&other, 10)?.index, 0, "each log for itself");
        vouch(transaction)?;
        assert_eq!(enter(&one, 500)?.index, 2);
        assert!(enter(&one, 400).is_err());
        assert_eq!(enter(&other, 10)?.at, from_seconds(10));
        Ok::<_, Error>(())
    };
    database.write_blocking(work).unwrap();
}

#[test]
fn what_was_undone_leaves_no_gap() {
    let (_dir, database) = database();
    let fail = |transaction: &Transaction<'_>| {
        enter(transaction, &log("asg1"))?;
        Err::<(), _>(Error::NumbersExhausted)
    };
    assert!(database.write_blocking(fail).is_err());
    let enter = |transaction: &Transaction<'_>| enter(transaction, &log("asg1"));
    assert_eq!(database.write_blocking(enter).unwrap().index, 0);
}

fn end(id: u8, kind: fn(Ended) -> Entry) -> Entry {
    kind(Ended {
        submission: SubmissionId::from_bytes([id; 16]),
        members: vec!["1155000001".parse().unwrap()],
        connection: Fingerprint::from_bytes([4; 32]),
        reason: None,
    })
}

#[test]
fn nothing_is_entered_after_what_has_ended_whatever_else_is_there() {
    let (_dir, database) = database();
    let work = |transaction: &Transaction<'_>| {
        let (now, one) = (from_seconds(1000), log("asg1"));
        let lapsed = |id| {
            Entry::Lapsed(Lapsed {
                submission: SubmissionId::from_bytes([id; 16]),
            })
        };
        for (id, entry) in [
            (1, end(1, Entry::Withdrawn)),
            (2, end(2, Entry::Declined)),
            (3, lapsed(3)),
        ] {
            let state = entry.name();
            append(transaction, &one, now, entry)?;
            for after in [lapsed(id), end(id, Entry::Withdrawn)] {
                let refused = append(transaction, &one, now, after).unwrap_err();
                let Error::ProposalEnded { state: found, .. } = refused else {
                    panic!("{refused}");
                };
                assert_eq!(found.as_str(), state);
            }
        }
        // Of another hand-in, and in another log.
        append(transaction, &one, now, lapsed(4))?;
        append(transaction, &log("asg2"), now, lapsed(1))?;
        assert_eq!(size(transaction, &one)?, 4);
        Ok::<_, Error>(())
    };
    database.write_blocking(work).unwrap();
}

#[test]
fn how_a_hand_in_has_ended_is_found_without_reading_the_log() {
    let plan = plan_of(ENDING);
    let index = "log_entries_ending (log=? AND <expr>=?)";
    assert!(plan.ends_with(index), "{plan}");
}

#[test]
fn an_entry_that_is_too_large_is_refused() {
    let (_dir, database) = database();
    let large = Contents::from_iter([("title".to_owned(), "x".repeat(40_000).into())]);
    let enter = move |transaction: &Transaction<'_>| {
        append(
            transaction,
            &log("asg1"),
            from_seconds(1000),
            Entry::Rules(large),
        )
    };
    assert!(matches!(
        database.write_blocking(enter),
        Err(Error::Leaf(_))
    ));
}
