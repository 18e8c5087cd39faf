//! Opening a connection as a client.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rustls::InvalidMessage;
use rustls_pki_types::ServerName;
use scb_protocol::{Code, Refusal, Step};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::{TlsConnector, TlsStream, client};

use crate::alert::{refusal_of, tls_error};
use crate::connection::Connection;
use crate::limits::Limits;
use crate::peer::{Peer, next_id};
use crate::tls::{ALPN, ClientTls, binding, chain_without, doubt, presented};

/// What a web server without TLS, or another program, comes to.
const NO_TLS: &str = "what answers there does not speak TLS, as another program's port: CUHK's is usually \
                      8011, Blackboard's 8002";

/// Connects to `address` (`host:port`, IPv6 in brackets) and completes the handshake, all
/// before `deadline` has passed. Not a byte of any message leaves before the server has
/// proved that it is the service meant; `step` is what refusals name.
///
/// That a server refuses the client's certificate is learnt at the first receive.
///
/// # Errors
///
/// `connection_failed` (name unknown, refused, unreachable), `timeout`, `server_identity`
/// (its certificate is not acceptable), `server_misbehaved` (it does not speak `scb/1`).
pub async fn connect(
    address: &str,
    tls: &ClientTls,
    step: Step,
    deadline: Duration,
) -> Result<Connection, Refusal> {
    let result = match timeout(deadline, open(address, tls, step)).await {
        Ok(result) => result,
        Err(_) => Err(Refusal::new(Code::Timeout, step)),
    };
    result.map_err(|refusal| refusal.with("address", address))
}

async fn open(address: &str, tls: &ClientTls, step: Step) -> Result<Connection, Refusal> {
    let name = server_name(address).ok_or_else(|| {
        Refusal::new(Code::ConnectionFailed, step).with("reason", "not of the form host:port")
    })?;
    let (socket, address) = dial(address)
        .await
        .map_err(|error| Refusal::new(Code::ConnectionFailed, step).with("reason", error))?;
    let connector = TlsConnector::from(tls.config());
    let stream = connector
        .connect(name, socket)
        .await
        .map_err(|error| handshake_refusal(&error, step))?;
    let peer = peer(&stream, address, tls, step)?;
    let own = tls.own().cloned().zip(peer.root_seen.as_ref());
    let examiner = own.and_then(|(own, root)| own.under(root));
    let limits = Limits::default();
    let stream = TlsStream::Client(stream);
    Ok(Connection::client(stream, peer, step, &limits).examined_by(examiner))
}

pub(crate) fn server_name(address: &str) -> Option<ServerName<'static>> {
    let (host, _port) = address.rsplit_once(':')?;
    let host = host
        .strip_prefix('[')
        .and_then(|h| h.strip_suffix(']'))
        .unwrap_or(host);
    ServerName::try_from(host.to_owned()).ok()
}

/// Tries every address that the name stands for, in the resolver's order.
pub(crate) async fn dial(address: &str) -> io::Result<(TcpStream, SocketAddr)> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for candidate in lookup_host(address).await? {
        match TcpStream::connect(candidate).await {
            Ok(socket) => {
                socket.set_nodelay(true)?;
                return Ok((socket, candidate));
            }
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn handshake_refusal(error: &io::Error, step: Step) -> Refusal {
    match tls_error(error) {
        Some(rustls::Error::InvalidCertificate(reason)) => doubt::refusal(reason, step),
        Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)) => {
            Refusal::new(Code::ServerIdentity, step).with("reason", NO_TLS)
        }
        Some(rustls::Error::AlertReceived(_)) | None => refusal_of(error, step),
        Some(other) => Refusal::new(Code::ServerMisbehaved, step).with("reason", other),
    }
}

fn peer(
    stream: &client::TlsStream<TcpStream>,
    address: SocketAddr,
    tls: &ClientTls,
    step: Step,
) -> Result<Peer, Refusal> {
    let (_, session) = stream.get_ref();
    let misbehaved = |reason| Refusal::new(Code::ServerMisbehaved, step).with("reason", reason);
    if session.alpn_protocol() != Some(ALPN) {
        return Err(misbehaved("the server does not speak scb/1".to_owned()));
    }
    let peer = || {
        let sent = presented(session)?;
        let root_seen = tls.root(&sent);
        Ok(Peer {
            id: next_id(),
            address,
            chain: chain_without(sent, root_seen.as_slice())?,
            exporter: binding(session)?,
            root_seen,
        })
    };
    peer().map_err(|error: rustls::Error| misbehaved(error.to_string()))
}
