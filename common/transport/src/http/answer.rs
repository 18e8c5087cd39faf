//! One request: answered under a total deadline, its body included, and logged.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::{HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use axum::http::{Extensions, Request, Response, Version};
use hyper::body::Incoming;
use scb_protocol::{Code, Refusal, Step, StepEvent};
use tokio::time::{Instant, timeout};
use tower_service::Service;

use super::body::{Room, TakenIn, outlast};
use super::{HttpConnection, Pulse, problem, request};
use crate::telemetry;

/// What every request of one connection is answered with.
#[derive(Clone)]
pub(super) struct Answering {
    pub(super) router: Router,
    pub(super) extensions: Extensions,
    pub(super) connection: HttpConnection,
    pub(super) pulse: Pulse,
    pub(super) room: Room,
    pub(super) deadline: Duration,
    pub(super) linger: Duration,
}

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
        let (head, mut body) = request.into_parts();
        let has_streams = head.version == Version::HTTP_2;
        let routed = async {
            if let Some(refused) = request::without_host(&head) {
                return Ok(refused);
            }
            let _place = match self.room.of_head(&head.headers) {
                Ok(place) => place,
                Err(refusal) => return Ok(untaken(&refusal)),
            };
            let taken = match request::waits_with_too_much(&head.headers) {
                // Nobody asks for it: the route says what there is to say.
                true => Ok(TakenIn::too_long()),
                false => self.room.take_in(&mut body).await,
            };
            let mut taken = match taken {
                Ok(taken) => taken,
                Err(refusal) => return Ok(untaken(&refusal)),
            };
            let body = Body::from(std::mem::take(&mut taken.bytes));
            let mut request = Request::from_parts(head, body);
            request.extensions_mut().extend(self.extensions);
            // Its place is kept until it is answered.
            let answered = self.router.call(request).await;
            drop(taken);
            answered
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
        if has_streams {
            outlast(body, self.linger);
        }
        response.headers_mut().insert(NO_SNIFF.0, NO_SNIFF.1);
        let (conn, status) = (self.connection.id(), response.status().as_u16());
        let ms = started.elapsed().as_secs_f64() * 1000.0;
        tracing::debug!(conn, "{what} {status} {ms:.1}ms");
        Ok(response)
    }
}

/// A body that was not taken in; that there was no room for it is counted.
fn untaken(refusal: &Refusal) -> Response<Body> {
    if refusal.code == Code::Busy {
        telemetry::tally(&StepEvent::refused(refusal));
    }
    problem(refusal)
}

/// The start of a path, which is visible ASCII; never the query.
fn shown(path: &str) -> &str {
    path.get(..80).unwrap_or(path)
}
