//! What whoever looks after the servers sees: are they alive, can they work, what have they
//! counted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Instant;

use crate::campus::{
    ByHand, Campus, LONG, Ran, SAMPLE, Server, copy, get, monitor, program, python_with, serve,
    serve_at, version, wait_for,
};
use crate::witness::use_tokens;
use tempfile::TempDir;

/// A sandbox whose servers are watched.
pub(crate) struct Watched {
    pub(crate) campus: Campus,
    /// The addresses of the two monitors.
    pub(crate) cuhk: String,
    pub(crate) blackboard: String,
    pub(crate) dir: TempDir,
}

pub(crate) fn watched() -> Watched {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = dir.path().join("sandbox");
    let start = |name| {
        let mut command = program(name);
        command.args(serve(&sandbox));
        Server::start_command(command.args(["--metrics", "127.0.0.1:0"]))
    };
    let (cuhk, blackboard) = (start("cuhk"), start("blackboard"));
    let monitors = [&cuhk, &blackboard].map(|server| monitor(server.said()).unwrap());
    let [of_cuhk, of_blackboard] = monitors;
    Watched {
        campus: Campus::of(sandbox, cuhk, blackboard),
        cuhk: of_cuhk,
        blackboard: of_blackboard,
        dir,
    }
}

/// Asks over plain HTTP until CUHK has counted `refused` of this code.
fn until_counted(monitor: &str, code: &str, refused: f64) {
    let name = format!("cuhk_refusals_total{{code=\"{code}\"}}");
    let begun = Instant::now();
    while samples(&get(monitor, "/metrics").1).get(&name) != Some(&refused) {
        assert!(begun.elapsed() < LONG, "{name}");
        std::thread::yield_now();
    }
}

#[test]
fn what_is_not_there_and_a_wrong_method_are_counted_and_logged() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = program("cuhk");
    command.args(serve(&dir.path().join("sandbox")));
    command.args(["--metrics", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
    let cuhk = Server::start_command(&mut command);
    let monitor = monitor(cuhk.said()).unwrap();
    let (_, rest) = cuhk.said().split_once("lists at http://").unwrap();
    let http = rest.lines().next().unwrap();
    assert_eq!(get(http, "/ca.pem").0, 200);
    assert_eq!(get(http, "/nothing").0, 404);
    assert_eq!(get(http, "/crl/nobody.crl").0, 404);
    let mut stream = TcpStream::connect(http).unwrap();
    let request =
        "POST /ca.pem HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    assert!(said.starts_with("HTTP/1.1 405"), "{said}");
    until_counted(&monitor, "not_found", 2.0);
    until_counted(&monitor, "method_not_allowed", 1.0);
    assert!(cuhk.log().contains("not_found"), "{}", cuhk.log());
}

#[test]
fn each_server_shows_the_refusals_that_it_can_give_and_no_others() {
    let watched = watched();
    let cuhk = get(&watched.cuhk, "/metrics").1;
    let blackboard = get(&watched.blackboard, "/metrics").1;
    for (code, by_cuhk, by_blackboard) in [
        ("code_used", true, false),
        ("mac_invalid", false, true),
        ("certificate_revoked", true, true),
        ("internal", true, true),
        ("receipt_invalid", false, false),
    ] {
        let shown = |text: &str, server: &str| {
            samples(text).get(&format!("{server}_refusals_total{{code=\"{code}\"}}")) == Some(&0.0)
        };
        assert_eq!(shown(&cuhk, "cuhk"), by_cuhk, "{code}: {cuhk}");
        assert_eq!(
            shown(&blackboard, "blackboard"),
            by_blackboard,
            "{code}: {blackboard}"
        );
    }
}

/// Each sample's name with its labels, and its value.
type Samples = BTreeMap<String, f64>;

/// Reads OpenMetrics line by line; whatever is out of place ends the test.
pub(crate) fn samples(text: &str) -> Samples {
    let (mut samples, mut described) = (Samples::new(), BTreeSet::new());
    let lines = text.strip_suffix("# EOF\n").expect("an end").lines();
    for line in lines {
        if let Some(comment) = line.strip_prefix("# ") {
            let words: Vec<_> = comment.splitn(3, ' ').collect();
            assert!(["HELP", "TYPE", "UNIT"].contains(&words[0]), "{line}");
            described.insert(words[1].to_owned());
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap();
        let base = name.split('{').next().unwrap();
        let of = |family: &String| base.starts_with(family.as_str());
        assert!(described.iter().any(of), "{line}");
        let legal = |c: char| c.is_ascii_lowercase() || c == '_';
        assert!(base.chars().all(legal), "{line}");
        let before = samples.insert(name.to_owned(), value.parse().unwrap());
        assert_eq!(before, None, "twice: {line}");
    }
    samples
}

/// Nothing that names a student, and no code.
fn shows_nobody(text: &str) {
    for sid in SAMPLE.split(',') {
        assert!(!text.contains(sid), "{text}");
    }
}

/// What the Prometheus project's parser makes of it, where that is installed.
fn judged(text: &str) -> Option<String> {
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/stories/judge_metrics.py"
    );
    let mut judge = python_with(&["prometheus_client"])?;
    let judge = judge.arg(script).stdin(Stdio::piped());
    let mut judge = judge
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = judge.stdin.take().unwrap();
    input.write_all(text.as_bytes()).unwrap();
    drop(input);
    Some(
        Ran::from(judge.wait_with_output().unwrap())
            .succeeded()
            .stdout,
    )
}

#[test]
fn a_campus_that_works_is_ready_and_its_numbers_add_up() {
    let Watched {
        campus,
        cuhk,
        blackboard,
        dir: _dir,
    } = watched();
    campus.student(&["submit", "--ids", SAMPLE]).succeeded();
    let refused = campus.student(&["submit", "--ids", "1155999999", "--json"]);
    assert_ne!(refused.exit, Some(0), "{refused:?}");
    for address in [&cuhk, &blackboard] {
        assert_eq!(get(address, "/healthz"), (200, "alive\n".to_owned()));
        let begun = Instant::now();
        while get(address, "/readyz") != (200, "ready\n".to_owned()) {
            assert!(begun.elapsed() < LONG, "{:?}", get(address, "/readyz"));
            std::thread::yield_now();
        }
        assert_eq!(get(address, "/").0, 404);
    }
    let (_, text) = get(&cuhk, "/metrics");
    shows_nobody(&text);
    let numbers = samples(&text);
    for (name, expected) in [
        ("cuhk_certificates_issued_total{subject=\"student\"}", 3.0),
        ("cuhk_certificates_issued_total{subject=\"service\"}", 1.0),
        ("cuhk_tokens_issued_total", 3.0),
        // Who they are, then about the statement as it is recorded, and before it is accepted.
        ("cuhk_verification_duration_seconds_count", 3.0),
    ] {
        assert_eq!(numbers.get(name), Some(&expected), "{name}: {text}");
    }
    for authority in ["root", "students", "services"] {
        for (name, least) in [
            ("cuhk_authority_expiry_days", 1000.0),
            ("cuhk_crl_remaining_seconds", 3600.0),
        ] {
            let name = format!("{name}{{authority=\"{authority}\"}}");
            assert!(numbers[&name] > least, "{name}: {text}");
        }
    }
    let (_, of_blackboard) = get(&blackboard, "/metrics");
    shows_nobody(&of_blackboard);
    let numbers = samples(&of_blackboard);
    assert_eq!(numbers["blackboard_submissions_total"], 1.0);
    assert_eq!(numbers["blackboard_cuhk_in_touch"], 1.0);
    assert!(numbers["blackboard_certificate_expiry_days"] > 80.0);
    assert!(numbers["blackboard_database_size_bytes"] > 4096.0);
    for (text, name) in [
        (&text, "cuhk_tokens_issued_total"),
        (&of_blackboard, "blackboard_submissions_total"),
    ] {
        if let Some(names) = judged(text) {
            assert!(names.lines().any(|line| line == name), "{names}");
        }
    }
}

/// Asks Blackboard for its numbers until these are as expected.
fn until(address: &str, expected: &[(&str, f64)]) -> Samples {
    let begun = Instant::now();
    loop {
        let numbers = samples(&get(address, "/metrics").1);
        let is = |(name, value): &(&str, f64)| numbers.get(*name) == Some(value);
        if expected.iter().all(is) {
            return numbers;
        }
        assert!(begun.elapsed() < LONG, "{numbers:#?}");
        std::thread::yield_now();
    }
}

#[test]
fn what_waits_for_a_witness_is_counted() {
    let Watched {
        mut campus,
        blackboard,
        dir: _dir,
        ..
    } = watched();
    campus.student(&["submit", "--ids", SAMPLE]).succeeded();
    let numbers = until(&blackboard, &[("blackboard_pending_receipts", 0.0)]);
    let cosigned = "blackboard_witness_requests_total{witness=\"cuhk\",end=\"cosigned\"}";
    assert!(numbers[cosigned] >= 1.0, "{numbers:#?}");
    let age = "blackboard_cosignature_age_seconds{witness=\"cuhk\"}";
    assert!(numbers[age] < 30.0, "{numbers:#?}");

    campus.blackboard.stop();
    use_tokens(&campus);
    let mut command = program("blackboard");
    command.args(serve_at(&campus.path(), &campus.blackboard.address()));
    campus.blackboard = Server::start_command(command.args(["--metrics", "127.0.0.1:0"]));
    let blackboard = monitor(campus.blackboard.said()).unwrap();
    campus.cuhk.kill();
    campus
        .student(&["submit", "--ids", SAMPLE, &version(campus.outside())])
        .succeeded();
    let numbers = until(&blackboard, &[("blackboard_pending_receipts", 1.0)]);
    let refused = |(name, _): &(&String, &f64)| {
        name.starts_with("blackboard_witness_requests_total") && !name.contains("cosigned")
    };
    let begun = Instant::now();
    while !samples(&get(&blackboard, "/metrics").1)
        .iter()
        .any(|one| refused(&one))
    {
        assert!(begun.elapsed() < LONG, "{numbers:#?}");
        std::thread::yield_now();
    }
    // It may be another one that comes back, put back from a backup: what it may not know is named.
    let name = "sandbox.example/blackboard/SANDBOX/lab";
    let ready = || get(&blackboard, "/readyz");
    let listed = || {
        let listed = campus.administer_blackboard(&["logs", "--json"]);
        listed.succeeded().json()[0]["unseen_since"].clone()
    };
    let until_ready = |remark: &dyn Fn(&str) -> bool| {
        let begun = Instant::now();
        while !matches!(ready(), (200, told) if told.starts_with("ready\n") && remark(&told)) {
            assert!(begun.elapsed() < LONG, "{:?}", ready());
        }
    };
    until_ready(&|told| told.contains(&format!("cosigned of {name}:")));
    assert!(listed().as_str().unwrap().ends_with('Z'));
    let told = campus.administer_blackboard(&["logs"]).succeeded();
    assert!(told.stdout.contains(" (and not said since "), "{told:#?}");
    assert!(
        told.stderr.contains("keep `blackboard serve` running"),
        "{told:#?}"
    );
    campus.start_cuhk_again();
    until(&blackboard, &[("blackboard_pending_receipts", 0.0)]);
    until_ready(&|told| told == "ready\n");
    let listed = campus.administer_blackboard(&["logs", "--json"]);
    assert!(listed.succeeded().json()[0]["unseen_since"].is_null());
}

#[test]
fn a_refusal_is_counted_by_the_code_that_was_told() {
    let watched = watched();
    let codes = watched.campus.path().join("guessed.csv");
    let row = "sid,code\n1155000001,00000-00000-00000-00000-00000\n";
    std::fs::write(&codes, row).unwrap();
    let guess = ["enrol", "--ids", "1155000001", "--json", "--codes"];
    let guess = [&guess[..], &[codes.to_str().unwrap()]].concat();
    let refused = watched.campus.student(&guess);
    refused.refused(3, "enrolment_refused");
    let counted = "cuhk_refusals_total{code=\"enrolment_refused\"}";
    // It is counted beside the answer, which may be here first.
    let begun = Instant::now();
    let numbers = loop {
        let numbers = samples(&get(&watched.cuhk, "/metrics").1);
        if numbers.contains_key(counted) {
            break numbers;
        }
        assert!(begun.elapsed() < LONG, "{numbers:?}");
        std::thread::yield_now();
    };
    assert_eq!(numbers[counted], 1.0);
}

#[test]
fn blackboard_is_not_ready_while_cuhk_is_away() {
    let Watched {
        mut campus,
        cuhk,
        blackboard,
        dir: _dir,
    } = watched();
    campus.cuhk.kill();
    assert!(TcpStream::connect(&cuhk).is_err());
    let told = wait_for(&blackboard, "/readyz", 503);
    assert!(told.contains("CUHK does not answer"), "{told}");
    assert_eq!(get(&blackboard, "/healthz").0, 200);
    let (_, text) = get(&blackboard, "/metrics");
    assert_eq!(samples(&text)["blackboard_cuhk_in_touch"], 0.0);
    campus.start_cuhk_again();
    wait_for(&blackboard, "/readyz", 200);
}

#[test]
fn a_restored_cuhk_whose_root_has_signed_since_is_told_from_one_that_is_away() {
    let Watched {
        mut campus,
        blackboard,
        dir,
        ..
    } = watched();
    let [file, home, again] = ["b.zip", "restored", "again"].map(|name| dir.path().join(name));
    let passphrase = campus.path().join("cuhk.passphrase");
    let enrolled = campus.student(&["enrol", "--ids", "1155000001"]);
    enrolled.succeeded();
    campus
        .administer_cuhk(&["backup", file.to_str().unwrap()])
        .succeeded();
    let flag = ["--root-passphrase-file", passphrase.to_str().unwrap()];
    let sign = [&["root", "sign-crl"][..], &flag].concat();
    on(&campus.path().join("cuhk"), &sign).succeeded();
    trusts(&campus, "\"sequence\":2,");
    let first = campus.path().join("cuhk");
    put_back(&mut campus, &file, &first, &home);
    assert!(campus.cuhk.log().contains("cuhk root sign-crl"));
    let doctor = on(&home, &["doctor"]);
    assert_eq!(doctor.exit, Some(4), "{doctor:#?}");
    assert!(doctor.stdout.contains("warn  trust-bundle"), "{doctor:#?}");
    let reason = "went back from number 2 to 1";
    let begun = Instant::now();
    loop {
        let told = wait_for(&blackboard, "/readyz", 503);
        if told.contains(reason) && !told.contains("does not answer") {
            break;
        }
        assert!(begun.elapsed() < LONG, "{told}");
        std::thread::yield_now();
    }
    let log = campus.blackboard.log();
    assert!(log.contains(reason), "{log}");
    assert!(log.contains("cuhk root sign-crl"), "{log}");

    on(&home, &sign).succeeded();
    wait_for(&blackboard, "/readyz", 200);
    let doctor = on(&home, &["doctor"]).succeeded();
    assert!(doctor.stdout.contains("ok    trust-bundle"), "{doctor:#?}");
    let submit = ["submit", "--ids", "1155000001"];
    campus.student(&submit).succeeded();

    // The same backup once more: it knows nothing of the numbers that were given since.
    on(&home, &sign).succeeded();
    let number = newest_bundle(&home);
    trusts(&campus, &format!("\"sequence\":{number},"));
    put_back(&mut campus, &file, &home, &again);
    wait_for(&blackboard, "/readyz", 503);
    on(&again, &sign).succeeded();
    assert!(newest_bundle(&again) > number);
    wait_for(&blackboard, "/readyz", 200);
    let report = version(campus.outside());
    campus
        .student(&[&submit[..], &[&report]].concat())
        .succeeded();
}

pub(crate) fn on(home: &Path, arguments: &[&str]) -> Ran {
    let mut command = program("cuhk");
    Ran::of(command.arg("--home").arg(home).args(arguments))
}

/// Restores a backup, gives it the log of the home that it replaces, and serves it in its place.
pub(crate) fn put_back(campus: &mut Campus, file: &Path, old: &Path, new: &Path) {
    campus.cuhk.stop();
    let told = on(new, &["restore", file.to_str().unwrap()]).succeeded();
    assert!(
        told.stdout.contains("\n    cuhk root sign-crl\n"),
        "{told:#?}"
    );
    fs::remove_dir_all(new.join("log")).unwrap();
    copy(&old.join("log"), &new.join("log"));
    serve_from(campus, new);
}

/// Serves this home in the place of the one before.
pub(crate) fn serve_from(campus: &mut Campus, home: &Path) {
    let mut serve = program("cuhk");
    serve.arg("--home").arg(home).arg("serve");
    serve.args(["--listen", &campus.cuhk.address(), "--passphrase-file"]);
    serve.arg(campus.path().join("cuhk.passphrase"));
    campus.cuhk = Server::start_command(&mut serve);
}

/// Waits until Blackboard has taken in the trust bundle with this in it.
fn trusts(campus: &Campus, number: &str) {
    let seen = campus.path().join("blackboard/trust-bundle.json");
    let begun = Instant::now();
    while !fs::read_to_string(&seen).is_ok_and(|text| text.contains(number)) {
        assert!(begun.elapsed() < LONG);
        std::thread::yield_now();
    }
}

fn newest_bundle(home: &Path) -> i64 {
    let database = rusqlite::Connection::open(home.join("cuhk.db")).unwrap();
    let newest = "SELECT max(sequence) FROM trust_bundle";
    database.query_row(newest, [], |row| row.get(0)).unwrap()
}

/// Killed when dropped.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_blackboard_that_waits_for_cuhk_is_alive_and_says_for_what_it_waits() {
    let campus = ByHand::new();
    campus.init().succeeded();
    let mut cuhk = campus.serve_cuhk();
    campus.serve_blackboard(&cuhk).stop();
    cuhk.stop();
    let mut command = campus.command("blackboard", &["serve", "--listen", "127.0.0.1:0"]);
    command.args(["--metrics", "127.0.0.1:0"]);
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut blackboard = Started(command.stderr(Stdio::null()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(blackboard.0.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let address = monitor(&line).unwrap();
    assert_eq!(get(&address, "/healthz").0, 200);
    let (status, told) = get(&address, "/readyz");
    assert_eq!(status, 503, "{told}");
    let waits = format!("waits for CUHK at {}", cuhk.address());
    assert!(told.contains(&waits), "{told}");
}

#[test]
fn nothing_is_told_unless_that_is_asked_for_and_a_sandbox_stays_on_loopback() {
    let mut campus = Campus::sandbox();
    for server in [&campus.cuhk, &campus.blackboard] {
        assert_eq!(monitor(server.said()), None, "{}", server.said());
    }
    campus.cuhk.stop();
    campus.blackboard.stop();
    for name in ["cuhk", "blackboard"] {
        let mut command = program(name);
        command.args(serve(&campus.path()));
        let refused = Ran::of(command.args(["--metrics", "0.0.0.0:0"]));
        assert_eq!(refused.exit, Some(2), "{refused:#?}");
        assert!(refused.stderr.contains("loopback"), "{refused:#?}");
    }
}
