//! Keys take each other's place while people work.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::campus::{Campus, LONG, PROMISED, Ran, SAMPLE, usual};

impl Campus {
    fn keys(&self) -> Vec<Value> {
        let listed = self.administer_cuhk(&["keys", "list", "--json"]);
        listed.succeeded().json().as_array().unwrap().clone()
    }

    /// SHA-256 of the keys for tokens in this state.
    fn token_keys(&self, state: &str) -> Vec<String> {
        let wanted = |key: &&Value| key["kind"] == "tokens" && key["state"] == state;
        let keys = self.keys();
        let found = keys.iter().filter(wanted);
        found
            .map(|key| key["sha256"].as_str().unwrap().to_owned())
            .collect()
    }

    fn token(&self, sid: &str) -> String {
        let path = format!("student/students/{sid}/token.jwt");
        fs::read_to_string(self.path().join(path)).unwrap()
    }
}

/// How long a new key may take until it signs, besides what any command takes.
const AT_ONCE: Duration = Duration::from_secs(3);

#[test]
fn a_new_token_key_is_there_at_once_and_nobody_notices() {
    let campus = Campus::sandbox();
    campus.student(&["submit", "--ids", SAMPLE]).succeeded();
    let before = campus.token("1155000001");
    let first = campus.token_keys("active");
    let usual = usual(|| campus.keys());
    let begun = Instant::now();
    let told = campus.administer_cuhk(&["keys", "rotate", "tokens"]);
    let (took, told) = (begun.elapsed(), told.succeeded().stdout);
    assert!(took < AT_ONCE + usual, "{took:?}, {usual:?}: {told}");
    let second = campus.token_keys("active");
    assert_eq!((first.len(), second.len()), (1, 1));
    assert_ne!(first, second);
    assert!(told.contains(&second[0]), "{told}");
    assert_eq!(campus.token_keys("retiring"), first);
    campus.student(&["submit", "--ids", SAMPLE]).succeeded();
    assert_eq!(campus.token("1155000001"), before, "it lives on");
}

#[test]
fn a_withdrawn_token_key_costs_nobody_a_hand_in() {
    let campus = Campus::sandbox();
    let receipt = campus
        .student(&["submit", "--ids", SAMPLE, "--json"])
        .succeeded()
        .json()["receipt"]
        .as_str()
        .unwrap()
        .to_owned();
    let hand_in = || campus.student(&["submit", "--ids", SAMPLE]).succeeded();
    let usual = usual(hand_in);
    let before = campus.token("1155000003");
    let active = campus.token_keys("active").remove(0);
    campus
        .administer_cuhk(&["keys", "withdraw", &active])
        .succeeded();
    let withdrawn = Instant::now();
    assert_eq!(
        campus.token_keys("withdrawn"),
        std::slice::from_ref(&active)
    );
    // Within five seconds the old tokens count no more, and are replaced without a word.
    while campus.token("1155000003") == before {
        let since = withdrawn.elapsed();
        assert!(
            since < PROMISED + usual,
            "still counts: {since:?}, {usual:?}"
        );
        hand_in();
    }
    let log = campus.blackboard.log();
    assert!(log.contains("signer_withdrawn"), "{log}");
    campus.student(&["verify", &receipt]).succeeded();

    let again = campus.administer_cuhk(&["keys", "withdraw", &active]);
    assert_eq!(again.exit, Some(3), "{again:#?}");
    let unknown = campus.administer_cuhk(&["keys", "withdraw", &"0".repeat(64)]);
    assert_eq!(unknown.exit, Some(3), "{unknown:#?}");
    assert!(unknown.stderr.contains("cuhk keys list"), "{unknown:#?}");
}

impl Campus {
    /// `cuhk keys …` with the sandbox's passphrase for everything.
    fn ceremony(&self, arguments: &[&str]) -> Ran {
        let passphrase = self.path().join("cuhk.passphrase").display().to_string();
        let files = [
            "--passphrase-file",
            &passphrase,
            "--root-passphrase-file",
            &passphrase,
        ];
        self.administer_cuhk(&[&["keys"], arguments, &files].concat())
    }

    fn state(&self, kind: &str) -> String {
        let keys = self.keys();
        let found = keys.iter().find(|key| key["kind"] == kind);
        found.map_or(String::new(), |key| {
            key["state"].as_str().unwrap().to_owned()
        })
    }

    /// Hands in until this is so; counts the hand-ins.
    fn hand_in_until(&self, done: impl Fn() -> bool) -> usize {
        let deadline = Instant::now() + LONG;
        let mut handed_in = 0;
        while !done() {
            assert!(Instant::now() < deadline, "it takes too long");
            self.student(&["submit", "--ids", SAMPLE]).succeeded();
            handed_in += 1;
        }
        handed_in
    }
}

#[test]
fn new_issuing_authorities_take_over_while_a_group_hands_in() {
    let campus = Campus::sandbox();
    campus.student(&["submit", "--ids", SAMPLE]).succeeded();
    for kind in ["students", "services"] {
        campus.ceremony(&["rotate", kind]).succeeded();
        let next = format!("{kind}-2");
        let before = campus.hand_in_until(|| campus.state(&next) == "active");
        assert!(before > 0);
        assert_eq!(campus.state(kind), "retiring");
    }
    // One whom the new authority certifies beside two of the old one.
    let mixed = "1155000001,1155000004,1155000002";
    let receipt = campus.student(&["submit", "--ids", mixed, "--json"]);
    let receipt = receipt.succeeded().json();
    let receipt = receipt["receipt"].as_str().unwrap();
    campus.student(&["verify", receipt]).succeeded();
    campus
        .administer_cuhk(&["revoke", "1155000004"])
        .succeeded();
    let refused = campus.student(&["submit", "--ids", mixed, "--json"]);
    assert_eq!(refused.exit, Some(3), "{refused:#?}");
}

#[test]
fn no_more_keys_for_tokens_are_made_than_everybody_should_fetch() {
    let campus = Campus::sandbox();
    let rotate = || campus.administer_cuhk(&["keys", "rotate", "tokens", "--json"]);
    let doctor = || {
        let findings = campus.administer_cuhk(&["doctor", "--json"]).json();
        let one = findings
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["check"] == "token-keys");
        one.unwrap().clone()
    };
    for made in 2..=24 {
        rotate().succeeded();
        if made == 11 {
            assert_eq!(doctor()["outcome"], "ok", "{}", doctor());
        }
    }
    assert_eq!(doctor()["outcome"], "warn", "{}", doctor());
    let refused = rotate().refused(3, "too_many_token_keys");
    let told = refused.to_string();
    assert!(told.contains("there is room from 2"), "{told}");
    // Nobody is worse off for it, and a stolen key goes all the same.
    let active = campus.token_keys("active").remove(0);
    campus
        .administer_cuhk(&["keys", "withdraw", &active])
        .succeeded();
    campus
        .student(&["submit", "--ids", "1155000001"])
        .succeeded();
}
