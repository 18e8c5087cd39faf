//! Tokens taken apart, altered and signed anew: what a forger with some key can make.

use data_encoding::BASE64URL_NOPAD;
use scb_certs::{Chain, SigningKey};
use scb_protocol::key_id;
use serde_json::{Map, Value, json};

/// A JWS in compact form, taken apart.
#[derive(Debug, Clone)]
pub(crate) struct Jws {
    pub(crate) header: Map<String, Value>,
    pub(crate) claims: Map<String, Value>,
}

impl Jws {
    /// Takes a token apart.
    pub(crate) fn read(token: &str) -> Self {
        let mut parts = token.split('.').map(|part| {
            let json = BASE64URL_NOPAD.decode(part.as_bytes()).unwrap();
            serde_json::from_slice(&json).unwrap()
        });
        Self {
            header: parts.next().unwrap(),
            claims: parts.next().unwrap(),
        }
    }

    /// With the header of this system, and these claims.
    pub(crate) fn new(typ: &str, chain: &Chain, claims: Value) -> Self {
        let object = |value| serde_json::from_value(value).unwrap();
        let jws = Self {
            header: object(json!({ "typ": typ, "alg": "ES256" })),
            claims: object(claims),
        };
        jws.with_chain(chain)
    }

    /// As by the owner of this chain: `x5c`, and the `kid` that goes with it.
    pub(crate) fn with_chain(self, chain: &Chain) -> Self {
        let kid = key_id(&chain.leaf().public_key().unwrap());
        self.header("x5c", json!(chain)).header("kid", json!(kid))
    }

    /// With this header field; `null` takes it out.
    pub(crate) fn header(mut self, field: &str, value: Value) -> Self {
        set(&mut self.header, field, value);
        self
    }

    /// With this claim; `null` takes it out.
    pub(crate) fn claim(mut self, claim: &str, value: Value) -> Self {
        set(&mut self.claims, claim, value);
        self
    }

    /// The number in this claim.
    pub(crate) fn number(&self, claim: &str) -> u64 {
        self.claims[claim].as_u64().unwrap()
    }

    /// Signed with ES256, whatever the header says.
    pub(crate) fn sign(&self, key: &SigningKey) -> String {
        sign_text(&text(&self.header), &text(&self.claims), key)
    }

    /// Signed with ES256 after `edit` has been at header and claims as text.
    pub(crate) fn sign_edited(
        &self,
        key: &SigningKey,
        edit: impl FnOnce(&mut String, &mut String),
    ) -> String {
        let (mut header, mut claims) = (text(&self.header), text(&self.claims));
        edit(&mut header, &mut claims);
        sign_text(&header, &claims, key)
    }

    /// Header and claims in base64url with a dot between: what is signed.
    pub(crate) fn signing_input(&self) -> String {
        signing_input(&text(&self.header), &text(&self.claims))
    }
}

fn set(map: &mut Map<String, Value>, name: &str, value: Value) {
    match value {
        Value::Null => map.remove(name),
        value => map.insert(name.to_owned(), value),
    };
}

fn text(map: &Map<String, Value>) -> String {
    serde_json::to_string(map).unwrap()
}

fn signing_input(header: &str, claims: &str) -> String {
    let [header, claims] = [header, claims].map(|part| BASE64URL_NOPAD.encode(part.as_bytes()));
    format!("{header}.{claims}")
}

fn sign_text(header: &str, claims: &str, key: &SigningKey) -> String {
    let input = signing_input(header, claims);
    let signature = key.sign_raw(input.as_bytes()).unwrap();
    format!("{input}.{}", BASE64URL_NOPAD.encode(&signature))
}
