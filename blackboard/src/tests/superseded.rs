//! Nobody signs several reports in time and chooses among them when the time is over.

use std::time::Duration;

use scb_protocol::rules::Terms;
use scb_protocol::{Code, Refusal, from_seconds};

use super::campus::Campus;
use super::detached::detach;
use super::group::Group;
use super::proposals::{Machine, Work};
use super::uploads::again;
use super::withdrawals::give_up;
use crate::store::{Place, Store};

const HOUR: u64 = 3600;
const ALICE: &str = "1155000001";
const BOB: &str = "1155000002";
const CAROL: &str = "1155000003";

/// Its assignment is due in an hour, with this late rule.
async fn due_in_an_hour(late: &str) -> Campus {
    let campus = Campus::open().await;
    let place = Place {
        domain: campus.service.trust_domain().clone(),
        course: "SANDBOX".parse().unwrap(),
        assignment: "lab".parse().unwrap(),
    };
    let now = campus.certs.now();
    let due = from_seconds(now.as_secs() + HOUR);
    let late = late.parse().unwrap();
    let change = move |mut terms: Terms| {
        (terms.due, terms.late) = (Some(due), late);
        terms.check()
    };
    let store = Store::open(&campus.home).unwrap();
    store.change_assignment(place, change, now).unwrap();
    campus
}

fn wait(campus: &Campus, seconds: u64) {
    campus.certs.clock().advance(Duration::from_secs(seconds));
}

/// A report like no other is recorded, and none of it comes.
async fn committed<'a>(campus: &'a Campus, sids: &[&str]) -> Group<'a> {
    let mut group = campus.group(sids);
    group.report = group.submission.to_string().into_bytes();
    group.commit().await.unwrap();
    group
}

/// Its files come now.
async fn comes(group: &Group<'_>) -> Result<Vec<u8>, Refusal> {
    let mut group = again(group);
    let begun = group.commit().await?;
    group.bring(begun).await
}

fn is_superseded(came: Result<Vec<u8>, Refusal>, by: &Group<'_>) {
    let refusal = came.unwrap_err();
    assert_eq!(refusal.code, Code::Superseded, "{refusal:?}");
    assert_eq!(refusal.params["by"], by.submission.to_string());
}

#[tokio::test]
async fn after_the_due_time_only_the_last_one_comes() {
    let campus = due_in_an_hour("none").await;
    let first = committed(&campus, &[ALICE, BOB]).await;
    let last = committed(&campus, &[BOB, ALICE]).await;
    wait(&campus, 2 * HOUR);
    is_superseded(comes(&first).await, &last);
    comes(&last).await.unwrap();
    is_superseded(comes(&first).await, &last);
}

#[tokio::test]
async fn before_it_all_of_them_come_in_any_order() {
    let campus = due_in_an_hour("none").await;
    let first = committed(&campus, &[ALICE]).await;
    let last = committed(&campus, &[ALICE]).await;
    comes(&last).await.unwrap();
    comes(&first).await.unwrap();
    assert_eq!(campus.submissions().len(), 2);
}

#[tokio::test]
async fn nor_does_it_come_on_a_connection_that_was_open_before() {
    let campus = due_in_an_hour("none").await;
    let mut first = campus.group(&[ALICE]);
    let begun = first.commit().await.unwrap();
    let last = committed(&campus, &[ALICE]).await;
    wait(&campus, 2 * HOUR);
    is_superseded(first.bring(begun).await, &last);
    assert_eq!(campus.submissions().len(), 0);
}

#[tokio::test]
async fn what_fewer_sign_or_what_is_late_takes_nobodys_place() {
    let campus = due_in_an_hour("10%/day").await;
    let first = committed(&campus, &[ALICE, BOB]).await;
    committed(&campus, &[ALICE]).await;
    wait(&campus, 2 * HOUR);
    let late = committed(&campus, &[ALICE, BOB]).await;
    comes(&first).await.unwrap();
    comes(&late).await.unwrap();
}

#[tokio::test]
async fn what_they_sign_with_more_takes_its_place() {
    let campus = due_in_an_hour("none").await;
    let alone = committed(&campus, &[ALICE]).await;
    let both = committed(&campus, &[BOB, ALICE]).await;
    wait(&campus, 2 * HOUR);
    is_superseded(comes(&alone).await, &both);
    comes(&both).await.unwrap();
    is_superseded(comes(&alone).await, &both);
}

#[tokio::test]
async fn nobody_has_work_with_ever_other_groups_to_choose_from() {
    let campus = due_in_an_hour("none").await;
    committed(&campus, &[ALICE]).await;
    let both = committed(&campus, &[ALICE, BOB]).await;
    let last = committed(&campus, &[BOB, ALICE]).await;
    let mut third = campus.group(&[CAROL, ALICE]);
    let refusal = third.commit().await.unwrap_err();
    assert_eq!(refusal.code, Code::TooManyUploads, "{refusal:?}");
    assert_eq!(refusal.sid, Some(ALICE.parse().unwrap()));
    assert_eq!(refusal.params["groups"], "2");
    committed(&campus, &[CAROL]).await;
    let mut other = again(&both);
    give_up(&mut other, both.submission).await.unwrap();
    assert!(
        again(&third).commit().await.is_err(),
        "another one of the same two is unfinished"
    );
    comes(&last).await.unwrap();
    third.commit().await.unwrap();
}

#[tokio::test]
async fn what_costs_as_much_takes_the_place_of_what_is_late() {
    let campus = due_in_an_hour("10%/hour").await;
    wait(&campus, HOUR + 60);
    let first = committed(&campus, &[ALICE]).await;
    let last = committed(&campus, &[ALICE]).await;
    comes(&first).await.unwrap();
    let other = committed(&campus, &[BOB]).await;
    let others_last = committed(&campus, &[BOB]).await;
    wait(&campus, HOUR);
    is_superseded(comes(&other).await, &others_last);
    comes(&last).await.unwrap();
}

#[tokio::test]
async fn giving_up_the_last_one_helps_only_in_time() {
    let campus = due_in_an_hour("none").await;
    let first = committed(&campus, &[ALICE]).await;
    let mistake = committed(&campus, &[ALICE]).await;
    give_up(&mut again(&mistake), mistake.submission)
        .await
        .unwrap();
    let other = committed(&campus, &[BOB]).await;
    let last = committed(&campus, &[BOB]).await;
    wait(&campus, 2 * HOUR);
    give_up(&mut again(&last), last.submission).await.unwrap();
    is_superseded(comes(&other).await, &last);
    comes(&first).await.unwrap();
}

#[tokio::test]
async fn what_was_signed_on_several_machines_is_no_exception() {
    // The second one may have come a little before the first, and be entered after it.
    for earlier in [0, 2] {
        let campus = due_in_an_hour("none").await;
        let (mut alice, mut bob) = (Machine::of(&campus, &[ALICE]), Machine::of(&campus, &[BOB]));
        let mut signed: Vec<Work> = Vec::new();
        for report in [b"one".as_slice(), b"two"] {
            let work = alice.work(&[ALICE, BOB], report);
            alice.begin(&work).await.unwrap();
            bob.sign(&work).await.unwrap();
            signed.push(work);
            campus.certs.clock().rewind(Duration::from_secs(earlier));
        }
        wait(&campus, 2 * HOUR);
        let Err(refusal) = alice.propose(&signed[0]).await else {
            panic!("it came");
        };
        assert_eq!(refusal.code, Code::Superseded);
        alice.propose(&signed[1]).await.unwrap().receipt();
    }
}

#[tokio::test]
async fn by_what_the_teacher_took_somebody_out_of_nothing_of_his_is_superseded() {
    let campus = due_in_an_hour("mark").await;
    let alone = committed(&campus, &[ALICE]).await;
    campus.group(&[ALICE, BOB]).hand_in().await.unwrap();
    wait(&campus, 2 * HOUR);
    let came = comes(&alone).await;
    assert_eq!(came.unwrap_err().code, Code::Superseded);
    detach(&campus, "S-000001", &[BOB], false);
    let came = comes(&alone).await;
    assert_eq!(
        came.unwrap_err().code,
        Code::Superseded,
        "it is Alice's still"
    );
    detach(&campus, "S-000001", &[BOB], true);
    detach(&campus, "S-000001", &[ALICE], false);
    comes(&alone).await.unwrap();
}
