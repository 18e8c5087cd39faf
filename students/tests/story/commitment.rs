//! What Blackboard signs before the files go out: kept, held against the receipt, and refused if it is
//! wrong.

use std::path::PathBuf;

use scb_protocol::commitment::VerifiedCommitment;
use scb_student::{Error, Event, pending, receipts};

use crate::campus::{Campus, THREE, code, hand_in, told};
use crate::servers::{Fault, Wrong};

impl Campus {
    /// Where commitments are kept.
    fn commitments(&self) -> Vec<PathBuf> {
        receipts::list_commitments(&self.home().receipts_dir()).unwrap()
    }

    /// The one that is kept.
    fn commitment(&self) -> VerifiedCommitment {
        let kept = self.commitments();
        let [path] = &kept[..] else {
            panic!("{kept:?}");
        };
        let roots = [self.desk.campus.root_fingerprint()];
        VerifiedCommitment::verify(&receipts::read(path).unwrap(), &roots).unwrap()
    }
}

fn nothing_was_sent(events: &[Event]) -> bool {
    let sent = |event: &Event| matches!(event, Event::Sending { .. });
    !events.iter().any(sent)
}

#[test]
fn it_is_kept_before_a_byte_goes_out_and_is_the_same_again() {
    let campus = Campus::new();
    let mut engine = campus.impatient(&THREE);
    campus.fail_once(Fault::LoseFiles);
    let (result, _) = hand_in(&mut engine, &THREE, None);
    let Err(Error::Unfinished { recorded, .. }) = result else {
        panic!("{result:?}");
    };
    let first = campus.commitment();
    assert_eq!(
        recorded.signed.as_deref(),
        campus.commitments().first().map(|path| &**path)
    );
    assert_eq!(recorded.at, Some(first.committed_at()));
    let signed = pending::list(&campus.home()).unwrap();
    assert_eq!(signed, [first.statement().clone()]);

    campus
        .desk
        .campus
        .clock()
        .advance(std::time::Duration::from_secs(600));
    campus.fail_once(Fault::LoseFiles);
    assert!(hand_in(&mut engine, &THREE, None).0.is_err());
    assert_eq!(campus.commitment().leaf_sha256(), first.leaf_sha256());

    let kept = hand_in(&mut engine, &THREE, None).0.unwrap();
    assert_eq!(kept.receipt.committed_at(), first.committed_at());
    // Until the receipt proves it.
    assert_eq!(campus.commitment().leaf_sha256(), first.leaf_sha256());
}

#[test]
fn nothing_is_sent_for_a_word_that_is_not_right_and_the_same_again_goes_on() {
    let campus = Campus::new();
    let mut engine = campus.impatient(&THREE);
    for wrong in [
        Wrong::Told,
        Wrong::Epoch,
        Wrong::Earlier,
        Wrong::ToCome,
        Wrong::Statement,
        Wrong::Signatures,
        Wrong::Log,
        Wrong::Signer,
        Wrong::Kind,
    ] {
        campus.fail_once(Fault::Recorded(wrong));
        let (result, events) = hand_in(&mut engine, &THREE, None);
        assert_eq!(code(result), "commitment_invalid", "{wrong:?}");
        assert!(nothing_was_sent(&events), "{wrong:?}");
        assert_eq!(pending::list(&campus.home()).unwrap().len(), 1);
        assert!(campus.commitments().is_empty(), "{wrong:?}");
    }
    hand_in(&mut engine, &THREE, None).0.unwrap();
    assert_eq!(campus.desk.stored_count(), 1);
}

#[test]
fn a_receipt_that_contradicts_it_is_refused_and_both_are_kept() {
    let campus = Campus::new();
    let mut engine = campus.impatient(&THREE);
    campus.fail_once(Fault::ReceiptOfAnotherEntry);
    let (result, events) = hand_in(&mut engine, &THREE, None);
    assert_eq!(code(result), "commitment_broken");
    let told = told(&events);
    assert_eq!(told.last().map(String::as_str), Some("commitment broken"));
    let all = receipts::list(&campus.home().receipts_dir()).unwrap();
    assert_eq!((all.len(), campus.commitments().len()), (1, 1));
    let Some(Event::CommitmentBroken {
        commitment,
        receipt,
    }) = events.last()
    else {
        panic!("{events:?}");
    };
    assert_eq!((commitment, receipt), (&campus.commitments()[0], &all[0]));
    // It is handed in, whatever is wrong with its time.
    assert!(pending::list(&campus.home()).unwrap().is_empty());
}
