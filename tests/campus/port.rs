//! A port that stays a server's while it is down: nobody else on this machine is given it meanwhile.

use std::net::SocketAddr;

use tokio::net::TcpSocket;

/// Bound, and nobody listens there: who connects is refused. Who names it may listen there all the
/// same, as every server here sets `SO_REUSEADDR` (on Linux; elsewhere nothing is bound).
pub struct Port {
    number: u16,
    _bound: Option<TcpSocket>,
}

impl Port {
    /// One that was free.
    pub fn free() -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let socket = bound(any).unwrap();
        Self {
            number: socket.local_addr().unwrap().port(),
            _bound: is_shared().then_some(socket),
        }
    }

    /// That of a server that has just ended; none if somebody else has got it already.
    pub fn of(address: &str) -> Option<Self> {
        let address: SocketAddr = address.parse().ok().filter(|_| is_shared())?;
        Some(Self {
            number: address.port(),
            _bound: Some(bound(address)?),
        })
    }

    pub fn number(&self) -> u16 {
        self.number
    }
}

fn bound(address: SocketAddr) -> Option<TcpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    };
    let socket = socket.ok()?;
    socket.set_reuseaddr(true).ok()?;
    socket.bind(address).ok()?;
    Some(socket)
}

/// Whether a socket that does not listen leaves room for one that does.
fn is_shared() -> bool {
    cfg!(target_os = "linux")
}
