//! CUHK is gone. By default nothing is accepted; if the configuration says so, identity tokens
//! count, and everybody is told.

use std::fs;
use std::time::{Duration, Instant};

use crate::campus::{ByHand, Campus, LONG, SAMPLE, Server, serve, serve_at, version};

/// Restarts Blackboard with `outage = "tokens"`, and takes CUHK away.
fn lenient_without_cuhk(campus: &mut Campus) {
    campus.blackboard.stop();
    let file = campus.path().join("blackboard/config.toml");
    let config = fs::read_to_string(&file).unwrap();
    assert!(config.contains("outage = \"refuse\""), "{config}");
    let config = config.replace("outage = \"refuse\"", "outage = \"tokens\"");
    fs::write(&file, config).unwrap();
    let arguments = serve_at(&campus.path(), &campus.blackboard.address());
    campus.blackboard = Server::start("blackboard", &arguments);
    campus.cuhk.kill();
}

#[test]
fn tokens_count_where_the_configuration_says_so_and_the_receipt_tells_it() {
    let mut campus = Campus::sandbox();
    campus.student(&["enrol", "--ids", SAMPLE]).succeeded();
    lenient_without_cuhk(&mut campus);

    let handed_in = campus.student(&["submit", "--ids", SAMPLE]).succeeded();
    assert!(handed_in.stdout.contains("CUHK is away"), "{handed_in:#?}");
    assert!(
        !handed_in.stdout.contains("CUHK confirms"),
        "{handed_in:#?}"
    );
    assert_eq!(campus.submissions().len(), 1);
    let log = campus.blackboard.log();
    assert!(log.contains("CUHK is away, tokens count 3"), "{log}");

    // Years later, without any server.
    campus.blackboard.stop();
    let receipt = campus.path().join("receipts/S-000001.zip");
    let receipt = receipt.to_str().unwrap();
    let verdict = campus.student(&["verify", receipt]).succeeded().stdout;
    assert!(
        verdict.contains("CUHK was away; 3 identity tokens were in force, the first until 2"),
        "{verdict}"
    );
    let verdict = campus.student(&["verify", receipt, "--json"]).succeeded();
    assert_eq!(verdict.json()["mode"], "tokens");
}

#[test]
fn a_blackboard_that_is_restarted_in_an_outage_goes_on() {
    let mut campus = Campus::sandbox();
    campus.student(&["enrol", "--ids", SAMPLE]).succeeded();
    campus
        .administer_cuhk(&["revoke", "1155000002"])
        .succeeded();
    lenient_without_cuhk(&mut campus);
    campus.restart_blackboard();
    let log = campus.blackboard.log();
    assert!(log.contains("revocation lists of an earlier run"), "{log}");
    // What CUHK had revoked stays revoked.
    let refused = campus.student(&["submit", "--ids", SAMPLE, "--json"]);
    refused.refused(3, "certificate_revoked");
    let others = ["submit", "--ids", "1155000001,1155000003", "--json"];
    campus.student(&others).succeeded();
    assert_eq!(campus.submissions()[0]["mode"], "tokens");
    // A CUHK that was stopped properly leaves no address behind: an outage all the same.
    fs::remove_file(campus.path().join("cuhk.addr")).unwrap();
    campus.restart_blackboard();
    let log = campus.blackboard.log();
    assert!(log.contains("revocation lists of an earlier run"), "{log}");
}

#[test]
fn a_cuhk_that_comes_back_on_another_port_is_found() {
    let mut campus = Campus::sandbox();
    campus.student(&["submit", "--ids", SAMPLE]).succeeded();
    let former = campus.cuhk.address();
    campus.cuhk.stop();
    campus.cuhk = Server::start("cuhk", &serve(&campus.path()));
    assert_ne!(campus.cuhk.address(), former);
    let deadline = Instant::now() + LONG;
    let arguments = ["submit", "--ids", SAMPLE, "--json"];
    while campus.student(&arguments).exit != Some(0) {
        assert!(Instant::now() < deadline, "{}", campus.blackboard.log());
    }
    let found = format!("connected to CUHK at {}", campus.cuhk.address());
    let log = campus.blackboard.log();
    assert!(log.contains(&found), "{log}");
}

#[test]
fn by_default_cuhk_is_asked_and_the_receipt_tells_that() {
    let mut campus = Campus::sandbox();
    campus.student(&["submit", "--ids", SAMPLE]).succeeded();
    let receipt = campus.path().join("receipts/S-000001.zip");
    let verdict = campus.student(&["verify", receipt.to_str().unwrap(), "--json"]);
    assert_eq!(verdict.succeeded().json()["mode"], "verified");
    campus.cuhk.kill();
    let refused = campus.student(&["submit", "--ids", SAMPLE, "--json"]);
    refused.refused(4, "cuhk_unavailable");
    assert_eq!(campus.submissions().len(), 1);
}

#[test]
fn a_certificate_that_was_revoked_before_cuhk_went_away_does_not_count() {
    let mut campus = Campus::sandbox();
    campus.student(&["enrol", "--ids", SAMPLE]).succeeded();
    campus
        .administer_cuhk(&["revoke", "1155000002"])
        .succeeded();
    lenient_without_cuhk(&mut campus);
    let refused = campus.student(&["submit", "--ids", SAMPLE, "--json"]);
    let error = refused.refused(3, "certificate_revoked");
    assert!(error["message"].as_str().unwrap().contains("1155000002"));
    campus
        .student(&["submit", "--ids", "1155000001,1155000003"])
        .succeeded();
}

/// A student of an authority that is newer than the lists which Blackboard has.
fn cut_off(campus: &ByHand) -> [Server; 2] {
    campus.init().succeeded();
    campus
        .roster("sid,name,email,programme\n1155000001,Ada,,CSCI\n")
        .succeeded();
    let mut cuhk = campus.serve_cuhk();
    let blackboard = campus.serve_blackboard(&cuhk);
    // Whoever listens there now is not CUHK: Blackboard finds it no more, students do.
    cuhk.stop();
    let cuhk = campus.serve_cuhk();
    let rotate = ["keys", "rotate", "students"];
    let passphrases = [
        "--passphrase-file",
        "issuers.pass",
        "--root-passphrase-file",
        "root.pass",
    ];
    campus
        .cuhk(&[&rotate[..], &passphrases].concat())
        .succeeded();
    let begun = Instant::now();
    let issues = |key: &serde_json::Value| key["kind"] == "students-2" && key["state"] == "active";
    loop {
        let keys = campus.cuhk(&["keys", "list", "--json"]).succeeded().json();
        if keys.as_array().unwrap().iter().any(issues) {
            // The server notices within a second.
            std::thread::sleep(Duration::from_secs(3));
            return [cuhk, blackboard];
        }
        assert!(begun.elapsed() < LONG, "{keys:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn a_blackboard_without_the_lists_it_needs_blames_no_certificate() {
    let campus = ByHand::new();
    let [cuhk, blackboard] = cut_off(&campus);
    let (at, to) = (cuhk.address(), blackboard.address());
    let enrol = ["enrol", "--ids", "1155000001", "--codes", "codes.csv"];
    let there = ["--cuhk", &at, "--ca", "cuhk.home/ca.pem"];
    campus.student(&[&enrol[..], &there].concat()).succeeded();
    let report = version(&campus.path(""));
    let submit = [
        "submit",
        "--ids",
        "1155000001",
        "--blackboard",
        &to,
        &report,
    ];
    let told = campus.student(&submit);
    assert_eq!(told.exit, Some(4), "{told:#?}");
    for part in ["status_unavailable", "no certificate is to blame"] {
        assert!(told.stderr.contains(part), "{part}: {told:#?}");
    }
    assert!(!told.stderr.contains("enrol again"), "{told:#?}");
    let told = campus.student(&[&submit[..], &["--lang", "zh-Hant"]].concat());
    assert_eq!(told.exit, Some(4), "{told:#?}");
    assert!(told.stderr.contains("問題不在你的證書"), "{told:#?}");
    for command in ["history", "assignments", "cosign"] {
        let refused = campus.student(&[command, "--ids", "1155000001", "--json"]);
        refused.refused(4, "status_unavailable");
    }
    let log = blackboard.log();
    assert!(log.contains("status_unavailable"), "{log}");
}
