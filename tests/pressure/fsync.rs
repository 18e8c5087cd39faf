//! An fsync that fails.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::campus::{Campus, Server, program, serve_at};
use crate::disk::{submit, submit_with};
use crate::ledger::Ledger;

/// The beginning of a shim that does its harm to every file whose path contains `FAULT_PATH` while `FAULT_TRIGGER`
/// exists.
pub(crate) const MEANT: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static int is_meant(int fd) {
    char link[64], path[4096];
    if (access(getenv("FAULT_TRIGGER"), F_OK)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0) return 0;
    path[n] = 0;
    return strstr(path, getenv("FAULT_PATH")) != NULL;
}
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
"#;

/// Fails every fsync of these.
const SHIM: &str = r#"
static int fails(int fd) {
    if (!is_meant(fd)) return 0;
    errno = EIO;
    return 1;
}
int fsync(int fd) { return fails(fd) ? -1 : REAL(fsync)(fd); }
int fdatasync(int fd) { return fails(fd) ? -1 : REAL(fdatasync)(fd); }
"#;

/// A shim as a library; `None` without a C compiler.
pub(crate) fn shim(dir: &Path, text: &str) -> Option<PathBuf> {
    let (source, library) = (dir.join("shim.c"), dir.join("shim.so"));
    fs::write(&source, text).unwrap();
    let mut compiler = Command::new("cc");
    compiler
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source]);
    if compiler.status().is_ok_and(|status| status.success()) {
        return Some(library);
    }
    assert_ne!(
        std::env::var("CI").as_deref(),
        Ok("true"),
        "no cc, but CI=true"
    );
    println!("skipped: no cc");
    None
}

#[test]
fn a_failing_fsync_ends_blackboard_and_the_same_command_finishes_later() {
    let dir = tempfile::tempdir().unwrap();
    let Some(shim) = shim(dir.path(), &[MEANT, SHIM].concat()) else {
        return;
    };
    let mut campus = Campus::sandbox();
    campus.student(&["enrol"]).succeeded();
    let mut ledger = Ledger::default();
    // The report on its way in, the database, and the highest number.
    for path in [
        "/content/uploads/",
        "/blackboard.db-wal",
        "/blackboard/numbers",
    ] {
        let trigger = dir.path().join("trigger");
        campus.blackboard.stop();
        let arguments = serve_at(&campus.path(), &campus.blackboard.address());
        let mut failing = program("blackboard");
        failing.args(&arguments).env("LD_PRELOAD", &shim);
        failing
            .env("FAULT_PATH", path)
            .env("FAULT_TRIGGER", &trigger);
        campus.blackboard = Server::start_command(&mut failing);
        ledger.note(&submit(&campus, &format!("before {path}")).succeeded());

        fs::write(&trigger, "").unwrap();
        let report = format!("amid {path}");
        let lost = submit_with(&campus, &report, &["--wait", "0"]);
        assert_eq!(lost.exit, Some(4), "{path}: {lost:#?}");
        assert_eq!(
            campus.blackboard.wait().signal(),
            Some(6),
            "{path}: SIGABRT"
        );
        let log = campus.blackboard.log();
        let fatal = log
            .lines()
            .filter(|line| line.starts_with("fatal: fsync of"));
        assert_eq!(fatal.count(), 1, "{path}: {log}");

        fs::remove_file(&trigger).unwrap();
        campus.blackboard = Server::start("blackboard", &arguments);
        ledger.is_kept_by(&campus);
        ledger.note(&submit(&campus, &report).succeeded());
        ledger.is_all_of(&campus);
    }
}
