//! What is done for one student reads by index: it costs the same however many others there are.
#![allow(clippy::unwrap_used)]

use std::cell::RefCell;
use std::collections::BTreeSet;

use rusqlite::StatementStatus;
use rusqlite::trace::{TraceEvent, TraceEventCodes};
use scb_certs::{DistributionUrls, Issuer, IssuerKind, Root, SigningKey, Validity};
use scb_protocol::message::cuhk::MemberQuestion;

use super::*;
use crate::admin::{CODE_LIFETIME, fresh_code};
use crate::answers::answer;
use crate::issuance::{Claim, claim, knows_code};
use crate::publication::RevokedCertificates;
use crate::revocation::{restore, revoke, suspend};
use crate::store::convert::time;
use crate::time::later;
use crate::{Subject, Target};

thread_local! {
    /// The statements that ran, and how many steps of SQLite's virtual machine they took.
    static SEEN: RefCell<(BTreeSet<String>, i64)> = const { RefCell::new((BTreeSet::new(), 0)) };
}

fn note(event: TraceEvent<'_>) {
    if let TraceEvent::Profile(statement, _) = event {
        let steps = statement.get_status(StatementStatus::VmStep);
        SEEN.with_borrow_mut(|(seen, all)| {
            seen.insert(statement.sql().into_owned());
            *all += i64::from(steps);
        });
    }
}

/// Runs a job; returns its statements and its steps.
fn watched(records: &Records<'_>, job: impl FnOnce()) -> (BTreeSet<String>, i64) {
    let connection = records.connection;
    // A statement counts from when it was prepared.
    connection.flush_prepared_statement_cache();
    SEEN.take();
    connection.trace_v2(TraceEventCodes::SQLITE_TRACE_PROFILE, Some(note));
    job();
    connection.trace_v2(TraceEventCodes::empty(), None);
    SEEN.take()
}

fn students() -> Issuer {
    let key = || SigningKey::generate().unwrap();
    let root = Root::create(&"cuhk.example".parse().unwrap(), key(), time(1000).unwrap()).unwrap();
    let urls = DistributionUrls::default();
    let issuer = root.issue_issuer(IssuerKind::Students, key(), time(1000).unwrap(), &urls);
    issuer.unwrap()
}

fn intent(number: usize, key: &SigningKey) -> Intent {
    Intent {
        serial: scb_certs::Serial::random().unwrap(),
        subject: Subject::Student(student_id(number)),
        profile: Profile::Student,
        public_key: key.public_key().fingerprint(),
        validity: Validity {
            not_before: time(1000).unwrap(),
            not_after: time(9000).unwrap(),
        },
    }
}

fn student_id(number: usize) -> scb_certs::StudentId {
    format!("{}", 1_155_000_000 + number).parse().unwrap()
}

fn enlist(records: &Records<'_>, number: usize) {
    let student = Student {
        sid: student_id(number),
        name: "A".into(),
        email: String::new(),
        programme: String::new(),
        active: true,
    };
    records
        .roster()
        .import(&student, time(1000).unwrap())
        .unwrap();
}

/// So many students with a certificate each that is about to be signed, and a code.
fn crowd(records: &Records<'_>, numbers: std::ops::Range<usize>) {
    let key = SigningKey::generate().unwrap();
    for number in numbers {
        enlist(records, number);
        let intent = Intent {
            public_key: scb_certs::Fingerprint::of(&number.to_be_bytes()),
            ..intent(number, &key)
        };
        let now = time(1000).unwrap();
        records.certificates().intend(&intent, now).unwrap();
        fresh_code(records, &intent.subject, (now, later(now, CODE_LIFETIME))).unwrap();
    }
}

/// Enrolment of one, then verification of three.
fn enrol(records: &Records<'_>, number: usize) {
    enlist(records, number);
    let (now, key) = (time(2000).unwrap(), SigningKey::generate().unwrap());
    let wanted = intent(number, &key);
    let issued = fresh_code(records, &wanted.subject, (now, later(now, CODE_LIFETIME))).unwrap();
    let digest = issued.code.digest(&wanted.subject.to_string());
    assert!(knows_code(records, &digest, &wanted.subject).unwrap());
    let asked = Claim {
        digest,
        wanted: wanted.clone(),
        now,
    };
    claim(records, &asked).unwrap();
    let (urls, serial) = (DistributionUrls::default(), wanted.serial);
    let chain = students().issue_student(
        &student_id(number),
        key.public_key(),
        &serial,
        &wanted.validity,
        &urls,
    );
    let certificate = chain.unwrap().leaf().clone();
    records.certificates().record(&certificate).unwrap();
    let question = MemberQuestion {
        sid: student_id(number),
        cert_sha256: certificate.fingerprint(),
    };
    for _ in 0..3 {
        let answer = answer(records, &question, now).unwrap();
        assert_eq!(answer.inactive, None);
    }
}

/// What ends it: suspended, restored, revoked.
fn end(records: &Records<'_>, number: usize) {
    let (sid, now) = (student_id(number), time(3000).unwrap());
    assert!(suspend(records, &sid, now).unwrap().changed);
    assert!(restore(records, &sid, now).unwrap().changed);
    let target = Target::Subject(Subject::Student(sid));
    let reason = scb_certs::RevocationReason::KeyCompromise;
    assert_eq!(
        revoke(records, &target, reason, now).unwrap().certificates,
        1
    );
}

#[test]
fn every_statement_about_one_student_uses_an_index() {
    let (_dir, store) = temporary();
    store
        .write_blocking(|records| {
            let (statements, _) = watched(records, || {
                enrol(records, 1);
                end(records, 1);
                // Asked by every command that writes down a time.
                records.status().last_recorded().unwrap();
            });
            assert!(statements.len() > 10, "{statements:#?}");
            for sql in statements {
                let mut plan = records
                    .connection
                    .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
                let mut rows = plan.raw_query();
                while let Some(row) = rows.next()? {
                    let detail: String = row.get(3)?;
                    // Terms are a few a year, and no student's.
                    let few = ["SCAN CONSTANT ROW", "SCAN term"].contains(&detail.as_str());
                    let all = detail.contains("SCAN") && !few;
                    assert!(!all, "{detail}: {sql}");
                }
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn one_student_among_twenty_thousand_costs_what_one_among_a_hundred_does() {
    let (_dir, store) = temporary();
    store
        .write_blocking(|records| {
            crowd(records, 1..100);
            // In an empty table there is less to look at.
            enrol(records, 99_999);
            let (_, few) = watched(records, || enrol(records, 100_000));
            let (_, few_ended) = watched(records, || end(records, 100_000));
            crowd(records, 100..20_000);
            let (_, many) = watched(records, || enrol(records, 100_001));
            let (_, many_ended) = watched(records, || end(records, 100_001));
            assert!(few > 100, "{few}");
            assert_eq!((few, few_ended), (many, many_ended));
            Ok(())
        })
        .unwrap();
}

/// What a revocation list needs is read: what was revoked since the last one.
#[test]
fn the_two_thousandth_revocation_reads_what_the_tenth_did() {
    let (_dir, store) = temporary();
    store
        .write_blocking(|records| {
            crowd(records, 1..2_100);
            let now = time(3000).unwrap();
            let revoke = |number| {
                let target = Target::Subject(Subject::Student(student_id(number)));
                let reason = scb_certs::RevocationReason::Superseded;
                revoke(records, &target, reason, now).unwrap();
            };
            let mut revoked = RevokedCertificates::default();
            let mut list = || {
                let before = std::mem::take(&mut revoked);
                let update = || revoked = before.updated(records, now).unwrap();
                watched(records, update).1
            };
            (1..10).for_each(revoke);
            let first = list();
            revoke(10);
            let tenth = list();
            (11..2_000).for_each(revoke);
            list();
            revoke(2_000);
            let last = list();
            assert_eq!(tenth, last);
            assert!(first > 2 * tenth, "{first}: all were read");
            Ok(())
        })
        .unwrap();
}

/// What an operator does is noted after what was noted before.
#[test]
fn the_two_thousandth_operation_is_noted_like_the_tenth() {
    let (_dir, store) = temporary();
    store
        .done_by(Act::of("roster suspend"))
        .write_blocking(|records| {
            let now = time(3000).unwrap();
            let note = |number| records.note(&student_id(number), "suspended", now).unwrap();
            (1..10).for_each(note);
            let (_, tenth) = watched(records, || note(10));
            (11..2_000).for_each(note);
            let (_, last) = watched(records, || note(2_000));
            assert_eq!(tenth, last);
            Ok(())
        })
        .unwrap();
}

/// The twin: the steps do tell a search from a look at everything.
#[test]
fn a_look_at_everything_costs_more_the_more_there_is() {
    let (_dir, store) = temporary();
    store
        .write_blocking(|records| {
            crowd(records, 1..10);
            let count = || {
                let all = || drop(records.roster().active_except(|_| false).unwrap());
                watched(records, all).1
            };
            let few = count();
            crowd(records, 10..1_000);
            assert!(count() > 10 * few);
            Ok(())
        })
        .unwrap();
}
