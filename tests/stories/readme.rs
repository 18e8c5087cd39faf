//! The commands of the README, each typed as it stands there: in the sandbox's three terminals, then for real by five
//! people.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::process::{Child, Stdio};
use std::time::Instant;

use tempfile::NamedTempFile;

use crate::campus::{LONG, judge, python, write_secret};
use crate::est;
use crate::interactive::{SEEN, answer};
use crate::operations::{Typist, indented_of};

const ISSUERS: &str = "correct horse";
const ROOT: &str = "battery staple";

/// What no test types, and who does.
const NOT_HERE: [(&str, &str); 2] = [
    ("./demo", "it builds; .ci/run types it"),
    (
        "cargo test --workspace",
        "this is a part of that; .ci/run types it",
    ),
];

fn readme() -> String {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap()
}

/// A server that was typed at a terminal of its own; ended when dropped.
pub(crate) struct Terminal(Child);

impl Terminal {
    /// The next such command, once it says where it listens.
    fn of(typist: &mut Typist, part: &str, of_the_day: &[(&str, &str)]) -> Self {
        let command = typist.next(part, of_the_day);
        Self::with(typist, &command)
    }

    pub(crate) fn with(typist: &Typist, command: &str) -> Self {
        let command = command.split("  #").next().unwrap();
        let mut shell = typist.machine.shell("", &format!("exec {command}"));
        let said = NamedTempFile::new().unwrap().into_temp_path();
        let file = File::create(&said).unwrap();
        let same = file.try_clone().unwrap();
        shell.stdin(Stdio::null()).stdout(file).stderr(same);
        // A passphrase is given by the service manager; tests/stories/interactive/ types it.
        shell.env("CREDENTIALS_DIRECTORY", typist.machine.path("etc/scb"));
        for listen in ["SCB_CUHK_LISTEN", "SCB_BLACKBOARD_LISTEN"] {
            if command.contains("--sandbox") {
                shell.env(listen, "127.0.0.1:0");
            }
        }
        let mut server = Self(shell.spawn().unwrap());
        let began = Instant::now();
        while !fs::read_to_string(&said).unwrap().contains("listening on") {
            let ended = server.0.try_wait().unwrap();
            let said = fs::read_to_string(&said).unwrap();
            assert!(ended.is_none(), "{command}: {ended:?}: {said}");
            assert!(began.elapsed() < LONG, "{command}: {said}");
        }
        server
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn every_command_of_the_readme_is_typed_by_whom_it_is_for() {
    if judge("curl").and(judge("openssl")).is_none() {
        return;
    }
    let mut readme = Typist::of(indented_of(&readme()));
    for (command, _) in NOT_HERE {
        readme.next(command, &[]);
    }
    // These have stories of their own.
    for line in est::typed() {
        readme.next(&line, &[]);
    }
    readme.installs();
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/docs");
    symlink(docs, readme.machine.path("work/docs")).unwrap();
    three_terminals(&mut readme);
    let _cuhk = campus_it(&mut readme);
    let _blackboard = the_platforms_operator(&mut readme);
    the_course_begins(&mut readme);
    students(&mut readme);
    a_teacher(&mut readme);
    anybody(&mut readme);
    students_at_a_terminal(&mut readme);
    assert!(readme.left.is_empty(), "nobody types {:#?}", readme.left);
}

fn three_terminals(readme: &mut Typist) {
    // As much of cargo as a program that is built needs.
    let cargo = "shift 2; program=$1; shift 2; exec \"$program\" \"$@\"";
    readme
        .machine
        .installs("cargo", &format!("#!/bin/sh\n{cargo}\n"));
    let here = ("/tmp/scb", "/var/lib/scb");
    let _cuhk = Terminal::of(readme, "cargo run --bin cuhk ", &[here]);
    let _blackboard = Terminal::of(readme, "cargo run --bin blackboard ", &[here]);
    let command = readme.next("cargo run --bin student ", &[here]);
    let enter = ["Student ID 1", "Student ID 2", "Student ID 3"];
    let shown = asked(readme, &command, &enter.map(|question| (question, "")));
    assert!(shown.contains("S-000001.zip"), "{shown}");
}

/// Types it at a terminal, and answers what is asked.
pub(crate) fn asked(readme: &Typist, command: &str, dialogue: &[(&str, &str)]) -> String {
    let (shown, ended) = answered(readme, command, dialogue);
    assert_eq!(ended, Some(0), "{command}: {shown}");
    shown
}

/// The same, however it ends.
pub(crate) fn answered(
    typist: &Typist,
    command: &str,
    dialogue: &[(&str, &str)],
) -> (String, Option<i32>) {
    let mut terminal = typist.machine.opens(command);
    answer(&mut terminal, dialogue);
    typist.machine.ends(terminal)
}

fn campus_it(readme: &mut Typist) -> Terminal {
    let scb = readme.machine.path("etc/scb");
    fs::create_dir(&scb).unwrap();
    for (file, passphrase) in [("cuhk.passphrase", ISSUERS), ("root.passphrase", ROOT)] {
        write_secret(&scb.join(file), &format!("{passphrase}\n"));
    }
    let init = readme.next("cuhk init ", &[]);
    asked(
        readme,
        &init,
        &[
            ("Passphrase for the issuing authorities:", ISSUERS),
            ("the same again:", ISSUERS),
            ("Passphrase for the root", ROOT),
            ("the same again:", ROOT),
        ],
    );
    let rows = (1..=3).map(|n| format!("115500000{n},Student {n},s{n}@example.edu,CSCI\n"));
    let roster = format!("sid,name,email,programme\n{}", rows.collect::<String>());
    fs::write(readme.machine.path("work/students.csv"), roster).unwrap();
    readme.types("cuhk roster import", &[]);
    readme.types("cuhk service add", &[]);
    Terminal::of(readme, "cuhk serve", &[])
}

/// The fingerprint of the root, as the code sheet has it.
fn fingerprint(readme: &Typist) -> String {
    let ca = "~/.local/share/scb/cuhk/ca.pem";
    let told = readme.does(&format!("openssl x509 -in {ca} -outform DER | sha256sum"));
    told[..64].to_owned()
}

fn the_platforms_operator(readme: &mut Typist) -> Terminal {
    let root = fingerprint(readme);
    readme.types("blackboard init", &[("HEX", &root)]);
    readme.types("blackboard recover", &[]);
    let blackboard = Terminal::of(readme, "blackboard serve", &[]);
    for command in ["fsck", "submissions uploads", "logs"] {
        readme.types(&format!("blackboard {command}"), &[]);
    }
    blackboard
}

/// A time that is still to come, whenever this is run.
fn in_days(readme: &Typist, days: u8) -> String {
    let date = readme.does(&format!("date -d '+{days} days' +%F"));
    date.trim().to_owned()
}

fn the_course_begins(readme: &mut Typist) {
    let (week, two) = (in_days(readme, 7), in_days(readme, 14));
    readme.types("blackboard course add", &[]);
    readme.types("blackboard assignment add", &[("2026-12-01", &week)]);
    readme.types("blackboard extension add", &[("2026-12-08", &two)]);
}

fn enrols(readme: &Typist, command: &str, code: &str) {
    asked(readme, command, &[("Enrolment code of 115500000", code)]);
}

fn students(readme: &mut Typist) {
    let root = fingerprint(readme);
    let sheet = readme.reads("work/codes.csv");
    let code = |sid: &str| {
        let row = sheet.lines().find(|line| line.starts_with(sid)).unwrap();
        row.split(',')
            .find(|cell| cell.len() == 29)
            .unwrap()
            .to_owned()
    };
    fs::create_dir(readme.machine.path("work/src")).unwrap();
    fs::write(readme.machine.path("work/src/main.rs"), "fn main() {}").unwrap();
    let report = readme.machine.path("work/report.pdf");
    fs::write(&report, "the report").unwrap();

    // Another machine, with the second student.
    let other = "SCB_STUDENT_HOME=~/other";
    let enrol = readme.next("student enrol", &[("HEX", &root)]);
    enrols(readme, &enrol, &code("1155000001"));
    let enrol = format!("{other} {}", enrol.replace("1155000001", "1155000002"));
    enrols(readme, &enrol, &code("1155000002"));
    readme.types("student assignments", &[]);
    readme.types("student submit --ids 1155000001 --with", &[]);
    let cosign = readme.next("student cosign", &[]);
    let cosign = format!("export {other}; {cosign}");
    let agrees = [("report.pdf", SEEN), ("sign it as 1155000002?", "y")];
    asked(readme, &cosign, &agrees);

    // The first machine has both from now on.
    readme.does("cp -r ~/other/students/1155000002 ~/.local/share/scb/student/students/");
    fs::write(&report, "the report, corrected").unwrap();
    readme.types("student submit --ids 1155000001,1155000002", &[]);
    for command in ["history", "renew", "audit"] {
        readme.types(&format!("student {command}"), &[]);
    }
    readme.types("student download S-000001", &[]);
}

/// What asks.
fn students_at_a_terminal(readme: &mut Typist) {
    let passphrase = readme.next("student passphrase", &[]);
    let question = "New passphrase for 1155000001's key:";
    asked(
        readme,
        &passphrase,
        &[(question, ISSUERS), ("the same again:", ISSUERS)],
    );

    let (root, menu) = (fingerprint(readme), readme.next("student     ", &[]));
    let address = readme.does("echo cuhk.example.edu:8011");
    let menu = format!("export SCB_STUDENT_HOME=~/third; {menu}");
    let everything = [
        ("CUHK's address", address.trim()),
        ("SHA-256 of CUHK's root", &root),
        ("Student ID 1", "1155000003"),
        ("Student ID 2", ""),
        ("Q quit", "q"),
    ];
    asked(readme, &menu, &everything);
}

fn a_teacher(readme: &mut Typist) {
    readme.types("submissions overview", &[]);
    readme.types("submissions list", &[]);
    readme.types("submissions export", &[]);
    let canvas = "Student,ID,SIS User ID,Lab 1 (7)\n    Points Possible,,,10\nA,1,1155000001,9\nB,2,1155000002,8\n";
    fs::write(readme.machine.path("work/canvas.csv"), canvas).unwrap();
    readme.types("grades import", &[]);
    readme.types("grades release", &[]);
    readme.types("student grades", &[]);
    readme.types("submissions archive", &[]);
    let detach = readme.next("submissions detach", &[("S-000026", "S-000002")]);
    asked(readme, &detach, &[("Type `yes` to do it: ", "yes")]);
}

fn anybody(readme: &mut Typist) {
    let root = fingerprint(readme);
    let hex = ("HEX", root.as_str());
    readme.does("cp ~/.local/share/scb/student/receipts/S-000002.zip S-000001.zip");
    readme.types("student verify S-000001.zip", &[hex]);
    readme.types("student verify lab-1.zip", &[hex]);
    let unpack = readme.next("unzip ", &[]);
    if judge("unzip").and(judge("less")).is_some() {
        assert!(readme.does(&unpack).contains("openssl"));
    }
    let by_python = readme.next("python3 docs/verify_receipt.py", &[hex]);
    if python().is_some() {
        readme.does(&format!("export PYTHONDONTWRITEBYTECODE=1; {by_python}"));
    }
}
