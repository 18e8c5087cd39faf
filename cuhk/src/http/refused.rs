//! Refusals as HTTP responses.

use axum::response::{IntoResponse, Response};
use scb_protocol::{Code, Refusal, Step};
use scb_transport::{HttpConnection, problem};

use crate::Error;
use crate::error::with_causes;

/// A refusal as RFC 9457 has it.
pub(super) struct Refused(pub(super) Refusal);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        problem(&self.0)
    }
}

/// What the peer is told of an error. What only concerns this machine goes to the log, once.
pub(super) fn refusal(error: &Error, step: Step, connection: &HttpConnection) -> Refusal {
    let refusal = error.refusal(step);
    if refusal.code == Code::Internal {
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
