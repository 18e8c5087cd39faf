//! A disk that is full or takes nothing at all.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::campus::{
    Campus, LONG, Ran, Server, can_mount, judge, monitor, on_small_disk, program, serve_at, shell,
    wait_for,
};
use crate::ledger::{Ledger, one_certificate_each};

/// Stops a server and starts it again with its home on a disk of `size`.
fn move_to_small_disk(sandbox: &Path, name: &str, size: &str, server: &mut Server) -> PathBuf {
    server.stop();
    let home = sandbox.join(name);
    let mut start = program(name);
    start.args(serve_at(sandbox, &server.address()));
    start.args(["--metrics", "127.0.0.1:0"]);
    *server = Server::start_command(&mut on_small_disk(&home, size, &start)).apart();
    server.sees(&home)
}

/// Takes all space there is until it is dropped.
struct Filler(PathBuf);

impl Filler {
    fn fill(disk: &Path) -> Self {
        let path = disk.join("filler");
        let mut file = File::create(&path).unwrap();
        for size in [1 << 16, 4096, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
        Self(path)
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        fs::remove_file(&self.0).unwrap();
    }
}

/// Hands in this text.
pub(crate) fn submit(campus: &Campus, text: &str) -> Ran {
    submit_with(campus, text, &[])
}

pub(crate) fn submit_with(campus: &Campus, text: &str, with: &[&str]) -> Ran {
    let report = campus.outside().join("report.txt");
    fs::write(&report, text).unwrap();
    let command = ["submit", "--json", report.to_str().unwrap()];
    campus.student(&[&command[..], with].concat())
}

#[test]
fn blackboard_without_space_says_so_and_goes_on_when_there_is_some() {
    if !can_mount() {
        return;
    }
    let mut campus = Campus::sandbox();
    let sandbox = campus.path();
    let disk = move_to_small_disk(&sandbox, "blackboard", "8m", &mut campus.blackboard);
    let mut ledger = Ledger::default();
    ledger.note(&submit(&campus, "first").succeeded());

    // Larger than the disk: refused, and the space is given back at once.
    let report = campus.outside().join("large.bin");
    fs::write(&report, vec![7; 12 << 20]).unwrap();
    let large = ["submit", "--json", "--report", report.to_str().unwrap()];
    campus.student(&large).refused(4, "storage_full");
    ledger.note(&submit(&campus, "second").succeeded());

    // Not a byte left: refused, listed all the same, and finished by the same command.
    let watched = monitor(campus.blackboard.said()).unwrap();
    wait_for(&watched, "/readyz", 200);
    let filler = Filler::fill(&disk);
    let told = wait_for(&watched, "/readyz", 503);
    assert!(told.contains("the disk is full: make room on it"), "{told}");
    let full = submit(&campus, "third");
    let error = full.refused(4, "storage_full");
    assert!(error["remedy"].is_string(), "{error:#}");
    ledger.is_all_of(&campus);
    drop(filler);
    wait_for(&watched, "/readyz", 200);
    ledger.note(&submit(&campus, "third").succeeded());

    ledger.is_all_of(&campus);
}

#[test]
fn what_the_last_member_signs_on_a_full_disk_is_completed_when_there_is_space() {
    if !can_mount() {
        return;
    }
    let mut campus = Campus::sandbox();
    let sandbox = campus.path();
    let codes = sandbox.join("codes.csv");
    let [one, other] = ["1155000001", "1155000002"];
    let home = |sid: &str| campus.outside().join(sid);
    let homes = [home(one), home(other)];
    for (sid, home) in [one, other].into_iter().zip(&homes) {
        let enrol = ["enrol", "--ids", sid, "--codes", codes.to_str().unwrap()];
        campus.student_elsewhere(home, &enrol).succeeded();
    }
    let disk = move_to_small_disk(&sandbox, "blackboard", "8m", &mut campus.blackboard);
    let report = campus.outside().join("report.txt");
    fs::write(&report, vec![7; 1 << 20]).unwrap();
    let report = report.to_str().unwrap();
    let propose = ["submit", "--ids", one, "--with", other, report, "--json"];
    let proposed = campus.student_elsewhere(&homes[0], &propose);
    let proposed = proposed.succeeded().json();
    let sign = [
        "cosign",
        "--yes",
        proposed["submission_id"].as_str().unwrap(),
    ];
    let sign = [&sign[..], &["--json"]].concat();

    let filler = Filler::fill(&disk);
    let full = campus.student_elsewhere(&homes[1], &sign);
    if full.exit != Some(0) {
        full.refused(4, "storage_full");
    }
    assert!(campus.submissions().is_empty());
    drop(filler);
    // Whether it was recorded or not: this is the same signature, and nothing comes twice.
    campus.student_elsewhere(&homes[1], &sign).succeeded();
    let began = Instant::now();
    while campus.submissions().is_empty() {
        assert!(began.elapsed() < LONG);
    }
    assert_eq!(campus.submissions().len(), 1);
}

#[test]
fn cuhk_without_space_says_so_and_goes_on_when_there_is_some() {
    if !can_mount() {
        return;
    }
    let mut campus = Campus::sandbox();
    let sandbox = campus.path();
    let disk = move_to_small_disk(&sandbox, "cuhk", "4m", &mut campus.cuhk);
    campus
        .student(&["enrol", "--ids", "1155000001", "--json"])
        .succeeded();
    let outsider = EstRequest::of(&campus, "1155000011");

    let filler = Filler::fill(&disk);
    let mut enrolled = BTreeSet::from(["1155000001".to_owned()]);
    // What is left of the last page of the log may do for one more.
    let refused = (2..=10).map(|n| format!("11550000{n:02}")).find(|sid| {
        let ran = campus.student(&["enrol", "--ids", sid, "--json"]);
        enrolled.insert(sid.clone());
        match ran.exit {
            Some(0) => false,
            _ => {
                ran.refused(4, "storage_full");
                true
            }
        }
    });
    let refused = refused.expect("a full disk takes nobody in");
    if let Some(outsider) = &outsider {
        let told = outsider.ask(&campus);
        assert!(told.starts_with("storage_full: "), "{told}");
        assert!(
            told.contains("try again later") && told.ends_with("507"),
            "{told}"
        );
    }
    // Who asks about a student is logged before the answer: without space there is none.
    let submit = ["submit", "--ids", "1155000001", "--json"];
    let ran = campus.student(&submit);
    if ran.exit != Some(0) {
        ran.refused(4, "cuhk_unavailable");
    }
    drop(filler);
    campus.student(&submit).succeeded();
    campus
        .student(&["enrol", "--ids", &refused, "--json"])
        .succeeded();
    if let Some(outsider) = &outsider {
        assert!(outsider.ask(&campus).ends_with("200"), "the same request");
        enrolled.insert("1155000011".to_owned());
    }
    one_certificate_each(&campus, &enrolled);
}

/// A request by `curl`, where there is one, as for EST.
struct EstRequest {
    code: String,
}

impl EstRequest {
    fn of(campus: &Campus, sid: &str) -> Option<Self> {
        judge("openssl").and(judge("curl"))?;
        let sheet = fs::read_to_string(campus.path().join("codes.csv")).unwrap();
        let row = sheet.lines().find(|line| line.starts_with(sid)).unwrap();
        let code = row.split(',').nth(3).unwrap();
        let make = "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc \
                    -keyout est.pem -subj / -outform DER | openssl base64 > est.b64";
        shell(campus.outside(), make).succeeded();
        let code = format!("user = \"{sid}:{code}\"\n");
        Some(Self { code })
    }

    /// What is answered, with its status at the end.
    fn ask(&self, campus: &Campus) -> String {
        fs::write(campus.outside().join("est.curl"), &self.code).unwrap();
        let (root, address) = (campus.path().join("ca.pem"), campus.cuhk.address());
        let ask = format!(
            "curl -sS --cacert {} -K est.curl -w '%{{http_code}}' --data-binary @est.b64 \
             -H 'Content-Type: application/pkcs10' \
             https://{address}/.well-known/est/simpleenroll",
            root.display()
        );
        shell(campus.outside(), &ask).succeeded().stdout
    }
}

/// A command of `cuhk` beside the server, on its disk.
fn administer(campus: &Campus, home: &Path, arguments: &[&str]) -> Ran {
    let mut command = campus.cuhk.beside("cuhk");
    command.arg("--home").arg(home).args(arguments);
    command.current_dir(campus.outside());
    Ran::of(&mut command)
}

#[test]
fn every_command_of_cuhk_tells_a_full_disk_in_the_same_words_and_leaves_nothing_half_done() {
    if !can_mount() {
        return;
    }
    let mut campus = Campus::sandbox();
    let sandbox = campus.path();
    let disk = move_to_small_disk(&sandbox, "cuhk", "4m", &mut campus.cuhk);
    let home = sandbox.join("cuhk");
    let passphrase = sandbox.join("cuhk.passphrase");
    let with = passphrase.to_str().unwrap();
    let rotate = |which| {
        [
            "keys",
            "rotate",
            which,
            "--passphrase-file",
            with,
            "--root-passphrase-file",
            with,
        ]
    };
    let filler = Filler::fill(&disk);
    for arguments in [
        &rotate("students")[..],
        &rotate("root"),
        &["root", "sign-crl", "--root-passphrase-file", with],
        &["revoke", "1155000001"],
        &["prune"],
    ] {
        let told = administer(&campus, &home, arguments);
        assert_eq!(told.exit, Some(5), "{arguments:?}: {told:#?}");
        for words in ["error[disk_full]", "make room on the disk"] {
            assert!(told.stderr.contains(words), "{arguments:?}: {told:#?}");
        }
    }
    for made in ["issuers/students-2", "root-2"] {
        assert!(!disk.join(made).exists(), "{made}");
    }
    let told = administer(&campus, &home, &["doctor"]);
    assert!(told.stdout.contains("make room on that disk"), "{told:#?}");
    drop(filler);
    administer(&campus, &home, &rotate("students")).succeeded();
    administer(&campus, &home, &["prune"]).succeeded();
}
