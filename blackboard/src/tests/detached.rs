//! A member who is taken out of what his group has handed in.

use std::time::Duration;

use scb_protocol::Code;
use scb_protocol::log_leaf::Detached;
use scb_protocol::message::blackboard::ListedVersion;
use scb_protocol::rules::{Counts, Groups, Terms};

use super::campus::Campus;
use super::group::Group;
use super::overview::{desk, lines, which};
use super::proposals::{Machine, happened};
use super::reading::history;
use crate::store::Store;
use crate::store::detachments::{Detaching, Outcome};

const ALICE: &str = "1155000001";
const BOB: &str = "1155000002";
const CAROL: &str = "1155000003";
const ALL: [&str; 3] = [ALICE, BOB, CAROL];

async fn campus(change: impl Fn(&mut Terms) + Send + 'static) -> Campus {
    let campus = Campus::with(|config| config.upload_window = Duration::from_secs(3600)).await;
    let change = move |mut terms: Terms| {
        terms.groups = Groups::Kept;
        change(&mut terms);
        terms.check()
    };
    let desk = desk(&campus, 0);
    let place = desk.place(&which());
    desk.store
        .change_assignment(place, change, desk.now)
        .unwrap();
    campus
}

fn small<'a>(campus: &'a Campus, sids: &[&str]) -> Group<'a> {
    let mut group = campus.group(sids);
    group.report = group.submission.to_string().into_bytes();
    group
}

/// Takes students out of a version, or in again.
pub(super) fn detach(campus: &Campus, number: &str, sids: &[&str], undo: bool) -> Outcome {
    let wanted = Detaching {
        what: Detached {
            number: number.parse().unwrap(),
            members: sids.iter().map(|sid| sid.parse().unwrap()).collect(),
            reason: "mixed up".parse().unwrap(),
        },
        undo,
    };
    let store = Store::open(&campus.home).unwrap();
    let would = store.would_detach(&wanted).unwrap();
    let outcome = store.detach(wanted, campus.certs.now()).unwrap();
    assert_eq!(would, outcome);
    outcome
}

/// The number that counts for a student, as he is told and as his teacher sees it.
pub(super) async fn counting(campus: &Campus, sid: &str) -> Option<u64> {
    let told = history(&mut campus.group(&[sid])).await;
    let counts = |version: &&ListedVersion| version.standings[0].counts;
    let told = told.iter().find(counts).map(|version| version.number.get());
    let lines = lines(&desk(campus, 0));
    let line = lines.iter().find(|line| line.sid.as_str() == sid).unwrap();
    let seen = line.came.as_ref().map(|came| came.number.get());
    assert_eq!(told, seen, "{sid}");
    told
}

#[tokio::test]
async fn who_is_taken_out_has_handed_in_nothing_and_is_bound_to_nobody_and_the_others_keep_it() {
    let campus = campus(|_| {}).await;
    small(&campus, &ALL).hand_in().await.unwrap();
    for sids in [&[CAROL][..], &[ALICE, BOB]] {
        let refused = small(&campus, sids).commit().await.unwrap_err();
        assert_eq!(refused.code, Code::OtherGroup);
    }
    let outcome = detach(&campus, "S-000001", &[CAROL], false);
    assert_eq!(outcome.changed, [CAROL.parse().unwrap()]);
    assert_eq!(outcome.left, [ALICE, BOB].map(|sid| sid.parse().unwrap()));
    assert_eq!(counting(&campus, CAROL).await, None);
    assert_eq!(counting(&campus, ALICE).await, Some(1));
    for sid in ALL {
        let told = history(&mut campus.group(&[sid])).await;
        let out = &told[0].detached;
        assert_eq!(out.len(), 1, "each of them sees it");
        assert_eq!(
            (out[0].sid.as_str(), out[0].reason.to_string()),
            (CAROL, "mixed up".into())
        );
    }
    // Neither waits for the other any more.
    small(&campus, &[CAROL]).hand_in().await.unwrap();
    small(&campus, &[ALICE, BOB]).hand_in().await.unwrap();
    assert_eq!(counting(&campus, CAROL).await, Some(2));
    assert_eq!(counting(&campus, BOB).await, Some(3));
    let refused = small(&campus, &[BOB]).commit().await.unwrap_err();
    assert_eq!(refused.params["with"], ALICE);
    let said = happened(&campus);
    assert_eq!(said.iter().filter(|name| **name == "detached").count(), 1);
}

#[tokio::test]
async fn the_same_again_by_all_of_them_is_a_version_of_its_own() {
    let campus = campus(|_| {}).await;
    let mut first = small(&campus, &ALL);
    first.hand_in().await.unwrap();
    let again = |report: &[u8]| {
        let mut again = campus.group(&ALL);
        again.report = report.to_vec();
        again
    };
    let same = first.report.clone();
    again(&same).hand_in().await.unwrap();
    assert_eq!(campus.submissions().len(), 1, "it changes nothing");
    detach(&campus, "S-000001", &[BOB], false);
    again(&same).hand_in().await.unwrap();
    assert_eq!(campus.submissions().len(), 2, "it counts for Bob");
    assert_eq!(counting(&campus, BOB).await, Some(2));
}

#[tokio::test]
async fn what_was_done_by_mistake_is_undone_and_nothing_is_ever_left_to_nobody() {
    let campus = campus(|terms| terms.counts = Counts::First).await;
    small(&campus, &[ALICE, BOB]).hand_in().await.unwrap();
    small(&campus, &[ALICE, BOB]).hand_in().await.unwrap();
    assert_eq!(counting(&campus, ALICE).await, Some(1));
    let all = detach(&campus, "S-000001", &[ALICE, BOB], false);
    assert!(all.left.is_empty());
    detach(&campus, "S-000001", &[ALICE], false);
    assert_eq!(
        counting(&campus, ALICE).await,
        Some(2),
        "of those he has a part in"
    );
    assert_eq!(counting(&campus, BOB).await, Some(1));
    // Twice is once; what is left to one alone is his.
    assert!(
        detach(&campus, "S-000001", &[ALICE], false)
            .changed
            .is_empty()
    );
    assert!(detach(&campus, "S-000001", &[BOB], false).left.is_empty());
    assert_eq!(counting(&campus, BOB).await, Some(1));
    detach(&campus, "S-000001", &[ALICE], true);
    assert_eq!(counting(&campus, ALICE).await, Some(1));
    assert!(
        history(&mut campus.group(&[BOB])).await[0]
            .detached
            .is_empty()
    );
    let said = happened(&campus);
    let about = said.iter().filter(|name| name.ends_with("tached"));
    assert_eq!(about.collect::<Vec<_>>(), [&"detached", &"attached"]);
}

#[tokio::test]
async fn student_and_teacher_agree_which_counts_whatever_came_whole_first() {
    let campus = campus(|terms| terms.groups = Groups::Free).await;
    let [mut one, mut other] = [ALICE, BOB].map(|sid| Machine::of(&campus, &[sid]));
    let work = one.work(&[ALICE, BOB], b"signed by both, and its files come late");
    one.begin(&work).await.unwrap();
    other.sign(&work).await.unwrap().waits();
    campus.certs.clock().advance(Duration::from_secs(60));
    small(&campus, &[ALICE]).hand_in().await.unwrap();
    campus.certs.clock().advance(Duration::from_secs(60));
    one.propose(&work).await.unwrap().receipt();
    // What was signed by all first came last: what Alice handed in alone is later.
    assert_eq!(counting(&campus, ALICE).await, Some(1));
    assert_eq!(counting(&campus, BOB).await, Some(2));
}
