//! What a client asks for: a PKCS#10 request in base64, and who it says it is.

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use data_encoding::BASE64;
use scb_certs::VerifiedRequest;
use scb_protocol::authority::verify_request;
use scb_protocol::values::Der;
use scb_protocol::{Code, EnrolmentCode, Refusal, Step};
use zeroize::Zeroizing;

use crate::Subject;

pub(super) const PKCS10: &str = "application/pkcs10";

/// RFC 8951, section 3: base64, broken into lines or not, whatever a header says about it.
pub(super) fn request(headers: &HeaderMap, body: &[u8]) -> Result<Der, Refusal> {
    let named = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let media_type = named.unwrap_or_default().split(';').next();
    if !media_type.is_some_and(|named| named.trim().eq_ignore_ascii_case(PKCS10)) {
        return Err(Refusal::new(Code::MediaTypeUnsupported, Step::One)
            .with("expected", PKCS10)
            .with("got", named.unwrap_or("no Content-Type")));
    }
    let compact: Vec<u8> = body
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    match BASE64.decode(&compact) {
        Ok(der) if !der.is_empty() => Ok(Der::new(der)),
        _ => Err(Refusal::new(Code::MalformedMessage, Step::One)
            .with("expected", "a PKCS#10 request, DER in base64")
            .with("got", instead_of_base64(&compact))),
    }
}

/// What people send most often in its place.
fn instead_of_base64(body: &[u8]) -> &'static str {
    match body {
        [] => "an empty body",
        [b'-', ..] => "PEM, with its BEGIN and END lines",
        // A SEQUENCE of DER.
        [0x30, ..] => "DER that is not in base64",
        _ => "something else",
    }
}

/// The request, signed by its own key.
pub(super) fn verified(headers: &HeaderMap, body: &[u8]) -> Result<VerifiedRequest, Refusal> {
    verify_request(&request(headers, body)?)
}

/// User and password (RFC 7617). What can be neither an ID nor a code is refused like a wrong one.
pub(super) fn credentials(headers: &HeaderMap) -> Result<(Subject, EnrolmentCode), Refusal> {
    let refused = || Refusal::new(Code::EnrolmentRefused, Step::One);
    let given = headers.get(AUTHORIZATION).ok_or_else(refused)?;
    let given = given.to_str().map_err(|_| refused())?;
    let (scheme, credentials) = given.split_once(' ').ok_or_else(refused)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(refused());
    }
    let decoded = BASE64.decode(credentials.trim().as_bytes());
    let decoded = Zeroizing::new(decoded.map_err(|_| refused())?);
    let text = std::str::from_utf8(&decoded).map_err(|_| refused())?;
    let (user, password) = text.split_once(':').ok_or_else(refused)?;
    let subject: Subject = user.parse().map_err(|_| refused())?;
    let code = password.parse().map_err(|_| refused())?;
    Ok((subject, code))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn with(name: axum::http::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn lines_and_parameters_do_not_matter() {
        let headers = with(CONTENT_TYPE, "Application/PKCS10; charset=x");
        let der = request(&headers, b"AQID\r\nBAUG\n").unwrap();
        assert_eq!(der.as_bytes(), [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn refuses_other_types_and_what_is_not_base64() {
        let right = with(CONTENT_TYPE, PKCS10);
        let form = with(CONTENT_TYPE, "application/x-www-form-urlencoded");
        for headers in [HeaderMap::new(), form] {
            let refused = request(&headers, b"AQID").unwrap_err();
            assert_eq!(refused.code, Code::MediaTypeUnsupported);
        }
        for (body, got) in [
            (&b"AQI"[..], "something else"),
            (b" \r\n", "an empty body"),
            (b"\x30\x82\x01", "DER"),
            (b"-----BEGIN CERTIFICATE REQUEST-----", "PEM"),
        ] {
            let refused = request(&right, body).unwrap_err();
            assert_eq!(refused.code, Code::MalformedMessage);
            assert!(refused.params["got"].starts_with(got), "{refused:?}");
        }
    }

    #[test]
    fn user_and_password_are_subject_and_code() {
        let code = EnrolmentCode::generate().unwrap();
        let given = |user: &str| {
            let pair = format!("{user}:{}", *code.reveal());
            with(
                AUTHORIZATION,
                &format!("Basic {}", BASE64.encode(pair.as_bytes())),
            )
        };
        let (subject, read) = credentials(&given("1155000001")).unwrap();
        assert_eq!(subject, "1155000001".parse().unwrap());
        assert_eq!(read.digest("x"), code.digest("x"));
        credentials(&given("service/blackboard")).unwrap();
        credentials(&given("../x")).unwrap_err();
    }

    #[test]
    fn refuses_every_other_form_like_a_wrong_code() {
        for value in [
            "Basic",
            "Basic ?",
            "Basic MTE1NQ==",
            "Basic MTE6eA==",
            "Bearer x",
        ] {
            let refused = credentials(&with(AUTHORIZATION, value)).unwrap_err();
            assert_eq!(refused.code, Code::EnrolmentRefused, "{value}");
        }
        let none = credentials(&HeaderMap::new()).unwrap_err();
        assert_eq!(none.code, Code::EnrolmentRefused);
    }
}
