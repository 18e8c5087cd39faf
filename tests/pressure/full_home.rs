//! A home on a disk without a byte left, and no server: what only reads of CUHK's needs no room.

use std::path::Path;
use std::process::Command;

use crate::campus::{Campus, Ran, SAMPLE, program};
use crate::disk::{can_mount, on_small_disk};

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
fn blackboard_does_not_start_on_a_full_disk_and_says_so_and_nothing_is_lost() {
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
    assert!(told.stderr.contains("error[disk_full]"), "{told:#?}");
    campus.start_blackboard_again();
    assert_eq!(campus.submissions().len(), 1);
}
