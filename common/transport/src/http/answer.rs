//! One request: answered under a total deadline, its body included, and logged.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::{HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use axum::http::{Extensions, Request, Response};
use bytes::BytesMut;
use hyper::body::{Body as _, Incoming};
use scb_protocol::{Code, Refusal, Step};
use tokio::time::{Instant, timeout};
use tower_service::Service;

use super::{HttpConnection, MAX_BODY, Pulse, problem};

/// What every request of one connection is answered with.
#[derive(Clone)]
pub(super) struct Answering {
    pub(super) router: Router,
    pub(super) extensions: Extensions,
    pub(super) connection: HttpConnection,
    pub(super) pulse: Pulse,
    pub(super) deadline: Duration,
}

/// Bytes of a body that are read at all.
const MAX_READ: usize = 16 * MAX_BODY;

/// A browser is not to guess that bytes are a page.
const NO_SNIFF: (HeaderName, HeaderValue) =
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));

impl Answering {
    pub(super) async fn answer(
        mut self,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Infallible> {
        let started = Instant::now();
        self.pulse.beat();
        let what = format!("{} {}", request.method(), shown(request.uri().path()));
        let routed = async {
            let (head, body) = request.into_parts();
            let Ok(body) = taken_in(body).await else {
                return Ok(problem(&Refusal::new(Code::ConnectionLost, Step::Zero)));
            };
            let mut request = Request::from_parts(head, body);
            request.extensions_mut().extend(self.extensions);
            self.router.call(request).await
        };
        let routed = timeout(self.deadline, routed).await;
        let mut response = match routed {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(_) => {
                self.connection.close();
                problem(&Refusal::new(Code::Timeout, Step::Zero))
            }
        };
        response.headers_mut().insert(NO_SNIFF.0, NO_SNIFF.1);
        let (conn, status) = (self.connection.id(), response.status().as_u16());
        let ms = started.elapsed().as_secs_f64() * 1000.0;
        tracing::debug!(conn, "{what} {status} {ms:.1}ms");
        Ok(response)
    }
}

/// The body, as far as it may go, and one byte more of one that is too long: that tells the route.
/// The rest is read and thrown away, within bounds, so that the client gets to read the answer. A
/// body that breaks off is none.
async fn taken_in(mut body: Incoming) -> Result<Body, hyper::Error> {
    let (mut kept, mut read) = (BytesMut::new(), 0);
    while read <= MAX_READ
        && let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await
    {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        let room = (MAX_BODY + 1).saturating_sub(kept.len());
        kept.extend_from_slice(&data[..room.min(data.len())]);
        read += data.len();
    }
    Ok(Body::from(kept.freeze()))
}

/// The start of a path, which is visible ASCII; never the query.
fn shown(path: &str) -> &str {
    path.get(..80).unwrap_or(path)
}
