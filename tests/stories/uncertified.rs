//! CUHK is put back from a backup that is older than Blackboard's certificate.

use std::fs;
use std::time::{Duration, Instant};

use crate::campus::{ByHand, LONG, Ran, Server, copy, get, monitor, version, wait_for};

const SUBMIT: [&str; 3] = ["submit", "--ids", "1155000001"];

/// Puts CUHK back as IT does, at the address where it was. What `cuhk restore` says.
fn put_back(campus: &ByHand, mut cuhk: Server) -> (String, Server) {
    let address = cuhk.address();
    cuhk.stop();
    fs::rename(campus.path("cuhk.home"), campus.path("cuhk.old")).unwrap();
    let told = campus.cuhk(&["restore", "before.zip"]).succeeded().stdout;
    fs::remove_dir_all(campus.path("cuhk.home/log")).unwrap();
    copy(&campus.path("cuhk.old/log"), &campus.path("cuhk.home/log"));
    let sign = ["root", "sign-crl", "--root-passphrase-file", "root.pass"];
    campus.cuhk(&sign).succeeded();
    let serve = ["serve", "--passphrase-file", "issuers.pass"];
    let at = ["--listen", &address];
    let cuhk = Server::start_command(&mut campus.command("cuhk", &[&serve[..], &at].concat()));
    (told, cuhk)
}

fn until_said(address: &str, words: &str) -> String {
    let begun = Instant::now();
    loop {
        let told = wait_for(address, "/readyz", 503);
        if told.contains(words) {
            return told;
        }
        assert!(begun.elapsed() < LONG, "{told}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_blackboard_that_a_restored_cuhk_does_not_know_says_so_and_is_certified_again() {
    let campus = ByHand::new();
    campus.init().succeeded();
    campus
        .roster("sid,name,email,programme\n1155000001,Ada,,CSCI\n")
        .succeeded();
    let cuhk = campus.serve_cuhk();
    campus.add_blackboard();
    let (at, ca) = (cuhk.address(), ["--ca", "cuhk.home/ca.pem"]);
    let enrol = ["enrol", "--ids", "1155000001", "--codes", "codes.csv"];
    campus
        .student(&[&enrol[..], &["--cuhk", &at], &ca].concat())
        .succeeded();
    campus.cuhk(&["backup", "before.zip"]).succeeded();
    campus.init_blackboard(&cuhk, &[]);
    campus.add_course();
    let metrics = ["--metrics", "127.0.0.1:0"];
    let mut blackboard = campus.start_blackboard_with(&metrics);
    let watched = monitor(blackboard.said()).unwrap();
    let there = blackboard.address();
    let submit = |more: &[&str]| -> Ran {
        let report = version(&campus.path(""));
        let to = [&report, "--blackboard", &there];
        campus.student(&[&SUBMIT[..], &to, more].concat())
    };
    submit(&[]).succeeded();

    let (told, cuhk) = put_back(&campus, cuhk);
    for part in [
        "service/blackboard: NO certificate that counts",
        "cuhk code issue service/NAME --replace",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let told = until_said(&watched, "CUHK does not take this server's certificate");
    let replace = "cuhk code issue service/blackboard --replace";
    assert!(told.contains(replace), "{told}");
    let numbers = get(&watched, "/metrics").1;
    assert!(numbers.contains("blackboard_cuhk_in_touch 0"), "{numbers}");
    assert!(blackboard.log().contains(replace));
    let error = submit(&["--json"]).refused(4, "service_uncertified");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("certificate_unknown_issuer"),
        "{error}"
    );
    let told = submit(&[]).stderr;
    assert!(
        told.contains("the platform must be certified again"),
        "{told}"
    );
    let told = submit(&["--lang", "zh-Hant"]).stderr;
    assert!(told.contains("平台須重新取得證書"), "{told}");

    blackboard.stop();
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    let ended = campus.blackboard(&serve);
    assert_eq!(ended.exit, Some(3), "{ended:#?}");
    for part in ["certificate_unknown_issuer", "init --replace"] {
        assert!(ended.stderr.contains(part), "{part}: {ended:#?}");
    }
    fs::remove_file(campus.path("blackboard.code")).unwrap();
    let code = ["code", "issue", "service/blackboard", "--replace"];
    campus
        .cuhk(&[&code[..], &["--out", "blackboard.code"]].concat())
        .succeeded();
    campus.init_blackboard(&cuhk, &["--replace"]);
    let blackboard = campus.start_blackboard_with(&metrics);
    wait_for(&monitor(blackboard.said()).unwrap(), "/readyz", 200);
    let report = version(&campus.path(""));
    let to = [&report, "--blackboard", &blackboard.address()];
    campus.student(&[&SUBMIT[..], &to].concat()).succeeded();
}
