//! Requests that ask for more than a key, or whose key or signature is not acceptable.

use scb_certs::{KeyPurpose, SigningKey, create_request};
use scb_protocol::Code;

use crate::university::{University, enrol, enrol_with, enrolled, refused};

const GREEDY: &[u8] = include_bytes!("requests/greedy.der");
const RSA: &[u8] = include_bytes!("requests/rsa.der");
const P192: &[u8] = include_bytes!("requests/p192.der");
const EXPLICIT_CURVE: &[u8] = include_bytes!("requests/explicit_curve.der");
const P384: &[u8] = include_bytes!("requests/p384.der");
const ED25519: &[u8] = include_bytes!("requests/ed25519.der");
/// A challenge password, a name without structure, an extension that nobody knows.
const TALKATIVE: &[u8] = include_bytes!("requests/talkative.der");
/// Well-formed, of 9,247 bytes.
const LONG: &[u8] = include_bytes!("requests/long.der");

#[tokio::test]
async fn nothing_but_the_key_is_taken_from_a_request() {
    let university = University::open().await;
    let code = university.code("1155000001").await;
    let greedy = enrol_with("1155000001", &code, GREEDY.to_vec());
    let (chain, _) = enrolled(university.ask(None, &greedy).await);
    let leaf = chain.leaf();
    assert!(!leaf.is_ca());
    assert_eq!(
        leaf.spiffe_id().unwrap().to_string(),
        "spiffe://cuhk.example/student/1155000001"
    );
    assert!(leaf.dns_names().is_empty());
    assert!(!leaf.extended_key_usages().contains(&KeyPurpose::ServerAuth));
    assert!(leaf.not_after() <= chain.certificates()[1].not_after());
    let days = (leaf.not_after().as_secs() - university.clock.now().as_secs()) / (24 * 60 * 60);
    assert!((29..=30).contains(&days), "{days}");
}

#[tokio::test]
async fn other_keys_than_p256_on_the_named_curve_are_refused() {
    let university = University::open().await;
    let code = university.code("1155000001").await;
    for request in [RSA, P192, P384, ED25519, EXPLICIT_CURVE] {
        let reply = university
            .ask(None, &enrol_with("1155000001", &code, request.to_vec()))
            .await;
        let refusal = reply.unwrap_err();
        assert_eq!(refusal.code, Code::KeyUnsupported);
        assert_eq!(refusal.sid, Some("1155000001".parse().unwrap()));
        assert!(refusal.to_string().contains("P-256"), "{refusal}");
    }
    assert_eq!(university.count_certificates("1155000001").await, 0);
    // The code is still good.
    let right = enrol("1155000001", &code, &SigningKey::generate().unwrap());
    enrolled(university.ask(None, &right).await);
}

#[tokio::test]
async fn attributes_that_nobody_asked_for_are_ignored_unless_they_are_too_long() {
    let university = University::open().await;
    let code = university.code("1155000001").await;
    let long = enrol_with("1155000001", &code, LONG.to_vec());
    let reply = university.ask(None, &long).await;
    assert_eq!(refused(reply), Code::RequestInvalid);
    let talkative = enrol_with("1155000001", &code, TALKATIVE.to_vec());
    let (chain, _) = enrolled(university.ask(None, &talkative).await);
    let said = String::from_utf8_lossy(chain.leaf().der()).into_owned();
    for text in ["let me in", "no structure", "nobody knows", "Somebody Else"] {
        assert!(
            String::from_utf8_lossy(TALKATIVE).contains(text) && !said.contains(text),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_bad_self_signature_and_trailing_bytes_are_refused() {
    let university = University::open().await;
    let code = university.code("1155000001").await;
    let good = create_request(&SigningKey::generate().unwrap()).unwrap();
    let mut forged = good.clone();
    *forged.last_mut().unwrap() ^= 1;
    let trailing = [good.as_slice(), &[0]].concat();
    let cut = good[..good.len() - 1].to_vec();
    for request in [forged, trailing, cut, Vec::new(), vec![0x30; 20_000]] {
        let reply = university
            .ask(None, &enrol_with("1155000001", &code, request))
            .await;
        assert_eq!(refused(reply), Code::RequestInvalid);
    }
    enrolled(
        university
            .ask(None, &enrol_with("1155000001", &code, good))
            .await,
    );
}
