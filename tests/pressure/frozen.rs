//! A home on a disk that takes nothing: what can be read is read, all of it, and whatever would be
//! written is refused.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::campus::{Campus, Ran, SAMPLE, Server, can_mount, copy, program, serve_at, version};
use crate::ledger::one_certificate_each;

#[test]
fn a_backup_can_be_made_of_a_home_that_cannot_be_written_to() {
    if !can_mount() {
        return;
    }
    let mut campus = Campus::sandbox();
    campus
        .student(&["enrol", "--ids", "1155000001"])
        .succeeded();
    // Nobody tidies up the log of the database, as when the machine goes down.
    campus.cuhk.kill();
    let home = campus.path().join("cuhk");
    let mut command = program("cuhk");
    let file = campus.outside().join("backup.zip");
    command.arg("--home").arg(&home).arg("backup").arg(&file);
    on_frozen_disk(&home, &command).succeeded();

    let mut restore = program("cuhk");
    let new = campus.outside().join("restored");
    restore.arg("restore").arg(&file).arg("--home").arg(&new);
    let restored = Ran::of(&mut restore).succeeded();
    // That of the student, and CUHK's own.
    let words = "active students";
    assert!(restored.stdout.contains(words), "{restored:#?}");
    let mut list = program("cuhk");
    list.arg("--home")
        .arg(&new)
        .args(["certs", "list", "1155000001"]);
    let listed = Ran::of(&mut list).succeeded();
    assert!(listed.stdout.contains("live"), "{listed:#?}");

    // Nor is there a file where none can be.
    let mut command = program("cuhk");
    command.arg("--home").arg(&home).arg("backup");
    command.arg(home.join("backup.zip"));
    let told = on_frozen_disk(&home, &command);
    assert_eq!(told.exit, Some(5), "{told:#?}");
    assert!(told.stderr.contains("error[read_only]"), "{told:#?}");
}

/// Makes `$1` read-only for this process and its children.
const FREEZE: &str = r#"
set -e
mount --bind "$1" "$1"
mount -o remount,ro,bind "$1"
shift
exec "$@""#;

/// Runs `program` with `dir` on a disk that takes nothing.
fn on_frozen_disk(dir: &Path, program: &Command) -> Ran {
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", FREEZE, "sh"]);
    command.arg(dir).arg(program.get_program());
    Ran::of(command.args(program.get_args()))
}

#[test]
fn a_home_that_cannot_be_written_to_is_told_and_left_as_it_is() {
    if !can_mount() {
        return;
    }
    let mut campus = Campus::sandbox();
    campus
        .student(&["enrol", "--ids", "1155000001"])
        .succeeded();
    let sandbox = campus.path();
    campus.blackboard.stop();
    campus.cuhk.stop();
    for (name, arguments) in [
        (
            "cuhk",
            &["serve", "--passphrase-file", "cuhk.passphrase"][..],
        ),
        ("cuhk", &["code", "issue", "1155000002"]),
        ("cuhk", &["revoke", "1155000001"]),
        ("cuhk", &["doctor"]),
        ("blackboard", &["serve"]),
        (
            "blackboard",
            &["course", "add", "CSCI3150", "--title", "OS"],
        ),
    ] {
        let home = sandbox.join(name);
        let database = fs::read(home.join(format!("{name}.db"))).unwrap();
        let mut command = program(name);
        command.arg("--home").arg(&home);
        for argument in arguments {
            match *argument {
                "cuhk.passphrase" => command.arg(sandbox.join(argument)),
                argument => command.arg(argument),
            };
        }
        let told = on_frozen_disk(&home, &command);
        assert_eq!(told.exit, Some(5), "{command:?}: {told:#?}");
        let said = told.stdout + &told.stderr;
        for words in ["Read-only file system", "mount the file system for writing"] {
            assert!(said.contains(words), "{command:?}: {said}");
        }
        assert!(said.contains("cp -a"), "{said}");
        let after = fs::read(home.join(format!("{name}.db"))).unwrap();
        assert!(database == after, "{command:?} has changed the database");
    }
    // On a disk that takes something again nothing is missing.
    let cuhk = Server::start("cuhk", &serve_at(&sandbox, "127.0.0.1:0"));
    campus.cuhk = cuhk;
    let enrolled = BTreeSet::from(["1155000001".to_owned()]);
    one_certificate_each(&campus, &enrolled);
}

/// What shows the records of a home.
const LISTS: [(&str, &str); 15] = [
    ("cuhk", "certs list --json"),
    ("cuhk", "roster list --json"),
    ("cuhk", "code list --json"),
    ("cuhk", "service list --json"),
    ("cuhk", "term list --json"),
    ("cuhk", "keys list --json"),
    ("cuhk", "witness list --json"),
    ("blackboard", "submissions list --json"),
    ("blackboard", "submissions list --verify"),
    ("blackboard", "submissions show S-000001 --json"),
    ("blackboard", "submissions uploads --json"),
    (
        "blackboard",
        "submissions overview --course SANDBOX --assignment lab --csv",
    ),
    ("blackboard", "course list --json"),
    ("blackboard", "assignment list --json"),
    ("blackboard", "logs --json"),
];

fn list(home: &Path, (name, line): (&str, &str)) -> Command {
    let mut command = program(name);
    command.arg("--home").arg(home).args(line.split(' '));
    command
}

/// All lists as they are told where nothing can be written, and not a byte changed.
fn frozen_lists(homes: &Path) -> Vec<String> {
    let look = |&(name, line): &(&str, &str)| {
        let home = homes.join(name);
        let database = || fs::read(home.join(format!("{name}.db"))).unwrap();
        let before = database();
        let command = list(&home, (name, line));
        let told = on_frozen_disk(&home, &command).succeeded();
        assert!(database() == before, "{line}");
        told.stdout
    };
    LISTS.iter().map(look).collect()
}

/// The same lists where everything may be written.
fn lists(homes: &Path) -> Vec<String> {
    let look = |&(name, line): &(&str, &str)| {
        let told = Ran::of(&mut list(&homes.join(name), (name, line)));
        told.succeeded().stdout
    };
    LISTS.iter().map(look).collect()
}

#[test]
fn lists_tell_all_there_is_also_what_is_in_a_log_that_nobody_tidied_up() {
    if !can_mount() {
        return;
    }
    let mut campus = Campus::sandbox();
    let submit = ["submit", "--ids", SAMPLE, &version(campus.outside())];
    campus.student(&submit).succeeded();
    // Servers that are at work elsewhere are no hindrance; what they do meanwhile is seen.
    let served = frozen_lists(&campus.path());
    assert!(
        served.iter().any(|list| list.contains("S-000001")),
        "{served:#?}"
    );

    // Killed: the last rows are in the logs alone, with their index and without.
    campus.blackboard.kill();
    campus.cuhk.kill();
    let homes = campus.outside().join("killed");
    for name in ["cuhk", "blackboard"] {
        let (from, to) = (campus.path().join(name), homes.join(name));
        copy(&from, &to);
        let log = to.join(format!("{name}.db-wal"));
        assert!(fs::metadata(log).unwrap().len() > 0, "{name}");
    }
    let with_index = frozen_lists(&homes);
    for name in ["cuhk", "blackboard"] {
        fs::remove_file(homes.join(name).join(format!("{name}.db-shm"))).unwrap();
    }
    let without_index = frozen_lists(&homes);
    let thawed = lists(&homes);
    assert_eq!(with_index, thawed);
    assert_eq!(without_index, thawed);
    // Whoever closes a database last tidies up: there is no log any more.
    for name in ["cuhk", "blackboard"] {
        let file = |suffix: &str| homes.join(name).join(format!("{name}.db{suffix}"));
        let last = rusqlite::Connection::open(file("")).unwrap();
        let tidy = "PRAGMA wal_checkpoint(TRUNCATE)";
        last.query_row(tidy, [], |_| Ok(())).unwrap();
        drop(last);
        assert!(!file("-wal").exists());
    }
    assert_eq!(frozen_lists(&homes), thawed);
}

#[test]
fn work_is_checked_and_taken_to_another_disk_from_one_that_takes_nothing() {
    if !can_mount() {
        return;
    }
    let mut campus = Campus::sandbox();
    let report = version(campus.outside());
    campus
        .student(&["submit", "--ids", SAMPLE, &report])
        .succeeded();
    campus.blackboard.kill();
    let home = campus.path().join("blackboard");
    let run = |line: &str| on_frozen_disk(&home, &list(&home, ("blackboard", line)));
    run("fsck").succeeded();
    let to = campus.outside().join("saved");
    run(&format!("submissions export {}", to.display())).succeeded();
    let saved = to.join("S-000001");
    let name = Path::new(&report).file_name().unwrap();
    let files = fs::read_dir(&saved).unwrap();
    let names: BTreeSet<_> = files.map(|file| file.unwrap().file_name()).collect();
    assert!(names.contains(name), "{names:?}");
    campus
        .student(&["verify", saved.join("receipt.zip").to_str().unwrap()])
        .succeeded();
}

#[test]
fn doctor_looks_at_everything_and_says_that_nothing_can_be_written() {
    if !can_mount() {
        return;
    }
    let mut campus = Campus::sandbox();
    campus.cuhk.kill();
    let home = campus.path().join("cuhk");
    let told = on_frozen_disk(&home, &list(&home, ("cuhk", "doctor --json")));
    assert_eq!(told.exit, Some(5), "{told:#?}");
    let found = told.json();
    let found = found.as_array().unwrap();
    let failed: Vec<_> = found
        .iter()
        .filter(|one| one["outcome"] == "fail")
        .map(|one| one["check"].as_str().unwrap())
        .collect();
    assert_eq!(failed, ["disk"], "{found:#?}");
    for check in ["records", "log", "trust-bundle"] {
        let is_ok = |one: &&serde_json::Value| one["check"] == check && one["outcome"] == "ok";
        assert!(found.iter().any(|one| is_ok(&one)), "{check}: {found:#?}");
    }
}

/// Every file of a student's home.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push((path.clone(), fs::read(&path).unwrap())),
        }
    }
    found.sort();
    found
}

#[test]
fn a_student_sees_everything_from_a_home_that_takes_nothing_and_hands_in_nothing() {
    if !can_mount() {
        return;
    }
    let campus = Campus::sandbox();
    campus
        .student(&["enrol", "--ids", "1155000001"])
        .succeeded();
    let home = campus.outside().join("laptop");
    copy(&campus.path().join("student"), &home);
    let report = version(campus.outside());
    let submit = ["submit", "--ids", "1155000001", &report];
    let named = ["--course", "SANDBOX", "--assignment", "lab"];
    let submit = [&submit[..], &named].concat();
    campus.student_elsewhere(&home, &submit).succeeded();
    let receipt = home.join("receipts/S-000001.zip");
    let looks: [&[&str]; 6] = [
        &["history", "--json"],
        &["assignments"],
        &["grades", "--json"],
        &["audit", "--json"],
        &["receipts", "--json"],
        &["verify", receipt.to_str().unwrap()],
    ];
    let thawed = campus.student_elsewhere(&home, looks[0]).succeeded();
    let listed = thawed.json()["versions"].clone();
    // Without a token one is asked for, and kept by nobody; nor is CUHK's log remembered.
    let token = home.join("students/1155000001/token.jwt");
    for has_token in [true, false] {
        if !has_token {
            fs::remove_file(&token).unwrap();
        }
        let before = files(&home);
        for look in looks {
            let command = campus.command_elsewhere(&home, look);
            let told = on_frozen_disk(&home, &command).succeeded();
            if look == looks[0] {
                assert_eq!(told.json()["versions"], listed);
            }
        }
        let other = version(campus.outside());
        let submit = [
            &["submit", "--ids", "1155000001", &other, "--json"],
            &named[..],
        ]
        .concat();
        let command = campus.command_elsewhere(&home, &submit);
        on_frozen_disk(&home, &command).refused(5, "read_only");
        assert!(files(&home) == before, "something was written");
    }
    assert_eq!(campus.submissions().len(), 1);
}
