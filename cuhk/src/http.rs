//! What CUHK answers over HTTP. On the plain port: only what is public and signed.

mod caching;
mod public;
mod refused;

use std::sync::Arc;

use axum::Router;
use scb_transport::Web;

use crate::authority::Authority;

/// The routes of the plain port.
pub(crate) fn public(authority: Arc<Authority>) -> Web {
    Web::new(with_refusals(public::routes()).with_state(authority))
}

/// Whatever is not there is refused like everything else.
fn with_refusals(routes: Router<Arc<Authority>>) -> Router<Arc<Authority>> {
    routes
        .fallback(refused::not_found)
        .method_not_allowed_fallback(refused::method_not_allowed)
}
