//! A flag comes before an environment variable, and this before what is kept in the home.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::campus::{Campus, Ran, SAMPLE, Server, program, serve};

fn run(name: &str, home: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Ran {
    let mut command = program(name);
    command.arg("--home").arg(home).envs(variables.to_vec());
    Ran::of(command.args(arguments))
}

#[test]
fn servers_listen_where_flag_variable_or_file_say_in_this_order() {
    for (name, option, variable) in [
        ("cuhk", "listen", "SCB_CUHK_LISTEN"),
        ("cuhk", "http", "SCB_CUHK_HTTP"),
        ("cuhk", "metrics", "SCB_CUHK_METRICS"),
        ("blackboard", "listen", "SCB_BLACKBOARD_LISTEN"),
        ("blackboard", "metrics", "SCB_BLACKBOARD_METRICS"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("role"), format!("{name}\n")).unwrap();
        let kept = format!("{option} = \"127.0.0.1:3\"\n");
        fs::write(dir.path().join("config.toml"), kept).unwrap();
        let set = [(variable, "127.0.0.1:2")];
        let flag = format!("--{option}");
        let flag = ["serve", "--print-config", &flag, "127.0.0.1:1"];
        for (variables, arguments, address) in [
            (&set[..], &flag[..], "127.0.0.1:1"),
            (&set[..], &flag[..2], "127.0.0.1:2"),
            (&[], &flag[..2], "127.0.0.1:3"),
        ] {
            let told = run(name, dir.path(), variables, arguments).succeeded();
            let line = format!("\n{option} = \"{address}\"\n");
            assert!(told.stdout.contains(&line), "{told:#?}");
        }
    }
}

#[test]
fn a_student_is_told_of_the_servers_by_flag_variable_or_home_in_this_order() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("home");
    run("student", &home, &[], &["status"]).succeeded();
    fs::write(
        home.join("config.toml"),
        "cuhk = \"c:3\"\nblackboard = \"b:3\"\n",
    )
    .unwrap();
    let set = [
        ("SCB_STUDENT_CUHK", "c:2"),
        ("SCB_STUDENT_BLACKBOARD", "b:2"),
    ];
    let flags = ["status", "--json", "--cuhk", "c:1", "--blackboard", "b:1"];
    for (variables, arguments, from) in [
        (&set[..], &flags[..], 1),
        (&set[..], &flags[..2], 2),
        (&[], &flags[..2], 3),
    ] {
        let told = run("student", &home, variables, arguments)
            .succeeded()
            .json();
        assert_eq!(told["cuhk"], format!("c:{from}"));
        assert_eq!(told["blackboard"], format!("b:{from}"));
    }
    let wrong = [("SCB_STUDENT_CUHK", "nowhere")];
    run("student", &home, &wrong, &flags[..2]).refused(2, "environment");
}

#[test]
fn the_servers_that_an_enrolment_named_are_remembered_once_they_have_proved_themselves() {
    let campus = Campus::sandbox();
    let codes = campus.path().join("codes.csv");
    let home = campus.outside().join("home");
    let enrol = |sid: &str, blackboard: &str| {
        let (cuhk, ca) = (campus.cuhk.address(), campus.path().join("ca.pem"));
        let mut arguments = vec!["enrol", "--ids", sid, "--codes", codes.to_str().unwrap()];
        arguments.extend(["--cuhk", &cuhk, "--ca", ca.to_str().unwrap()]);
        arguments.extend(["--blackboard", blackboard]);
        run("student", &home, &[], &arguments).succeeded()
    };
    let known = || {
        let status = run("student", &home, &[], &["status", "--json"]);
        status.succeeded().json()["blackboard"].clone()
    };
    // CUHK is there, and is no Blackboard: nobody is left without a certificate for it.
    let told = enrol("1155000001", &campus.cuhk.address());
    assert!(
        told.stdout
            .contains("is not remembered:\nRefused [server_identity]"),
        "{told:#?}"
    );
    assert_eq!(known(), serde_json::Value::Null);
    let told = enrol("1155000002", &campus.blackboard.address());
    assert!(!told.stdout.contains("not remembered"), "{told:#?}");
    assert_eq!(known(), campus.blackboard.address());
    let submit = ["submit", "--ids", "1155000001,1155000002", &campus.report()];
    run("student", &home, &[], &submit).succeeded();
}

#[test]
fn a_home_beside_a_sandbox_is_one_too_many_unless_only_the_environment_names_it() {
    let campus = Campus::sandbox();
    let (home, sandbox) = (campus.outside().join("home"), campus.path());
    let status = ["status", "--json", "--sandbox", sandbox.to_str().unwrap()];
    let refused = run("student", &home, &[], &status).refused(2, "home_in_sandbox");
    let remedy = refused["remedy"].as_str().unwrap();
    assert!(remedy.contains("give --sandbox DIR alone"), "{refused:#}");
    assert!(!home.exists());
    let mut variable = program("student");
    variable.env("SCB_STUDENT_HOME", &home).args(status);
    let told = Ran::of(&mut variable).succeeded().json();
    let used = told["home"].as_str().unwrap();
    assert!(used.starts_with(sandbox.to_str().unwrap()), "{told}");
}

#[test]
fn why_a_server_does_not_start_is_an_error_in_the_journal_and_plain_text_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["cuhk", "blackboard"] {
        let stderr = dir.path().join(name);
        let said = |stream: Option<&str>| {
            let file = File::create(&stderr).unwrap();
            let found = file.metadata().unwrap();
            let journal = format!("{}:{}", found.dev(), found.ino());
            let mut command = program(name);
            command.arg("--home").arg(dir.path().join("nowhere"));
            command
                .arg("serve")
                .stdin(Stdio::null())
                .stdout(Stdio::null());
            command.env("JOURNAL_STREAM", stream.unwrap_or(&journal));
            assert!(!command.stderr(file).status().unwrap().success());
            fs::read_to_string(&stderr).unwrap()
        };
        let elsewhere = said(Some("0:0"));
        assert!(elsewhere.starts_with("error"), "{elsewhere}");
        let lines = elsewhere.lines().map(|line| format!("<3>{line}\n"));
        assert_eq!(said(None), lines.collect::<String>());
    }
}

/// Starts a server in a sandbox whose standard error is the journal's, as far as it is told.
fn journalled(name: &str, sandbox: &Path) -> Server {
    let own = program(name);
    let mut command = Command::new("bash");
    for (variable, value) in own.get_envs() {
        match value {
            Some(value) => command.env(variable, value),
            None => command.env_remove(variable),
        };
    }
    let line = "JOURNAL_STREAM=$(stat --dereference --format %d:%i /dev/fd/2) exec \"$@\"";
    command.args(["-c", line, "bash"]).arg(own.get_program());
    Server::start_command(command.args(serve(sandbox)))
}

#[test]
fn what_a_server_logs_has_its_priority_in_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = dir.path().join("sandbox");
    let [cuhk, blackboard] = ["cuhk", "blackboard"].map(|name| journalled(name, &sandbox));
    let campus = Campus::of(sandbox, cuhk, blackboard);
    campus.student(&["submit", "--ids", SAMPLE]).succeeded();
    for server in [&campus.cuhk, &campus.blackboard] {
        let log = server.log();
        let mut seen = BTreeSet::new();
        for line in log.lines() {
            let (priority, text) = line.split_at(3);
            let expected = match text.split(' ').nth(1) {
                Some("warn") => "<4>",
                Some("error") => "<3>",
                _ => "<6>",
            };
            assert_eq!(priority, expected, "{log}");
            seen.insert(expected);
        }
        assert!(seen.contains("<4>") && seen.contains("<6>"), "{log}");
    }
}
