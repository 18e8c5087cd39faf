//! Every way to spoil a signed token that has nothing to do with what it says.

use data_encoding::{BASE64, BASE64URL, BASE64URL_NOPAD};
use ring::hmac;
use scb_certs::{PublicKey, SigningKey};
use scb_protocol::key_id;
use serde_json::{Value, json};

use super::Jws;

/// A token that must be refused, and what is wrong with it.
pub(crate) type Forgery = (String, String);

/// Wrong forms, headers, algorithms and signatures of a token that `key` rightly signs.
pub(crate) fn of_form_and_header(jws: &Jws, key: &SigningKey) -> Vec<Forgery> {
    let mut forgeries = algorithms(jws, key);
    forgeries.extend(headers(jws, key));
    forgeries.extend(forms(jws, key));
    forgeries.extend(signatures(jws, key));
    forgeries
}

/// Claims missing, repeated, unknown and of another type, rightly signed.
pub(crate) fn of_claims(jws: &Jws, key: &SigningKey) -> Vec<Forgery> {
    let sign = |what: String, forged: Jws| (what, forged.sign(key));
    let mut forgeries = vec![sign(
        "unknown claim".to_owned(),
        jws.clone().claim("admin", json!(true)),
    )];
    for (claim, value) in &jws.claims {
        let set = |value| jws.clone().claim(claim, value);
        forgeries.push(sign(format!("no {claim}"), set(Value::Null)));
        for wrong in wrong_types(value) {
            forgeries.push(sign(format!("{claim} is {wrong}"), set(wrong)));
        }
        // Not `Jws::claim`, which takes a null for absence.
        let mut null = jws.clone();
        null.claims.insert(claim.clone(), Value::Null);
        forgeries.push((format!("{claim} is null"), null.sign(key)));
        let twice = jws.sign_edited(key, |_, claims| {
            claims.insert_str(1, &format!("{}:{value},", json!(claim)));
        });
        forgeries.push((format!("{claim} twice"), twice));
    }
    let list = jws.sign_edited(key, |_, claims| *claims = format!("[{claims}]"));
    forgeries.push(("claims in a list".to_owned(), list));
    forgeries
}

fn wrong_types(value: &Value) -> Vec<Value> {
    match value {
        Value::Number(number) => vec![
            json!(number.to_string()),
            json!(number.as_f64()),
            json!(-1),
            json!([number]),
        ],
        Value::Array(_) => vec![json!({}), json!("[]"), json!(1)],
        Value::Object(_) => vec![json!({}), json!([]), json!("{}")],
        _ => vec![json!(1), json!([value]), json!({ "is": value })],
    }
}

fn algorithms(jws: &Jws, key: &SigningKey) -> Vec<Forgery> {
    let mut forgeries = Vec::new();
    for algorithm in [
        "none", "None", "ES384", "ES512", "ES256K", "PS256", "RS256", "EdDSA", "es256", "",
    ] {
        let forged = jws.clone().header("alg", json!(algorithm));
        forgeries.push((format!("alg {algorithm}"), forged.sign(key)));
    }
    let none = jws.clone().header("alg", json!("none")).signing_input();
    forgeries.push(("alg none, no signature".to_owned(), format!("{none}.")));
    let public = key.public_key();
    let pem = spki_pem(public);
    for secret in [public.point(), public.spki_der(), pem.as_bytes()] {
        let input = jws.clone().header("alg", json!("HS256")).signing_input();
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let mac = BASE64URL_NOPAD.encode(hmac::sign(&secret, input.as_bytes()).as_ref());
        let what = "HS256 with the public key".to_owned();
        forgeries.push((what, format!("{input}.{mac}")));
    }
    forgeries
}

fn headers(jws: &Jws, key: &SigningKey) -> Vec<Forgery> {
    let ten_kilobytes = "k".repeat(10_000);
    let stranger = SigningKey::generate().unwrap();
    let five = vec![jws.header["x5c"][0].clone(); 5];
    let fields = [
        ("jku", json!("http://127.0.0.1:1/keys")),
        ("x5u", json!("http://127.0.0.1:1/chain")),
        ("jwk", json!({"kty": "EC", "crv": "P-256"})),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("kid", json!("../../etc/passwd")),
        ("kid", json!("a'\"\0b")),
        ("kid", json!(ten_kilobytes)),
        ("kid", json!(key_id(stranger.public_key()))),
        ("kid", json!(null)),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("x5t#S256", json!("AAAA")),
        ("cty", json!("JWT")),
        ("anything", json!(null)),
        ("typ", json!("JWT")),
        ("typ", json!("application/jwt")),
        ("typ", json!(1)),
        ("alg", json!(1)),
        ("x5c", json!([])),
        ("x5c", json!(five)),
        ("x5c", json!(["AAAA"])),
        ("x5c", json!("AAAA")),
        ("x5c", json!(null)),
    ];
    let forge = |(field, value): (&str, Value)| {
        // Not `Jws::header`, which takes a null for absence.
        let mut forged = jws.clone();
        let what = format!("header {field}: {:.40}", value.to_string());
        forged.header.insert(field.to_owned(), value);
        (what, forged.sign(key))
    };
    let mut forgeries: Vec<Forgery> = fields.into_iter().map(forge).collect();
    for field in ["alg", "typ", "kid", "x5c"] {
        let forged = jws.clone().header(field, Value::Null);
        forgeries.push((format!("no {field}"), forged.sign(key)));
        let value = &jws.header[field];
        let twice = jws.sign_edited(key, |header, _| {
            header.insert_str(1, &format!("\"{field}\":{value},"));
        });
        forgeries.push((format!("{field} twice"), twice));
    }
    forgeries
}

fn forms(jws: &Jws, key: &SigningKey) -> Vec<Forgery> {
    let token = jws.sign(key);
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, signature] = parts[..] else {
        panic!("three parts");
    };
    let spaces = jws.sign_edited(key, |_, claims| claims.push_str(&" ".repeat(16_000)));
    let forms = [
        ("nothing", String::new()),
        ("only dots", "..".to_owned()),
        ("two parts", format!("{header}.{claims}")),
        ("four parts", format!("{token}.{signature}")),
        ("five parts", format!("{token}.{signature}.{signature}")),
        ("no header", format!(".{claims}.{signature}")),
        ("no claims", format!("{header}..{signature}")),
        ("a blank before", format!(" {token}")),
        ("a line break after", format!("{token}\n")),
        (
            "header not base64",
            format!("!{header}.{claims}.{signature}"),
        ),
        (
            "claims not base64",
            format!("{header}.!{claims}.{signature}"),
        ),
        ("padded", format!("{header}.{claims}.{signature}==")),
        (
            "standard base64 with padding",
            other_alphabet(&token, &BASE64),
        ),
        ("base64url with padding", other_alphabet(&token, &BASE64URL)),
        ("over 16 KiB", spaces),
        (
            "header not JSON",
            jws.sign_edited(key, |header, _| header.push('}')),
        ),
        (
            "claims not JSON",
            jws.sign_edited(key, |_, claims| claims.push('}')),
        ),
    ];
    forms.map(|(what, token)| (what.to_owned(), token)).into()
}

fn signatures(jws: &Jws, key: &SigningKey) -> Vec<Forgery> {
    let input = jws.signing_input();
    let with = |signature: &[u8]| format!("{input}.{}", BASE64URL_NOPAD.encode(signature));
    let right = key.sign_raw(input.as_bytes()).unwrap();
    let stranger = SigningKey::generate().unwrap();
    let mut forgeries = vec![
        ("no signature", format!("{input}.")),
        ("zero signature", with(&[0; 64])),
        ("a byte short", with(&right[..63])),
        ("a byte long", with(&[&right[..], &[0]].concat())),
        ("in DER", with(&key.sign_der(input.as_bytes()).unwrap())),
        ("by a stranger's key", jws.sign(&stranger)),
        ("over other claims", {
            let other = jws.clone().claim("v", json!(2));
            format!(
                "{input}.{}",
                other.sign(key).rsplit('.').next().unwrap_or_default()
            )
        }),
        ("not canonical base64", not_canonical(&with(&right))),
    ];
    for index in [0, 31, 32, 63] {
        let mut altered = right.clone();
        altered[index] ^= 1;
        forgeries.push(("altered", with(&altered)));
    }
    let named = |(what, token): (&str, String)| (format!("signature: {what}"), token);
    forgeries.into_iter().map(named).collect()
}

/// The same bytes under another spelling: the four bits of the last letter that mean nothing.
fn not_canonical(token: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (rest, last) = token.split_at(token.len() - 1);
    let value = LETTERS
        .iter()
        .position(|letter| [*letter] == last.as_bytes());
    format!("{rest}{}", char::from(LETTERS[value.unwrap() | 1]))
}

fn other_alphabet(token: &str, alphabet: &data_encoding::Encoding) -> String {
    let encode = |part: &str| alphabet.encode(&BASE64URL_NOPAD.decode(part.as_bytes()).unwrap());
    token.split('.').map(encode).collect::<Vec<_>>().join(".")
}

fn spki_pem(key: &PublicKey) -> String {
    let base64 = BASE64.encode(key.spki_der());
    let (first, second) = base64.split_at(64);
    format!("-----BEGIN PUBLIC KEY-----\n{first}\n{second}\n-----END PUBLIC KEY-----\n")
}
