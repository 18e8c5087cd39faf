//! Messages as a reader wants them: tokens and certificates taken apart, secrets taken out.

use data_encoding::{BASE64, BASE64URL_NOPAD};
use scb_certs::{Certificate, Chain};
use scb_protocol::{Step, TOKEN_TYPE, rfc3339};
use scb_transport::Connection;

use super::json::{Hidden, Json};

/// The `type` of a message, and the message.
pub(super) fn message(payload: &[u8]) -> (String, Json) {
    let Some(json) = Json::parse(payload) else {
        return ("?".to_owned(), Json::Hidden(Hidden::NotJson));
    };
    let name = json.get("type").and_then(Json::text).unwrap_or("?");
    let name = name.to_owned();
    let body = open(json, &name, None);
    (name, body)
}

/// The step to which a message belongs; `first` is that of its connection.
pub(super) fn step(name: &str, body: &Json, first: Step) -> Step {
    match name {
        "enrolled" | "token" => Step::Two,
        "present" => Step::Three,
        "shares" => Step::Four,
        "confirm" | "confirmed" => Step::Five,
        "assignments" | "submit" | "committed" | "upload" | "end" | "receipt" => Step::Six,
        "refusal" => refused_step(body).unwrap_or(first),
        _ => first,
    }
}

fn refused_step(body: &Json) -> Option<Step> {
    let Json::Number(number) = body.get("step")? else {
        return None;
    };
    serde_json::from_value(number.clone().into()).ok()
}

/// Both ends of a connection, as the handshake proved them.
pub(super) fn handshake(connection: &Connection, client: Option<&Chain>) -> Json {
    let server = connection.peer_chain();
    let mut members = vec![
        ("protocol".to_owned(), Json::from("TLS 1.3".to_owned())),
        ("alpn".to_owned(), Json::from("scb/1".to_owned())),
    ];
    let mut add = |name: &str, certificate: Option<&Certificate>| {
        if let Some(certificate) = certificate {
            members.push((name.to_owned(), summary(certificate)));
        }
    };
    add("server", server.map(Chain::leaf));
    add("root", connection.root_seen());
    add("client", client.map(Chain::leaf));
    Json::Object(members)
}

/// The question and the answer that a verification stands for.
pub(super) fn conversation(verification: &Json) -> Option<(Json, Json)> {
    let claims = verification.get("claims")?;
    let Json::List(members) = claims.get("members")? else {
        return None;
    };
    let question = |member: &Json| {
        let sid = member.get("sub")?.text()?.rsplit('/').next()?;
        let cert = BASE64URL_NOPAD
            .decode(member.get("x5t#S256")?.text()?.as_bytes())
            .ok()?;
        Some(Json::object([
            ("sid", sid.to_owned().into()),
            ("cert_sha256", data_encoding::HEXLOWER.encode(&cert).into()),
        ]))
    };
    let question = Json::object([
        ("type", "verify".to_owned().into()),
        ("nonce", claims.get("nonce")?.clone()),
        (
            "members",
            Json::List(members.iter().filter_map(question).collect()),
        ),
    ]);
    let answer = Json::object([
        ("type", "verification".to_owned().into()),
        ("verification", verification.clone()),
    ]);
    Some((question, answer))
}

/// A JWT or JWS, if it is one.
pub(super) fn signed(text: &str) -> Option<Json> {
    let mut parts = text.split('.');
    let (header, claims, signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let decoded = |part: &str| Json::parse(&BASE64URL_NOPAD.decode(part.as_bytes()).ok()?);
    let (header, claims) = (decoded(header)?, decoded(claims)?);
    header.get("alg")?;
    let is_token = header.get("typ").and_then(Json::text) == Some(TOKEN_TYPE);
    let signature = match is_token {
        true => Json::Hidden(Hidden::TokenSignature),
        false => Json::Text(signature.to_owned()),
    };
    Some(Json::Signed(vec![
        ("header".to_owned(), open(header, "", None)),
        ("claims".to_owned(), claims),
        ("signature".to_owned(), signature),
    ]))
}

/// Takes everything apart; `name` is the message's type, `member` where the value stands.
fn open(json: Json, name: &str, member: Option<&str>) -> Json {
    match (json, member) {
        (Json::Text(_), Some("code")) if name.starts_with("enrol") => {
            Json::Hidden(Hidden::EnrolmentCode)
        }
        (Json::Text(text), Some("statement")) => {
            Json::parse(text.as_bytes()).unwrap_or(Json::Text(text))
        }
        (Json::Text(text), Some("chain" | "x5c")) => certificate(&text).unwrap_or(Json::Text(text)),
        (Json::Text(text), _) => signed(&text).unwrap_or(Json::Text(text)),
        (Json::List(list), member) => {
            let opened = list.into_iter().map(|one| open(one, name, member));
            Json::List(opened.collect())
        }
        (Json::Object(members), _) => {
            let opened = members.into_iter().map(|(key, value)| {
                let value = open(value, name, Some(&key));
                (key, value)
            });
            Json::Object(opened.collect())
        }
        (other, _) => other,
    }
}

/// A certificate in base64: what it says, and the certificate itself.
fn certificate(base64: &str) -> Option<Json> {
    let der = BASE64.decode(base64.as_bytes()).ok()?;
    let certificate = Certificate::from_der(&der).ok()?;
    let Json::Object(mut members) = summary(&certificate) else {
        return None;
    };
    members.push(("der".to_owned(), base64.to_owned().into()));
    Some(Json::Object(members))
}

fn summary(certificate: &Certificate) -> Json {
    let authority = || certificate.authority_trust_domain();
    let name = match certificate.spiffe_id() {
        Ok(id) => id.to_string(),
        Err(_) => {
            authority().map_or_else(|_| "-".to_owned(), |domain| format!("spiffe://{domain}"))
        }
    };
    Json::object([
        ("name", name.into()),
        ("serial", certificate.serial().to_string().into()),
        ("not_before", rfc3339(certificate.not_before()).into()),
        ("not_after", rfc3339(certificate.not_after()).into()),
        ("sha256", certificate.fingerprint().to_string().into()),
    ])
}
