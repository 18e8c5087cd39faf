//! Who has left the course, or is suspended, holds nobody back; and whoever comes back ends in one group.

use scb_certs::{Certificate, IssuerKind, RevocationReason, RevokedEntry};
use std::time::Duration;

use scb_protocol::rules::Groups;
use scb_protocol::{Code, InactiveReason};

use super::super::campus::Campus;
use super::super::cuhk::Answer;
use super::super::detached::detach;
use super::super::eventually;
use super::super::proposals::{Machine, Work};
use super::super::uploads::again;
use super::super::withdrawals::give_up;
use super::{ALICE, BOB, CAROL, DAVE, campus, change, handed_in, is_refused, set, small};
use crate::store::Store;

/// From now on these are on the class list, and nobody else.
fn list(campus: &Campus, sids: &[&str]) {
    let store = Store::open(&campus.home).unwrap();
    let sids = sids.iter().map(|sid| sid.parse().unwrap()).collect();
    let course = "SANDBOX".parse().unwrap();
    store.set_members(&course, Some(sids)).unwrap();
}

/// From now on this certificate is on CUHK's list for this reason, and no other.
async fn publish(campus: &Campus, number: u64, listed: Option<(&Certificate, RevocationReason)>) {
    let mut lists = campus.certs.crls(number, &[]);
    let (now, end) = (campus.certs.now(), lists[1].next_update());
    let entry = |(one, reason): (&Certificate, _)| RevokedEntry {
        serial: one.serial(),
        revoked_at: now,
        reason,
        invalid_since: None,
    };
    let entries: Vec<_> = listed.into_iter().map(entry).collect();
    let students = campus.certs.issuer(IssuerKind::Students);
    lists[1] = students.sign_crl(number, now, end, &entries).unwrap();
    campus.cuhk.set(|state| {
        state.crls = lists;
        state.epoch += 1;
    });
    let store = Store::open(&campus.home).unwrap();
    let is_known = || {
        let known = store.remembered_crls().unwrap();
        known.iter().any(|list| list.number() == number)
    };
    eventually("the lists are known", is_known).await;
}

#[tokio::test]
async fn who_has_left_the_course_binds_nobody_and_comes_back_to_whom_he_likes() {
    let campus = campus(Groups::Kept).await;
    list(&campus, &[ALICE, BOB, CAROL, DAVE]);
    handed_in(&campus, &[ALICE, BOB]).await;
    let mut unfinished = small(&campus, &[ALICE, BOB]);
    let begun = unfinished.commit().await.unwrap();
    is_refused(&campus, &[ALICE, CAROL], ALICE, BOB).await;

    list(&campus, &[ALICE, CAROL, DAVE]);
    handed_in(&campus, &[ALICE, CAROL]).await;
    is_refused(&campus, &[ALICE], ALICE, CAROL).await;
    let refusal = small(&campus, &[ALICE, BOB]).commit().await.unwrap_err();
    assert_eq!(refusal.code, Code::NotCourseMember);
    // What they had begun together comes too late to take Alice out of her group.
    let refusal = unfinished.bring(begun).await.unwrap_err();
    assert_eq!(refusal.code, Code::OtherGroup, "{refusal:?}");

    list(&campus, &[ALICE, BOB, CAROL, DAVE]);
    is_refused(&campus, &[BOB, ALICE], ALICE, CAROL).await;
    // It binds him again until its time is over, or both give it up.
    is_refused(&campus, &[BOB, DAVE], BOB, ALICE).await;
    let id = unfinished.submission;
    give_up(&mut again(&unfinished), id).await.unwrap();
    handed_in(&campus, &[BOB, DAVE]).await;
    is_refused(&campus, &[ALICE, BOB, CAROL], BOB, DAVE).await;
    assert_eq!(campus.submissions().len(), 3);
}

#[tokio::test]
async fn what_was_signed_while_he_was_gone_comes_though_he_is_back() {
    let campus = campus(Groups::Kept).await;
    handed_in(&campus, &[ALICE, BOB]).await;
    list(&campus, &[ALICE, CAROL]);
    let mut without = small(&campus, &[ALICE, CAROL]);
    let begun = without.commit().await.unwrap();
    list(&campus, &[ALICE, BOB, CAROL]);
    without.bring(begun).await.unwrap();
    is_refused(&campus, &[ALICE, BOB], ALICE, CAROL).await;
    handed_in(&campus, &[BOB]).await;
    assert_eq!(campus.submissions().len(), 3);
}

#[tokio::test]
async fn who_is_suspended_binds_nobody_as_long_as_he_is() {
    use RevocationReason::{CertificateHold, KeyCompromise};
    let campus = campus(Groups::Kept).await;
    let mut group = small(&campus, &[ALICE, BOB]);
    group.hand_in().await.unwrap();
    let his = group.members[1].chain.leaf().clone();
    // Whoever has lost his certificate gets another one, and is not gone.
    publish(&campus, 11, Some((&his, KeyCompromise))).await;
    is_refused(&campus, &[ALICE, CAROL], ALICE, BOB).await;
    publish(&campus, 12, Some((&his, CertificateHold))).await;
    let mut without = small(&campus, &[ALICE, CAROL]);
    let begun = without.commit().await.unwrap();
    is_refused(&campus, &[ALICE, DAVE], ALICE, CAROL).await;
    publish(&campus, 13, None).await;
    is_refused(&campus, &[ALICE], ALICE, BOB).await;
    without.bring(begun).await.unwrap();

    // The same of what all have signed, and whose files may still come.
    let mut unfinished = small(&campus, &[DAVE, BOB]);
    unfinished.commit().await.unwrap();
    is_refused(&campus, &[DAVE], DAVE, BOB).await;
    let his = unfinished.members[1].chain.leaf().clone();
    publish(&campus, 14, Some((&his, CertificateHold))).await;
    handed_in(&campus, &[DAVE]).await;
    assert_eq!(campus.submissions().len(), 3);
}

/// From now on a group has exactly two.
fn of_two(campus: &Campus) {
    change(campus, |terms| terms.group = "2".parse().unwrap());
}

async fn is_too_small(campus: &Campus, sid: &str) {
    let refusal = small(campus, &[sid]).commit().await.unwrap_err();
    assert_eq!(refusal.code, Code::GroupSize, "{refusal:?}");
}

#[tokio::test]
async fn who_stays_of_a_group_of_exactly_two_hands_in_alone() {
    for groups in [Groups::Kept, Groups::Free] {
        let campus = campus(groups).await;
        of_two(&campus);
        list(&campus, &[ALICE, BOB, CAROL, DAVE]);
        handed_in(&campus, &[ALICE, BOB]).await;
        is_too_small(&campus, ALICE).await;
        list(&campus, &[ALICE, CAROL, DAVE]);
        // As often as she likes; and nobody else does.
        handed_in(&campus, &[ALICE]).await;
        handed_in(&campus, &[ALICE]).await;
        is_too_small(&campus, CAROL).await;
        // When he is back they are two again.
        list(&campus, &[ALICE, BOB, CAROL, DAVE]);
        is_too_small(&campus, ALICE).await;
        handed_in(&campus, &[ALICE, BOB]).await;
        // What was signed and has not come counts as much.
        small(&campus, &[CAROL, DAVE]).commit().await.unwrap();
        list(&campus, &[ALICE, BOB, CAROL]);
        handed_in(&campus, &[CAROL]).await;
    }
}

#[tokio::test]
async fn of_whose_group_the_teacher_took_somebody_out_hands_in_without_him() {
    let campus = campus(Groups::Kept).await;
    of_two(&campus);
    handed_in(&campus, &[ALICE, BOB]).await;
    detach(&campus, "S-000001", &[BOB], false);
    handed_in(&campus, &[ALICE]).await;
    // Who was taken out has nothing, and finds himself somebody else.
    is_too_small(&campus, BOB).await;
    handed_in(&campus, &[BOB, CAROL]).await;
    handed_in(&campus, &[ALICE]).await;
    is_too_small(&campus, BOB).await;
    assert_eq!(campus.submissions().len(), 4);
}

#[tokio::test]
async fn whom_cuhk_calls_suspended_binds_nobody_though_no_list_names_him() {
    // An expired certificate is nothing against him: he gets another one.
    for reason in [InactiveReason::Expired, InactiveReason::Revoked] {
        let campus = campus(Groups::Kept).await;
        handed_in(&campus, &[ALICE, BOB]).await;
        let answer = Answer::Inactive(BOB.to_owned(), reason);
        campus.cuhk.answer(answer);
        is_refused(&campus, &[ALICE, CAROL], ALICE, BOB).await;
    }
    let campus = campus(Groups::Kept).await;
    handed_in(&campus, &[ALICE, BOB]).await;
    let answer = Answer::Inactive(BOB.to_owned(), InactiveReason::Suspended);
    campus.cuhk.answer(answer);
    let [mut a, mut c] = [ALICE, CAROL].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[ALICE, CAROL], b"without Bob");
    a.propose(&work).await.unwrap().waits();
    // What CUHK said then counts no more, and it is asked again.
    campus.certs.clock().advance(Duration::from_secs(3600));
    publish(&campus, 11, None).await;
    let offered = c.told().await;
    assert!(
        offered[0].listed.refused.is_none(),
        "{:?}",
        offered[0].listed.refused
    );
    campus.certs.clock().advance(Duration::from_secs(3600));
    publish(&campus, 12, None).await;
    c.sign(&work).await.unwrap().receipt();
    is_refused(&campus, &[ALICE, DAVE], ALICE, CAROL).await;
}

#[tokio::test]
async fn for_a_whole_list_of_proposals_cuhk_is_asked_about_each_once() {
    let campus = campus(Groups::Kept).await;
    let groups = ["11", "12", "13", "14", "15"];
    for nth in groups {
        let own = ["1", "2", "3"].map(|of| format!("1155000{nth}{of}"));
        let own = own.each_ref().map(String::as_str);
        let mut first = Machine::of(&campus, &own[..1]);
        for text in ["one", "another"] {
            let work = first.work(&[own[0], CAROL], format!("{text} of {nth}").as_bytes());
            first.propose(&work).await.unwrap().waits();
        }
        handed_in(&campus, &own).await;
    }
    let before = campus.cuhk.questions().len();
    let mut c = Machine::of(&campus, &[CAROL]);
    let told = c.told().await;
    let refused = told.iter().filter(|one| one.listed.refused.is_some());
    assert_eq!(refused.count(), 2 * groups.len());
    let asked = campus.cuhk.questions().split_off(before);
    assert_eq!(asked, [1; 11], "herself, and the ten others");
}

#[tokio::test]
async fn for_one_list_cuhk_is_asked_about_no_more_than_64_and_no_longer_than_five_seconds() {
    let campus = campus(Groups::Free).await;
    for first in ["11", "12", "13", "14", "15"] {
        let sid = |of: u32| format!("11550{first}0{of:02}");
        let (own, others) = (sid(0), (1..=14).map(sid).collect::<Vec<_>>());
        let mut machine = Machine::of(&campus, &[&own]);
        let work = machine.work(&[&own, CAROL], first.as_bytes());
        machine.propose(&work).await.unwrap().waits();
        // Each has handed in with seven pairs of others since.
        for two in others.chunks(2) {
            handed_in(&campus, &[&own, &two[0], &two[1]]).await;
        }
    }
    set(&campus, Groups::Kept);
    let asked = async || {
        let before = campus.cuhk.questions().len();
        let told = Machine::of(&campus, &[CAROL]).told().await;
        assert!(told.iter().all(|one| one.listed.refused.is_some()));
        campus.cuhk.questions().split_off(before)
    };
    // It takes its time: those about whom it was not asked are waited for.
    campus.cuhk.set(|state| {
        state.thinks = Duration::from_secs(2);
        state.thinks_of_all = true;
    });
    assert_eq!(asked().await, [1; 1 + 8], "herself, and eight at a time");
    campus.cuhk.set(|state| state.thinks = Duration::ZERO);
    publish(&campus, 11, None).await;
    assert_eq!(asked().await, [1; 1 + 64], "of seventy");
}

#[tokio::test]
async fn of_many_who_are_waited_for_each_who_is_suspended_is_found_in_one_list() {
    let campus = campus(Groups::Free).await;
    let sids: Vec<_> = (200..220).map(|nth| format!("1155000{nth}")).collect();
    let pairs: Vec<_> = sids
        .chunks(2)
        .map(|two| [two[0].as_str(), &two[1]])
        .collect();
    let mut works = Vec::new();
    for [one, _] in &pairs {
        let mut machine = Machine::of(&campus, &[one]);
        let work = machine.work(&[one, CAROL], one.as_bytes());
        machine.propose(&work).await.unwrap().waits();
        works.push(work.submission());
    }
    // Each has handed in with somebody else since.
    for pair in &pairs {
        handed_in(&campus, pair).await;
    }
    set(&campus, Groups::Kept);
    for (number, nth) in [(11, 0), (12, 9)] {
        let suspended = pairs[nth][1].to_owned();
        campus
            .cuhk
            .answer(Answer::Inactive(suspended, InactiveReason::Suspended));
        let told = Machine::of(&campus, &[CAROL]).told().await;
        assert_eq!(told.len(), pairs.len());
        let taken = told.iter().filter(|one| one.listed.refused.is_none());
        let taken: Vec<_> = taken.map(|one| one.statement.submission).collect();
        assert_eq!(taken, [works[nth]]);
        campus.certs.clock().advance(Duration::from_secs(3600));
        publish(&campus, number, None).await;
    }
}

#[tokio::test]
async fn who_is_suspended_is_found_behind_an_older_proposal_though_many_wait_behind_a_newer_one() {
    let campus = campus(Groups::Free).await;
    let many: Vec<_> = (0..=8).map(|nth| format!("115500020{nth}")).collect();
    let (other, suspended) = ("1155000300", "1155000301");
    let [mut older, mut newer] = [other, &many[0]].map(|sid| Machine::of(&campus, &[sid]));
    let work = older.work(&[other, CAROL], b"the older one");
    older.propose(&work).await.unwrap().waits();
    campus.certs.clock().advance(Duration::from_secs(1));
    let their = newer.work(&[&many[0], CAROL], b"the newer one");
    newer.propose(&their).await.unwrap().waits();
    // Both have handed in with others since, who are not in it.
    handed_in(&campus, &[other, suspended]).await;
    for two in many[1..].chunks(2) {
        handed_in(&campus, &[&many[0], &two[0], &two[1]]).await;
    }
    set(&campus, Groups::Kept);
    let answer = Answer::Inactive(suspended.to_owned(), InactiveReason::Suspended);
    campus.cuhk.answer(answer);
    let mut c = Machine::of(&campus, &[CAROL]);
    let told = c.told().await;
    let refused = |work: &Work| {
        let id = work.submission();
        let listed = told.iter().find(|one| one.statement.submission == id);
        listed.unwrap().listed.refused.is_some()
    };
    assert!(refused(&their), "all of them are active");
    assert!(!refused(&work));
    c.sign(&work).await.unwrap().receipt();
}
