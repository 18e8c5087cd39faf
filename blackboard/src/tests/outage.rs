//! `outage = "tokens"`: CUHK may be away, but never says no in vain.

use std::time::Duration;

use scb_certs::Crl;
use scb_protocol::server::Outage;
use scb_protocol::{Code, InactiveReason, Mode, Step, TOKEN_LIFETIME};
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};

use super::LONG;
use super::campus::Campus;
use super::cuhk::Answer;
use crate::authority::Authority;

async fn lenient() -> Campus {
    Campus::with(|config| config.outage = Outage::Tokens).await
}

/// Hands in, and says what the receipt says.
async fn mode(campus: &Campus) -> Mode {
    let mut group = campus.three();
    let receipt = group.hand_in().await.unwrap();
    group.verify(&receipt).mode()
}

#[tokio::test]
async fn tokens_count_while_cuhk_is_away_and_no_longer_when_it_is_back() {
    let campus = lenient().await;
    let begun = Instant::now();
    assert_eq!(mode(&campus).await, Mode::Verified);
    let usual = begun.elapsed();
    campus.cuhk.stop().await;
    let begun = Instant::now();
    assert_eq!(mode(&campus).await, Mode::Tokens);
    let took = begun.elapsed();
    // Beside what a hand-in takes on this machine now.
    let most = Duration::from_secs(6) + 4 * usual;
    assert!(took < most, "{took:?}, {usual:?}");
    campus.cuhk.resume().await;
    let back = async { while mode(&campus).await != Mode::Verified {} };
    timeout(LONG, back).await.unwrap();
}

#[tokio::test]
async fn by_default_nobody_is_accepted() {
    let campus = Campus::open().await;
    campus.cuhk.stop().await;
    let refusal = campus.three().hand_in().await.unwrap_err();
    assert_eq!(refusal.code, Code::CuhkUnavailable);
    campus.assert_nothing_stored().await;
}

#[tokio::test]
async fn a_cuhk_that_falls_silent_before_the_last_look_is_away() {
    let campus = lenient().await;
    campus.cuhk.set(|state| {
        state.later_answer = Some(Answer::Silent);
        state.later_from = 2;
    });
    assert_eq!(mode(&campus).await, Mode::Tokens);
}

#[tokio::test]
async fn a_cuhk_that_answers_is_not_away() {
    for answer in [
        Answer::Inactive("1155000002".to_owned(), InactiveReason::Suspended),
        Answer::Garbage,
        Answer::AnotherNonce,
        Answer::OtherMembers,
        Answer::SignedByTheServiceKey,
    ] {
        let campus = lenient().await;
        campus.cuhk.answer(answer.clone());
        let refusal = campus.three().hand_in().await.unwrap_err();
        let codes = [Code::StudentInactive, Code::VerificationInvalid];
        assert!(codes.contains(&refusal.code), "{answer:?}: {refusal}");
        campus.assert_nothing_stored().await;
    }
}

#[tokio::test]
async fn a_cuhk_with_lists_of_another_is_not_away() {
    let campus = lenient().await;
    let lists = scb_testkit::TestCampus::new().crls(11, &[]);
    campus.cuhk.set(|state| {
        state.crls = lists;
        state.epoch += 1;
    });
    let closed = async {
        loop {
            if let Err(refusal) = campus.three().open_session().await {
                return refusal;
            }
        }
    };
    let refusal = timeout(LONG, closed).await.unwrap();
    assert_eq!(refusal.code, Code::CuhkUnavailable);
}

#[tokio::test]
async fn an_impostor_in_cuhks_place_is_no_excuse() {
    let campus = lenient().await;
    campus.cuhk.stop().await;
    let other = std::sync::Arc::new(scb_testkit::TestCampus::new());
    let impostor = super::cuhk::FakeCuhk::at(&other, campus.cuhk.address).await;
    let refusal = campus.three().hand_in().await.unwrap_err();
    assert_eq!(refusal.code, Code::CuhkUnavailable);
    campus.assert_nothing_stored().await;
    impostor.stop().await;
}

#[tokio::test]
async fn tokens_that_have_expired_do_not_count() {
    let campus = lenient().await;
    let mut late = campus.three();
    campus.cuhk.stop().await;
    campus
        .certs
        .clock()
        .advance(TOKEN_LIFETIME + Duration::from_secs(61));
    let refusal = late.hand_in().await.unwrap_err();
    assert_eq!(refusal.code, Code::TokenExpired);
    campus.assert_nothing_stored().await;
    assert_eq!(mode(&campus).await, Mode::Tokens);
}

#[tokio::test]
async fn a_token_that_expires_on_an_open_connection_does_not_count() {
    let campus = lenient().await;
    let mut group = campus.three();
    let (connection, session) = group.open_session().await.unwrap();
    campus.cuhk.stop().await;
    campus
        .certs
        .clock()
        .advance(TOKEN_LIFETIME + Duration::from_secs(61));
    let refusal = group.submit(connection, session).await.unwrap_err();
    assert_eq!(
        (refusal.code, refusal.step),
        (Code::TokenExpired, Step::Six)
    );
    campus.assert_nothing_stored().await;
}

#[tokio::test]
async fn tokens_do_not_count_once_the_revocation_lists_have_expired() {
    let campus = lenient().await;
    campus.cuhk.stop().await;
    assert_eq!(mode(&campus).await, Mode::Tokens);
    campus.certs.clock().advance(Duration::from_secs(25 * 3600));
    // The tokens are fresh: only the lists are not.
    let refusal = campus.three().hand_in().await.unwrap_err();
    assert!(
        [Code::StatusUnavailable, Code::CuhkUnavailable].contains(&refusal.code),
        "{refusal}"
    );
    assert_eq!(campus.submissions().len(), 1);
}

#[tokio::test]
async fn a_list_that_expires_on_an_open_connection_closes_it() {
    let campus = lenient().await;
    let lists: Vec<Crl> = campus.certs.crls(11, &[]);
    let ends = lists.iter().map(Crl::next_update).min().unwrap();
    let left = ends.as_secs() - campus.certs.now().as_secs();
    campus.certs.clock().advance(Duration::from_secs(left - 60));
    let mut group = campus.three();
    let (connection, session) = group.open_session().await.unwrap();
    campus.cuhk.stop().await;
    campus.certs.clock().advance(Duration::from_secs(61));
    let refusal = group.submit(connection, session).await.unwrap_err();
    assert_eq!(
        (refusal.code, refusal.step),
        (Code::CuhkUnavailable, Step::Six)
    );
    assert!(refusal.sentence().contains("expired"), "{refusal}");
    campus.assert_nothing_stored().await;
}

#[tokio::test]
async fn a_revocation_that_was_seen_counts_while_cuhk_is_away() {
    let campus = lenient().await;
    let group = campus.three();
    let revoked = group.members[1].chain.leaf().clone();
    let mut probe = campus.three();
    probe.members = group.members.clone();
    let lists = campus.certs.crls(11, &[&revoked]);
    campus.cuhk.set(|state| {
        state.crls = lists;
        state.epoch += 1;
    });
    let seen = async { while probe.open_session().await.is_ok() {} };
    timeout(LONG, seen).await.unwrap();
    campus.cuhk.stop().await;
    let mut again = campus.three();
    again.members = group.members.clone();
    let refusal = again.hand_in().await.unwrap_err();
    assert_eq!(refusal.code, Code::CertificateRevoked);
    assert_eq!(mode(&campus).await, Mode::Tokens);
}

#[tokio::test]
async fn a_port_that_accepts_and_nothing_more_is_away() {
    let campus = lenient().await;
    campus.cuhk.stop().await;
    let _mute = TcpListener::bind(campus.cuhk.address).await.unwrap();
    assert_eq!(mode(&campus).await, Mode::Tokens);
}

#[tokio::test]
async fn a_restart_without_cuhk_goes_on_by_the_last_lists() {
    let mut campus = lenient().await;
    let group = campus.three();
    let members = group.members.clone();
    drop(group);
    campus.stop().await;
    // The lists that were last accepted know of a revocation.
    let lists = campus.certs.crls(11, &[members[1].chain.leaf()]);
    campus.cuhk.set(|state| state.crls = lists);
    campus.start().await.unwrap();
    campus.stop().await;
    campus.cuhk.stop().await;
    campus.start().await.unwrap();
    assert_eq!(mode(&campus).await, Mode::Tokens);
    let mut with_revoked = campus.three();
    with_revoked.members = members;
    let refusal = with_revoked.hand_in().await.unwrap_err();
    assert_eq!(refusal.code, Code::CertificateRevoked);
    drop(with_revoked);
    campus.cuhk.resume().await;
    let back = async { while mode(&campus).await != Mode::Verified {} };
    timeout(LONG, back).await.unwrap();
}

#[tokio::test]
async fn by_default_a_start_needs_cuhk_whatever_was_stored() {
    let mut campus = Campus::open().await;
    campus.stop().await;
    campus.cuhk.stop().await;
    let refused = Authority::start(campus.authority()).await;
    assert_eq!(refused.unwrap_err().code, Code::ConnectionFailed);
}

#[tokio::test]
async fn lists_that_have_expired_or_were_altered_on_disk_do_not_count() {
    let mut campus = lenient().await;
    campus.stop().await;
    campus.cuhk.stop().await;
    Authority::start(campus.authority()).await.unwrap();
    let database = rusqlite::Connection::open(campus.home.path("blackboard.db")).unwrap();
    let alter = |change: &str| database.execute(change, []).unwrap();
    alter("CREATE TABLE kept AS SELECT * FROM crls");
    for change in [
        // The last byte of a list is its signature's.
        "UPDATE crls SET der = CAST(substr(der, 1, length(der) - 1) || x'00' AS BLOB)",
        "UPDATE crls SET der = zeroblob(length(der))",
        "DELETE FROM crls",
        "DELETE FROM crls WHERE rowid > (SELECT min(rowid) FROM crls)",
    ] {
        alter(change);
        let refused = Authority::start(campus.authority()).await;
        let code = refused.err().map(|refusal| refusal.code);
        assert_eq!(code, Some(Code::ConnectionFailed), "{change}");
        alter("DELETE FROM crls");
        alter("INSERT INTO crls SELECT * FROM kept");
    }
    Authority::start(campus.authority()).await.unwrap();
    campus.certs.clock().advance(Duration::from_secs(25 * 3600));
    let refused = Authority::start(campus.authority()).await;
    assert_eq!(refused.unwrap_err().code, Code::ConnectionFailed);
}
