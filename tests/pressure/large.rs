//! A large report passes through both programs, and back, in as little memory as a small one.

use std::fs::{self, File};
use std::process::Command;

use crate::campus::{Campus, Ran, program};
use crate::limits::set_limits;
use crate::process::{count, measured, most_memory};

/// The most that either program may have, in KiB, however large the report is.
const MOST: u64 = 96 * 1024;

/// Runs it, and looks at its memory.
#[track_caller]
fn in_little_memory(what: &str, command: &mut Command) -> Ran {
    let (ran, most) = measured(command);
    println!("{what}: {most} KiB");
    assert!(most > 0 && most < MOST, "{what} took {most} KiB");
    ran.succeeded()
}

#[test]
fn a_large_report_is_handed_in_given_back_archived_and_verified_in_little_memory() {
    let mib = count("SCB_LARGE_MIB", 256);
    let size = mib as u64 * (1 << 20) + 1;
    let mut campus = Campus::sandbox();
    set_limits(
        &campus.path().join("blackboard"),
        &[("max_bytes", size as f64)],
    );
    campus.restart_blackboard();
    let most = ["--max-bytes", &size.to_string(), "--yes"];
    let change = ["assignment", "change", "lab", "--course", "SANDBOX"];
    campus
        .administer_blackboard(&[&change[..], &most].concat())
        .succeeded();
    campus.student(&["enrol"]).succeeded();
    let path = |name: &str| campus.outside().join(name).to_str().unwrap().to_owned();
    let (report, archive, back) = (path("large.bin"), path("lab.zip"), path("back"));
    File::create(&report).unwrap().set_len(size).unwrap();
    let student = |words: &[&str]| {
        let mut command = program("student");
        command.arg("--sandbox").arg(campus.path()).args(words);
        command
    };

    let submit = in_little_memory(
        "student submit",
        &mut student(&["submit", &report, "--json"]),
    );
    let receipt = submit.json()["receipt"].as_str().unwrap().to_owned();
    let verify = ["verify", &receipt, &report];
    in_little_memory("student verify, of a receipt", &mut student(&verify));
    fs::remove_file(&report).unwrap();
    let download = ["download", "S-000001", "--to", &back];
    in_little_memory("student download", &mut student(&download));
    let given = fs::metadata(campus.outside().join("back/large.bin")).unwrap();
    assert_eq!(given.len(), size);
    fs::remove_dir_all(&back).unwrap();

    let of = ["--course", "SANDBOX", "--assignment", "lab"];
    let words = [&["submissions", "archive", &archive][..], &of].concat();
    let mut archived = campus.administering_blackboard(&words);
    in_little_memory("blackboard submissions archive", &mut archived);
    assert!(
        fs::metadata(&archive).unwrap().len() > size,
        "it is not packed"
    );
    let verified = in_little_memory("student verify", &mut student(&["verify", &archive]));
    assert!(verified.stdout.contains("it verifies"), "{verified:#?}");
    let server = most_memory(campus.blackboard.id()).unwrap();
    println!("blackboard serve: {server} KiB");
    assert!(server < MOST, "blackboard serve took {server} KiB");
}
