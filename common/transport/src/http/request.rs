//! What HTTP itself asks of the head of a request, before any route is asked.

use axum::body::Body;
use axum::http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HOST};
use axum::http::{HeaderMap, HeaderValue, Response, Version, request::Parts};
use scb_protocol::{Code, Refusal, Step};

use super::{MAX_BODY, problem_in_words};

/// What is said to a request that does not name its host once, as RFC 9112 (section 3.2) wants.
pub(super) fn without_host(head: &Parts) -> Option<Response<Body>> {
    let hosts = head.headers.get_all(HOST).iter().count();
    let is_named = match head.version {
        Version::HTTP_11 => hosts == 1,
        _ => true,
    };
    (!is_named).then(|| {
        let refusal = Refusal::new(Code::MalformedMessage, Step::Zero);
        let detail = "a request in HTTP/1.1 has one field Host (RFC 9112, section 3.2)";
        let remedy = "send the request with one field Host";
        let mut refused = problem_in_words(&refusal, (detail, remedy));
        // What follows may be meant for somebody else.
        let close = HeaderValue::from_static("close");
        refused.headers_mut().insert(CONNECTION, close);
        refused
    })
}

/// Whether a client waits to be told to send a body that is too long anyway (RFC 9110, section 10.1.1).
pub(super) fn waits_with_too_much(fields: &HeaderMap) -> bool {
    let waits = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    let length = fields.get(CONTENT_LENGTH).and_then(|it| it.to_str().ok());
    let length: Option<u64> = length.and_then(|it| it.parse().ok());
    fields.get_all(EXPECT).iter().any(waits) && length.is_some_and(|it| it > MAX_BODY as u64)
}
