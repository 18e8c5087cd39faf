//! Frames and deadlines, in memory and with a clock that only tests move.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use scb_protocol::message::cuhk::{Reply, Request};
use scb_protocol::{Code, Frame, MAX_PAYLOAD, Refusal, Step};
use scb_transport::{Connection, Direction, Limits, Peer};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::Instant;

const DEADLINE: Duration = Duration::from_secs(10);

fn peer() -> Peer {
    Peer {
        id: 7,
        address: "192.0.2.1:40000".parse().unwrap(),
        chain: None,
        exporter: [9; 32],
        root_seen: None,
    }
}

/// A server's connection and the bare other end.
fn server() -> (Connection<DuplexStream>, DuplexStream) {
    let (near, far) = duplex(1 << 20);
    (
        Connection::server(near, peer(), Step::Three, &Limits::default()),
        far,
    )
}

/// Both ends, with room for `size` bytes on the way.
fn both(size: usize) -> (Connection<DuplexStream>, Connection<DuplexStream>) {
    let (near, far) = duplex(size);
    let limits = Limits::default();
    let server = Connection::server(near, peer(), Step::Three, &limits);
    (
        server,
        Connection::client(far, peer(), Step::Three, &limits),
    )
}

async fn code_for(bytes: &[u8]) -> Refusal {
    let (mut connection, mut far) = server();
    far.write_all(bytes).await.unwrap();
    connection
        .receive::<Request>(Step::Four, DEADLINE)
        .await
        .unwrap_err()
}

fn framed(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len() + 1).unwrap();
    [&length.to_be_bytes()[..], &[kind], payload].concat()
}

#[tokio::test(start_paused = true)]
async fn receives_what_was_sent() {
    let (mut server, mut client) = both(1 << 20);
    client.send(&Request::Status {}).await.unwrap();
    let request: Request = server.receive(Step::Three, DEADLINE).await.unwrap();
    assert_eq!(request, Request::Status {});
    let content = Bytes::from(vec![5; 3 * MAX_PAYLOAD + 1]);
    server.send_chunk(content.clone()).await.unwrap();
    let mut received = Vec::new();
    while received.len() < content.len() {
        match client.receive_frame(Step::Six, DEADLINE).await.unwrap() {
            Frame::Chunk(chunk) => received.extend_from_slice(&chunk),
            Frame::Message(_) => panic!("no message was sent"),
        }
    }
    assert_eq!(received, content);
}

#[tokio::test(start_paused = true)]
async fn an_onlooker_sees_every_frame_once_in_order() {
    let (mut server, mut client) = both(1 << 20);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sees = Arc::clone(&seen);
    client.show_to(Box::new(move |direction, frame| {
        sees.lock().unwrap().push((direction, frame.clone()));
    }));
    // Arrives while content is being sent, and is looked at before it is received.
    server
        .send(&Reply::Token { token: "t".into() })
        .await
        .unwrap();
    client
        .send_chunk(Bytes::from_static(b"content"))
        .await
        .unwrap();
    let reply: Reply = client.receive(Step::Two, DEADLINE).await.unwrap();
    assert_eq!(reply, Reply::Token { token: "t".into() });
    client.send(&Request::Status {}).await.unwrap();
    let message = |text: &'static [u8]| Frame::Message(Bytes::from_static(text));
    assert_eq!(
        *seen.lock().unwrap(),
        [
            (
                Direction::Received,
                message(br#"{"type":"token","token":"t"}"#)
            ),
            (
                Direction::Sent,
                Frame::Chunk(Bytes::from_static(b"content"))
            ),
            (Direction::Sent, message(br#"{"type":"status"}"#)),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn refuses_what_is_no_message_and_names_the_step() {
    let cases = [
        (vec![0, 0, 0, 0], Code::FrameEmpty),
        (
            (MAX_PAYLOAD as u32 + 2).to_be_bytes().to_vec(),
            Code::FrameTooLarge,
        ),
        ((1_u32 << 31).to_be_bytes().to_vec(), Code::FrameTooLarge),
        (u32::MAX.to_be_bytes().to_vec(), Code::FrameTooLarge),
        (framed(3, b"{}"), Code::MalformedMessage),
        (framed(2, b"content"), Code::UnexpectedMessage),
        (framed(1, br#"{"type":"obey"}"#), Code::UnknownMessage),
        (
            framed(1, br#"{"type":"status","x":1}"#),
            Code::MalformedMessage,
        ),
        (
            framed(1, "[".repeat(30_000).as_bytes()),
            Code::MalformedMessage,
        ),
        (
            framed(1, br#"{"type":"verify","nonce":NaN,"members":[]}"#),
            Code::MalformedMessage,
        ),
        (
            framed(1, br#"{"type":"verify","nonce":"\ud800","members":[]}"#),
            Code::MalformedMessage,
        ),
        (
            framed(1, b"{\"type\":\"status\xff\"}"),
            Code::MalformedMessage,
        ),
        (
            framed(1, br#"{"type":"status","type":"crls"}"#),
            Code::MalformedMessage,
        ),
    ];
    for (bytes, code) in cases {
        let refusal = code_for(&bytes).await;
        assert_eq!((refusal.code, refusal.step), (code, Step::Four));
    }
}

#[tokio::test(start_paused = true)]
async fn a_byte_per_second_is_cut_by_the_total_deadline() {
    let (mut connection, mut far) = server();
    let drip = tokio::spawn(async move {
        for byte in framed(1, br#"{"type":"status"}"#) {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if far.write_u8(byte).await.is_err() {
                break;
            }
        }
        far
    });
    let started = Instant::now();
    let refusal = connection
        .receive::<Request>(Step::Three, DEADLINE)
        .await
        .unwrap_err();
    assert_eq!(refusal.code, Code::Timeout);
    assert_eq!(started.elapsed(), DEADLINE);
    drip.abort();
}

#[tokio::test(start_paused = true)]
async fn several_frames_share_one_deadline() {
    let (mut connection, mut far) = server();
    let deadline = Instant::now() + DEADLINE;
    far.write_all(&framed(2, b"a")).await.unwrap();
    connection
        .receive_frame_until(Step::Six, deadline)
        .await
        .unwrap();
    tokio::time::advance(Duration::from_secs(9)).await;
    far.write_all(&framed(2, b"b")).await.unwrap();
    connection
        .receive_frame_until(Step::Six, deadline)
        .await
        .unwrap();
    let refusal = connection
        .receive_frame_until(Step::Six, deadline)
        .await
        .unwrap_err();
    assert_eq!(refusal.code, Code::Timeout);
    assert_eq!(Instant::now(), deadline);
}

#[tokio::test(start_paused = true)]
async fn where_content_is_due_a_message_is_refused() {
    let (mut connection, mut far) = server();
    let deadline = Instant::now() + DEADLINE;
    far.write_all(&framed(2, b"content")).await.unwrap();
    let chunk = connection.receive_chunk(Step::Six, deadline).await;
    assert_eq!(chunk.unwrap(), Bytes::from_static(b"content"));
    far.write_all(&framed(1, b"{}")).await.unwrap();
    let refusal = connection.receive_chunk(Step::Six, deadline).await;
    let refusal = refusal.unwrap_err();
    assert_eq!(refusal.code, Code::UnexpectedMessage);
    assert_eq!(refusal.params["expected"], "chunk");
}

#[tokio::test(start_paused = true)]
async fn a_receive_that_is_given_up_loses_nothing() {
    let (mut connection, mut far) = server();
    let message = framed(1, br#"{"type":"status"}"#);
    far.write_all(&message[..9]).await.unwrap();
    tokio::select! {
        biased;
        result = connection.receive::<Request>(Step::Three, DEADLINE) => panic!("{result:?}"),
        () = tokio::time::sleep(Duration::from_secs(1)) => {}
    }
    far.write_all(&message[9..]).await.unwrap();
    let request: Request = connection.receive(Step::Three, DEADLINE).await.unwrap();
    assert_eq!(request, Request::Status {});
}

#[tokio::test(start_paused = true)]
async fn an_end_between_or_within_frames_is_a_lost_connection() {
    for sent in [&[][..], &framed(1, b"{}")[..6]] {
        let (mut connection, mut far) = server();
        far.write_all(sent).await.unwrap();
        drop(far);
        let refusal = connection
            .receive::<Request>(Step::Three, DEADLINE)
            .await
            .unwrap_err();
        assert_eq!(refusal.code, Code::ConnectionLost);
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_is_given_up() {
    let (mut server, _client) = both(16);
    let refusal = server.send(&crate::harness::greeting()).await.unwrap_err();
    assert_eq!(refusal.code, Code::Timeout);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_read_as_that_of_either_conversation() {
    let refusal = Refusal::new(Code::StudentInactive, Step::Three)
        .about(&"1155000001".parse().unwrap())
        .with("reason", "left")
        .retry_after(5);
    let (server, mut client) = both(1 << 20);
    tokio::join!(server.refuse(&refusal), async {
        let said = client.receive_reply::<Reply>(Step::Three, DEADLINE).await;
        assert_eq!(said.unwrap_err(), refusal);
        drop(client);
    });
    let (server, mut client) = both(1 << 20);
    tokio::join!(server.refuse(&refusal), async {
        type Reply = scb_protocol::message::blackboard::Reply;
        let said = client.receive_reply::<Reply>(Step::Three, DEADLINE).await;
        assert_eq!(said.unwrap_err(), refusal);
        drop(client);
    });
}

#[tokio::test(start_paused = true)]
async fn refusing_a_peer_that_does_not_read_or_leave_takes_bounded_time() {
    for size in [16, 1 << 20] {
        let (server, _client) = both(size);
        let started = Instant::now();
        server.refuse(&Refusal::new(Code::Busy, Step::Three)).await;
        assert_eq!(started.elapsed(), Limits::default().linger);
    }
}

#[tokio::test(start_paused = true)]
async fn content_stops_when_the_server_refuses_it() {
    let (server, mut client) = both(4 * MAX_PAYLOAD);
    let refusal = Refusal::new(Code::ContentLong, Step::Six);
    let content = Bytes::from(vec![0; 64 * MAX_PAYLOAD]);
    let (told, ()) = tokio::join!(client.send_chunk(content), server.refuse(&refusal));
    assert_eq!(told.unwrap_err(), refusal);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_comes_while_content_is_sent_is_kept() {
    let (mut server, mut client) = both(1 << 20);
    server.send(&Reply::Status { epoch: 3 }).await.unwrap();
    client
        .send_chunk(Bytes::from(vec![0; 2 * MAX_PAYLOAD]))
        .await
        .unwrap();
    let reply: Reply = client.receive_reply(Step::Six, DEADLINE).await.unwrap();
    assert_eq!(reply, Reply::Status { epoch: 3 });
}

#[tokio::test(start_paused = true)]
async fn a_server_believes_no_refusal_by_its_client() {
    let (mut server, mut far) = server();
    let forged = br#"{"type":"refusal","code":"internal","step":3}"#;
    far.write_all(&framed(1, forged)).await.unwrap();
    drop(far);
    let refusal = server.send(&crate::harness::greeting()).await.unwrap_err();
    assert_eq!(refusal.code, Code::ConnectionLost);
}

#[tokio::test(start_paused = true)]
async fn closing_tells_the_peer() {
    let (mut connection, mut far) = server();
    connection.send(&crate::harness::greeting()).await.unwrap();
    let read = async {
        let mut sent = Vec::new();
        far.read_to_end(&mut sent).await.unwrap();
        drop(far);
        sent
    };
    let (sent, ()) = tokio::join!(read, connection.close());
    assert!(sent.len() > 5);
}

#[test]
fn nothing_of_the_handshake_shows_in_debug() {
    let (near, _far) = duplex(16);
    let connection = Connection::server(near, peer(), Step::Three, &Limits::default());
    assert!(!format!("{connection:?} {:?}", peer()).contains("9, 9"));
}
