//! An address that asks for too much, and a student behind it.

use std::fs;
use std::net::TcpStream;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::campus::{ByHand, LONG, Ran, Server, judge};

const ROSTER: &str = "sid,name,email,programme\n1155000001,陳大文,,CSCI\n";

/// Changes values in the configuration of a home; each option is there already.
fn configure_of(campus: &ByHand, home: &str, values: &[(&str, &str)]) {
    let path = campus.path(home).join("config.toml");
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

fn configure(campus: &ByHand, values: &[(&str, &str)]) {
    configure_of(campus, "cuhk.home", values);
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

/// One connection at a time, and one more a second.
const SELDOM: [(&str, &str); 4] = [
    ("count_loopback", "true"),
    ("address_burst", "1"),
    ("address_rate", "1"),
    ("busy_retry", "1"),
];

/// Comes once before the student does, and is gone again.
fn somebody_was_here(server: &Server) {
    drop(TcpStream::connect(server.address()).unwrap());
}

/// Does something while others of this address come again and again: what is free again is theirs.
fn while_others_come<T>(server: &Server, done: impl FnOnce() -> T) -> T {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                somebody_was_here(server);
                // Once a second there is a place, which is to be theirs.
                thread::sleep(Duration::from_millis(1));
            }
        });
        let done = done();
        is_over.store(true, Ordering::Relaxed);
        done
    })
}

/// That the address comes too often, with the seconds after which to come again.
fn told_busy(ran: Ran) {
    let told = ran.refused(4, "busy");
    assert_eq!(told["retry_after"], 1, "{told:#}");
    let message = told["message"].as_str().unwrap();
    assert!(message.contains("address_burst: 1"), "{told:#}");
}

#[test]
fn who_comes_too_often_is_told_when_to_come_again_and_a_student_waits_so_long() {
    let campus = ByHand::new();
    campus.init().succeeded();
    campus.roster(ROSTER).succeeded();
    configure(&campus, &SELDOM);
    let cuhk = campus.serve_cuhk();
    let address = cuhk.address();
    let who = ["enrol", "--ids", "1155000001", "--codes", "codes.csv"];
    let to = ["--cuhk", &address, "--ca", "cuhk.home/ca.pem"];
    let enrol = [&who[..], &to].concat();
    let impatient = [&enrol[..], &["--wait", "0", "--json"]].concat();
    told_busy(while_others_come(&cuhk, || campus.student(&impatient)));
    somebody_was_here(&cuhk);
    campus.student(&enrol).succeeded();
    wait_for(&cuhk, "sid=1155000001 certificate and token issued");

    // Programs that speak HTTP are told by its means.
    let Some(mut curl) = judge("curl") else {
        return;
    };
    curl.args(["-sS", "-i", "--cacert"]);
    curl.arg(campus.path("cuhk.home/ca.pem"));
    curl.arg(format!("https://{address}/.well-known/est/cacerts"));
    let told = while_others_come(&cuhk, || Ran::of(&mut curl));
    let told = told.succeeded().stdout.to_lowercase();
    for part in [" 503", "retry-after: 1", "\"code\":\"busy\""] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[test]
fn blackboards_limits_are_told_as_well_and_a_student_waits_as_long_as_told() {
    let campus = ByHand::new();
    campus.init().succeeded();
    campus.roster(ROSTER).succeeded();
    let cuhk = campus.serve_cuhk();
    campus.certify_blackboard(&cuhk);
    campus.add_course();
    configure_of(&campus, "blackboard.home", &SELDOM);
    let mut blackboard = campus.start_blackboard();
    let (cuhk, at) = (cuhk.address(), blackboard.address());
    let to = [
        "--cuhk",
        &cuhk,
        "--blackboard",
        &at,
        "--ca",
        "cuhk.home/ca.pem",
    ];
    let who = [
        "submit",
        "report.pdf",
        "--ids",
        "1155000001",
        "--codes",
        "codes.csv",
    ];
    let submit = [&who[..], &to].concat();
    let impatient = [&submit[..], &["--wait", "0", "--json"]].concat();
    told_busy(while_others_come(&blackboard, || {
        campus.student(&impatient)
    }));
    somebody_was_here(&blackboard);
    campus.student(&submit).succeeded();
    blackboard.stop();

    // Places at the same time, of one address and of all together.
    let often = [("address_burst", "2000"), ("address_rate", "200")];
    configure_of(&campus, "blackboard.home", &often);
    for (limit, usual, told) in [
        ("per_address", "1024", "(limit_per_address: 1)"),
        ("max_connections", "4096", "(limit: 1)"),
    ] {
        configure_of(
            &campus,
            "blackboard.home",
            &[(limit, "1"), ("handshake", "60")],
        );
        waits_for_a_place(&campus, told);
        configure_of(&campus, "blackboard.home", &[(limit, usual)]);
    }
}

/// Somebody at the same address does nothing in the only place there is.
fn waits_for_a_place(campus: &ByHand, why: &str) {
    let blackboard = campus.start_blackboard();
    let at = blackboard.address();
    let idle = TcpStream::connect(&at).unwrap();
    let look = ["history", "--blackboard", &at, "--json"];
    let refused = campus.student(&[&look[..], &["--wait", "0"]].concat());
    let told = refused.refused(4, "busy");
    assert_eq!(told["retry_after"], 1, "{told:#}");
    assert!(told["message"].as_str().unwrap().contains(why), "{told:#}");

    let mut student = campus.command("student", &look);
    let student = student.stdin(Stdio::null()).stdout(Stdio::piped());
    let student = student.stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while blackboard.log().matches("refused: busy").count() < 2 {
        assert!(begun.elapsed() < LONG, "{}", blackboard.log());
        std::thread::yield_now();
    }
    drop(idle);
    Ran::from(student.wait_with_output().unwrap()).succeeded();
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
