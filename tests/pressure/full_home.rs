//! A home of CUHK on a disk without a byte left, and no server: what only reads needs no room.

use std::path::Path;
use std::process::Command;

use crate::campus::{Campus, Ran, program};
use crate::disk::{can_mount, on_small_disk};

/// Fills the disk of `$0`, then goes on with the rest.
const FILL: &str = "cat /dev/zero > \"$0/filler\" 2> /dev/null; exec \"$@\"";

/// A command of `cuhk` on a copy of this home, whose disk is full.
fn on_full_disk(home: &Path, arguments: &[&str]) -> Ran {
    let cuhk = program("cuhk");
    let mut command = Command::new("sh");
    command.args(["-c", FILL]).arg(home);
    command.arg(cuhk.get_program()).arg("--home").arg(home);
    command.args(arguments);
    Ran::of(&mut on_small_disk(home, "4m", &command))
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
