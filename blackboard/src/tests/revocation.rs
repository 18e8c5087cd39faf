//! Revocation counts at once, and revocation lists never go back.

use std::time::Duration;

use scb_certs::{Certificate, IssuerKind, RevocationReason, RevokedEntry, Serial};
use scb_protocol::{Code, InactiveReason, MAX_PAYLOAD, Refusal, Step};
use scb_transport::Connection;
use tokio::time::{Instant, timeout};

use super::LONG;
use super::campus::Campus;
use super::cuhk::Answer;
use super::group::{Group, reply};
use crate::authority::Authority;

/// What is promised, in seconds.
const AT_ONCE: Duration = Duration::from_secs(5);

/// CUHK publishes lists with this number.
fn publish(campus: &Campus, number: u64, revoked: &[&Certificate]) {
    let lists = campus.certs.crls(number, revoked);
    campus.cuhk.set(|state| {
        state.crls = lists;
        state.epoch += 1;
    });
}

/// Hands in again and again until it is refused.
async fn refused_at_last(mut group: Group<'_>) -> Refusal {
    let refused = async {
        loop {
            if let Err(refusal) = group.open_session().await {
                return refusal;
            }
        }
    };
    timeout(AT_ONCE, refused)
        .await
        .expect("refused within five seconds")
}

#[tokio::test]
async fn a_revoked_certificate_opens_no_connection_within_five_seconds() {
    let campus = Campus::open().await;
    let group = campus.three();
    let first = group.members[0].chain.leaf().clone();
    publish(&campus, 11, &[&first]);
    let refusal = refused_at_last(group).await;
    assert_eq!(refusal.code, Code::CertificateRevoked);
}

/// Far more than one frame holds, and so is the receipt with them in it.
#[tokio::test]
async fn lists_of_ten_thousand_revoked_certificates_count_and_go_into_the_receipt() {
    let campus = Campus::open().await;
    let with_revoked = campus.three();
    let now = campus.certs.now();
    let entry = |serial| RevokedEntry {
        serial,
        revoked_at: now,
        reason: RevocationReason::Superseded,
        invalid_since: None,
    };
    let mut entries: Vec<_> = (0..10_000)
        .map(|_| entry(Serial::random().unwrap()))
        .collect();
    entries.push(entry(with_revoked.members[0].chain.leaf().serial()));
    let mut lists = campus.certs.crls(11, &[]);
    let end = lists[1].next_update();
    let students = campus.certs.issuer(IssuerKind::Students);
    lists[1] = students.sign_crl(11, now, end, &entries).unwrap();
    campus.cuhk.set(|state| {
        state.crls = lists;
        state.epoch += 1;
    });
    let refusal = refused_at_last(with_revoked).await;
    assert_eq!(refusal.code, Code::CertificateRevoked);

    let mut group = campus.three();
    let receipt = group.hand_in().await.unwrap();
    assert!(receipt.len() > 4 * MAX_PAYLOAD, "{} bytes", receipt.len());
    group.verify(&receipt);
}

#[tokio::test]
async fn a_revoked_member_is_not_believed_within_five_seconds() {
    let campus = Campus::open().await;
    let group = campus.three();
    let third = group.members[2].chain.leaf().clone();
    publish(&campus, 11, &[&third]);
    let refusal = refused_at_last(group).await;
    assert_eq!(refusal.code, Code::CertificateRevoked);
    assert_eq!(refusal.sid.unwrap().as_str(), "1155000003");
    campus.three().open_session().await.unwrap();
}

/// What an open connection is told, without having said anything more itself.
async fn thrown_off(connection: &mut Connection) -> Refusal {
    timeout(AT_ONCE, reply(connection))
        .await
        .expect("thrown off within five seconds")
        .unwrap_err()
}

/// CUHK no longer stands by this student.
fn suspend(campus: &Campus, sid: &str) {
    let answer = Answer::Inactive(sid.to_owned(), InactiveReason::Suspended);
    campus.cuhk.set(|state| {
        state.answer = answer;
        state.epoch += 1;
    });
}

#[tokio::test]
async fn a_revoked_member_is_thrown_off_an_idle_connection() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    let (mut connection, _session) = group.open_session().await.unwrap();
    let mut other = campus.group(&["1155000004"]);
    let (open, session) = other.open_session().await.unwrap();
    publish(&campus, 11, &[group.members[1].chain.leaf()]);
    let refusal = thrown_off(&mut connection).await;
    assert_eq!(refusal.code, Code::CertificateRevoked);
    assert_eq!(refusal.step, Step::Six);
    assert_eq!(refusal.sid.unwrap().as_str(), "1155000002");
    other.submit(open, session).await.unwrap();
}

#[tokio::test]
async fn a_suspended_member_is_thrown_off_an_idle_connection() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    let (mut connection, _session) = group.open_session().await.unwrap();
    let mut other = campus.group(&["1155000001", "1155000002"]);
    let (open, session) = other.open_session().await.unwrap();
    suspend(&campus, "1155000003");
    let refusal = thrown_off(&mut connection).await;
    assert_eq!(refusal.code, Code::StudentInactive);
    assert_eq!(refusal.sid.unwrap().as_str(), "1155000003");
    other.submit(open, session).await.unwrap();
}

#[tokio::test]
async fn tokens_of_a_withdrawn_signer_end_open_connections_and_open_none() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    let (mut connection, _session) = group.open_session().await.unwrap();
    let signer = campus.cuhk.token_signer().leaf().clone();
    publish(&campus, 11, &[&signer]);
    let refusal = thrown_off(&mut connection).await;
    assert_eq!(
        (refusal.code, refusal.step),
        (Code::SignerWithdrawn, Step::Six)
    );
    let refusal = refused_at_last(campus.three()).await;
    assert_eq!(refusal.code, Code::SignerWithdrawn);
    assert_eq!(refusal.sid.unwrap().as_str(), "1155000001");
    campus.assert_nothing_stored().await;
}

#[tokio::test]
async fn an_answer_by_a_withdrawn_signer_is_not_stored() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    let (connection, session) = group.open_session().await.unwrap();
    let mut connection = group.begin_content(connection, session).await.unwrap();
    publish(&campus, 11, &[campus.cuhk.token_signer().leaf()]);
    let refusal = thrown_off(&mut connection).await;
    assert_eq!(refusal.code, Code::SignerWithdrawn);
    campus.assert_nothing_stored().await;
}

#[tokio::test]
async fn a_revoked_certificate_is_thrown_off_before_it_was_presented() {
    let campus = Campus::open().await;
    let group = campus.three();
    let mut connection = group.connect().await.unwrap();
    reply(&mut connection).await.unwrap();
    let other = campus.group(&["1155000004"]);
    let mut open = other.connect().await.unwrap();
    reply(&mut open).await.unwrap();
    publish(&campus, 11, &[group.members[0].chain.leaf()]);
    let refusal = thrown_off(&mut connection).await;
    assert_eq!(refusal.code, Code::CertificateRevoked);
    assert_eq!(refusal.step, Step::Three);
    assert_eq!(refusal.sid.unwrap().as_str(), "1155000001");
    let still = timeout(Duration::from_secs(2), reply(&mut open)).await;
    assert!(still.is_err(), "thrown off as well: {still:?}");
}

#[tokio::test]
async fn a_revocation_ends_a_connection_amid_its_content() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    let (connection, session) = group.open_session().await.unwrap();
    let mut connection = group.begin_content(connection, session).await.unwrap();
    publish(&campus, 11, &[group.members[2].chain.leaf()]);
    let refusal = thrown_off(&mut connection).await;
    assert_eq!(refusal.code, Code::CertificateRevoked);
    assert_eq!(refusal.sid.unwrap().as_str(), "1155000003");
    campus.assert_nothing_stored().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_open_connections_is_thrown_off_and_a_newcomer_need_not_wait() {
    let campus = Campus::open().await;
    let mut open = Vec::new();
    let begun = Instant::now();
    for number in 0..40 {
        let mut group = campus.group(&[&format!("11550{number:05}")]);
        let (connection, session) = group.open_session().await.unwrap();
        open.push((group, connection, session));
    }
    // What a newcomer takes on this machine now, several times over.
    let usual = begun.elapsed() / 4;
    publish(&campus, 11, &[open[7].0.members[0].chain.leaf()]);
    let refusal = thrown_off(&mut open[7].1).await;
    assert_eq!(refusal.code, Code::CertificateRevoked);
    let begun = Instant::now();
    campus.three().hand_in().await.unwrap();
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(1) + usual, "{took:?}, {usual:?}");
    for (place, (mut group, connection, session)) in open.into_iter().enumerate() {
        if place != 7 {
            group.submit(connection, session).await.unwrap();
        }
    }
}

#[tokio::test]
async fn after_a_loss_of_touch_everybody_is_looked_at_again() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    let (mut connection, _session) = group.open_session().await.unwrap();
    let asked = campus.cuhk.questions().len();
    campus.cuhk.stop().await;
    // The epoch stays as it was: only the loss tells that something may have been missed.
    let answer = Answer::Inactive("1155000002".to_owned(), InactiveReason::Revoked);
    campus.cuhk.answer(answer);
    campus.cuhk.resume().await;
    let back = timeout(LONG, reply(&mut connection)).await;
    let refusal = back.expect("looked at again").unwrap_err();
    assert_eq!(refusal.code, Code::StudentInactive);
    assert!(campus.cuhk.questions().len() > asked);
}

#[tokio::test]
async fn a_receipt_is_given_again_only_while_cuhk_is_in_touch() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    group.hand_in().await.unwrap();
    let (connection, session) = group.open_session().await.unwrap();
    campus.cuhk.stop().await;
    let subscription = "out of touch for five seconds";
    let since = Instant::now();
    super::eventually(subscription, || {
        since.elapsed() > AT_ONCE + Duration::from_secs(1)
    })
    .await;
    let refusal = group.submit(connection, session).await.unwrap_err();
    assert_eq!(
        (refusal.code, refusal.step),
        (Code::CuhkUnavailable, Step::Six)
    );
}

#[tokio::test]
async fn lists_with_a_lower_number_close_the_door_until_they_are_right() {
    let campus = Campus::open().await;
    publish(&campus, 9, &[]);
    let refusal = refused_at_last(campus.three()).await;
    assert_eq!(refusal.code, Code::CuhkUnavailable);
    publish(&campus, 12, &[]);
    let deadline = Instant::now() + LONG;
    while campus.three().open_session().await.is_err() {
        assert!(Instant::now() < deadline, "it stays closed");
    }
}

#[tokio::test]
async fn lists_that_went_back_while_the_server_was_down_are_refused() {
    let mut campus = Campus::open().await;
    campus.stop().await;
    publish(&campus, 9, &[]);
    let refused = Authority::start(campus.authority());
    let refusal = refused.await.unwrap_err();
    assert_eq!(refusal.code, Code::CuhkUnavailable);
    assert!(
        refusal.sentence().contains("went back from number 10 to 9"),
        "{refusal}"
    );
    publish(&campus, 10, &[]);
    campus.start().await.unwrap();
}

#[tokio::test]
async fn lists_of_another_campus_or_missing_ones_close_the_door() {
    let campus = Campus::open().await;
    let other = scb_testkit::TestCampus::new();
    let right = campus.certs.crls(11, &[]);
    for lists in [
        other.crls(11, &[]),
        vec![right[0].clone(), right[0].clone(), right[2].clone()],
    ] {
        campus.cuhk.set(|state| {
            state.crls = lists;
            state.epoch += 1;
        });
        let refusal = refused_at_last(campus.three()).await;
        assert_eq!(refusal.code, Code::CuhkUnavailable);
    }
}

#[tokio::test]
async fn expired_lists_close_the_door() {
    let campus = Campus::open().await;
    campus.cuhk.stop().await;
    campus.certs.clock().advance(Duration::from_secs(25 * 3600));
    let refusal = campus.three().hand_in().await.unwrap_err();
    assert!(
        [Code::StatusUnavailable, Code::CuhkUnavailable].contains(&refusal.code),
        "{refusal}"
    );
    campus.assert_nothing_stored().await;
}
