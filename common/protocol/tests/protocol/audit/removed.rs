//! Old questions may be gone, and nothing else.

use scb_certs::Serial;
use scb_protocol::audit::{QUESTIONS_KEPT, RemovedQuestions};

use super::*;

const DAY: u64 = 24 * 60 * 60;
/// Everything that was asked before is gone.
const BEFORE: u64 = NOW - 400 * DAY;
/// When something happened that may be gone, and that is kept.
const OLD: u64 = BEFORE - DAY;
const YOUNG: u64 = BEFORE + DAY;

fn issued(nth: u64, certificates: u64, not_before: u64) -> LogEntry {
    LogEntry::Certificate {
        v: 1,
        subject: THREE[0].to_owned(),
        nth,
        certificates,
        profile: "student".to_owned(),
        serial: Serial::from_bytes(&[nth as u8; 16]).unwrap(),
        cert_sha256: hash(nth as u8),
        key_sha256: hash(nth as u8),
        not_before,
        not_after: not_before + 30 * DAY,
    }
}

fn asked_at(nth: u64, certificates: u64, at: u64) -> LogEntry {
    LogEntry::Verification {
        v: 1,
        subject: THREE[0].to_owned(),
        nth,
        certificates,
        asker: ServiceName::blackboard(),
        nonce: Nonce::from_bytes([nth as u8; 16]),
        cert_sha256: hash(1),
        inactive: None,
        at,
    }
}

/// A certificate, two questions, a certificate, a question: all old. A certificate and two
/// questions since. Each entry's number is one less than its place in line.
fn years() -> Log {
    let mut log = Log::of(0);
    for entry in [
        issued(1, 1, OLD),
        asked_at(2, 1, OLD + 1),
        asked_at(3, 1, OLD + 2),
        issued(4, 2, OLD + 3),
        asked_at(5, 2, OLD + 4),
        issued(6, 3, YOUNG),
        asked_at(7, 3, YOUNG + 1),
        asked_at(8, 3, YOUNG + 2),
    ] {
        log.push(&entry);
    }
    log
}

fn kept(log: &Log, removed_before: Option<u64>, numbers: &[u64]) -> Reply {
    Reply::Audit {
        count: log.size(),
        removed_before,
        entries: numbers.iter().map(|number| log.entry(*number)).collect(),
    }
}

fn shown(log: &Log, before: u64, numbers: &[u64]) -> Result<Audited, Refusal> {
    audit(log, vec![kept(log, Some(before), numbers)])
}

fn incomplete<T: std::fmt::Debug>(result: Result<T, Refusal>, what: &str) {
    assert_eq!(result.unwrap_err().code, Code::LogIncomplete, "{what}");
}

fn seen(count: u64, last_at: u64, looked_at: u64) -> SeenEntries {
    SeenEntries {
        count,
        last: count.saturating_sub(1),
        last_at,
        looked_at,
    }
}

#[test]
fn old_questions_may_be_gone_and_are_counted() {
    let log = years();
    let audited = shown(&log, BEFORE, &[0, 3, 5, 6, 7]).unwrap();
    let removed = RemovedQuestions {
        count: 3,
        before: from_seconds(BEFORE),
    };
    assert_eq!(audited.removed(), Some(removed));
    let seen = SeenEntries {
        count: 8,
        last: 7,
        last_at: YOUNG + 2,
        looked_at: NOW,
    };
    assert_eq!(audited.seen(), seen);
    let all = shown(&log, BEFORE, &[0, 1, 2, 3, 4, 5, 6, 7]).unwrap();
    assert_eq!(all.removed(), None, "none of this student's");
}

#[test]
fn nobody_may_have_removed_what_is_kept_at_least() {
    let log = years();
    let numbers = [0, 3, 5, 6, 7];
    let floor = NOW - QUESTIONS_KEPT.as_secs();
    shown(&log, floor, &numbers).unwrap();
    incomplete(shown(&log, floor + 1, &numbers), "younger than 90 days");
    incomplete(shown(&log, u64::MAX, &numbers), "in the future");
    let silent = audit(&log, vec![kept(&log, None, &numbers)]);
    incomplete(silent, "nothing is said to be removed");
}

#[test]
fn a_question_that_cannot_have_been_removed_is_missed() {
    let log = years();
    for (what, numbers) in [
        ("in the middle of questions", vec![0, 1, 3, 5, 6, 7]),
        ("after a certificate that is too young", vec![0, 3, 5, 7]),
        ("the newest", vec![0, 3, 5, 6]),
    ] {
        let pages = vec![
            kept(&log, Some(BEFORE), &numbers),
            kept(&log, Some(BEFORE), &[]),
        ];
        incomplete(audit(&log, pages), what);
    }
}

#[test]
fn a_certificate_is_never_a_question_that_was_removed() {
    let log = years();
    for numbers in [[0, 5, 6, 7].as_slice(), &[3, 5, 6, 7], &[6, 7]] {
        incomplete(shown(&log, BEFORE, numbers), &format!("{numbers:?}"));
    }
    let mut hidden = years();
    hidden.push(&asked_at(9, 4, YOUNG + 3));
    let numbers = [0, 3, 5, 6, 7, 8];
    incomplete(shown(&hidden, BEFORE, &numbers), "one more than is shown");
}

#[test]
fn what_was_seen_goes_only_when_it_is_old() {
    let log = years();
    let audited = shown(&log, BEFORE, &[0, 3, 5, 6, 7]).unwrap();
    let sid = THREE[0].parse().unwrap();
    for fits in [
        seen(0, 0, OLD),
        seen(3, OLD + 2, OLD + 2),
        seen(5, OLD + 4, OLD + 5),
        seen(6, YOUNG, YOUNG),
    ] {
        audited.require_seen(&sid, fits).unwrap();
    }
    for (what, seen) in [
        ("asked later than what is removed", seen(5, BEFORE, BEFORE)),
        (
            "asked after the last look, which was later",
            seen(1, OLD, BEFORE),
        ),
        (
            "the first look showed none, and was later",
            seen(0, 0, BEFORE),
        ),
        ("more than there are", seen(9, OLD, NOW)),
    ] {
        incomplete(audited.require_seen(&sid, seen), what);
    }
}

#[test]
fn what_is_removed_between_two_pages_begins_the_look_anew() {
    let log = years();
    let pages = vec![
        kept(&log, None, &[0, 1]),
        kept(&log, Some(BEFORE), &[3]),
        kept(&log, Some(BEFORE), &[0, 3, 5]),
        kept(&log, Some(BEFORE), &[6, 7]),
    ];
    let audited = audit(&log, pages).unwrap();
    assert_eq!(audited.removed().unwrap().count, 3);
    let back = vec![
        kept(&log, Some(BEFORE), &[0, 3]),
        kept(&log, Some(BEFORE - 1), &[5, 6, 7]),
    ];
    incomplete(audit(&log, back), "what was removed comes back");
}
