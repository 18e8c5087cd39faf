//! Servers: started, stopped, started twice, started in the wrong order.

use std::fs;

use crate::campus::{Campus, Ran, SAMPLE, Server, program, serve};

#[test]
fn sigterm_and_sigint_end_both_servers_gracefully() {
    for signal in ["TERM", "INT"] {
        let mut campus = Campus::sandbox();
        campus.student(&["submit", "--ids", SAMPLE]).succeeded();
        campus.blackboard.signal(signal);
        assert_eq!(
            campus.blackboard.wait().code(),
            Some(0),
            "{}",
            campus.blackboard.log()
        );
        campus.cuhk.signal(signal);
        assert_eq!(campus.cuhk.wait().code(), Some(0), "{}", campus.cuhk.log());
    }
}

#[test]
fn the_logs_name_the_members_and_end_with_stopped() {
    let mut campus = Campus::sandbox();
    let submit = ["submit", "--ids", "1155000001,1155000002"];
    campus.student(&submit).succeeded();
    assert!(campus.cuhk.stop().success());
    assert!(campus.blackboard.stop().success());
    let log = campus.cuhk.log();
    assert!(
        log.contains("confirmed 2 of 2 to blackboard: 1155000001 1155000002"),
        "{log}"
    );
    assert!(!log.contains("shutting_down"), "nobody was waiting: {log}");
    for log in [log, campus.blackboard.log()] {
        assert!(log.lines().last().unwrap().ends_with(" stopped"), "{log}");
    }
}

#[test]
fn a_second_server_on_one_home_is_refused() {
    let campus = Campus::sandbox();
    for name in ["cuhk", "blackboard"] {
        let second = Ran::of(program(name).args(serve(&campus.path())));
        assert_ne!(second.exit, Some(0));
        assert!(
            second.stderr.contains("lready") || second.stderr.contains("in use"),
            "{second:#?}"
        );
    }
    campus.student(&["submit", "--ids", SAMPLE]).succeeded();
}

#[test]
fn a_port_that_is_taken_is_named() {
    let campus = Campus::sandbox();
    let other = campus.outside().join("other");
    let mut arguments = serve(&other);
    let last = arguments.len() - 1;
    arguments[last] = campus.cuhk.address().into();
    let second = Ran::of(program("cuhk").args(arguments));
    assert_eq!(second.exit, Some(5), "{second:#?}");
    assert!(
        second.stderr.contains(&campus.cuhk.address()),
        "{second:#?}"
    );
    assert!(second.stderr.contains("--listen"), "{second:#?}");
}

#[test]
fn blackboard_and_student_say_when_they_come_too_early() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = dir.path().join("none");
    for name in ["blackboard", "student"] {
        let mut command = program(name);
        if name == "blackboard" {
            command.arg("serve");
        }
        let early = Ran::of(command.arg("--sandbox").arg(&sandbox));
        assert_ne!(early.exit, Some(0));
        assert!(early.stderr.contains("cuhk serve --sandbox"), "{early:#?}");
    }
}

#[test]
fn a_sandbox_listens_on_this_machine_only() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = dir.path().join("sandbox");
    let arguments = ["serve", "--listen", "0.0.0.0:0", "--sandbox"];
    let open = Ran::of(program("cuhk").args(arguments).arg(&sandbox));
    assert_ne!(open.exit, Some(0), "{open:#?}");
    assert!(open.stderr.contains("loopback"), "{open:#?}");
    let campus = Campus::sandbox();
    let banner = campus.cuhk.log() + campus.cuhk.said();
    assert!(banner.contains("unprotected"), "{banner}");
}

#[test]
fn both_servers_go_on_after_a_restart() {
    let mut campus = Campus::sandbox();
    campus.student(&["submit", "--ids", SAMPLE]).succeeded();
    campus.restart_cuhk();
    campus.blackboard.stop();
    campus.blackboard = Server::start("blackboard", &serve(&campus.path()));
    let report = campus.outside().join("report.txt");
    std::fs::write(&report, "another version").unwrap();
    let told = campus
        .student(&[
            "submit",
            "--ids",
            SAMPLE,
            "--json",
            report.to_str().unwrap(),
        ])
        .succeeded()
        .json();
    assert_eq!(told["submission"], "S-000002");
}

#[test]
fn each_step_is_one_log_line_on_each_side() {
    let campus = Campus::sandbox();
    campus.student(&["submit", "--ids", SAMPLE]).succeeded();
    let (cuhk, blackboard) = (campus.cuhk.log(), campus.blackboard.log());
    for sid in SAMPLE.split(',') {
        let lines = cuhk
            .lines()
            .filter(|line| line.contains("step 2") && line.contains(sid));
        assert_eq!(lines.count(), 1, "{cuhk}");
        let lines = blackboard
            .lines()
            .filter(|line| line.contains("step 3") && line.contains(sid));
        assert_eq!(lines.count(), 1, "{blackboard}");
    }
    for step in ["step 4", "step 5", "step 6"] {
        assert!(blackboard.contains(step), "{blackboard}");
    }
    assert!(fs::exists(campus.path().join("student")).unwrap());
}

#[test]
fn who_merely_waits_when_the_server_stops_is_not_refused_in_the_log() {
    let mut campus = Campus::sandbox();
    campus
        .student(&["enrol", "--ids", "1155000001"])
        .succeeded();
    let member = campus.path().join("student/students/1155000001");
    let chain = fs::read_to_string(member.join("chain.pem")).unwrap();
    let issuer = campus.outside().join("issuer.pem");
    fs::write(&issuer, &chain[chain.rfind("-----BEGIN").unwrap()..]).unwrap();
    let idle = std::process::Command::new("openssl")
        .args([
            "s_client",
            "-connect",
            &campus.blackboard.address(),
            "-alpn",
            "scb/1",
        ])
        .arg("-cert")
        .arg(member.join("chain.pem"))
        .arg("-cert_chain")
        .arg(&issuer)
        .arg("-key")
        .arg(member.join("key.pem"))
        .args(["-quiet", "-ign_eof"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn();
    let Ok(mut idle) = idle else {
        return println!("skipped: no openssl");
    };
    let mut said = idle.stdout.take().unwrap();
    let mut greeting = [0; 64];
    std::io::Read::read_exact(&mut said, &mut greeting).unwrap();
    campus.blackboard.stop();
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut said, &mut rest).unwrap();
    idle.wait().unwrap();
    assert!(rest.contains("shutting_down"), "it is told: {rest}");
    let log = campus.blackboard.log();
    assert!(!log.contains("refused"), "{log}");
    assert!(log.contains("stopped"), "{log}");
}
