//! CUHK away or silent: closed within three seconds, and open again by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use scb_protocol::{Code, Refusal, Step};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, interval};

use super::campus::Campus;
use super::cuhk::Answer;
use super::{LONG, usual};

/// How long anybody waits for CUHK at most.
const PROMISED: Duration = Duration::from_secs(3);

/// What a group is told, and that it does not wait longer than promised for it.
async fn refused_in_time(campus: &Campus, usual: Duration) -> Refusal {
    let mut group = campus.three();
    let begun = Instant::now();
    let refusal = group.hand_in().await.unwrap_err();
    let took = begun.elapsed();
    assert!(took < PROMISED + usual, "{took:?}, {usual:?}");
    assert_eq!(refusal.code, Code::CuhkUnavailable);
    assert!(refusal.retry_after.is_some());
    campus.assert_nothing_stored().await;
    refusal
}

#[tokio::test]
async fn closed_while_cuhk_is_away_and_open_again_by_itself() {
    let campus = Campus::open().await;
    let usual = usual(&campus, 1).await;
    campus.cuhk.stop().await;
    for _ in 0..2 {
        let refusal = refused_in_time(&campus, usual).await;
        assert_eq!(refusal.step, Step::Three);
    }
    campus.cuhk.resume().await;
    tokio::time::timeout(LONG, async {
        while campus.three().hand_in().await.is_err() {}
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_cuhk_that_is_back_is_asked_at_once() {
    let campus = Campus::open().await;
    let usual = usual(&campus, 1).await;
    campus.cuhk.stop().await;
    refused_in_time(&campus, usual).await;
    campus.cuhk.resume().await;
    campus.three().hand_in().await.unwrap();
}

#[tokio::test]
async fn a_connection_that_died_unnoticed_is_replaced_for_the_next_question() {
    let campus = Campus::open().await;
    campus.cuhk.stop().await;
    campus.cuhk.resume().await;
    campus.three().hand_in().await.unwrap();
}

#[tokio::test]
async fn closed_while_cuhk_does_not_answer() {
    let campus = Campus::open().await;
    let usual = usual(&campus, 1).await;
    campus.cuhk.answer(Answer::Silent);
    refused_in_time(&campus, usual).await;
    campus.cuhk.answer(Answer::Honest);
    campus.three().hand_in().await.unwrap();
}

#[tokio::test]
async fn closed_when_cuhk_falls_silent_before_the_last_look() {
    let campus = Campus::open().await;
    // It is asked when they come, when their statement is recorded, and then.
    campus.cuhk.set(|state| {
        state.later_answer = Some(Answer::Silent);
        state.later_from = 2;
    });
    let mut group = campus.three();
    let begun = Instant::now();
    let (connection, session) = group.open_session().await.unwrap();
    let usual = 4 * begun.elapsed();
    let begun = Instant::now();
    let refusal = group.submit(connection, session).await.unwrap_err();
    let took = begun.elapsed();
    assert!(took < PROMISED + usual, "{took:?}, {usual:?}");
    assert_eq!(
        (refusal.code, refusal.step),
        (Code::CuhkUnavailable, Step::Six)
    );
    campus.assert_nothing_stored().await;
}

#[tokio::test]
async fn closed_while_cuhks_port_accepts_and_nothing_more() {
    let campus = Campus::open().await;
    let usual = usual(&campus, 1).await;
    campus.cuhk.stop().await;
    let _mute = TcpListener::bind(campus.cuhk.address).await.unwrap();
    refused_in_time(&campus, usual).await;
}

/// Passes on what CUHK says, a byte at a time once it is told to be slow.
async fn trickle(listener: TcpListener, cuhk: String, slow: Arc<AtomicBool>) {
    while let Ok((client, _)) = listener.accept().await {
        let server = TcpStream::connect(&cuhk).await.unwrap();
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        tokio::spawn(async move { copy(&mut from_client, &mut to_server).await });
        let slow = Arc::clone(&slow);
        tokio::spawn(async move {
            let mut buffer = [0; 1024];
            let mut pace = interval(Duration::from_millis(200));
            while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
                for byte in &buffer[..read] {
                    if slow.load(Ordering::SeqCst) {
                        pace.tick().await;
                    }
                    if to_client.write_all(&[*byte]).await.is_err() {
                        return;
                    }
                }
            }
        });
    }
}

#[tokio::test]
async fn closed_while_cuhk_answers_a_byte_at_a_time() {
    let slow = Arc::new(AtomicBool::new(false));
    let campus = Campus::with(|config| {
        let between = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        between.set_nonblocking(true).unwrap();
        let address = between.local_addr().unwrap().to_string();
        let cuhk = config.cuhk.replace(address).unwrap();
        let between = TcpListener::from_std(between).unwrap();
        tokio::spawn(trickle(between, cuhk, Arc::clone(&slow)));
    })
    .await;
    let begun = Instant::now();
    campus.three().hand_in().await.unwrap();
    let usual = 4 * begun.elapsed();
    slow.store(true, Ordering::SeqCst);
    let mut group = campus.three();
    let begun = Instant::now();
    let refusal = group.hand_in().await.unwrap_err();
    let took = begun.elapsed();
    assert!(took < PROMISED + usual, "{took:?}, {usual:?}");
    assert_eq!(refusal.code, Code::CuhkUnavailable);
    slow.store(false, Ordering::SeqCst);
    let again = async { while campus.three().hand_in().await.is_err() {} };
    tokio::time::timeout(LONG, again).await.unwrap();
}

#[tokio::test]
async fn many_groups_are_refused_in_time_together() {
    let campus = Campus::open().await;
    let usual = usual(&campus, 10).await;
    campus.cuhk.answer(Answer::Silent);
    let refusals = (0..10).map(|_| refused_in_time(&campus, usual));
    futures_util::future::join_all(refusals).await;
}

#[tokio::test]
async fn a_cuhk_that_answers_others_first_is_not_away() {
    let campus = Campus::open().await;
    campus
        .cuhk
        .set(|state| state.pace = Duration::from_millis(1500));
    let tried = (0..3).map(|_| async { campus.three().open_session().await.err() });
    let tried = futures_util::future::join_all(tried).await;
    let told: Vec<_> = tried.into_iter().flatten().collect();
    assert_eq!(told.len(), 2, "one of three was answered in time: {told:?}");
    for refusal in told {
        assert_eq!(refusal.code, Code::Busy);
        assert!(refusal.retry_after.is_some());
    }
    campus.cuhk.set(|state| state.pace = Duration::ZERO);
    campus.three().hand_in().await.unwrap();
}

#[tokio::test]
async fn does_not_start_under_another_cuhk() {
    let mut campus = Campus::open().await;
    campus.stop().await;
    let other = scb_testkit::TestCampus::new();
    let root = other.root().certificate().to_pem();
    std::fs::write(campus.home.path("ca.pem"), root).unwrap();
    let error = campus.start().await.unwrap_err();
    let refusal = error.downcast_ref::<Refusal>().unwrap();
    assert_eq!(refusal.code, Code::ServerIdentity);
}
