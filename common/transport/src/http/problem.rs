//! Refusals as HTTP says them: RFC 9457, with the registry's code and its status.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{Response, StatusCode};
use scb_protocol::Refusal;
use serde::Serialize;

/// RFC 9457, section 3; `type` is left out, so it is `about:blank`. The members after `detail`
/// are those of the message `refusal`.
#[derive(Serialize)]
struct Problem<'a> {
    title: &'static str,
    status: u16,
    detail: &'static str,
    remedy: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    #[serde(flatten)]
    refusal: &'a Refusal,
}

/// A refusal as `application/problem+json`.
pub fn problem(refusal: &Refusal) -> Response<Body> {
    let code = refusal.code;
    problem_in_words(refusal, (refusal.reason(), code.remedy()))
}

/// As [`problem`], with another sentence and another remedy: for whoever uses no program of ours.
pub fn problem_in_words(refusal: &Refusal, words: (&'static str, &'static str)) -> Response<Body> {
    answer(refusal, words, |_| None)
}

/// As [`problem_in_words`], for a client of OAuth 2.0: with the member `error` (RFC 6749, section 5.2).
pub fn oauth_problem(refusal: &Refusal, words: (&'static str, &'static str)) -> Response<Body> {
    answer(refusal, words, |status| match status {
        StatusCode::UNAUTHORIZED => Some("invalid_client"),
        StatusCode::FORBIDDEN => Some("unauthorized_client"),
        _ if status.is_client_error() => Some("invalid_request"),
        _ => None,
    })
}

fn answer(
    refusal: &Refusal,
    (detail, remedy): (&'static str, &'static str),
    error: impl FnOnce(StatusCode) -> Option<&'static str>,
) -> Response<Body> {
    // The registry holds statuses that exist; a test goes through them.
    let status = StatusCode::from_u16(refusal.code.http_status())
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let problem = Problem {
        title: status.canonical_reason().unwrap_or_default(),
        status: status.as_u16(),
        detail,
        remedy,
        error: error(status),
        refusal,
    };
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    if let Some(seconds) = refusal.retry_after {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    if status == StatusCode::UNAUTHORIZED {
        // Such an answer must name a scheme (RFC 9110, section 15.5.2). None is registered for what TLS asks.
        let challenge = HeaderValue::from_static("ClientCertificate");
        headers.insert(WWW_AUTHENTICATE, challenge);
    }
    response
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_protocol::{Code, Step};

    use super::*;

    #[test]
    fn every_code_has_a_status_that_exists() {
        for code in Code::ALL {
            let response = problem(&Refusal::new(*code, Step::Zero));
            assert_eq!(response.status().as_u16(), code.http_status(), "{code}");
            assert!(response.status().canonical_reason().is_some(), "{code}");
            let names_scheme = response.headers().contains_key(WWW_AUTHENTICATE);
            let is_unauthorized = response.status() == StatusCode::UNAUTHORIZED;
            assert_eq!(names_scheme, is_unauthorized, "{code}");
        }
    }

    #[tokio::test]
    async fn a_problem_carries_the_code_and_when_to_come_back() {
        let busy = Refusal::new(Code::Busy, Step::One).retry_after(5);
        let response = problem(&busy);
        assert_eq!(response.headers()[RETRY_AFTER], "5");
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        let body = axum::body::to_bytes(response.into_body(), 4096).await;
        let body: serde_json::Value = serde_json::from_slice(&body.unwrap()).unwrap();
        assert_eq!(body["code"], "busy");
        assert_eq!(body["status"], 503);
        assert_eq!(body["title"], "Service Unavailable");
        assert_eq!(body["step"], 1);
    }
}
