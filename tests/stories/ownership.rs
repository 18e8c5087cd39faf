//! Whose home it is: root, who may write everywhere, leaves nothing in it that its server could not open.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use crate::campus::{ByHand, Ran, program};

/// Nobody's, in most systems.
const ANOTHER: Option<u32> = Some(65534);
const ROOT: Option<u32> = Some(0);

/// Everything below a directory.
fn below(dir: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(below(&path));
        }
        found.insert(path);
    }
    found
}

#[track_caller]
fn is_refused(ran: &Ran, role: &str) {
    assert_eq!(ran.exit, Some(5), "{ran:#?}");
    assert!(ran.stderr.contains("error[home_of_another]"), "{ran:#?}");
    let told = format!("runuser -u {role} -- {role} …");
    assert!(ran.stderr.contains(&told), "{ran:#?}");
}

/// Each of these is refused, and leaves the home as it was.
#[track_caller]
fn refused(campus: &ByHand, role: &str, lines: &[&str]) {
    let home = campus.path(&format!("{role}.home"));
    let before = below(&home);
    for line in lines {
        let words: Vec<_> = line.split(' ').collect();
        let ran = Ran::of(&mut campus.command(role, &words));
        is_refused(&ran, role);
        assert_eq!(below(&home), before, "{line}");
    }
}

/// Only root can do so, and only root is refused.
#[test]
fn root_leaves_nothing_in_the_home_of_blackboards_user() {
    let campus = ByHand::new();
    campus.init().succeeded();
    let cuhk = campus.serve_cuhk();
    campus.certify_blackboard(&cuhk);
    let home = campus.path("blackboard.home");
    if chown(&home, ANOTHER, None).is_err() {
        return;
    }
    let writing = [
        "serve --listen 127.0.0.1:0",
        "recover",
        "course add CSCI3150 --title OS",
        "course members CSCI3150 --anybody",
        "assignment add --course CSCI3150 --title Lab-1 --due 2099-12-01T12:00:00Z",
        "extension remove lab-1 --course CSCI3150 --student 1155000001 --yes",
        "grades release --course CSCI3150 --assignment lab-1",
        "submissions archive lab-1.zip --course CSCI3150 --assignment lab-1",
        "witness accept-log",
    ];
    // Before there is a database whoever looks would make one.
    refused(&campus, "blackboard", &writing);
    refused(
        &campus,
        "blackboard",
        &["course list", "submissions list", "submissions export out"],
    );
    campus.blackboard(&["fsck"]).succeeded();

    chown(&home, ROOT, None).unwrap();
    campus.add_course();
    drop(campus.start_blackboard());
    let database = home.join("blackboard.db");
    chown(&database, ANOTHER, None).unwrap();
    refused(&campus, "blackboard", &writing);
    for line in ["course list", "assignment list", "submissions list", "fsck"] {
        let words: Vec<_> = line.split(' ').collect();
        campus.blackboard(&words).succeeded();
    }
    chown(&database, ROOT, None).unwrap();
    drop(campus.start_blackboard());
}

#[test]
fn root_neither_makes_nor_serves_the_home_of_cuhks_user() {
    let campus = ByHand::new();
    let home = campus.path("cuhk.home");
    fs::create_dir(&home).unwrap();
    if chown(&home, ANOTHER, None).is_err() {
        return;
    }
    is_refused(&campus.init(), "cuhk");
    assert_eq!(below(&home), BTreeSet::new());

    chown(&home, ROOT, None).unwrap();
    campus.init().succeeded();
    let database = home.join("cuhk.db");
    chown(&database, ANOTHER, None).unwrap();
    let serve = "serve --listen 127.0.0.1:0 --passphrase-file issuers.pass";
    refused(&campus, "cuhk", &[serve]);
    chown(&database, ROOT, None).unwrap();
    drop(campus.serve_cuhk());
}

/// The directory is the service's; the home in it comes into being by this very command.
#[test]
fn root_makes_no_home_where_the_directory_is_another_users() {
    let campus = ByHand::new();
    let place = campus.path("var");
    fs::create_dir(&place).unwrap();
    if chown(&place, ANOTHER, None).is_err() {
        return;
    }
    campus.init().succeeded();
    let cuhk = campus.serve_cuhk();
    let backup = campus.path("backup.zip");
    campus
        .cuhk(&["backup", backup.to_str().unwrap()])
        .succeeded();
    let address = cuhk.address();
    let lines: [(&str, &str); 3] = [
        (
            "cuhk",
            "init --passphrase-file issuers.pass --root-passphrase-file root.pass",
        ),
        ("cuhk", "restore backup.zip"),
        (
            "blackboard",
            &format!(
                "init --cuhk {address} --ca cuhk.home/ca.pem --code-file none --dns localhost"
            ),
        ),
    ];
    // Also where more than one directory is missing.
    for home in ["home", "lib/home"] {
        let home = place.join(home);
        for (role, line) in &lines {
            let mut command = program(role);
            command.current_dir(campus.path("."));
            command.arg("--home").arg(&home).args(line.split(' '));
            is_refused(&Ran::of(&mut command), role);
            assert_eq!(below(&place), BTreeSet::new(), "{line}");
        }
    }
    let restore = |from: &Path| {
        let mut command = program("cuhk");
        command.current_dir(from).arg("restore").arg(&backup);
        Ran::of(command.args(["--home", "home"]))
    };
    is_refused(&restore(&place), "cuhk");
    restore(&campus.path(".")).succeeded();
}
