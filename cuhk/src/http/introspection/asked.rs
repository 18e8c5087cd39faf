//! What a service asks: about which token, and in what form it wants the answer.

use axum::extract::Form;
use axum::extract::rejection::FormRejection;
use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use scb_protocol::{Code, Refusal, Step};

use crate::http::refused::unreadable;

const JSON: &str = "application/json";
const SIGNED: &str = "application/token-introspection+jwt";

/// What a form says, in its order.
pub(super) type Parameters = Vec<(String, String)>;

/// The one token in a form (RFC 7662, section 2.1). Other parameters are ignored, as the RFC says,
/// `token_type_hint` among them: there is one kind of token.
pub(super) fn token(form: Result<Form<Parameters>, FormRejection>) -> Result<String, Refusal> {
    let Form(parameters) = form.map_err(|rejection| {
        let refusal = unreadable(rejection, Step::Three);
        refusal.with("expected", "application/x-www-form-urlencoded")
    })?;
    let refuse = |got: &str| {
        let refusal = Refusal::new(Code::MalformedMessage, Step::Three);
        refusal
            .with("expected", "one parameter named token")
            .with("got", got)
    };
    let mut tokens = parameters.into_iter().filter(|(name, _)| name == "token");
    match (tokens.next(), tokens.next()) {
        (Some((_, token)), None) => Ok(token),
        (None, _) => Err(refuse("none")),
        (Some(_), Some(_)) => Err(refuse("several")),
    }
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writing {
    /// RFC 7662.
    Json,
    /// RFC 9701.
    Signed,
}

impl Writing {
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Json => JSON,
            Self::Signed => SIGNED,
        }
    }
}

/// Signed for whoever names that form and likes no JSON better (RFC 9110, section 12.5.1).
pub(super) fn writing(headers: &HeaderMap) -> Writing {
    let (mut signed, mut json) = (0.0, 0.0);
    let values = headers.get_all(ACCEPT).iter();
    let accepted = values.filter_map(|value| value.to_str().ok());
    for range in accepted.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default();
        let quality = parts.find_map(|part| part.strip_prefix("q="));
        let quality: f32 = quality.map_or(1.0, |text| text.parse().unwrap_or_default());
        match media_type.to_ascii_lowercase().as_str() {
            SIGNED => signed = quality,
            JSON => json = quality,
            _ => {}
        }
    }
    match signed > 0.0 && signed >= json {
        true => Writing::Signed,
        false => Writing::Json,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use axum::body::Body;
    use axum::extract::FromRequest;
    use axum::http::header::CONTENT_TYPE;
    use axum::http::{HeaderValue, Request};

    use super::*;

    const FORM: &str = "application/x-www-form-urlencoded";

    async fn sent(media_type: &str, body: impl Into<Body>) -> Result<String, Refusal> {
        let request = Request::post("/introspect").header(CONTENT_TYPE, media_type);
        let request = request.body(body.into()).unwrap();
        token(Form::from_request(request, &()).await)
    }

    #[tokio::test]
    async fn a_token_stands_in_a_form_among_other_parameters() {
        for body in [
            "token=a.b.c",
            "token_type_hint=access_token&token=a.b.c&x=1",
            "token=a%2Eb.c",
        ] {
            assert_eq!(sent(FORM, body).await.unwrap(), "a.b.c", "{body}");
        }
    }

    #[tokio::test]
    async fn refuses_other_types_no_token_and_two_of_them() {
        for (media_type, body, code) in [
            (FORM, "", Code::MalformedMessage),
            (FORM, "Token=a", Code::MalformedMessage),
            (FORM, "token=a&token=a", Code::MalformedMessage),
            (JSON, "token=a", Code::MediaTypeUnsupported),
            ("", "token=a", Code::MediaTypeUnsupported),
        ] {
            let refused = sent(media_type, body).await.unwrap_err();
            assert_eq!(refused.code, code, "{body:?}");
        }
    }

    fn accepting(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(ACCEPT, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn it_is_signed_for_whoever_asks_for_that() {
        for (accept, expected) in [
            (SIGNED, Writing::Signed),
            (
                "Application/Token-Introspection+JWT;q=0.5, */*",
                Writing::Signed,
            ),
            (
                "application/json;q=0.9,application/token-introspection+jwt",
                Writing::Signed,
            ),
            (
                "application/json, application/token-introspection+jwt; q=0.9",
                Writing::Json,
            ),
            ("application/token-introspection+jwt;q=0", Writing::Json),
            ("application/token-introspection+jwt;q=x", Writing::Json),
            ("application/jwt", Writing::Json),
            ("*/*", Writing::Json),
        ] {
            assert_eq!(writing(&accepting(accept)), expected, "{accept}");
        }
        assert_eq!(writing(&HeaderMap::new()), Writing::Json);
    }
}
