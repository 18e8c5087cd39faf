//! Refusals as HTTP responses.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use scb_cli::with_causes;
use scb_protocol::{Code, Refusal, Step, StepEvent};
use scb_transport::{HttpConnection, MAX_BODY, problem, telemetry};

use crate::Error;

/// A refusal as RFC 9457 has it; it is counted and logged when it is answered.
pub(super) struct Refused(pub(super) Refusal);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        telemetry::emit(&StepEvent::refused(&self.0));
        problem(&self.0)
    }
}

/// Why a body could not be taken in.
pub(super) fn unreadable(rejection: impl IntoResponse, step: Step) -> Refusal {
    match rejection.into_response().status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Refusal::new(Code::BodyTooLarge, step).with("limit", MAX_BODY)
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Refusal::new(Code::MediaTypeUnsupported, step),
        _ => Refusal::new(Code::MalformedMessage, step),
    }
}

/// What the peer is told of an error. What only concerns this machine goes to the log, once.
pub(super) fn refusal(error: &Error, step: Step, connection: &HttpConnection) -> Refusal {
    let refusal = error.refusal(step);
    if error.is_own_fault() {
        tracing::error!(conn = connection.id(), "{}", with_causes(error));
    }
    refusal
}

pub(super) async fn not_found() -> Refused {
    Refused(Refusal::new(Code::NotFound, Step::Zero))
}

pub(super) async fn method_not_allowed() -> Refused {
    Refused(Refusal::new(Code::MethodNotAllowed, Step::Zero))
}
