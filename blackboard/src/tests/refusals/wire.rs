//! Messages that are wrong as such, and clients that behave wrongly.

use std::time::{Duration, Instant};

use bytes::Bytes;
use scb_protocol::client::Answer;
use scb_protocol::message::Message;
use scb_protocol::message::blackboard::Request;
use scb_protocol::{Code, Step};
use scb_transport::Connection;
use serde_json::{Value, json};

use super::code_of;
use crate::tests::campus::Campus;
use crate::tests::group::{Group, WAIT, reply, signed};

/// Any JSON, as a message.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
struct Raw(Value);

impl Message for Raw {
    const NAMES: &'static [&'static str] = &[];

    fn name(&self) -> &'static str {
        "raw"
    }
}

async fn greeted(campus: &Campus) -> Connection {
    let mut connection = campus.three().connect().await.unwrap();
    reply(&mut connection).await.unwrap();
    connection
}

#[tokio::test]
async fn messages_that_are_unknown_malformed_or_out_of_order() {
    let campus = Campus::open().await;
    let deep = (0..1000).fold(json!(1), |inner, _| json!([inner]));
    for (message, code) in [
        (json!({"type": "proceed"}), Code::UnknownMessage),
        (
            json!({"type": "enrol", "sid": "1155000001"}),
            Code::UnknownMessage,
        ),
        (json!({"type": "end"}), Code::UnexpectedMessage),
        (
            json!({"type": "confirm", "mac": "00".repeat(32)}),
            Code::UnexpectedMessage,
        ),
        (
            json!({"type": "present", "members": [], "admin": true}),
            Code::MalformedMessage,
        ),
        (json!({"type": "present"}), Code::MalformedMessage),
        (
            json!({"type": "present", "members": "all"}),
            Code::MalformedMessage,
        ),
        (
            json!({"type": "present", "members": deep}),
            Code::MalformedMessage,
        ),
        (json!([]), Code::MalformedMessage),
    ] {
        let mut connection = greeted(&campus).await;
        connection.send(&Raw(message.clone())).await.unwrap();
        assert_eq!(
            reply(&mut connection).await.unwrap_err().code,
            code,
            "{message}"
        );
    }
    campus.assert_nothing_stored().await;
}

#[tokio::test]
async fn content_before_it_is_asked_for() {
    let campus = Campus::open().await;
    let mut connection = greeted(&campus).await;
    connection
        .send_chunk(Bytes::from_static(b"report"))
        .await
        .unwrap();
    assert_eq!(
        reply(&mut connection).await.unwrap_err().code,
        Code::UnexpectedMessage
    );
}

#[tokio::test]
async fn a_message_amid_the_content() {
    let campus = Campus::open().await;
    let group = campus.three().tampering(|request| {
        if let Request::End {} = request {
            *request = Request::Present {
                members: Vec::new(),
            };
        }
    });
    assert_eq!(code_of(group).await, Code::UnexpectedMessage);
}

/// Only people are given time to think, and there is nothing to think about yet.
#[tokio::test]
async fn a_client_that_does_not_present_itself() {
    let campus = Campus::with(|config| config.limits.message = Duration::from_millis(100)).await;
    let mut connection = greeted(&campus).await;
    let began = Instant::now();
    let refusal = reply(&mut connection).await.unwrap_err();
    assert_eq!((refusal.code, refusal.step), (Code::Timeout, Step::Three));
    assert!(began.elapsed() < WAIT, "it was the server who said so");
    campus.assert_nothing_stored().await;
}

#[tokio::test]
async fn a_client_that_says_nothing_after_the_confirmation() {
    let campus = Campus::with(|config| config.limits.idle = Duration::from_millis(100)).await;
    let (mut connection, _session) = campus.three().open_session().await.unwrap();
    let refusal = reply(&mut connection).await.unwrap_err();
    assert_eq!((refusal.code, refusal.step), (Code::Timeout, Step::Six));
    campus.assert_nothing_stored().await;
}

#[tokio::test]
async fn content_that_trickles_in_beyond_its_total_deadline() {
    let campus = Campus::with(|config| config.limits.content = Duration::from_millis(300)).await;
    let (mut connection, _) = sending_content(&campus).await;
    let mut beat = tokio::time::interval(Duration::from_millis(20));
    let refusal = loop {
        beat.tick().await;
        if let Err(refusal) = connection.send_chunk(Bytes::from_static(b"x")).await {
            break refusal;
        }
    };
    assert_eq!((refusal.code, refusal.step), (Code::Timeout, Step::Six));
    campus.assert_nothing_stored().await;
}

#[tokio::test]
async fn empty_chunks_amid_the_content() {
    let campus = Campus::open().await;
    let (mut connection, _) = sending_content(&campus).await;
    connection
        .send_raw(&[0, 0, 0, 1, 2].repeat(1000))
        .await
        .unwrap();
    let refusal = reply(&mut connection).await.unwrap_err();
    assert_eq!((refusal.code, refusal.step), (Code::FrameEmpty, Step::Six));
    campus.assert_nothing_stored().await;
}

#[tokio::test]
async fn a_connection_that_waits_while_the_server_stops() {
    let mut campus = Campus::open().await;
    let mut connection = greeted(&campus).await;
    campus.stop().await;
    let refusal = reply(&mut connection).await.unwrap_err();
    assert_eq!(refusal.code, Code::ShuttingDown);
}

/// A group whose content the server waits for.
async fn sending_content(campus: &Campus) -> (Connection, Group<'_>) {
    let mut group = campus.three();
    let (mut connection, session) = group.open_session().await.unwrap();
    let statement = group.statement();
    let now = campus.certs.now();
    let signatures = signed(&statement, &group.members, campus);
    let (state, request) = session.submit(&statement, signatures).unwrap();
    connection.send(&request).await.unwrap();
    let answer = reply(&mut connection).await.unwrap();
    let Answer::Committed(committed) = state.handle(answer, now).unwrap() else {
        panic!("stored before");
    };
    connection.send(&committed.upload(&[]).1).await.unwrap();
    (connection, group)
}

#[tokio::test]
async fn a_connection_cut_amid_the_content_stores_nothing() {
    let campus = Campus::open().await;
    let (mut connection, mut group) = sending_content(&campus).await;
    connection
        .send_chunk(Bytes::from(vec![b'x'; 100_000]))
        .await
        .unwrap();
    drop(connection);
    campus.assert_nothing_stored().await;
    group.hand_in().await.unwrap();
}

#[tokio::test]
async fn one_connection_too_many() {
    let campus = Campus::with(|config| config.limits.max_connections = 1).await;
    let first = greeted(&campus).await;
    let mut second = campus.three().connect().await.unwrap();
    let refusal = reply(&mut second).await.unwrap_err();
    assert_eq!(refusal.code, Code::Busy);
    assert!(refusal.retry_after.is_some());
    drop(first);
}
