//! Which of two receipts of the same entry proves more.

use scb_protocol::receipt::{CommittedEntry, LogProof, VerifiedReceipt};
use scb_testkit::TestCampus;

use crate::support::{Given, Group, THREE, Witnessing};

#[test]
fn what_lacks_the_moment_or_what_cuhk_said_then_does_not_show_all_of_what_has_both() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..2]);
    let given = Given::to(&group);
    let right = Witnessing::of(&given);
    let whole = right.proof();
    let of = |proof: &LogProof| given.verify(&right.with(proof)).unwrap();
    let stronger = of(&whole);
    assert!(stronger.dated().is_some());
    assert!(stronger.shows_all_of(&stronger));
    let undated = CommittedEntry {
        assurance: None,
        ..whole.committed.clone().unwrap()
    };
    for committed in [None, Some(undated)] {
        let weaker = of(&LogProof {
            committed,
            ..whole.clone()
        });
        assert!(weaker.is_of_the_entry_of(&stronger));
        assert!(weaker.is_as_witnessed_as(&stronger));
        assert!(!weaker.shows_all_of(&stronger));
        assert!(stronger.shows_all_of(&weaker));
        assert!(stronger.supersedes(&weaker) && !weaker.supersedes(&stronger));
    }
    // One that waits for its whole proof has nothing that any other could lack.
    let pending = given.verify(&given.zip).unwrap();
    assert!(stronger.shows_all_of(&pending) && !pending.shows_all_of(&stronger));
    assert!(stronger.is_as_witnessed_as(&pending) && !pending.is_as_witnessed_as(&stronger));
    assert!(stronger.supersedes(&pending) && !stronger.supersedes(&stronger));
}

#[test]
fn what_has_less_is_superseded_once_the_one_with_more_is_complete_itself() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let given = Given::to(&group);
    let right = Witnessing::of(&given);
    let whole = right.proof();
    let of = |proof: &LogProof| given.verify(&right.with(proof)).unwrap();
    let less = of(&LogProof {
        committed: None,
        ..whole.clone()
    });
    let awaiting = LogProof {
        missing: vec!["library.example/witness".parse().unwrap()],
        ..whole.clone()
    };
    let root = campus.root_fingerprint();
    let (_, awaiting) = VerifiedReceipt::complete(&given.zip, &awaiting, &[root]).unwrap();
    assert!(awaiting.shows_all_of(&less) && !less.shows_all_of(&awaiting));
    assert!(!awaiting.supersedes(&less) && !less.supersedes(&awaiting));
    let complete = of(&whole);
    assert!(complete.supersedes(&less) && !less.supersedes(&complete));
}

#[test]
fn whose_cosignature_is_missing_is_another_question_than_what_is_in_it() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let given = Given::to(&group);
    let right = Witnessing::of(&given);
    let awaiting = LogProof {
        missing: vec!["library.example/witness".parse().unwrap()],
        ..right.proof()
    };
    let root = campus.root_fingerprint();
    let (_, awaiting) = VerifiedReceipt::complete(&given.zip, &awaiting, &[root]).unwrap();
    let pending = given.verify(&given.zip).unwrap();
    let complete = given.verify(&right.zip()).unwrap();
    assert!(complete.shows_all_of(&awaiting) && awaiting.shows_all_of(&complete));
    assert!(!awaiting.is_as_witnessed_as(&complete) && awaiting.is_as_witnessed_as(&pending));
}
