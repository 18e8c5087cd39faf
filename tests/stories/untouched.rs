//! A command that is refused leaves its home as it was.

use std::fs;

use crate::campus::{ByHand, Ran};

fn entries(campus: &ByHand, dir: &str) -> Vec<String> {
    let Ok(found) = fs::read_dir(campus.path(dir)) else {
        return Vec::new();
    };
    let names = found.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

/// A campus whose CUHK knows this platform, and the beginning of its `init`.
fn before_init(campus: &ByHand) {
    campus.init().succeeded();
    let service = ["service", "add", "blackboard", "--dns", "localhost"];
    campus
        .cuhk(&[&service[..], &["--code-out", "blackboard.code"]].concat())
        .succeeded();
}

fn init(campus: &ByHand, cuhk: &str, code: &str, more: &[&str]) -> Ran {
    let init = ["init", "--cuhk", cuhk, "--code-file", code];
    campus.blackboard(&[&init[..], more].concat())
}

#[test]
fn an_init_that_is_refused_leaves_nothing_and_a_right_one_succeeds() {
    let campus = ByHand::new();
    before_init(&campus);
    let cuhk = campus.serve_cuhk();
    let address = cuhk.address();
    let wrong_root = ["--ca-fingerprint", &"0".repeat(64)];
    let right_root = ["--ca", "cuhk.home/ca.pem"];
    let other_code = campus.path("other.code");
    let code = fs::read_to_string(campus.path("blackboard.code")).unwrap();
    let turned: String = code.trim().chars().rev().collect();
    crate::campus::write_secret(&other_code, &turned);
    for (refused, code) in [
        (
            init(&campus, &address, "blackboard.code", &wrong_root),
            "server_identity",
        ),
        (
            init(&campus, &address, "other.code", &right_root),
            "enrolment_refused",
        ),
        (
            init(&campus, "127.0.0.1:1", "blackboard.code", &right_root),
            "connection_failed",
        ),
    ] {
        assert_ne!(refused.exit, Some(0), "{refused:#?}");
        assert!(
            refused.stderr.contains(&format!("[{code}]")),
            "{refused:#?}"
        );
        assert!(
            refused.stderr.contains("nothing was changed"),
            "{refused:#?}"
        );
        assert!(!campus.path("blackboard.home").exists(), "{refused:#?}");
    }
    init(&campus, &address, "blackboard.code", &right_root).succeeded();
}

#[test]
fn a_server_without_a_certificate_makes_nothing() {
    let campus = ByHand::new();
    let early = campus.blackboard(&["serve"]);
    assert_eq!(early.exit, Some(2), "{early:#?}");
    assert!(!campus.path("blackboard.home").exists());
    // What an interrupted `init` leaves.
    fs::create_dir(campus.path("blackboard.home")).unwrap();
    fs::write(campus.path("blackboard.home/role"), "blackboard\n").unwrap();
    let early = campus.blackboard(&["serve"]);
    assert_eq!(early.exit, Some(2), "{early:#?}");
    assert!(early.stderr.contains("[not_certified]"), "{early:#?}");
    let mut left = entries(&campus, "blackboard.home");
    left.sort();
    assert_eq!(left, ["lock", "role"]);
}
