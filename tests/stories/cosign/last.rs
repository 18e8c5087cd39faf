//! Whoever brings the last signature has Blackboard's signed word for it, whatever becomes of the files.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use super::{Machines, SIDS};
use crate::campus::{LONG, script};

/// So large that it is on its way for a while.
const SIZE: u64 = 96 << 20;

fn kept(machines: &Machines, sid: &str) -> Vec<PathBuf> {
    let Ok(found) = fs::read_dir(machines.home(sid).join("receipts/committed")) else {
        return Vec::new();
    };
    let paths = found.map(|file| file.unwrap().path());
    paths
        .filter(|path| path.extension() == Some("zip".as_ref()))
        .collect()
}

/// Proposes for both, and is killed while the files are on their way. The ID of the proposal.
fn killed(machines: &Machines, report: &Path) -> String {
    let path = report.to_str().unwrap();
    let submit = ["submit", "--ids", SIDS[0], "--with", SIDS[1], path];
    let mut command = machines
        .campus
        .command_elsewhere(&machines.home(SIDS[0]), &submit);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    machines.campus.until_an_upload_has_begun(&mut child);
    child.kill().unwrap();
    let ended = child.wait().unwrap();
    assert_eq!(ended.code(), None, "it was too quick");
    super::id(&machines.listed(SIDS[1])["proposals"][0])
}

#[test]
fn whoever_signs_last_keeps_blackboards_word_until_the_receipt_is_here() {
    let machines = Machines::new();
    let report = machines.campus.outside().join("large.bin");
    File::create(&report).unwrap().set_len(SIZE).unwrap();
    let id = killed(&machines, &report);
    let signed = machines.on(SIDS[1], &["cosign", "--yes", &id, "--json"]);
    assert_eq!(signed.succeeded().json()["state"], "signed");
    let [file] = &kept(&machines, SIDS[1])[..] else {
        panic!("{:?}", kept(&machines, SIDS[1]));
    };
    assert!(kept(&machines, SIDS[0]).is_empty(), "his was not the last");
    let name = file.to_str().unwrap();
    let ours = machines.on(SIDS[1], &["verify", name]).succeeded().stdout;
    for told in [
        "which counts for lateness, being the last: entry ",
        "it is NO receipt",
    ] {
        assert!(ours.contains(told), "{told}: {ours}");
    }
    let json = machines
        .on(SIDS[1], &["verify", name, "--json"])
        .succeeded()
        .json();
    assert_eq!(json["signed_by"], serde_json::json!([SIDS[1]]));
    if let Some(theirs) = script(&machines.campus, file) {
        let theirs = theirs.succeeded().stdout;
        let verdict = "verdict    it verifies: Blackboard signed that it recorded at ";
        assert!(theirs.contains(verdict), "{theirs}");
        let lines = |text: &str| {
            text.lines()
                .filter(|line| !line.starts_with("verdict"))
                .count()
        };
        assert_eq!(lines(&theirs), lines(&ours), "{ours}{theirs}");
    }
    // It waits for files, and nobody says that it was lost.
    let history = machines.on(SIDS[1], &["history"]).succeeded().stdout;
    assert!(!history.contains("LOST"), "{history}");

    let path = report.to_str().unwrap();
    let submit = [
        "submit", "--ids", SIDS[0], "--with", SIDS[1], path, "--json",
    ];
    machines.on(SIDS[0], &submit).succeeded();
    let began = Instant::now();
    while !kept(&machines, SIDS[1]).is_empty() {
        assert!(began.elapsed() < LONG, "{:?}", kept(&machines, SIDS[1]));
        machines.on(SIDS[1], &["cosign"]).succeeded();
        machines.on(SIDS[1], &["receipts"]).succeeded();
    }
    let receipt = machines.home(SIDS[1]).join("receipts/S-000001.zip");
    let receipt = ["verify", receipt.to_str().unwrap(), "--json"];
    let receipt = machines.on(SIDS[1], &receipt).succeeded().json();
    assert_eq!(receipt["committed_at"], json["committed_at"]);
    assert_eq!(receipt["committed_index"], json["index"]);
}
