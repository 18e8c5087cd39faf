//! Every certificate that CUHK gives to anybody is in the issuance log: also those that services and CUHK
//! itself got, and got anew two months later.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::campus::{Campus, LONG, Ran, Server, copy, program, python, serve, serve_at};
use crate::clock::AHEAD;
use crate::fsync::shim;
use crate::process::until;

const JUDGE: &str = concat!(
    include_str!("../campus/tiles.py"),
    include_str!("logged_judge.py")
);
/// Two thirds of a service's 90 days are over.
const DUE: u64 = 61 * 24 * 60 * 60;

/// Both servers on a machine whose clock can be set.
struct Machine {
    dir: tempfile::TempDir,
    shim: OsString,
}

impl Machine {
    fn is_ahead(&self, seconds: u64) {
        fs::write(self.dir.path().join("ahead"), seconds.to_string()).unwrap();
    }

    fn start(&self, name: &str, arguments: &[OsString]) -> Server {
        let mut command = program(name);
        command.env("LD_PRELOAD", &self.shim);
        command.env("CLOCK_AHEAD", self.dir.path().join("ahead"));
        Server::start_command(command.args(arguments))
    }
}

/// How many certificates there are for each subject and profile, once the script has found each in
/// the tiles that the newest checkpoint covers, and for a key of its own.
fn judged(cuhk: &Path) -> Ran {
    let mut judge = python().unwrap();
    Ran::of(judge.args(["-c", JUDGE]).arg(cuhk))
}

/// The same by what CUHK lists.
fn listed(campus: &Campus) -> BTreeMap<String, usize> {
    let listed = campus.administer_cuhk(&["certs", "list", "--json"]);
    let mut counts = BTreeMap::new();
    for row in listed.succeeded().json().as_array().unwrap() {
        let text = |name: &str| row[name].as_str().unwrap().to_owned();
        let kind = format!("{} {}", text("subject"), text("profile"));
        *counts.entry(kind).or_default() += 1;
    }
    counts
}

#[test]
fn every_certificate_of_a_service_and_of_cuhk_itself_is_in_the_log_also_the_next_one() {
    let dir = tempfile::tempdir().unwrap();
    let (Some(shim), Some(_)) = (shim(dir.path(), AHEAD), python()) else {
        return;
    };
    let (sandbox, shim) = (dir.path().join("sandbox"), shim.into_os_string());
    let machine = Machine { dir, shim };
    machine.is_ahead(0);
    let cuhk = machine.start("cuhk", &serve(&sandbox));
    let blackboard = machine.start("blackboard", &serve(&sandbox));
    let mut campus = Campus::of(sandbox, cuhk, blackboard);
    campus.student(&["submit"]).succeeded();

    campus.blackboard.stop();
    campus.cuhk.stop();
    machine.is_ahead(DUE);
    let at = serve_at(&campus.path(), &campus.cuhk.address());
    campus.cuhk = machine.start("cuhk", &at);
    let at = serve_at(&campus.path(), &campus.blackboard.address());
    campus.blackboard = machine.start("blackboard", &at);
    let expected = [
        ("1155000001 student", 1),
        ("1155000002 student", 1),
        ("1155000003 student", 1),
        ("service/blackboard service", 2),
        ("service/cuhk service", 2),
        ("service/cuhk token_signer", 2),
    ];
    let expected: BTreeMap<_, _> = expected
        .into_iter()
        .map(|(kind, count)| (kind.to_owned(), count))
        .collect();
    until("all are certified anew", LONG, || {
        listed(&campus) == expected
    });
    let home = campus.path().join("cuhk");
    until("all are published", LONG, || judged(&home).exit == Some(0));
    let found: Value = judged(&home).succeeded().json();
    assert_eq!(serde_json::to_value(&expected).unwrap(), found);

    // Of none the entry can be missing, altered, or another one than in the tiles.
    campus.cuhk.stop();
    let whose = "subject = 'service/blackboard' AND serial IS NOT NULL";
    for (altered, told) in [
        (format!("DELETE FROM log_entry WHERE {whose}"), "no entry"),
        (
            format!("UPDATE log_entry SET salt = zeroblob(32) WHERE {whose}"),
            "not in the tiles",
        ),
    ] {
        let other = campus.outside().join(told);
        copy(&home, &other);
        let database = rusqlite::Connection::open(other.join("cuhk.db")).unwrap();
        assert_eq!(database.execute(&altered, []).unwrap(), 2);
        drop(database);
        let refused = judged(&other);
        assert_eq!(refused.exit, Some(1), "{refused:#?}");
        assert!(refused.stderr.contains(told), "{refused:#?}");
    }
}
