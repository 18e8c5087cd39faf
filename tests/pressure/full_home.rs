//! A home on a disk without a byte left, and no server: what only reads of CUHK's needs no room.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::campus::{Campus, Ran, SAMPLE, can_mount, on_small_disk, program};

/// Fills the disk of `$0`, then goes on with the rest.
const FILL: &str = "cat /dev/zero > \"$0/filler\" 2> /dev/null; exec \"$@\"";

/// A command of `cuhk` on a copy of this home, whose disk is full.
fn on_full_disk(home: &Path, arguments: &[&str]) -> Ran {
    run_on_full_disk(("cuhk", "4m"), home, arguments)
}

/// The same of either server's program, on a disk of this size.
fn run_on_full_disk((name, size): (&str, &str), home: &Path, arguments: &[&str]) -> Ran {
    let program = program(name);
    let mut command = Command::new("sh");
    command.args(["-c", FILL]).arg(home);
    command.arg(program.get_program()).arg("--home").arg(home);
    command.args(arguments);
    Ran::of(&mut on_small_disk(home, size, &command))
}

#[test]
fn lists_and_a_backup_to_another_disk_need_no_room_at_home() {
    if !can_mount() {
        return;
    }
    let mut campus = Campus::sandbox();
    campus
        .student(&["enrol", "--ids", "1155000001"])
        .succeeded();
    let home = campus.path().join("cuhk");
    campus.blackboard.stop();
    // With the log of the database as a power cut leaves it, then without one.
    campus.cuhk.kill();
    for backup in ["first.zip", "second.zip"] {
        for (list, has) in [
            (&["roster", "list"][..], "1155000012"),
            (&["certs", "list", "1155000001"], "live"),
            (&["code", "list"], "1155000002"),
            (&["keys", "list"], "active"),
        ] {
            let listed = on_full_disk(&home, list).succeeded();
            assert!(listed.stdout.contains(has), "{listed:#?}");
        }
        let file = campus.outside().join(backup);
        let back_up = ["backup", file.to_str().unwrap()];
        on_full_disk(&home, &back_up).succeeded();
        let new = campus.outside().join(backup.replace(".zip", ""));
        let mut restore = program("cuhk");
        restore.arg("restore").arg(&file).arg("--home").arg(&new);
        Ran::of(&mut restore).succeeded();

        // What writes is told so, as ever; so is a backup to the very disk.
        let own = home.join("own.zip");
        for writes in [
            &["revoke", "1155000001"][..],
            &["backup", own.to_str().unwrap()],
        ] {
            let told = on_full_disk(&home, writes);
            assert_eq!(told.exit, Some(5), "{told:#?}");
            assert!(told.stderr.contains("error[disk_full]"), "{told:#?}");
        }
        campus.start_cuhk_again();
        campus.cuhk.stop();
    }
}

#[test]
fn a_restoration_that_finds_no_room_blames_the_disk_and_leaves_nothing() {
    if !can_mount() {
        return;
    }
    let campus = Campus::sandbox();
    let file = campus.outside().join("backup.zip");
    campus
        .administer_cuhk(&["backup", file.to_str().unwrap()])
        .succeeded();
    let disk = campus.outside().join("disk");
    fs::create_dir(&disk).unwrap();
    let restore = |size: &str| {
        let mut command = Command::new("sh");
        command
            .args(["-c", "\"$@\"; ran=$?; ls -A \"$0\"; exit $ran"])
            .arg(&disk)
            .arg(program("cuhk").get_program())
            .arg("restore")
            .arg(&file)
            .arg("--home")
            .arg(disk.join("home"));
        Ran::of(&mut on_small_disk(&disk, size, &command))
    };
    for size in ["64k", "128k"] {
        let told = restore(size);
        assert_eq!(told.exit, Some(5), "{told:#?}");
        assert!(told.stderr.contains("error[disk_full]"), "{told:#?}");
        assert!(told.stderr.contains("make room"), "{told:#?}");
        assert!(!told.stdout.contains("home"), "{told:#?}");
    }
    restore("16m").succeeded();
}

#[test]
fn blackboard_on_a_full_disk_lists_and_exports_and_starts_once_there_is_room() {
    if !can_mount() {
        return;
    }
    let mut campus = Campus::sandbox();
    campus.student(&["submit", "--ids", SAMPLE]).succeeded();
    let home = campus.path().join("blackboard");
    campus.blackboard.kill();
    let told = run_on_full_disk(
        ("blackboard", "32m"),
        &home,
        &["serve", "--listen", "127.0.0.1:0"],
    );
    assert_eq!(told.exit, Some(5), "{told:#?}");
    // At once, with what is wrong and what to do.
    for part in ["No space left on device", "make room on the disk"] {
        assert!(told.stderr.contains(part), "{told:#?}");
    }

    // What was handed in is read, and taken elsewhere; what writes says the same.
    let elsewhere = campus.outside().join("handed-in");
    let out = elsewhere.to_str().unwrap();
    let on_full_disk = |words: &str| {
        let words: Vec<_> = words.split(' ').collect();
        run_on_full_disk(("blackboard", "32m"), &home, &words)
    };
    for (words, has) in [
        ("submissions list", "S-000001"),
        (
            "submissions show S-000001",
            "over one connection that 1155000001 opened",
        ),
        (
            "submissions overview --course SANDBOX --assignment lab",
            "3 of 3 handed in",
        ),
        ("assignment list", "SANDBOX"),
        (&format!("submissions export {out}"), "S-000001"),
    ] {
        let listed = on_full_disk(words).succeeded();
        assert!(listed.stdout.contains(has), "{listed:#?}");
    }
    assert!(elsewhere.join("S-000001/receipt.zip").is_file());
    let told = on_full_disk("course add CSCI3150 --title OS");
    assert_eq!(told.exit, Some(5), "{told:#?}");
    assert!(told.stderr.contains("error[disk_full]"), "{told:#?}");

    // A file that was kept for this is removed: it starts, and goes on until it is stopped.
    let reserve = home.join("reserve");
    fs::write(&reserve, vec![1; 1 << 20]).unwrap();
    let mut serve = Command::new("sh");
    serve.args(["-c", FILL]).arg(&home);
    serve
        .args(["sh", "-c", "rm \"$0\"; exec timeout 15 \"$@\""])
        .arg(&reserve);
    serve
        .arg(program("blackboard").get_program())
        .arg("--home")
        .arg(&home);
    serve.args(["serve", "--listen", "127.0.0.1:0"]);
    let served = Ran::of(&mut on_small_disk(&home, "32m", &serve));
    assert_eq!(served.exit, Some(124), "{served:#?}");
    fs::remove_file(reserve).unwrap();
    campus.start_blackboard_again();
    assert_eq!(campus.submissions().len(), 1);

    // Without the index beside the database, as a server leaves it that was stopped, it says no less.
    campus.blackboard.stop();
    let told = run_on_full_disk(
        ("blackboard", "32m"),
        &home,
        &["serve", "--listen", "127.0.0.1:0"],
    );
    assert_eq!(told.exit, Some(5), "{told:#?}");
    for part in [
        "error[disk_full]",
        "the disk is full: no room for the index",
        "make room on the disk",
    ] {
        assert!(told.stderr.contains(part), "{told:#?}");
    }
}
