//! The authorities' certificates and revocation lists, as the certificates name them.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, Response};
use axum::routing::get;
use axum::{Router, response::IntoResponse};
use scb_certs::{Certificate, Crl};
use scb_protocol::Step;
use scb_transport::HttpConnection;

use super::caching::Cacheable;
use super::refused::{Refused, refusal};
use crate::authority::Authority;
use crate::config::{ca_path, crl_path};
use crate::store::CrlSigner;

/// A new list may be signed at any time, so nobody keeps one for longer than this.
const LIST_MAX_AGE: Duration = Duration::from_secs(60);
/// An authority's certificate is never replaced under the same address.
const CERTIFICATE_MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);

const CERTIFICATE: &str = "application/pkix-cert";
const PEM: &str = "application/pem-certificate-chain";
const LIST: &str = "application/pkix-crl";

pub(super) fn routes() -> Router<Arc<Authority>> {
    let routes = Router::new().route("/ca.pem", get(root_in_pem));
    CrlSigner::ALL.into_iter().fold(routes, |routes, signer| {
        routes
            .route(
                &ca_path(signer),
                get(move |state, headers| certificate(signer, state, headers)),
            )
            .route(
                &crl_path(signer),
                get(move |state, headers, connection| list(signer, state, headers, connection)),
            )
    })
}

async fn root_in_pem(
    State(authority): State<Arc<Authority>>,
    headers: HeaderMap,
) -> Response<Body> {
    let root = authority.certificate_of(CrlSigner::Root);
    let pem = root.to_pem();
    cacheable(root, PEM, pem.as_bytes()).response(&headers, authority.now())
}

async fn certificate(
    signer: CrlSigner,
    State(authority): State<Arc<Authority>>,
    headers: HeaderMap,
) -> Response<Body> {
    let certificate = authority.certificate_of(signer);
    let served = cacheable(certificate, CERTIFICATE, certificate.der());
    served.response(&headers, authority.now())
}

fn cacheable<'a>(
    certificate: &Certificate,
    media_type: &'static str,
    content: &'a [u8],
) -> Cacheable<'a> {
    Cacheable {
        media_type,
        version: certificate.fingerprint().to_string(),
        modified: certificate.not_before(),
        ends: certificate.not_after(),
        max_age: CERTIFICATE_MAX_AGE,
        content,
    }
}

async fn list(
    signer: CrlSigner,
    State(authority): State<Arc<Authority>>,
    headers: HeaderMap,
    Extension(connection): Extension<HttpConnection>,
) -> Response<Body> {
    match authority.lists().await {
        Ok(publication) => {
            let crl = publication.list(signer);
            cacheable_list(signer, crl).response(&headers, authority.now())
        }
        Err(error) => Refused(refusal(&error, Step::Zero, &connection)).into_response(),
    }
}

fn cacheable_list(signer: CrlSigner, crl: &Crl) -> Cacheable<'_> {
    Cacheable {
        media_type: LIST,
        version: format!("{}-{}", signer.as_str(), crl.number()),
        modified: crl.this_update(),
        ends: crl.next_update(),
        max_age: LIST_MAX_AGE,
        content: crl.der(),
    }
}
