//! The bodies of requests: read whole before a route sees them, and never more of them, or of long
//! heads, at once than there is room for.

use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use hyper::body::{Body as _, Frame, Incoming};
use scb_protocol::{Code, Refusal, Step};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::MAX_BODY;

/// Bytes of a body that are read at all.
const MAX_READ: usize = 16 * MAX_BODY;
/// Bytes of each body for which there is always room: more than any request for a certificate and any
/// question about a token has.
const SMALL: usize = 8 * 1024;
/// Bodies that are longer than that, of all connections at once: 32 MiB.
const LARGE_AT_ONCE: usize = 512;
/// Bytes of each head for which there is always room, likewise.
const SMALL_HEAD: usize = 2 * 1024;
/// Heads that are longer than that, of all connections at once: 8 MiB.
const LONG_HEADS: usize = 512;
/// Bodies of one connection that are taken in at once; further requests on it wait for their turn.
const OF_ONE_CONNECTION: usize = 4;
/// Seconds after which a client that found no room may try again.
const RETRY_AFTER: u32 = 5;

/// Room for bodies and long heads. All connections of one listener share it.
#[derive(Debug, Clone)]
pub(super) struct Room {
    large: Arc<Semaphore>,
    heads: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

/// A place that somebody has for as long as this is kept; none where there is always room.
type Place = Option<OwnedSemaphorePermit>;

/// A body, and its places.
pub(super) struct TakenIn {
    pub(super) bytes: Bytes,
    _places: [Place; 2],
}

impl TakenIn {
    /// In the place of a body that is too long and was not read: a route says of it what it says of any.
    pub(super) fn too_long() -> Self {
        Self {
            bytes: Bytes::from_static(&[0; MAX_BODY + 1]),
            _places: [None, None],
        }
    }
}

impl Default for Room {
    fn default() -> Self {
        Self {
            large: Arc::new(Semaphore::new(LARGE_AT_ONCE)),
            heads: Arc::new(Semaphore::new(LONG_HEADS)),
            turns: Arc::new(Semaphore::new(OF_ONE_CONNECTION)),
        }
    }
}

impl Room {
    /// The same room, with turns for one more connection.
    pub(super) fn of_connection(&self) -> Self {
        Self {
            large: Arc::clone(&self.large),
            heads: Arc::clone(&self.heads),
            turns: Arc::new(Semaphore::new(OF_ONE_CONNECTION)),
        }
    }

    /// The place of a head, if it is one that takes any.
    ///
    /// # Errors
    ///
    /// `busy` for a long one that finds no room.
    pub(super) fn of_head(&self, fields: &HeaderMap) -> Result<Place, Refusal> {
        let bytes = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len();
        if fields.iter().map(bytes).sum::<usize>() <= SMALL_HEAD {
            return Ok(None);
        }
        let place = Arc::clone(&self.heads).try_acquire_owned();
        place.map(Some).map_err(|_| busy())
    }

    /// The body, as far as it may go, and one byte more of one that is too long: that tells the
    /// route. The rest is read and thrown away, within bounds, so that the client gets to read the
    /// answer. The caller sets the deadline.
    ///
    /// # Errors
    ///
    /// `connection_lost` for a body that breaks off; `busy` for a long one that finds no room.
    pub(super) async fn take_in(&self, body: &mut Incoming) -> Result<TakenIn, Refusal> {
        if body.is_end_stream() {
            return Ok(TakenIn {
                bytes: Bytes::new(),
                _places: [None, None],
            });
        }
        // Nobody closes them.
        let turn = Arc::clone(&self.turns).acquire_owned().await.ok();
        let (mut bytes, mut large) = (Vec::new(), None);
        let (mut read, mut is_refused) = (0, false);
        while read <= MAX_READ
            && let Some(frame) = next(body).await
        {
            let frame = frame.map_err(|_| Refusal::new(Code::ConnectionLost, Step::Zero))?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            read += data.len();
            if !is_refused {
                is_refused = !self.keep(&mut bytes, &mut large, &data);
            }
        }
        match is_refused {
            true => Err(busy()),
            false => Ok(TakenIn {
                bytes: bytes.into(),
                _places: [turn, large],
            }),
        }
    }

    /// Keeps what may be kept of these bytes; false, and nothing is kept, if there is no room.
    fn keep(&self, bytes: &mut Vec<u8>, large: &mut Place, data: &[u8]) -> bool {
        let may = (MAX_BODY + 1).saturating_sub(bytes.len());
        let data = &data[..may.min(data.len())];
        if large.is_none() && bytes.len() + data.len() > SMALL {
            *large = Arc::clone(&self.large).try_acquire_owned().ok();
            if large.is_none() {
                *bytes = Vec::new();
                return false;
            }
            bytes.reserve_exact(may);
        }
        bytes.extend_from_slice(data);
        true
    }
}

/// Reads on for so long, within bounds, what is left of a body that was answered before its end in HTTP/2;
/// then its stream is reset, with `NO_ERROR` (RFC 9113, section 8.1). Who is reset together with the answer
/// may forget the answer, as curl 7.88 does.
pub(super) fn outlast(mut body: Incoming, linger: Duration) {
    if body.is_end_stream() {
        return;
    }
    tokio::spawn(timeout(linger, async move {
        let mut read = 0;
        while read <= MAX_READ {
            match next(&mut body).await {
                Some(Ok(frame)) => read += frame.data_ref().map_or(0, Bytes::len),
                // The client has reset it, or is gone.
                _ => return,
            }
        }
        pending::<()>().await;
    }));
}

async fn next(body: &mut Incoming) -> Option<Result<Frame<Bytes>, hyper::Error>> {
    poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await
}

fn busy() -> Refusal {
    Refusal::new(Code::Busy, Step::Zero).retry_after(RETRY_AFTER)
}
