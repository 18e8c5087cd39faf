//! Bodies of requests that come slowly, or never to their end: what they may hold.

use scb_testkit::TestCampus;
use scb_transport::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use crate::harness::{LONG, raw_client, raw_config};
use crate::http::{Both, serve_both};

/// RFC 9113, section 6: frames, and flags of them.
pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

/// RFC 7541, appendix A: of the static table.
const GET: u8 = 0x82;
pub const POST: u8 = 0x83;
pub const STATUS_200: u8 = 0x88;

/// More than there is always room for.
const LONG_BODY: [u8; 9 * 1024] = [b'x'; 9 * 1024];
/// Bodies of one connection that are taken in at once.
const TURNS: u32 = 4;
/// Requests of one connection at once.
const STREAMS: u32 = 16;
/// Connections that take all the room there is for long bodies.
const ALL: usize = 512 / TURNS as usize;

fn limits() -> Limits {
    Limits {
        message: LONG,
        ..Limits::default()
    }
}

/// A client that speaks HTTP/2 frame by frame.
pub struct Frames(TlsStream<TcpStream>);

impl Frames {
    pub async fn to(both: &Both, campus: &TestCampus) -> Self {
        let mut config = raw_config(campus);
        config.alpn_protocols = vec![b"h2".to_vec()];
        let mut frames = Self(raw_client(&both.tls, config).await);
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        frames.0.write_all(preface).await.unwrap();
        frames.send(SETTINGS, 0, 0, &[]).await;
        frames
    }

    pub async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
        self.0.write_all(&[&head, payload].concat()).await.unwrap();
    }

    pub async fn head(&mut self, stream: u32, method: u8, path: &str, flags: u8) {
        self.long_head(stream, (method, path), 0, flags).await;
    }

    /// With so many fields of 126 bytes besides.
    pub async fn long_head(
        &mut self,
        stream: u32,
        (method, path): (u8, &str),
        fields: usize,
        flags: u8,
    ) {
        let length = u8::try_from(path.len()).unwrap();
        let more = [&[0, 1, b'x', 125][..], &[b'v'; 125]].concat();
        let head = [
            &[method, 0x87, 0x01, 9][..],
            b"localhost",
            &[0x04, length],
            path.as_bytes(),
            &more.repeat(fields),
        ];
        let flags = END_HEADERS | flags;
        self.send(HEADERS, flags, stream, &head.concat()).await;
    }

    /// A request with this body, which may go on.
    pub async fn post(&mut self, stream: u32, body: &[u8], flags: u8) {
        self.head(stream, POST, "/count", 0).await;
        self.send(DATA, flags, stream, body).await;
    }

    /// What comes next: its kind, its flags, of which stream it is, and what is in it.
    pub async fn next(&mut self) -> (u8, u8, u32, Vec<u8>) {
        let mut head = [0; 9];
        let read = timeout(LONG, self.0.read_exact(&mut head)).await;
        read.unwrap().unwrap();
        let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
        self.0.read_exact(&mut payload).await.unwrap();
        let stream = u32::from_be_bytes(head[5..].try_into().unwrap());
        (head[3], head[4], stream, payload)
    }

    /// The stream that is answered next, and whether the status is 200.
    async fn answered(&mut self) -> (u32, bool) {
        loop {
            let (kind, _, stream, payload) = self.next().await;
            if kind == HEADERS {
                return (stream, payload[0] == STATUS_200);
            }
        }
    }
}

/// Whether a whole body is taken on a connection of its own.
async fn is_taken(both: &Both, campus: &TestCampus, body: &[u8]) -> bool {
    let mut client = Frames::to(both, campus).await;
    client.post(1, body, END_STREAM).await;
    client.answered().await.1
}

#[tokio::test]
async fn four_bodies_of_a_connection_are_taken_in_at_once_and_the_next_waits_for_its_turn() {
    let campus = TestCampus::new();
    let both = serve_both(&campus, limits()).await;
    let mut client = Frames::to(&both, &campus).await;
    for turn in 0..TURNS {
        client.post(1 + 2 * turn, b"half", 0).await;
    }
    client.post(9, b"whole", END_STREAM).await;
    // What has no body waits for nobody.
    client.head(11, GET, "/who", END_STREAM).await;
    assert_eq!(client.answered().await, (11, true));
    client.send(DATA, END_STREAM, 3, b"whole").await;
    assert_eq!(client.answered().await, (3, true));
    assert_eq!(client.answered().await, (9, true));
}

#[tokio::test]
async fn long_bodies_have_so_much_room_together_and_short_ones_always_some() {
    let campus = TestCampus::new();
    let both = serve_both(&campus, limits()).await;
    assert!(is_taken(&both, &campus, &LONG_BODY).await);
    let mut slow = Vec::new();
    for _ in 0..ALL {
        let mut client = Frames::to(&both, &campus).await;
        for turn in 0..TURNS {
            client.post(1 + 2 * turn, &LONG_BODY, 0).await;
        }
        slow.push(client);
    }
    // Once all of it has come.
    while is_taken(&both, &campus, &LONG_BODY).await {}
    assert!(is_taken(&both, &campus, &LONG_BODY[..8 * 1024]).await);
    // They end, and there is room again.
    slow.clear();
    while !is_taken(&both, &campus, &LONG_BODY).await {}
}

#[tokio::test]
async fn long_heads_have_so_much_room_together_and_short_ones_always_some() {
    let campus = TestCampus::new();
    let both = serve_both(&campus, limits()).await;
    let ask = async |fields| {
        let mut client = Frames::to(&both, &campus).await;
        client.long_head(1, (GET, "/who"), fields, END_STREAM).await;
        client.answered().await.1
    };
    let long = 60;
    assert!(ask(long).await);
    let mut slow = Vec::new();
    for _ in 0..512 / STREAMS {
        let mut client = Frames::to(&both, &campus).await;
        for stream in 0..STREAMS {
            let stream = 1 + 2 * stream;
            client
                .long_head(stream, (GET, "/never"), long, END_STREAM)
                .await;
        }
        slow.push(client);
    }
    // Once all of them have come.
    while ask(long).await {}
    assert!(ask(10).await);
    slow.clear();
    while !ask(long).await {}
}
