//! What CUHK answers over HTTP: on the port with TLS by standards, on the plain port only what is
//! public and signed.

mod caching;
mod est;
mod introspection;
mod key_sets;
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

/// The routes of the port with TLS.
pub(crate) fn standards(authority: Arc<Authority>) -> Web {
    let routes = public::routes()
        .merge(key_sets::routes())
        .merge(introspection::routes())
        .merge(est::routes());
    Web::new(with_refusals(routes).with_state(authority)).greeting(|connection| {
        connection.insert(est::Attempts::new());
    })
}

/// Whatever is not there is refused like everything else.
fn with_refusals(routes: Router<Arc<Authority>>) -> Router<Arc<Authority>> {
    routes
        .fallback(refused::not_found)
        .method_not_allowed_fallback(refused::method_not_allowed)
}
