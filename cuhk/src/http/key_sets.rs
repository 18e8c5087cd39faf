//! The keys with which CUHK's word is verified, for programs that know standards: a JWK set
//! (RFC 7517) and the trust domain's SPIFFE bundle. Neither is signed: only over TLS.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, Response};
use axum::response::IntoResponse;
use axum::routing::get;
use scb_certs::Fingerprint;
use scb_protocol::{JwkSet, SpiffeBundle, Step};
use scb_transport::HttpConnection;
use serde::Serialize;

use super::caching::Cacheable;
use super::refused::{Refused, refusal};
use crate::Error;
use crate::authority::Authority;
use crate::time::later;

const JWK_SET: &str = "application/jwk-set+json";
const JSON: &str = "application/json";
/// A key may be withdrawn at any time, so nobody keeps a set for longer than this.
const MAX_AGE: Duration = Duration::from_secs(60);

pub(super) fn routes() -> Router<Arc<Authority>> {
    Router::new()
        .route("/.well-known/jwks.json", get(jwk_set))
        .route("/spiffe/bundle.json", get(bundle))
}

async fn jwk_set(
    State(authority): State<Arc<Authority>>,
    headers: HeaderMap,
    Extension(connection): Extension<HttpConnection>,
) -> Response<Body> {
    let keys = &authority.current().keys;
    let set = JwkSet::of_signers(&keys.signers);
    let served = Served {
        media_type: JWK_SET,
        set,
    };
    served.response(&headers, &authority, &connection)
}

async fn bundle(
    State(authority): State<Arc<Authority>>,
    headers: HeaderMap,
    Extension(connection): Extension<HttpConnection>,
) -> Response<Body> {
    let keys = &authority.current().keys;
    let roots = authority.roots();
    let set = SpiffeBundle::new(&roots, &keys.signers, keys.sequence, MAX_AGE.as_secs());
    let served = Served {
        media_type: JSON,
        set,
    };
    served.response(&headers, &authority, &connection)
}

/// A set of keys on its way out.
struct Served<T> {
    media_type: &'static str,
    set: Result<T, scb_certs::Error>,
}

impl<T: Serialize> Served<T> {
    fn response(
        self,
        asked: &HeaderMap,
        authority: &Authority,
        connection: &HttpConnection,
    ) -> Response<Body> {
        let content = match self.set {
            // Structs of strings and numbers always serialise.
            Ok(set) => serde_json::to_vec(&set).unwrap_or_default(),
            Err(error) => {
                let refusal = refusal(&Error::from(error), Step::Zero, connection);
                return Refused(refusal).into_response();
            }
        };
        let now = authority.now();
        let cacheable = Cacheable {
            media_type: self.media_type,
            // A root that is needed no more goes without another number.
            version: Fingerprint::of(&content).to_string(),
            ends: later(now, MAX_AGE),
            max_age: MAX_AGE,
            content: content.into(),
        };
        cacheable.response(asked, now)
    }
}
