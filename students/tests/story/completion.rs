//! Receipts whose proof is still to come.

use std::sync::atomic::Ordering;

use crate::campus::{Campus, THREE, hand_in};

#[test]
fn every_receipt_that_waits_is_asked_about_once_however_many_cannot_be_completed() {
    let campus = Campus::new();
    let mut engine = campus.enrolled(&THREE[..2]);
    let kept = hand_in(&mut engine, &THREE[..2], None).0.unwrap();
    assert!(kept.receipt.witnessed().is_none());
    // More than one connection takes.
    for copy in 1..=65 {
        let other = kept.path.with_file_name(format!("S-000001-{copy}.zip"));
        std::fs::write(other, &kept.bytes).unwrap();
    }
    let asked = || campus.desk.proofs.load(Ordering::SeqCst);
    let before = asked();
    let completed = engine.complete_receipts(&mut |_| {}).unwrap();
    assert!(completed.is_empty(), "{completed:?}");
    assert_eq!(asked() - before, 66);
}
