//! An address that asks for too much, and a student behind it.

use std::fs;
use std::net::TcpStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::campus::{ByHand, Ran, Server};

/// Longer than anything here takes: reached only by a failing test.
const LONG: Duration = Duration::from_secs(60);

const ROSTER: &str = "sid,name,email,programme\n1155000001,陳大文,,CSCI\n";

/// Changes values in the home's configuration; each option is there already.
fn configure(campus: &ByHand, values: &[(&str, &str)]) {
    let path = campus.path("cuhk.home/config.toml");
    let mut lines: Vec<String> = fs::read_to_string(&path)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    for (name, value) in values {
        let start = format!("{name} = ");
        let line = lines.iter_mut().find(|line| line.starts_with(&start));
        *line.unwrap_or_else(|| panic!("no {name}")) = format!("{start}{value}");
    }
    fs::write(path, lines.join("\n") + "\n").unwrap();
}

/// Waits until the server has logged this.
fn wait_for(server: &Server, line: &str) {
    let begun = Instant::now();
    while !server.log().contains(line) {
        assert!(begun.elapsed() < LONG, "no {line}: {}", server.log());
        std::thread::yield_now();
    }
}

#[test]
fn a_student_who_finds_the_share_of_the_address_taken_waits_as_told_and_is_served() {
    let campus = ByHand::new();
    campus.init().succeeded();
    campus.roster(ROSTER).succeeded();
    let one_at_a_time = [
        ("count_loopback", "true"),
        ("per_address", "1"),
        ("busy_retry", "1"),
        ("handshake", "60"),
    ];
    configure(&campus, &one_at_a_time);
    let cuhk = campus.serve_cuhk();
    // Somebody at the same address, who does nothing.
    let idle = TcpStream::connect(cuhk.address()).unwrap();
    let address = cuhk.address();
    let who = ["enrol", "--ids", "1155000001", "--codes", "codes.csv"];
    let to = ["--cuhk", &address, "--ca", "cuhk.home/ca.pem"];
    let mut student = campus.command("student", &[&who[..], &to].concat());
    let student = student.stdin(Stdio::null()).stdout(Stdio::piped());
    let student = student.stderr(Stdio::piped()).spawn().unwrap();
    wait_for(&cuhk, "refused: busy");
    drop(idle);
    Ran::from(student.wait_with_output().unwrap()).succeeded();
    wait_for(&cuhk, "sid=1155000001 certificate and token issued");
}

#[test]
fn a_limit_that_makes_no_sense_is_refused_at_the_start() {
    let campus = ByHand::new();
    campus.init().succeeded();
    for (name, value) in [
        ("address_rate", "0"),
        ("per_address", "0"),
        ("wrong_codes", "0"),
    ] {
        let before = fs::read_to_string(campus.path("cuhk.home/config.toml")).unwrap();
        configure(&campus, &[(name, value)]);
        let refused = campus.cuhk(&["serve", "--passphrase-file", "issuers.pass"]);
        assert_eq!(refused.exit, Some(2), "{refused:#?}");
        assert!(refused.stderr.contains("config.toml"), "{refused:#?}");
        fs::write(campus.path("cuhk.home/config.toml"), before).unwrap();
    }
}
