//! Who has left the course, or is suspended, holds nobody back; and whoever comes back ends in one group.

use scb_certs::{Certificate, IssuerKind, RevocationReason, RevokedEntry};
use scb_protocol::Code;
use scb_protocol::rules::Groups;

use super::super::campus::Campus;
use super::super::eventually;
use super::super::uploads::again;
use super::super::withdrawals::give_up;
use super::{ALICE, BOB, CAROL, DAVE, campus, handed_in, is_refused, small};
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
