//! One connection: frames in, frames out, each under a total deadline.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use scb_certs::{Certificate, Chain};
use scb_protocol::{Code, Frame, MAX_PAYLOAD, Message, Refusal, Reply, Step, decode, encode};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsStream;

use crate::Limits;
use crate::alert::{received, refusal_of};
use crate::own::Examiner;
use crate::peer::Peer;

/// Bytes asked of the socket at a time, beyond what a frame is known to need.
const READ: usize = 4096;

/// How long to look for the refusal that explains why writing failed.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Which side of the conversation this is. Only a client believes a `refusal`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

/// Which way a frame went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From here to the peer.
    Sent,
    /// From the peer to here.
    Received,
}

/// Somebody who sees every frame of a connection, once, after TLS: codes and tokens as well.
/// Whoever keeps or shows anything of it takes them out first.
pub type Onlooker = Box<dyn FnMut(Direction, &Frame) + Send>;

/// A connection that speaks `scb/1`.
pub struct Connection<S = TlsStream<TcpStream>> {
    stream: S,
    peer: Peer,
    side: Side,
    step: Step,
    message: Duration,
    linger: Duration,
    incoming: BytesMut,
    outgoing: BytesMut,
    looked_ahead: Option<Frame>,
    onlooker: Option<Onlooker>,
    examiner: Option<Box<Examiner>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// A server's connection over a stream whose handshake is done.
    pub fn server(stream: S, peer: Peer, step: Step, limits: &Limits) -> Self {
        Self::over(stream, peer, Side::Server, step, limits)
    }

    /// A client's connection over a stream whose handshake is done.
    pub fn client(stream: S, peer: Peer, step: Step, limits: &Limits) -> Self {
        Self::over(stream, peer, Side::Client, step, limits)
    }

    fn over(stream: S, peer: Peer, side: Side, step: Step, limits: &Limits) -> Self {
        Self {
            stream,
            peer,
            side,
            step,
            message: limits.message,
            linger: limits.linger,
            incoming: BytesMut::new(),
            outgoing: BytesMut::new(),
            looked_ahead: None,
            onlooker: None,
            examiner: None,
        }
    }

    /// An alert about the client's certificate is looked into by `examiner`.
    pub(crate) fn examined_by(mut self, examiner: Option<Examiner>) -> Self {
        self.examiner = examiner.map(Box::new);
        self
    }

    /// Receives one message, whole before `deadline` has passed. Also sets the step that
    /// later refusals of this connection name.
    ///
    /// Cancel-safe: dropped, it loses nothing that has arrived.
    ///
    /// # Errors
    ///
    /// `timeout`; `unexpected_message` for a chunk; what [`decode`] and [`Frame::decode`]
    /// refuse; `connection_lost`; the code of the TLS alert by which the peer ended it.
    pub async fn receive<M: Message>(
        &mut self,
        step: Step,
        deadline: Duration,
    ) -> Result<M, Refusal> {
        match self.receive_frame(step, deadline).await? {
            Frame::Message(payload) => decode(&payload, step),
            Frame::Chunk(_) => Err(unexpected_chunk(step)),
        }
    }

    /// Receives one reply; a refusal is returned as the error that it is. Cancel-safe.
    ///
    /// # Errors
    ///
    /// As for [`Connection::receive`], and the refusal that the server sent.
    pub async fn receive_reply<R: Reply>(
        &mut self,
        step: Step,
        deadline: Duration,
    ) -> Result<R, Refusal> {
        self.receive::<R>(step, deadline).await?.accepted()
    }

    /// Receives one frame, whole before `deadline` has passed. Cancel-safe.
    ///
    /// # Errors
    ///
    /// `timeout`, what [`Frame::decode`] refuses, `connection_lost` or a TLS alert's code.
    pub async fn receive_frame(
        &mut self,
        step: Step,
        deadline: Duration,
    ) -> Result<Frame, Refusal> {
        self.step = step;
        let arrived = timeout(deadline, self.next_frame()).await;
        arrived.unwrap_or_else(|_| Err(Refusal::new(Code::Timeout, step)))
    }

    /// Receives one frame before `deadline`, which several frames may share. Cancel-safe.
    ///
    /// # Errors
    ///
    /// As for [`Connection::receive_frame`].
    pub async fn receive_frame_until(
        &mut self,
        step: Step,
        deadline: Instant,
    ) -> Result<Frame, Refusal> {
        self.step = step;
        let arrived = timeout_at(deadline, self.next_frame()).await;
        arrived.unwrap_or_else(|_| Err(Refusal::new(Code::Timeout, step)))
    }

    /// Receives a piece of content before `deadline`, which all of its pieces share. Cancel-safe.
    ///
    /// # Errors
    ///
    /// As for [`Connection::receive_frame`]; `unexpected_message` for anything but a chunk.
    pub async fn receive_chunk(&mut self, step: Step, deadline: Instant) -> Result<Bytes, Refusal> {
        match self.receive_frame_until(step, deadline).await? {
            Frame::Chunk(chunk) => Ok(chunk),
            Frame::Message(_) => Err(Refusal::new(Code::UnexpectedMessage, step)
                .with("expected", "chunk")
                .with("got", "message")),
        }
    }

    /// Sends one message; it has left this process when this returns.
    ///
    /// # Errors
    ///
    /// `frame_too_large`; `timeout` if the peer does not take it within the time for one
    /// message; the refusal by which a server ended the connection; `connection_lost`.
    pub async fn send<M: Message>(&mut self, message: &M) -> Result<(), Refusal> {
        let frame = encode(message, self.step)?;
        self.send_frame(&frame).await
    }

    /// Sends bytes as they are, without a frame around them. For whoever shows on purpose what
    /// the other side refuses; nothing honest needs it.
    ///
    /// # Errors
    ///
    /// As for [`Connection::send`].
    pub async fn send_raw(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let sending = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        match timeout(self.message, sending).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.why(&error).await),
            Err(_) => Err(Refusal::new(Code::Timeout, self.step)),
        }
    }

    /// Sends content, in as many chunk frames of at most 64 KiB as it needs.
    ///
    /// # Errors
    ///
    /// As for [`Connection::send`]. A server that refuses is noticed between chunks.
    pub async fn send_chunk(&mut self, mut content: Bytes) -> Result<(), Refusal> {
        while !content.is_empty() {
            if let Some(refusal) = self.refused_meanwhile() {
                return Err(refusal);
            }
            let chunk = content.split_to(content.len().min(MAX_PAYLOAD));
            self.send_frame(&Frame::Chunk(chunk)).await?;
        }
        Ok(())
    }

    /// Sends a refusal and ends the connection. Best effort, bounded in time: the peer is
    /// given a while to read it before the socket is closed, and what it still sends
    /// meanwhile is thrown away unread.
    pub async fn refuse(mut self, refusal: &Refusal) {
        let linger = self.linger;
        let Ok(json) = serde_json::to_vec(&LastWords::Refusal(refusal.clone())) else {
            return;
        };
        let frame = Frame::Message(Bytes::from(json));
        let goodbye = async {
            if self.write_frame(&frame).await.is_ok() && self.stream.shutdown().await.is_ok() {
                drain(&mut self.stream).await;
            }
        };
        let _ = timeout(linger, goodbye).await;
    }

    /// Ends the connection with `close_notify`. Best effort, bounded in time.
    pub async fn close(mut self) {
        let linger = self.linger;
        let goodbye = async {
            if self.stream.shutdown().await.is_ok() && self.side == Side::Server {
                drain(&mut self.stream).await;
            }
        };
        let _ = timeout(linger, goodbye).await;
    }

    /// From now on `onlooker` sees every frame.
    pub fn show_to(&mut self, onlooker: Onlooker) {
        self.onlooker = Some(onlooker);
    }

    fn saw(&mut self, direction: Direction, frame: &Frame) {
        if let Some(onlooker) = &mut self.onlooker {
            onlooker(direction, frame);
        }
    }

    /// Sets the step that refusals of the next [`Connection::send`] name.
    pub fn at_step(&mut self, step: Step) {
        self.step = step;
    }

    /// RFC 9266 `tls-exporter` channel binding: the same on both sides, never again.
    pub fn exporter(&self) -> [u8; 32] {
        self.peer.exporter
    }

    /// The peer's certificate chain, leaf first, without the root. The handshake has
    /// verified it; `None` for a client that showed none.
    pub fn peer_chain(&self) -> Option<&Chain> {
        self.peer.chain.as_ref()
    }

    /// The peer's address.
    pub fn peer_address(&self) -> SocketAddr {
        self.peer.address
    }

    /// Number of the connection in this process, for the log.
    pub fn id(&self) -> u64 {
        self.peer.id
    }

    /// On a client's side, the root under which the server was accepted.
    pub fn root_seen(&self) -> Option<&Certificate> {
        self.peer.root_seen.as_ref()
    }

    async fn next_frame(&mut self) -> Result<Frame, Refusal> {
        if let Some(frame) = self.looked_ahead.take() {
            return Ok(frame);
        }
        loop {
            if let Some(frame) = Frame::decode(&mut self.incoming, self.step)? {
                self.saw(Direction::Received, &frame);
                return Ok(frame);
            }
            self.incoming.reserve(READ);
            match self.stream.read_buf(&mut self.incoming).await {
                Ok(0) => return Err(Refusal::new(Code::ConnectionLost, self.step)),
                Ok(_) => {}
                Err(error) => return Err(self.lost(&error)),
            }
        }
    }

    async fn send_frame(&mut self, frame: &Frame) -> Result<(), Refusal> {
        match timeout(self.message, self.write_frame(frame)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.why(&error).await),
            Err(_) => Err(Refusal::new(Code::Timeout, self.step)),
        }
    }

    async fn write_frame(&mut self, frame: &Frame) -> io::Result<()> {
        self.outgoing.clear();
        frame
            .encode(&mut self.outgoing, self.step)
            .map_err(io::Error::other)?;
        self.stream.write_all(&self.outgoing).await?;
        self.stream.flush().await?;
        self.saw(Direction::Sent, frame);
        Ok(())
    }

    /// Writing failed because the peer closed. It may have said why before it did.
    async fn why(&mut self, error: &io::Error) -> Refusal {
        let said = timeout(LAST_WORDS, self.last_words()).await;
        said.ok().flatten().unwrap_or_else(|| self.lost(error))
    }

    async fn last_words(&mut self) -> Option<Refusal> {
        loop {
            match self.next_frame().await {
                Ok(frame) => match self.refusal_in(&frame) {
                    None => {}
                    refusal => return refusal,
                },
                Err(lost) if lost.code == Code::ConnectionLost => return None,
                Err(alert) => return Some(alert),
            }
        }
    }

    /// The refusal that arrived while content is being sent, without waiting for one.
    fn refused_meanwhile(&mut self) -> Option<Refusal> {
        if self.looked_ahead.is_some() || self.side == Side::Server {
            return None;
        }
        let frame = match self.next_frame().now_or_never()? {
            Ok(frame) => frame,
            Err(refusal) => return Some(refusal),
        };
        let refusal = self.refusal_in(&frame);
        if refusal.is_none() {
            self.looked_ahead = Some(frame);
        }
        refusal
    }

    /// Only to a client does an alert say why its certificate was refused.
    fn lost(&self, error: &io::Error) -> Refusal {
        match self.side {
            Side::Client => self
                .examined(error)
                .unwrap_or_else(|| refusal_of(error, self.step)),
            Side::Server => Refusal::new(Code::ConnectionLost, self.step),
        }
    }

    fn examined(&self, error: &io::Error) -> Option<Refusal> {
        let examiner = self.examiner.as_ref()?;
        examiner.refusal(received(error)?, self.step)
    }

    fn refusal_in(&self, frame: &Frame) -> Option<Refusal> {
        match (self.side, frame) {
            (Side::Client, Frame::Message(payload)) => {
                let LastWords::Refusal(refusal) = serde_json::from_slice(payload).ok()?;
                Some(refusal)
            }
            _ => None,
        }
    }
}

impl<S> fmt::Debug for Connection<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("id", &self.peer.id)
            .field("peer_address", &self.peer.address)
            .field("step", &self.step)
            .finish_non_exhaustive()
    }
}

/// The message `refusal`, which is the same in every direction of replies.
#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum LastWords {
    Refusal(Refusal),
}

/// Reads and forgets until the peer closes: closing with unread data would send a reset,
/// and the peer might lose our last words.
pub(crate) async fn drain(stream: &mut (impl AsyncRead + Unpin)) {
    let mut sink = BytesMut::with_capacity(READ);
    while matches!(stream.read_buf(&mut sink).await, Ok(read) if read > 0) {
        sink.clear();
    }
}

fn unexpected_chunk(step: Step) -> Refusal {
    Refusal::new(Code::UnexpectedMessage, step)
        .with("expected", "message")
        .with("got", "chunk")
}
