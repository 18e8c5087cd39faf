//! A small disk of its own for a directory, which a program can fill.

use std::path::Path;
use std::process::Command;

/// Puts a small file system with a copy of what is in `$1` over it, which only this process
/// and its children see.
const MOVE: &str = r#"
set -e
hold=$(mktemp -d)
mount -t tmpfs -o size="$2",mode=700 none "$hold"
cp -a "$1/." "$hold"
mount --bind "$hold" "$1"
umount "$hold"
rmdir "$hold"
shift 2
exec "$@""#;

/// Runs `program` with `dir` on a small disk of its own.
pub fn on_small_disk(dir: &Path, size: &str, program: &Command) -> Command {
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", MOVE, "sh"]);
    command.arg(dir).arg(size).arg(program.get_program());
    command.args(program.get_args());
    command
}

/// Whether a user may mount a file system for one process. Without that there is no small
/// disk to fill; on a machine that checks changes there must be one.
pub fn can_mount() -> bool {
    let dir = tempfile::tempdir().unwrap();
    let mut attempt = on_small_disk(dir.path(), "64k", &Command::new("true"));
    if attempt.output().is_ok_and(|output| output.status.success()) {
        return true;
    }
    let ci = std::env::var("CI");
    assert_ne!(ci.as_deref(), Ok("true"), "no user namespaces, but CI=true");
    println!("skipped: no user namespaces to mount a small disk in");
    false
}
