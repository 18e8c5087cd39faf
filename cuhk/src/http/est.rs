//! Enrolment over Secure Transport (RFC 7030, as RFC 8951 clarifies it): the same certificates
//! under the same rules as by `scb/1`, for clients that know nothing of it.

mod answer;
mod asked;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Response};
use axum::routing::{get, post};
use scb_protocol::authority::{Admitted, Caller, ExpectRequest};
use scb_protocol::message::cuhk::Request;
use scb_protocol::{Code, Refusal, Step, StepEvent};
use scb_transport::{HttpConnection, telemetry};
use tokio::sync::Mutex;
use tokio::time::Instant;

use self::answer::{ATTRIBUTES, PlainRefusal, certificates, encoded};
use super::refused::{refusal, unreadable};
use crate::Subject;
use crate::authority::{Authority, Certified};
use crate::facts;

/// What one connection may still try; nothing, after too many wrong codes. Whoever tries holds
/// it, so that several requests at once are no way around the count.
#[derive(Clone)]
pub(super) struct Attempts(Arc<Mutex<Option<ExpectRequest>>>);

impl Attempts {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Some(ExpectRequest::new()))))
    }
}

pub(super) fn routes() -> Router<Arc<Authority>> {
    let routes = Router::new()
        .route("/cacerts", get(ca_certificates))
        .route(
            "/csrattrs",
            get(|| async { encoded(ATTRIBUTES.1, ATTRIBUTES.0) }),
        )
        .route("/simpleenroll", post(enrol))
        .route("/simplereenroll", post(renew));
    Router::new().nest("/.well-known/est", routes)
}

/// RFC 7030, section 4.1: the root, and the issuing authorities that have not retired.
async fn ca_certificates(
    State(authority): State<Arc<Authority>>,
) -> Result<Response<Body>, PlainRefusal> {
    let all = authority.certificates();
    certificates(&all.iter().collect::<Vec<_>>())
}

/// RFC 7030, section 4.2.1: the user is the student ID, or `service/NAME`, the password the
/// enrolment code.
async fn enrol(
    State(authority): State<Arc<Authority>>,
    Extension(connection): Extension<HttpConnection>,
    Extension(attempts): Extension<Attempts>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response<Body>, PlainRefusal> {
    let visit = Visit::new(&authority, &connection);
    let body = visit.body(body)?;
    if !headers.contains_key(AUTHORIZATION) {
        // It waits to be asked (RFC 7617, section 2) and has guessed nothing.
        let nobody = Refusal::new(Code::EnrolmentRefused, Step::One);
        return Err(visit.refuse(nobody.with("reason", "no user and password were given")));
    }
    let mut attempts = attempts.0.lock().await;
    let Some(expect) = attempts.as_mut() else {
        return Err(visit.refuse(Refusal::new(Code::TooManyCodes, Step::One)));
    };
    let tried = visit.enrol(expect, &headers, &body).await;
    let refused = match tried {
        Ok(chain) => return certificates(&[chain.chain.leaf()]),
        Err(refusal) if refusal.code == Code::EnrolmentRefused => authority
            .wrong_code(refusal, connection.peer_address().ip())
            .and_then(|refusal| expect.wrong_code(refusal)),
        Err(refusal) => Ok(refusal),
    };
    Err(visit.refuse(refused.unwrap_or_else(|too_many| {
        *attempts = None;
        connection.close();
        too_many
    })))
}

/// RFC 7030, section 4.2.2: for the certificate that opened the connection.
async fn renew(
    State(authority): State<Arc<Authority>>,
    Extension(connection): Extension<HttpConnection>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response<Body>, PlainRefusal> {
    let visit = Visit::new(&authority, &connection);
    let body = visit.body(body)?;
    match visit.renew(&headers, &body).await {
        Ok(certified) => certificates(&[certified.chain.leaf()]),
        Err(refusal) => Err(visit.refuse(refusal)),
    }
}

/// One request for a certificate.
struct Visit<'a> {
    authority: &'a Authority,
    connection: &'a HttpConnection,
    started: Instant,
}

impl<'a> Visit<'a> {
    fn new(authority: &'a Authority, connection: &'a HttpConnection) -> Self {
        Self {
            authority,
            connection,
            started: Instant::now(),
        }
    }

    fn body(&self, body: Result<Bytes, BytesRejection>) -> Result<Bytes, PlainRefusal> {
        body.map_err(|rejection| self.refuse(unreadable(rejection, Step::One)))
    }

    async fn enrol(
        &self,
        expect: &ExpectRequest,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Certified, Refusal> {
        let request = asked::request(headers, body)?;
        let (subject, code) = asked::credentials(headers)?;
        let request = match subject {
            Subject::Student(sid) => Request::Enrol { sid, code, request },
            Subject::Service(name) => Request::EnrolService {
                name,
                code,
                request,
            },
        };
        match expect.handle(request, &self.caller()?)? {
            Admitted::Enrol { sid, code, request } => {
                self.emit(facts::request_verified(&sid, &request));
                let enrolled = self.authority.enrol(&sid, &code, &request).await;
                let enrolled = enrolled.map_err(|error| self.told(&error))?;
                self.emit(facts::student_certified(&sid, &enrolled));
                Ok(enrolled.certified)
            }
            Admitted::EnrolService {
                name,
                code,
                request,
            } => {
                let enrolled = self.authority.enrol_service(&name, &code, &request).await;
                let certified = enrolled.map_err(|error| self.told(&error))?;
                self.emit(facts::service_certified(&name, &certified));
                Ok(certified)
            }
            _ => Err(Refusal::new(Code::NotPermitted, Step::One)),
        }
    }

    async fn renew(&self, headers: &HeaderMap, body: &[u8]) -> Result<Certified, Refusal> {
        let caller = self.caller()?;
        if matches!(caller, Caller::Anonymous) {
            return Err(Refusal::new(Code::CertificateMissing, Step::One));
        }
        let request = asked::verified(headers, body)?;
        match caller {
            Caller::Student(student) => {
                let renewed = self.authority.renew_student(&student, &request).await;
                let renewed = renewed.map_err(|error| self.told(&error))?;
                self.emit(facts::student_renewed(student.sid(), &renewed));
                Ok(renewed.certified)
            }
            Caller::Service(service) => {
                let renewed = self.authority.renew_service(&service, &request).await;
                let certified = renewed.map_err(|error| self.told(&error))?;
                self.emit(facts::service_renewed(service.name(), &certified));
                Ok(certified)
            }
            Caller::Anonymous => Err(Refusal::new(Code::CertificateMissing, Step::One)),
        }
    }

    /// Who opened the connection, if that still counts.
    fn caller(&self) -> Result<Caller, Refusal> {
        let trust = &self.authority.current().trust;
        Caller::from_chain(self.connection.peer_chain(), trust, self.authority.now())
    }

    fn told(&self, error: &crate::Error) -> Refusal {
        refusal(error, Step::Two, self.connection)
    }

    fn refuse(&self, refusal: Refusal) -> PlainRefusal {
        self.emit(StepEvent::refused(&refusal));
        PlainRefusal(refusal)
    }

    fn emit(&self, event: StepEvent) {
        let elapsed = self.started.elapsed();
        telemetry::emit(&event.on(self.connection.id()).took(elapsed));
    }
}
