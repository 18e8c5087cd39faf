//! Token introspection (RFC 7662) for services, which show their certificate (RFC 8705): one that
//! a token was issued for learns what it says, everybody else that it does not count.

mod asked;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::FormRejection;
use axum::extract::{Extension, Form, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use axum::http::{HeaderMap, Response};
use axum::routing::post;
use scb_protocol::authority::Caller;
use scb_protocol::{Fact, Refusal, Step, StepEvent};
use scb_transport::{HttpConnection, oauth_problem, telemetry};
use tokio::time::Instant;

use self::asked::{Parameters, Writing, token, writing};
use super::refused::refusal;
use crate::authority::{Authority, Introspected};

pub(super) fn routes() -> Router<Arc<Authority>> {
    Router::new().route("/introspect", post(introspect))
}

async fn introspect(
    State(authority): State<Arc<Authority>>,
    Extension(connection): Extension<HttpConnection>,
    headers: HeaderMap,
    form: Result<Form<Parameters>, FormRejection>,
) -> Response<Body> {
    let started = Instant::now();
    let emit = |event: StepEvent| {
        telemetry::emit(&event.on(connection.id()).took(started.elapsed()));
    };
    let answered = answer(&authority, &connection, &headers, form).await;
    let (event, answer) = match answered {
        Ok((event, answer)) => (event, answer),
        Err(refusal) => {
            let told = oauth_problem(&refusal, words::told(refusal.code));
            (StepEvent::refused(&refusal), told)
        }
    };
    emit(event);
    answer
}

async fn answer(
    authority: &Authority,
    connection: &HttpConnection,
    headers: &HeaderMap,
    form: Result<Form<Parameters>, FormRejection>,
) -> Result<(StepEvent, Response<Body>), Refusal> {
    let trust = &authority.current().trust;
    let caller = Caller::from_chain(connection.peer_chain(), trust, authority.now())?;
    let asker = caller.service("introspect")?;
    let token = token(form)?;
    let told = |error| refusal(&error, Step::Three, connection);
    let Introspected { answer, inactive } =
        authority.introspect(asker, &token).await.map_err(told)?;
    let writing = writing(headers);
    let body = match writing {
        // Strings and numbers always serialise.
        Writing::Json => serde_json::to_vec(&answer).unwrap_or_default(),
        Writing::Signed => {
            let signed = authority.sign_introspection(&answer, asker);
            signed.map_err(told)?.into_bytes()
        }
    };
    let response = response(writing, body);
    let asker = asker.name().clone();
    let event = StepEvent::new(Step::Three, Fact::TokenIntrospected { asker, inactive });
    Ok(match answer.student() {
        Some(sid) => (event.about(sid), response),
        None => (event, response),
    })
}

/// Nobody keeps it: a token that counts now may not count in a second.
fn response(writing: Writing, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(writing.media_type()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
