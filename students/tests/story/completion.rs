//! Receipts whose proof is still to come.

use std::sync::atomic::Ordering;
use std::time::Duration;

use scb_protocol::statement::SubmissionId;
use scb_student::{Engine, KeptReceipt};

use crate::campus::{Campus, THREE, code, hand_in};
use crate::servers::Fault;

impl Campus {
    /// Of which submissions Blackboard was asked since, for each connection on which it was.
    fn asked(&self) -> Vec<Vec<SubmissionId>> {
        let mut asked = std::mem::take(&mut *self.desk.asked.lock().unwrap());
        asked.retain(|one| !one.is_empty());
        asked
    }

    /// Hands in, a second after whatever was before.
    fn hand_in_later(&self, engine: &mut Engine, ids: &[&str]) -> KeptReceipt {
        self.desk.campus.clock().advance(Duration::from_secs(1));
        let kept = hand_in(engine, ids, None).0.unwrap();
        assert!(kept.receipt.witnessed().is_none());
        kept
    }
}

fn submission(kept: &KeptReceipt) -> SubmissionId {
    kept.receipt.statement().submission
}

/// So many more of it, under other names.
fn copy(kept: &KeptReceipt, count: usize) {
    for number in 1..=count {
        let other = kept.path.with_file_name(format!("S-000001-{number}.zip"));
        std::fs::write(other, &kept.bytes).unwrap();
    }
}

#[test]
fn every_receipt_that_waits_is_asked_about_once_however_many_cannot_be_completed() {
    let campus = Campus::new();
    let mut engine = campus.enrolled(&THREE[..2]);
    let kept = campus.hand_in_later(&mut engine, &THREE[..2]);
    // More than one connection takes.
    copy(&kept, 65);
    campus.asked();
    let completed = engine.complete_receipts(&mut |_| {}).unwrap();
    assert!(completed.paths.is_empty(), "{completed:?}");
    assert!(completed.failed.is_none(), "{completed:?}");
    let each: Vec<_> = campus.asked().iter().map(Vec::len).collect();
    assert_eq!(each, [64, 2]);
}

#[test]
fn whatever_is_handed_in_asks_about_the_latest_however_many_wait_before_them() {
    let campus = Campus::new();
    let mut engine = campus.enrolled(&THREE[..1]);
    let first = campus.hand_in_later(&mut engine, &THREE[..1]);
    copy(&first, 65);
    let [second, third] = [(); 2].map(|()| campus.hand_in_later(&mut engine, &THREE[..1]));
    campus.asked();
    campus.hand_in_later(&mut engine, &THREE[..1]);
    let mut latest = vec![submission(&third), submission(&second)];
    latest.resize(64, submission(&first));
    assert_eq!(campus.asked(), [latest]);
}

#[test]
fn who_is_refused_keeps_back_nothing_about_which_another_one_can_ask() {
    let campus = Campus::new();
    let mut engine = campus.enrolled(&THREE[..2]);
    let groups = [&THREE[..1], &THREE[1..2], &THREE[..2]];
    let [own, others, both] = groups.map(|ids| campus.hand_in_later(&mut engine, ids));
    campus.asked();
    campus.desk.witnessed.store(true, Ordering::SeqCst);
    campus.fail_once(Fault::FirstOnHold);
    let completed = engine.complete_receipts(&mut |_| {}).unwrap();
    assert_eq!(campus.asked(), [[submission(&both), submission(&others)]]);
    assert_eq!(completed.paths, [both.path, others.path]);
    let failed = completed.failed.map_or(Ok(()), Err);
    assert_eq!(code(failed), "certificate_on_hold");
    *campus.desk.fault.lock().unwrap() = None;
    let completed = engine.complete_receipts(&mut |_| {}).unwrap();
    assert_eq!(campus.asked(), [[submission(&own)]]);
    assert_eq!(completed.paths, [own.path]);
    assert!(completed.failed.is_none());
}

#[test]
fn what_would_be_refused_to_anybody_is_not_asked_again_for_each_student() {
    let campus = Campus::new();
    let mut engine = campus.enrolled(&THREE[..2]);
    for ids in [&THREE[..1], &THREE[1..2]] {
        campus.hand_in_later(&mut engine, ids);
    }
    campus.asked();
    campus.fail_once(Fault::CuhkUnavailable);
    let completed = engine.complete_receipts(&mut |_| {}).unwrap();
    let failed = completed.failed.map_or(Ok(()), Err);
    assert_eq!(code(failed), "cuhk_unavailable");
    // The next one would have been answered.
    assert!(campus.asked().is_empty());
}
