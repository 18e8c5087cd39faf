//! Receipts whose proof is still to come.

use std::sync::atomic::Ordering;
use std::time::Duration;

use scb_protocol::receipt::{LogProof, VerifiedReceipt};
use scb_protocol::statement::SubmissionId;
use scb_student::{Engine, KeptReceipt, pending, receipts};
use scb_tlog::KeyName;

use crate::campus::{Campus, THREE, code, hand_in, told};
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

#[test]
fn a_receipt_with_less_is_not_kept_beside_the_one_that_supersedes_it() {
    assert!(!is_kept_beside(Vec::new()));
    assert!(is_kept_beside(vec![
        "library.example/witness".parse().unwrap()
    ]));
}

/// Whether a complete receipt with less that comes is kept beside the one that is here, and for which the cosignatures
/// of these are missing.
fn is_kept_beside(missing: Vec<KeyName>) -> bool {
    let campus = Campus::new();
    let mut engine = campus.impatient(&THREE[..1]);
    campus.fail_once(Fault::LoseReceipt);
    let (lost, _) = hand_in(&mut engine, &THREE[..1], None);
    assert_eq!(code(lost), "connection_lost");
    let submission = pending::list(&campus.home()).unwrap()[0].submission;
    let whole = campus.desk.proof(submission);
    let zip = campus.desk.stored.lock().unwrap()[&submission]
        .receipt
        .clone();
    let root = campus.desk.campus.root_fingerprint();
    let with = |proof: LogProof| VerifiedReceipt::complete(&zip, &proof, &[root]).unwrap().0;
    let more = with(LogProof {
        missing,
        ..whole.clone()
    });
    let less = with(LogProof {
        committed: None,
        ..whole
    });
    let dir = campus.home().receipts_dir();
    std::fs::create_dir_all(&dir).unwrap();
    let path = dir.join("S-000001.zip");
    std::fs::write(&path, &more).unwrap();
    let mut stored = campus.desk.stored.lock().unwrap();
    stored.get_mut(&submission).unwrap().receipt = less;
    drop(stored);
    let (kept, events) = hand_in(&mut engine, &THREE[..1], None);
    let is_beside = kept.unwrap().path != path;
    assert_eq!(std::fs::read(&path).unwrap(), more);
    let all = receipts::list(&dir).unwrap().len();
    assert_eq!(all, 1 + usize::from(is_beside));
    let is_told = told(&events).contains(&"kept beside".to_owned());
    assert_eq!(is_told, is_beside);
    is_beside
}
