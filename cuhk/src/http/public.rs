//! The authorities' certificates and revocation lists, as the certificates name them.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, Response};
use axum::routing::get;
use bytes::Bytes;
use scb_certs::{Certificate, Crl, Fingerprint};
use scb_protocol::{Code, Refusal, SignedBundle, Step};
use scb_transport::HttpConnection;

use super::caching::Cacheable;
use super::refused::{Refused, refusal};
use crate::authority::Authority;
use crate::publication::Publication;
use crate::store::CrlSigner;

/// A new list may be signed at any time, so nobody keeps one for longer than this.
const LIST_MAX_AGE: Duration = Duration::from_secs(60);
/// An authority's certificate is never replaced under the same address.
const CERTIFICATE_MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);

const CERTIFICATE: &str = "application/pkix-cert";
const PEM: &str = "application/pem-certificate-chain";
const LIST: &str = "application/pkix-crl";
const JSON: &str = "application/json";
const SIGNATURE: &str = "application/pkcs7-signature";

pub(super) fn routes() -> Router<Arc<Authority>> {
    Router::new()
        .route("/ca.pem", get(roots_in_pem))
        .route("/trust-bundle.json", get(bundle))
        .route("/trust-bundle.p7s", get(bundle_signature))
        .route("/ca/{file}", get(certificate))
        .route("/crl/{file}", get(list))
}

async fn roots_in_pem(State(authority): State<Arc<Authority>>, headers: HeaderMap) -> Answer {
    let roots = authority.roots();
    let newest = roots.last().ok_or_else(nothing)?;
    let pem: String = roots.iter().map(Certificate::to_pem).collect();
    let served = Cacheable {
        version: Fingerprint::of(pem.as_bytes()).to_string(),
        max_age: LIST_MAX_AGE,
        ..cacheable(newest, PEM, pem.into())
    };
    Ok(served.response(&headers, authority.now()))
}

async fn certificate(
    State(authority): State<Arc<Authority>>,
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let (_, certificate) = named(&authority, &file, ".cer")?;
    let served = cacheable(&certificate, CERTIFICATE, copy(certificate.der()));
    Ok(served.response(&headers, authority.now()))
}

async fn bundle(
    State(authority): State<Arc<Authority>>,
    headers: HeaderMap,
    Extension(connection): Extension<HttpConnection>,
) -> Answer {
    let signed = trust_bundle(&authority, &connection).await?;
    part_of_bundle(&authority, JSON, signed.bundle.as_bytes(), &headers)
}

async fn bundle_signature(
    State(authority): State<Arc<Authority>>,
    headers: HeaderMap,
    Extension(connection): Extension<HttpConnection>,
) -> Answer {
    let signed = trust_bundle(&authority, &connection).await?;
    let oldest = signed.signatures.first().ok_or_else(nothing)?;
    part_of_bundle(&authority, SIGNATURE, oldest, &headers)
}

async fn trust_bundle(
    authority: &Authority,
    connection: &HttpConnection,
) -> Result<SignedBundle, Refused> {
    let signed = authority.trust_bundle(0).await;
    signed.map_err(|error| Refused(refusal(&error, Step::Zero, connection)))
}

fn part_of_bundle(
    authority: &Authority,
    media_type: &'static str,
    content: &[u8],
    headers: &HeaderMap,
) -> Answer {
    let roots = authority.roots();
    let newest = roots.last().ok_or_else(nothing)?;
    let served = Cacheable {
        version: Fingerprint::of(content).to_string(),
        max_age: LIST_MAX_AGE,
        ..cacheable(newest, media_type, copy(content))
    };
    Ok(served.response(headers, authority.now()))
}

/// What is served, or that it is not there.
type Answer = Result<Response<Body>, Refused>;

/// The authority whose name a file has.
fn named(
    authority: &Authority,
    file: &str,
    extension: &str,
) -> Result<(CrlSigner, Certificate), Refused> {
    let signer = file.strip_suffix(extension).ok_or_else(nothing)?;
    let signer: CrlSigner = signer.parse().map_err(|_| nothing())?;
    let certificate = authority.certificate_of(signer).ok_or_else(nothing)?;
    Ok((signer, certificate))
}

fn nothing() -> Refused {
    Refused(Refusal::new(Code::NotFound, Step::Zero))
}

/// Of what is as small as a certificate.
fn copy(content: &[u8]) -> Bytes {
    Bytes::copy_from_slice(content)
}

fn cacheable(certificate: &Certificate, media_type: &'static str, content: Bytes) -> Cacheable {
    Cacheable {
        media_type,
        version: certificate.fingerprint().to_string(),
        ends: certificate.not_after(),
        max_age: CERTIFICATE_MAX_AGE,
        content,
    }
}

async fn list(
    State(authority): State<Arc<Authority>>,
    Path(file): Path<String>,
    headers: HeaderMap,
    Extension(connection): Extension<HttpConnection>,
) -> Answer {
    let (signer, certificate) = named(&authority, &file, ".crl")?;
    match authority.lists().await {
        Ok(publication) => {
            let crl = publication.list_of(&certificate).ok_or_else(nothing)?;
            Ok(cacheable_list(signer, crl).response(&headers, authority.now()))
        }
        Err(error) => Err(Refused(refusal(&error, Step::Zero, &connection))),
    }
}

fn cacheable_list(signer: CrlSigner, crl: &Crl) -> Cacheable {
    Cacheable {
        media_type: LIST,
        version: format!("{signer}-{}", crl.number()),
        ends: crl.next_update(),
        max_age: LIST_MAX_AGE,
        content: Publication::bytes_of(crl),
    }
}
