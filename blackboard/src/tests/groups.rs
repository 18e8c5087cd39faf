//! Where an assignment keeps groups nobody ends in two, whatever was signed before what came.

mod gone;

use std::time::Duration;

use scb_protocol::rules::{Groups, Terms};
use scb_protocol::{Code, Refusal};

use super::campus::Campus;
use super::group::Group;
use super::proposals::{Machine, happened};
use super::uploads::again;
use super::withdrawals::give_up;
use crate::store::{Place, Store};

const ALICE: &str = "1155000001";
const BOB: &str = "1155000002";
const CAROL: &str = "1155000003";
const DAVE: &str = "1155000004";

async fn campus(groups: Groups) -> Campus {
    let hour = Duration::from_secs(60 * 60);
    let campus = Campus::with(move |config| config.upload_window = hour).await;
    set(&campus, groups);
    campus
}

fn set(campus: &Campus, groups: Groups) {
    change(campus, move |terms| terms.groups = groups);
}

fn change(campus: &Campus, change: impl FnOnce(&mut Terms) + Send + 'static) {
    let place = Place {
        domain: campus.service.trust_domain().clone(),
        course: "SANDBOX".parse().unwrap(),
        assignment: "lab".parse().unwrap(),
    };
    let change = move |mut terms: Terms| {
        change(&mut terms);
        terms.check()
    };
    let store = Store::open(&campus.home).unwrap();
    let now = campus.certs.now();
    store.change_assignment(place, change, now).unwrap();
}

fn small<'a>(campus: &'a Campus, sids: &[&str]) -> Group<'a> {
    let mut group = campus.group(sids);
    group.report = group.submission.to_string().into_bytes();
    group
}

async fn handed_in(campus: &Campus, sids: &[&str]) {
    small(campus, sids).hand_in().await.unwrap();
}

/// It is refused because this student works with these.
async fn is_refused(campus: &Campus, sids: &[&str], of: &str, with: &str) -> Refusal {
    let refusal = small(campus, sids).commit().await.unwrap_err();
    assert_eq!(refusal.code, Code::OtherGroup, "{refusal:?}");
    assert_eq!(refusal.sid.as_ref().unwrap().as_str(), of);
    assert_eq!(refusal.params["with"], with);
    assert!(refusal.rejection.is_some(), "signed");
    refusal
}

#[tokio::test]
async fn who_has_signed_with_others_what_may_still_come_signs_with_nobody_else() {
    let campus = campus(Groups::Kept).await;
    let mut first = small(&campus, &[ALICE, BOB]);
    let begun = first.commit().await.unwrap();
    for sids in [&[BOB, CAROL][..], &[BOB]] {
        let refusal = is_refused(&campus, sids, BOB, ALICE).await;
        assert_eq!(refusal.params["unfinished"], first.submission.to_string());
    }
    // They themselves go on, and take in more; of those who were not asked nobody is kept from anything.
    let mut more = small(&campus, &[CAROL, BOB, ALICE]);
    let more_begun = more.commit().await.unwrap();
    more.bring(more_begun).await.unwrap();
    first.bring(begun).await.unwrap();
    handed_in(&campus, &[DAVE]).await;
    // What counts for whom is told by when it was committed, not by when its files came.
    is_refused(&campus, &[ALICE, BOB], ALICE, "1155000002, 1155000003").await;
    handed_in(&campus, &[ALICE, BOB, CAROL]).await;
}

#[tokio::test]
async fn what_was_given_up_or_can_come_no_longer_binds_nobody() {
    let campus = campus(Groups::Kept).await;
    let mut given_up = small(&campus, &[ALICE, BOB]);
    given_up.commit().await.unwrap();
    is_refused(&campus, &[BOB, CAROL], BOB, ALICE).await;
    let id = given_up.submission;
    give_up(&mut again(&given_up), id).await.unwrap();
    let mut expires = small(&campus, &[BOB, CAROL]);
    let begun = expires.commit().await.unwrap();
    campus.certs.clock().advance(Duration::from_secs(3601));
    handed_in(&campus, &[CAROL, ALICE]).await;

    // Its connection was open all the time: it comes too late to take Carol out of her group.
    let refusal = expires.bring(begun).await.unwrap_err();
    assert_eq!(refusal.code, Code::UploadExpired, "{refusal:?}");
    assert!(refusal.rejection.is_some(), "signed");
    assert_eq!(happened(&campus).last(), Some(&"refused"));
    assert_eq!(campus.submissions().len(), 1);
}

#[tokio::test]
async fn of_two_proposals_the_one_that_all_have_signed_first_stands() {
    let campus = campus(Groups::Kept).await;
    let [mut a, mut b, mut c] = [ALICE, BOB, CAROL].map(|sid| Machine::of(&campus, &[sid]));
    let with_alice = a.work(&[ALICE, BOB], b"with Alice");
    let with_carol = c.work(&[CAROL, BOB], b"with Carol");
    a.begin(&with_alice).await.unwrap();
    c.begin(&with_carol).await.unwrap();
    // To be named binds nobody, nor does what others have still to sign.
    handed_in(&campus, &[BOB]).await;
    b.sign(&with_alice).await.unwrap().waits();
    let refusal = b.sign(&with_carol).await.unwrap_err();
    assert_eq!(refusal.code, Code::OtherGroup);
    assert_eq!(refusal.sid.as_ref().unwrap().as_str(), BOB);
    assert_eq!(refusal.params["with"], ALICE);
    is_refused(&campus, &[BOB, DAVE], BOB, ALICE).await;
    a.propose(&with_alice).await.unwrap().receipt();
    assert_eq!(campus.submissions().len(), 2);
}

#[tokio::test]
async fn with_whom_somebody_works_is_told_on_his_own_connection_only() {
    let campus = campus(Groups::Kept).await;
    let [mut b, mut c] = [BOB, CAROL].map(|sid| Machine::of(&campus, &[sid]));
    let work = b.work(&[BOB, CAROL], b"with Carol");
    b.propose(&work).await.unwrap().waits();
    small(&campus, &[ALICE, BOB]).commit().await.unwrap();
    let refusal = c.sign(&work).await.unwrap_err();
    assert_eq!(refusal.code, Code::OtherGroup);
    assert_eq!(refusal.sid.as_ref().unwrap().as_str(), BOB);
    for hidden in ["with", "unfinished"] {
        assert!(!refusal.params.contains_key(hidden), "{refusal:?}");
    }
}

#[tokio::test]
async fn what_was_committed_while_groups_were_free_stands_and_who_was_left_is_free() {
    let campus = campus(Groups::Free).await;
    let mut one = small(&campus, &[ALICE, BOB]);
    let mut other = small(&campus, &[CAROL, BOB]);
    let (begun, other_begun) = (one.commit().await.unwrap(), other.commit().await.unwrap());
    set(&campus, Groups::Kept);
    one.bring(begun).await.unwrap();
    other.bring(other_begun).await.unwrap();
    // Bob has gone over to Carol, and Alice need not wait for him.
    is_refused(&campus, &[ALICE, BOB], BOB, CAROL).await;
    handed_in(&campus, &[ALICE, DAVE]).await;
    handed_in(&campus, &[BOB, CAROL]).await;
    is_refused(&campus, &[DAVE], DAVE, ALICE).await;
}
