//! CUHK's keys as standards publish them: found, believed and given up by libraries that we did
//! not write.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::campus::{Campus, Ran, judge, python_with};

const JWK_SET: &str = "/.well-known/jwks.json";
const BUNDLE: &str = "/spiffe/bundle.json";

/// PyJWT and py-spiffe.
fn libraries() -> Option<Command> {
    judge("curl").and(python_with(&["jwt", "spiffe"]))
}

/// What `curl` gets over TLS, with its head.
fn fetch(campus: &Campus, path: &str, more: &[&str]) -> Ran {
    let mut curl = Command::new("curl");
    let ca = campus.path().join("ca.pem");
    curl.args(["-sS", "-i", "--cacert"]).arg(ca).args(more);
    let port = campus.cuhk.address().rsplit(':').next().map(str::to_owned);
    Ran::of(curl.arg(format!("https://localhost:{}{path}", port.unwrap()))).succeeded()
}

/// The body of an answer, in a file of this name.
fn saved(campus: &Campus, path: &str, name: &str) -> PathBuf {
    let told = fetch(campus, path, &["--http1.1"]).stdout;
    let (head, body) = told.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let file = campus.outside().join(name);
    fs::write(&file, body).unwrap();
    file
}

/// What the libraries make of the keys of this moment and of these tokens.
fn judged(campus: &Campus, mut python: Command, tokens: &[&Path]) -> Ran {
    let files = [(JWK_SET, "jwks.json"), (BUNDLE, "bundle.json")];
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stories/judge_keys.py");
    python.arg(script);
    python.args(files.map(|(path, name)| saved(campus, path, name)));
    let blackboard = campus.path().join("blackboard/tls");
    python.arg(campus.path().join("ca.pem"));
    python.arg(blackboard.join("chain.pem"));
    python.arg(blackboard.join("key.pem"));
    let audience = "spiffe://sandbox.example/service/blackboard";
    python.args(["sandbox.example", audience]).args(tokens);
    Ran::of(&mut python)
}

/// A student's token, out of the way of later ones, and a receipt.
fn token_and_receipt(campus: &Campus) -> (PathBuf, PathBuf) {
    let submitted = campus.student(&["submit", "--ids", "1155000001", "--json"]);
    let receipt = submitted.succeeded().json()["receipt"].clone();
    let token = campus.outside().join("kept.jwt");
    let current = campus.path().join("student/students/1155000001/token.jwt");
    fs::copy(current, &token).unwrap();
    (token, receipt.as_str().unwrap().into())
}

fn sequence(campus: &Campus) -> u64 {
    let bundle = fs::read(saved(campus, BUNDLE, "bundle.json")).unwrap();
    let bundle: Value = serde_json::from_slice(&bundle).unwrap();
    bundle["spiffe_sequence"].as_u64().unwrap()
}

#[test]
fn pyjwt_and_a_spiffe_library_believe_tokens_and_certificates_by_them() {
    let Some(python) = libraries() else { return };
    let campus = Campus::sandbox();
    let (token, receipt) = token_and_receipt(&campus);
    let said = judged(&campus, python, &[&token, &receipt]);
    assert_eq!(
        said.succeeded().stdout,
        "SVID spiffe://sandbox.example/service/blackboard\n\
         .jwt spiffe://sandbox.example/student/1155000001\n\
         .zip about members\n"
    );
}

#[test]
fn a_retired_key_stays_and_a_withdrawn_one_is_gone_within_five_seconds() {
    let Some(_) = judge("curl") else { return };
    let campus = Campus::sandbox();
    let (token, _) = token_and_receipt(&campus);
    let first = sequence(&campus);
    campus
        .administer_cuhk(&["keys", "rotate", "tokens"])
        .succeeded();
    let second = sequence(&campus);
    assert!(second > first);
    if let Some(python) = libraries() {
        let said = judged(&campus, python, &[&token]).succeeded().stdout;
        assert!(said.contains(".jwt spiffe://"), "{said}");
    }
    let listed = campus.administer_cuhk(&["keys", "list", "--json"]);
    let listed = listed.succeeded().json();
    let keys = listed.as_array().unwrap();
    let old = keys.iter().find(|key| key["state"] == "retiring").unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    campus
        .administer_cuhk(&["keys", "withdraw", old["sha256"].as_str().unwrap()])
        .succeeded();
    while sequence(&campus) == second {
        assert!(Instant::now() < deadline, "it is still there");
    }
    if let Some(python) = libraries() {
        let said = judged(&campus, python, &[&token]).succeeded().stdout;
        assert!(said.contains(".jwt unknown key"), "{said}");
    }
}

#[test]
fn whoever_has_the_keys_is_sent_nothing_and_nobody_changes_them() {
    let Some(_) = judge("curl") else { return };
    let campus = Campus::sandbox();
    for path in [JWK_SET, BUNDLE] {
        let told = fetch(&campus, path, &["--http1.1"]).stdout;
        let etag = told.lines().find(|line| line.starts_with("etag: "));
        let etag = etag.unwrap().replace("etag", "If-None-Match");
        let again = fetch(&campus, path, &["--http1.1", "-H", &etag]).stdout;
        assert!(again.starts_with("HTTP/1.1 304"), "{again}");
        let posted = fetch(&campus, path, &["--http1.1", "-d", "keys=none"]).stdout;
        assert!(posted.starts_with("HTTP/1.1 405"), "{posted}");
        assert!(posted.contains("allow: GET,HEAD"), "{posted}");
        assert!(
            posted.contains(r#""code":"method_not_allowed""#),
            "{posted}"
        );
    }
}
