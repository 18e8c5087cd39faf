//! One HTTP/1.1 request to somebody who is no part of the campus: under a total deadline, with an
//! answer of bounded size, over TLS by the authorities that were named for it. In the clear it
//! speaks to this machine only.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::uri::Scheme;
use axum::http::{Request, Response, Uri};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;

use crate::connect::{dial, server_name};

/// Bytes that the head of an answer may have at most.
const MAX_HEAD: usize = 16 * 1024;
/// Fields that the head of an answer may have at most.
const MAX_FIELDS: usize = 64;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The text is no address that may be spoken to.
    #[error("not an address of the form https://host/path: {0}")]
    Address(&'static str),
    /// These are no certificates of authorities.
    #[error("no certificates of authorities in PEM")]
    Authorities,
    /// No connection, or TLS came to nothing.
    #[error("cannot be reached")]
    Unreachable(#[source] io::Error),
    /// Not over before the deadline.
    #[error("did not answer within {} s", .0.as_secs())]
    Timeout(Duration),
    /// What came is not HTTP, or broke off.
    #[error("does not speak HTTP/1.1")]
    Broken(#[source] hyper::Error),
    /// The answer is longer than was asked for.
    #[error("answers with more than {0} bytes")]
    TooLong(usize),
}

impl HttpError {
    /// Whether nobody answered: nothing can be said about who was asked.
    pub fn is_away(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Timeout(_))
    }
}

/// Where requests go: `https://…`, or `http://…` on this machine. Without query and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpUrl(Uri);

impl HttpUrl {
    /// Whether it is spoken to over TLS.
    pub fn is_secure(&self) -> bool {
        self.0.scheme() == Some(&Scheme::HTTPS)
    }

    /// `host:port`, IPv6 in brackets.
    fn address(&self) -> String {
        let port = if self.is_secure() { 443 } else { 80 };
        let (host, port) = (self.0.host(), self.0.port_u16().unwrap_or(port));
        format!("{}:{port}", host.unwrap_or_default())
    }

    /// The path of this address, and `name` below it.
    fn below(&self, name: &str) -> String {
        format!("{}/{name}", self.0.path().trim_end_matches('/'))
    }
}

impl FromStr for HttpUrl {
    type Err = HttpError;

    fn from_str(text: &str) -> Result<Self, HttpError> {
        let uri: Uri = text
            .parse()
            .map_err(|_| HttpError::Address("it cannot be read"))?;
        let host = uri.host().unwrap_or_default();
        let is_plain = uri.scheme() == Some(&Scheme::HTTP);
        let has_more = text.contains(['@', '?', '#']);
        match () {
            () if host.is_empty() => Err(HttpError::Address("it has no host")),
            () if has_more => Err(HttpError::Address("a name, query or fragment in it")),
            () if is_plain && !is_loopback(host) => {
                Err(HttpError::Address("http is for this machine only"))
            }
            () if is_plain || uri.scheme() == Some(&Scheme::HTTPS) => Ok(Self(uri)),
            () => Err(HttpError::Address("neither https nor http")),
        }
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// By its number: names may be made to mean anything.
fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.parse()
        .is_ok_and(|address: IpAddr| address.is_loopback())
}

/// An answer, whatever it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    /// The status, such as 200.
    pub status: u16,
    /// The media type, if it names one.
    pub content_type: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// Who is spoken to, and by whose certificates it is recognised. Cheap to clone.
#[derive(Clone)]
pub struct HttpClient {
    url: HttpUrl,
    tls: Option<TlsConnector>,
}

impl HttpClient {
    /// Speaks to `url`. `authorities`, in PEM, are who may certify its name; in the clear they are
    /// not looked at.
    ///
    /// # Errors
    ///
    /// [`HttpError::Authorities`] if there are none for an `https` address.
    pub fn new(url: HttpUrl, authorities: &[u8]) -> Result<Self, HttpError> {
        let tls = match url.is_secure() {
            true => Some(TlsConnector::from(Arc::new(tls_config(authorities)?))),
            false => None,
        };
        Ok(Self { url, tls })
    }

    /// Who is spoken to.
    pub fn url(&self) -> &HttpUrl {
        &self.url
    }

    /// Sends `body` to `name` below the address. All of it, the answer included, is over within
    /// `patience`.
    ///
    /// # Errors
    ///
    /// All but [`HttpError::Address`] and [`HttpError::Authorities`].
    pub async fn post(
        &self,
        name: &str,
        body: String,
        limit: usize,
        patience: Duration,
    ) -> Result<HttpAnswer, HttpError> {
        match timeout(patience, self.exchange(name, body, limit)).await {
            Ok(answer) => answer,
            Err(_) => Err(HttpError::Timeout(patience)),
        }
    }

    async fn exchange(
        &self,
        name: &str,
        body: String,
        limit: usize,
    ) -> Result<HttpAnswer, HttpError> {
        let address = self.url.address();
        let (socket, _) = dial(&address).await.map_err(HttpError::Unreachable)?;
        let request = self.request(name, body)?;
        let Some(tls) = &self.tls else {
            return ask(socket, request, limit).await;
        };
        let name = server_name(&address).ok_or(HttpError::Address("no name for TLS"))?;
        let stream = tls.connect(name, socket).await;
        ask(stream.map_err(HttpError::Unreachable)?, request, limit).await
    }

    fn request(&self, name: &str, body: String) -> Result<Request<Body>, HttpError> {
        let authority = self.url.0.authority().map_or("", |found| found.as_str());
        Request::post(self.url.below(name))
            .header(HOST, authority)
            .header(CONTENT_TYPE, "text/plain; charset=utf-8")
            .body(Body::from(body))
            .map_err(|_| HttpError::Address("it cannot be asked for"))
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "HttpClient({})", self.url)
    }
}

/// TLS 1.3 with the usual signatures: this is somebody else's server.
fn tls_config(authorities: &[u8]) -> Result<ClientConfig, HttpError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authorities) {
        let certificate = certificate.map_err(|_| HttpError::Authorities)?;
        // What the system trusts may have certificates that nothing can be verified by.
        let _ = roots.add(certificate);
    }
    if roots.is_empty() {
        return Err(HttpError::Authorities);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|_| HttpError::Authorities)?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

async fn ask(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Body>,
    limit: usize,
) -> Result<HttpAnswer, HttpError> {
    let mut builder = http1::Builder::new();
    builder.max_buf_size(MAX_HEAD).max_headers(MAX_FIELDS);
    let opened = builder.handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = opened.map_err(HttpError::Broken)?;
    let _driver = AbortOnDropHandle::new(tokio::spawn(connection));
    let response = sender.send_request(request).await;
    read(response.map_err(HttpError::Broken)?, limit).await
}

async fn read(response: Response<Incoming>, limit: usize) -> Result<HttpAnswer, HttpError> {
    let (head, mut incoming) = response.into_parts();
    let mut body = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut incoming).poll_frame(context)).await {
        let Ok(data) = frame.map_err(HttpError::Broken)?.into_data() else {
            continue;
        };
        if body.len() + data.len() > limit {
            return Err(HttpError::TooLong(limit));
        }
        body.extend_from_slice(&data);
    }
    let content_type = head.headers.get(CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    Ok(HttpAnswer {
        status: head.status.as_u16(),
        content_type: content_type.map(str::to_owned),
        body,
    })
}
