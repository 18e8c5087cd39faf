//! The life of a certificate: renewed by itself or because somebody asks, ended by the term,
//! renewed by its old key. `openssl` looks at every certificate.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use scb_protocol::{from_seconds, rfc3339};
use scb_transport::{Clock, SystemClock};

use crate::campus::{Campus, LONG, copy, judge, version};

const ONE: &str = "1155000001";

/// A moment from now, as `--ends` takes it.
pub(crate) fn in_seconds(seconds: u64) -> String {
    rfc3339(from_seconds(SystemClock.now().as_secs() + seconds))
}

fn directory(campus: &Campus) -> PathBuf {
    campus.path().join("student/students").join(ONE)
}

/// What `openssl x509` says of the certificate in a directory.
fn openssl(directory: &Path, more: &[&str]) -> String {
    let mut command = Command::new("openssl");
    command.args(["x509", "-noout", "-in"]);
    let output = command
        .arg(directory.join("chain.pem"))
        .args(more)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn key_of(directory: &Path) -> String {
    openssl(directory, &["-pubkey"])
}

fn name_of(directory: &Path) -> String {
    let name = openssl(directory, &["-ext", "subjectAltName"]);
    assert!(name.contains("/student/1155000001"), "{name}");
    name
}

/// The end as `openssl` says it, in seconds since 1970, by `date`.
fn end_of(directory: &Path) -> u64 {
    let end = openssl(directory, &["-enddate"]);
    let end = end.trim().strip_prefix("notAfter=").unwrap();
    let output = Command::new("date")
        .args(["-u", "+%s", "-d", end])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.trim().parse().unwrap()
}

pub(crate) fn set_term(campus: &Campus, name: &str, ends: &str) -> serde_json::Value {
    let set = campus.administer_cuhk(&["term", "set", name, "--ends", ends, "--json"]);
    set.succeeded().json()
}

#[test]
fn a_certificate_is_renewed_with_a_new_key_once() {
    if judge("openssl").is_none() {
        return;
    }
    let campus = Campus::sandbox();
    campus.student(&["enrol", "--ids", ONE]).succeeded();
    let home = directory(&campus);
    let (key, name) = (key_of(&home), name_of(&home));
    let elsewhere = campus.outside().join("elsewhere");
    copy(&campus.path().join("student"), &elsewhere);

    let renewed = campus.student(&["renew"]).succeeded();
    assert!(renewed.stdout.contains("1155000001 certificate renewed"));
    assert_ne!(key_of(&home), key);
    assert_eq!(name_of(&home), name);
    let private = Command::new("openssl")
        .args(["pkey", "-pubout", "-in"])
        .arg(home.join("key.pem"))
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8(private.stdout).unwrap().trim(),
        key_of(&home).trim(),
        "key and certificate belong together"
    );
    campus.student(&["submit", "--ids", ONE]).succeeded();
    let devices = campus.administer_cuhk(&["certs", "list", ONE]).succeeded();
    assert!(devices.stdout.contains("1 of 3"), "{devices:?}");
    for (status, wanted) in [("live", 1), ("replaced", 1), ("expired", 0)] {
        let list = ["certs", "list", ONE, "--status", status, "--json"];
        let listed = campus.administer_cuhk(&list).succeeded().json();
        let listed = listed.as_array().unwrap();
        assert_eq!(listed.len(), wanted, "{listed:?}");
        assert!(
            listed.iter().all(|one| one["state"] == status),
            "{listed:?}"
        );
    }

    // A copy of the old key gets nothing, and hands in until its certificate ends.
    let refused = campus.student_elsewhere(&elsewhere, &["renew", "--ids", ONE, "--json"]);
    refused.refused(3, "certificate_superseded");
    let again = campus
        .student(&["renew", "--same-key", "--json"])
        .succeeded();
    assert_eq!(again.json()["students"][0]["sid"], ONE);
    let told = campus.student(&["renew", "--same-key"]).succeeded();
    let told = told.stdout + &told.stderr;
    assert!(told.contains("not renewed"), "{told}");
    let listed = campus.administer_cuhk(&["certs", "list", ONE, "--json"]);
    assert_eq!(listed.succeeded().json().as_array().unwrap().len(), 2);

    // The device is lost: any of its certificates names it.
    let list = campus.administer_cuhk(&["certs", "list", ONE, "--json"]);
    let list = list.succeeded().json();
    let serial = list[0]["serial"].as_str().unwrap().to_owned();
    let serial = format!("serial/{serial}");
    let revoked = campus.administer_cuhk(&["revoke", &serial, "--json"]);
    assert_eq!(revoked.succeeded().json()["certificates"], 2);
    let refused = campus.student(&["renew", "--json"]);
    assert_eq!(refused.exit, Some(3), "{refused:?}");
    assert!(
        refused.stderr.contains("certificate_revoked"),
        "{refused:?}"
    );
}

#[test]
fn certificates_end_with_the_term_and_renew_themselves_when_the_next_is_set() {
    if judge("openssl").is_none() {
        return;
    }
    let campus = Campus::sandbox();
    let term = set_term(&campus, "2026-27-T1", &in_seconds(120));
    assert_eq!(term["state"], "current");
    campus.student(&["enrol", "--ids", ONE]).succeeded();
    let home = directory(&campus);
    let status = campus.student(&["status", "--json"]).succeeded().json();
    assert_eq!(
        status["students"][0]["certificate_expires"],
        term["ends_at"]
    );
    let due = status["students"][0]["renewal_due"].as_str().unwrap();
    assert!(due < rfc3339(SystemClock.now()).as_str(), "{status}");
    let told = campus.student(&["status"]).succeeded().stdout;
    let at_once = "renewed by the next command that needs CUHK";
    assert!(told.contains(at_once), "{told}");
    let (key, name, end) = (key_of(&home), name_of(&home), end_of(&home));
    assert!(end <= SystemClock.now().as_secs() + 120);

    // Two thirds of its life are over already, and there is nothing longer to be had.
    let first = campus.student(&["submit", "--ids", ONE]).succeeded();
    assert!(!first.stdout.contains("renewed"), "{}", first.stdout);
    assert_eq!(key_of(&home), key);
    let told = campus.student(&["renew", "--json"]);
    let told = told.refused(3, "renewal_not_longer");
    let told = told["remedy"].as_str().unwrap();
    for part in ["nothing has to be done now", "has opened the next term"] {
        assert!(told.contains(part), "{told}");
    }

    set_term(&campus, "2026-27-T1", &in_seconds(3600));
    let second = campus.student(&["submit", "--ids", ONE]).succeeded();
    let lines = second.stdout.lines();
    assert_eq!(
        lines.filter(|line| line.contains("renewed")).count(),
        1,
        "{}",
        second.stdout
    );
    assert_ne!(key_of(&home), key);
    assert_eq!(name_of(&home), name);
    let told = campus.student(&["status"]).succeeded().stdout;
    assert!(told.contains("renewed by itself from "), "{told}");
    let later = end_of(&home);
    assert!(later > end && later <= SystemClock.now().as_secs() + 3600);
}

#[test]
fn what_ended_with_the_term_is_renewed_by_its_old_key_in_the_next() {
    if judge("openssl").is_none() {
        return;
    }
    let campus = Campus::sandbox();
    campus
        .student(&["enrol", "--ids", "1155000002"])
        .succeeded();
    set_term(&campus, "2026-27-T1", &in_seconds(15));
    campus.student(&["enrol", "--ids", ONE]).succeeded();
    let home = directory(&campus);
    let (key, name, end) = (key_of(&home), name_of(&home), end_of(&home));
    let began = Instant::now();
    while SystemClock.now().as_secs() <= end {
        assert!(began.elapsed() < LONG);
        openssl(&home, &["-checkend", "0"]);
    }
    let expired = openssl(&home, &["-checkend", "0"]);
    assert!(expired.contains("will expire"), "{expired}");
    // Neither the old key nor a code helps between two terms.
    for ids in [ONE, "1155000003"] {
        campus
            .student(&["submit", "--ids", ids, "--json"])
            .refused(3, "term_over");
    }
    assert_eq!(key_of(&home), key);
    // What was issued before there was a term keeps its end.
    campus
        .student(&["submit", "--ids", "1155000002"])
        .succeeded();

    set_term(&campus, "2026-27-T2", &in_seconds(3600));
    let ids = format!("{ONE},1155000003");
    let renewed = campus.student(&["submit", "--ids", &ids]).succeeded();
    assert!(renewed.stdout.contains("1155000001 certificate renewed"));
    assert!(renewed.stdout.contains("1155000003 sign finished"));
    assert_ne!(key_of(&home), key);
    assert_eq!(name_of(&home), name);
    assert!(end_of(&home) > end);
    let listed = campus.administer_cuhk(&["term", "list"]).succeeded().stdout;
    let states: Vec<_> = listed
        .lines()
        .map(|line| line.split_whitespace().nth(1))
        .collect();
    assert_eq!(states, [Some("over"), Some("current")], "{listed}");
}

#[test]
fn terms_are_set_listed_and_removed_and_mistakes_are_told() {
    let campus = Campus::sandbox();
    let cuhk = |arguments: &[&str]| campus.administer_cuhk(arguments);
    let none = cuhk(&["term", "list"]).succeeded().stdout;
    assert!(none.contains("30 days"), "{none}");
    let set = cuhk(&["term", "set", "2998-99-T1", "--ends", "2998-12-31"]).succeeded();
    assert!(
        set.stdout.contains("2998-12-31 23:59:59 +08:00"),
        "{}",
        set.stdout
    );
    let over = cuhk(&["term", "set", "T0", "--ends", "2020-01-31"]);
    assert_eq!(over.exit, Some(2), "{over:?}");
    assert!(over.stderr.contains("is over"), "{over:?}");
    let wrong = cuhk(&["term", "set", "T0", "--ends", "31/12/2998", "--json"]);
    assert_eq!(wrong.exit, Some(2), "{wrong:?}");
    cuhk(&["term", "remove", "2998-99-T1"]).succeeded();
    let unknown = cuhk(&["term", "remove", "2998-99-T1"]);
    assert_eq!(unknown.exit, Some(3), "{unknown:?}");
    let listed = cuhk(&["term", "list", "--json"]).succeeded().json();
    assert_eq!(listed.as_array().unwrap().len(), 0);
    // The doctor reminds of the next term in time.
    set_term(&campus, "2026-27-T1", &in_seconds(3600));
    let examined = cuhk(&["doctor"]);
    let told = examined
        .stdout
        .lines()
        .find(|line| line.contains("  term  "));
    assert!(
        told.is_some_and(|line| line.starts_with("warn")),
        "{examined:?}"
    );
}

fn sid(number: usize) -> String {
    format!("115500000{number}")
}

/// The certificates of the first nine students, those of which there are any in the sandbox's home.
fn certificates(campus: &Campus) -> Vec<Option<String>> {
    let students = campus.path().join("student/students");
    let chain = |number| students.join(sid(number)).join("chain.pem");
    (1..=9)
        .map(|number| fs::read_to_string(chain(number)).ok())
        .collect()
}

/// Two have handed in, and one has signed what waits for another; its ID.
fn with_work_to_look_at(campus: &Campus) -> String {
    for all in [[1, 2, 3], [4, 5, 6]] {
        let ids = all.map(sid).join(",");
        campus.student(&["enrol", "--ids", &ids]).succeeded();
    }
    for number in [4, 5] {
        let report = version(campus.outside());
        let submit = ["submit", "--ids", &sid(number), &report];
        campus.student(&submit).succeeded();
    }
    let both = [sid(7), sid(8)].join(",");
    campus.student(&["enrol", "--ids", &both]).succeeded();
    let codes = campus.path().join("codes.csv");
    let (elsewhere, report) = (
        campus.outside().join("elsewhere"),
        version(campus.outside()),
    );
    let own = ["--ids", &sid(9), "--codes", codes.to_str().unwrap()];
    let submit = ["submit", "--with", &both, &report, "--json"];
    let proposed = campus.student_elsewhere(&elsewhere, &[&submit[..], &own].concat());
    let proposal = proposed.succeeded().json()["submission_id"].clone();
    let proposal = proposal.as_str().unwrap().to_owned();
    let sign = ["cosign", "--yes", &proposal, "--ids", &sid(8)];
    campus.student(&sign).succeeded();
    proposal
}

/// Whatever a student types first when two thirds are over; nobody else's is touched by it.
#[test]
fn every_command_that_asks_a_server_renews_what_is_due() {
    let campus = Campus::sandbox();
    // They begin ten minutes before they are made, so that less than a third of their life is left.
    set_term(&campus, "2026-27-T1", &in_seconds(200));
    let proposal = with_work_to_look_at(&campus);
    set_term(&campus, "2026-27-T1", &in_seconds(3600));
    let folder = campus.outside().join("fetched");
    let folder = folder.to_str().unwrap();
    let commands: [(usize, &[&str]); 8] = [
        (1, &["assignments"]),
        (2, &["history"]),
        (3, &["grades"]),
        (4, &["download", "S-000001", "--to", folder]),
        (5, &["receipts", "--fetch"]),
        (6, &["audit"]),
        (7, &["cosign"]),
        (8, &["withdraw", &proposal]),
    ];
    for (number, command) in commands {
        let before = certificates(&campus);
        let ids = ["--ids", &sid(number)];
        campus.student(&[command, &ids].concat()).succeeded();
        let renewed = certificates(&campus);
        let others = |all: &[Option<String>]| {
            let mut all = all.to_vec();
            all.remove(number - 1);
            all
        };
        let (was, is) = (&before[number - 1], &renewed[number - 1]);
        assert!(is.is_some() && is != was, "{command:?} renewed nothing");
        assert_eq!(others(&before), others(&renewed), "{command:?}");
        // Once is enough.
        campus.student(&["assignments", ids[0], ids[1]]).succeeded();
        assert_eq!(certificates(&campus), renewed, "{command:?}");
    }
    let status = campus.student(&["status", "--json"]).succeeded().json();
    let ends = status["students"].as_array().unwrap().iter();
    let ends: Vec<_> = ends.map(|one| &one["certificate_expires"]).collect();
    assert_eq!(ends.len(), 8, "{status:#}");
    assert!(ends.iter().all(|end| *end == ends[0]), "{status:#}");
}
