//! CUHK is gone. By default nothing is accepted; if the configuration says so, identity tokens
//! count, and everybody is told.

use std::fs;
use std::time::{Duration, Instant};

use crate::campus::{Campus, SAMPLE, Server, serve, serve_at};

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
    let deadline = Instant::now() + Duration::from_secs(30);
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
