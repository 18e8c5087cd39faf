//! What a client gets: certificates in base64, or why not, as text.

use axum::body::Body;
use axum::http::header::{ACCEPT, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use data_encoding::BASE64;
use scb_certs::{Certificate, certs_only};
use scb_protocol::{Code, Refusal, Step};
use scb_transport::problem;

use super::asked::PKCS10;
use super::words;

/// RFC 7030, sections 4.1.3 and 4.2.3.
const CERTS_ONLY: &str = "application/pkcs7-mime; smime-type=certs-only";

/// RFC 7030, section 4.5.2: an EC key on P-256, and ECDSA with SHA-256.
pub(super) const ATTRIBUTES: (&[u8], &str) = (
    &[
        0x30, 0x21, 0x30, 0x15, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x31, 0x0a,
        0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x06, 0x08, 0x2a, 0x86, 0x48,
        0xce, 0x3d, 0x04, 0x03, 0x02,
    ],
    "application/csrattrs",
);

/// Characters of base64 in a line, as `openssl base64 -d` wants them.
const LINE: usize = 64;

/// Base64 in lines.
pub(super) fn encoded(media_type: &'static str, der: &[u8]) -> Response<Body> {
    let base64 = BASE64.encode(der);
    let mut text = String::with_capacity(base64.len() + base64.len() / LINE + 1);
    for (index, character) in base64.chars().enumerate() {
        if index > 0 && index % LINE == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text.push('\n');
    let mut response = Response::new(Body::from(text));
    let media_type = HeaderValue::from_static(media_type);
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}

/// A certs-only message.
pub(super) fn certificates(all: &[&Certificate]) -> Result<Response<Body>, PlainRefusal> {
    match certs_only(all) {
        Ok(der) => Ok(encoded(CERTS_ONLY, &der)),
        Err(_) => Err(PlainRefusal(Refusal::new(Code::Internal, Step::Two))),
    }
}

/// A refusal as text that people read (RFC 7030, section 4.2.3); its first word is the code, and the
/// status says of what kind it is.
pub(super) struct PlainRefusal(pub(super) Refusal);

impl IntoResponse for PlainRefusal {
    fn into_response(self) -> axum::response::Response {
        let Self(refusal) = self;
        let code = refusal.code;
        let (sentence, remedy) = match words::told(code) {
            (_, remedy) if refusal.is_for_wrong_codes() => (refusal.reason(), remedy),
            told => told,
        };
        let mut text = format!("{code}: {sentence}\n");
        for (name, value) in &refusal.params {
            text += &format!("{name}: {value}\n");
        }
        text += &format!("{remedy}\n");
        let mut response = problem(&refusal);
        *response.body_mut() = Body::from(text);
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        if code == Code::MediaTypeUnsupported {
            // RFC 9110, section 15.5.16.
            headers.insert(ACCEPT, HeaderValue::from_static(PKCS10));
        }
        if code == Code::EnrolmentRefused {
            let challenge = r#"Basic realm="student ID and enrolment code", charset="UTF-8""#;
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
            *response.status_mut() = StatusCode::UNAUTHORIZED;
        }
        response
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use axum::body::to_bytes;
    use axum::http::header::RETRY_AFTER;
    use scb_certs::CertificateError;
    use scb_protocol::certificate_refusal;

    use super::*;

    async fn answered(refusal: Refusal) -> (StatusCode, bool, String) {
        let response = PlainRefusal(refusal).into_response();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = to_bytes(response.into_body(), 4096).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        (status, headers.contains_key(WWW_AUTHENTICATE), text)
    }

    #[tokio::test]
    async fn a_server_without_lists_says_when_to_come_back_and_blames_no_certificate() {
        let ended = certificate_refusal(&CertificateError::CrlExpired, Step::One);
        let response = PlainRefusal(ended.clone()).into_response();
        assert_eq!(response.headers()[RETRY_AFTER], "60");
        let (status, asks, text) = answered(ended).await;
        assert_eq!((status, asks), (StatusCode::SERVICE_UNAVAILABLE, false));
        assert!(text.contains("no certificate is to blame"), "{text}");
    }

    #[tokio::test]
    async fn a_full_disk_is_no_reason_to_ask_who_somebody_is() {
        let full = answered(Refusal::new(Code::StorageFull, Step::Two)).await;
        let text = "storage_full: the server has no space left\n\
                    try again later; tell your IT service\n";
        assert_eq!(
            full,
            (StatusCode::INSUFFICIENT_STORAGE, false, text.to_owned())
        );
        let (status, asks, text) = answered(Refusal::new(Code::EnrolmentRefused, Step::Two)).await;
        assert_eq!((status, asks), (StatusCode::UNAUTHORIZED, true));
        assert!(text.starts_with("enrolment_refused: CUHK does not accept this user"));
    }
}
