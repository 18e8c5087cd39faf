//! The server's half of a handshake, and which application protocol follows it.

use std::io;
use std::net::SocketAddr;

use rustls::server::{Acceptor, ClientHello};
use scb_certs::CertificateError;
use scb_protocol::{Code, Refusal, Step, certificate_refusal};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::{LazyConfigAcceptor, StartHandshake, TlsStream, server};

use crate::alert::tls_error;
use crate::connection::drain;
use crate::http::Version;
use crate::peer::{Peer, next_id};
use crate::tls::{ALPN, HTTP_1, HTTP_2, ServerTls, Verdict, binding, chain_of, presented};

/// A fatal alert `no_application_protocol` (RFC 7301, section 3.2) as a plaintext record:
/// nothing is encrypted before the ServerHello (RFC 8446, section 5.1).
const NO_APPLICATION_PROTOCOL: [u8; 7] = [21, 3, 3, 0, 2, 2, 120];

/// What the client wants to speak once the handshake is done.
enum Application {
    Scb,
    Http,
    Unknown,
}

/// What is spoken now that the handshake is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Spoken {
    Scb,
    Http(Version),
    /// HTTP, in which a client is told why nobody can be judged here: it has shown a certificate that
    /// was not verified to the end, and is taken for nobody.
    Refusal(Version, CertificateError),
}

/// A handshake that came to an end.
pub(crate) struct Accepted {
    pub(crate) stream: TlsStream<TcpStream>,
    pub(crate) peer: Peer,
    pub(crate) spoken: Spoken,
}

/// A handshake that failed. The client has been sent the alert that says why.
pub(crate) struct Failed {
    pub(crate) error: io::Error,
    verdict: Verdict,
    socket: Option<TcpStream>,
}

impl Failed {
    /// What it amounts to if it was about the client's certificate, with the exact code.
    pub(crate) fn refusal(&self, step: Step) -> Option<Refusal> {
        let missing = matches!(
            tls_error(&self.error),
            Some(rustls::Error::NoCertificatesPresented)
        );
        let about = |found| certificate_refusal(found, step);
        match missing {
            true => Some(Refusal::new(Code::CertificateMissing, step)),
            false => self.verdict.found().map(about),
        }
    }

    /// Closes once the client has read the alert. The caller sets the deadline.
    pub(crate) async fn linger(self) {
        let Some(mut socket) = self.socket else {
            return;
        };
        if socket.shutdown().await.is_ok() {
            drain(&mut socket).await;
        }
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::before_the_end(error, None)
    }
}

impl Failed {
    /// Before anybody looked at the client's certificate.
    fn before_the_end(error: io::Error, socket: Option<TcpStream>) -> Self {
        let verdict = Verdict::default();
        Self {
            error,
            verdict,
            socket,
        }
    }
}

/// Completes a handshake, for HTTP only if it is served. The caller sets the deadline.
pub(crate) async fn accept(
    socket: TcpStream,
    address: SocketAddr,
    tls: &ServerTls,
    serves_http: bool,
) -> Result<Accepted, Failed> {
    socket.set_nodelay(true)?;
    let start = client_hello(socket).await?;
    let protocols: &[&[u8]] = match application(&start.client_hello(), serves_http) {
        Application::Scb => &[ALPN],
        Application::Http => &[HTTP_2, HTTP_1],
        Application::Unknown => return Err(refuse_application(start.io).await),
    };
    finish(start, protocols, address, tls).await
}

async fn client_hello(socket: TcpStream) -> Result<StartHandshake<TcpStream>, Failed> {
    let mut acceptor = LazyConfigAcceptor::new(Acceptor::default(), socket);
    let start = (&mut acceptor).await;
    start.map_err(|error| Failed::before_the_end(error, acceptor.take_io()))
}

async fn finish(
    start: StartHandshake<TcpStream>,
    protocols: &[&[u8]],
    address: SocketAddr,
    tls: &ServerTls,
) -> Result<Accepted, Failed> {
    let verdict = Verdict::default();
    let config = tls.for_handshake(protocols, &verdict);
    let config = config.map_err(io::Error::other)?;
    let handshake = start.into_stream(config).into_fallible();
    let stream = handshake.await.map_err(|(error, socket)| Failed {
        error,
        verdict: verdict.clone(),
        socket: Some(socket),
    })?;
    let spoken = spoken(&stream, &verdict)?;
    let is_judged = !matches!(spoken, Spoken::Refusal(..));
    let peer = peer(&stream, address, is_judged.then_some(tls)).map_err(io::Error::other)?;
    let stream = TlsStream::Server(stream);
    Ok(Accepted {
        stream,
        peer,
        spoken,
    })
}

fn spoken(stream: &server::TlsStream<TcpStream>, verdict: &Verdict) -> io::Result<Spoken> {
    let version = match stream.get_ref().1.alpn_protocol() {
        Some(ALPN) => None,
        Some(HTTP_2) => Some(Version::Http2),
        _ => Some(Version::Http1),
    };
    match (version, verdict.found()) {
        (None, None) => Ok(Spoken::Scb),
        (Some(version), None) => Ok(Spoken::Http(version)),
        (Some(version), Some(found)) => Ok(Spoken::Refusal(version, found.clone())),
        // For frames the verifier ends the handshake.
        (None, Some(found)) => Err(io::Error::other(found.to_string())),
    }
}

async fn refuse_application(mut socket: TcpStream) -> Failed {
    match socket.write_all(&NO_APPLICATION_PROTOCOL).await {
        Ok(()) => {
            let error = io::Error::other("the client offers no protocol of this server (ALPN)");
            Failed::before_the_end(error, Some(socket))
        }
        Err(error) => error.into(),
    }
}

/// A client that names no protocol speaks HTTP/1.1, never `scb/1`.
fn application(hello: &ClientHello<'_>, serves_http: bool) -> Application {
    let offers = |protocol| {
        let mut offered = hello.alpn().into_iter().flatten();
        offered.any(|one| one == protocol)
    };
    let speaks_http = hello.alpn().is_none() || offers(HTTP_1) || offers(HTTP_2);
    match (offers(ALPN), speaks_http && serves_http) {
        (true, _) => Application::Scb,
        (false, true) => Application::Http,
        (false, false) => Application::Unknown,
    }
}

/// With the chain that `tls` has verified; without one if nothing has.
fn peer(
    stream: &server::TlsStream<TcpStream>,
    address: SocketAddr,
    tls: Option<&ServerTls>,
) -> Result<Peer, rustls::Error> {
    let (_, tls_session) = stream.get_ref();
    let chain = match tls {
        Some(tls) => chain_of(presented(tls_session)?, tls.trust())?,
        None => None,
    };
    Ok(Peer {
        id: next_id(),
        address,
        chain,
        exporter: binding(tls_session)?,
        root_seen: None,
    })
}
