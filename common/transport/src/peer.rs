//! Who is at the other end.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use scb_certs::{Certificate, Chain};

/// The other end of a connection, as the handshake established it.
#[derive(Clone)]
pub struct Peer {
    /// Number of the connection in this process, for the log.
    pub id: u64,
    /// The peer's address.
    pub address: SocketAddr,
    /// The peer's certificate chain without the root; `None` for a client without one.
    pub chain: Option<Chain>,
    /// RFC 9266 `tls-exporter` channel binding.
    pub exporter: [u8; 32],
    /// On the client's side, the root under which the server was accepted.
    pub root_seen: Option<Certificate>,
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("id", &self.id)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// The next number for [`Peer::id`].
pub(crate) fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
