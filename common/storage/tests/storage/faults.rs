//! A disk that is full and an fsync that fails, by a library put before the system's.

use std::{
    env, fs,
    path::Path,
    process::{Command, Output},
};

use ring::digest::{SHA256, digest};
use scb_storage::{ContentStore, Error};

use crate::support::{child, home_from_parent, insert, notes, open, say};

/// Fails calls of one kind on files whose path contains `FAULT_PATH` (or ends with it, if
/// it ends with `$`) while the file `FAULT_TRIGGER` exists.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static int fails(int fd, const char *kind) {
    const char *trigger = getenv("FAULT_TRIGGER");
    if (!trigger || strcmp(getenv("FAULT_KIND"), kind) || access(trigger, F_OK)) return 0;
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 2);
    if (n < 0) return 0;
    strcpy(path + n, "$");
    if (!strstr(path, getenv("FAULT_PATH"))) return 0;
    errno = strcmp(kind, "write") ? EIO : ENOSPC;
    return 1;
}
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
int fsync(int fd) { return fails(fd, "fsync") ? -1 : REAL(fsync)(fd); }
int fdatasync(int fd) { return fails(fd, "fsync") ? -1 : REAL(fdatasync)(fd); }
ssize_t write(int fd, const void *b, size_t n) {
    return fails(fd, "write") ? -1 : REAL(write)(fd, b, n);
}
ssize_t pwrite(int fd, const void *b, size_t n, off_t at) {
    return fails(fd, "write") ? -1 : REAL(pwrite)(fd, b, n, at);
}
ssize_t pwrite64(int fd, const void *b, size_t n, off64_t at) {
    return fails(fd, "write") ? -1 : REAL(pwrite64)(fd, b, n, at);
}
"#;

/// Runs a test's child with calls failing from when it makes `home/trigger`; `None`
/// without a C compiler.
fn run(test: &str, home: &Path, kind: &str, path: &str) -> Option<Output> {
    let source = home.join("shim.c");
    let shim = home.join("shim.so");
    fs::write(&source, SHIM).unwrap();
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&shim, &source])
        .status();
    if !built.is_ok_and(|status| status.success()) {
        assert_ne!(env::var("CI").as_deref(), Ok("true"), "no cc");
        say("skipped: no cc");
        return None;
    }
    let output = child(test, home)
        .env("LD_PRELOAD", shim)
        .env("FAULT_KIND", kind)
        .env("FAULT_PATH", path)
        .env("FAULT_TRIGGER", home.join("trigger"))
        .output()
        .unwrap();
    Some(output)
}

fn store_in(home: &Path) -> ContentStore {
    ContentStore::open(&home.join("content")).unwrap()
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest(&SHA256, bytes).as_ref().try_into().unwrap()
}

/// Stores some bytes, blocking.
fn put(store: &ContentStore, bytes: &[u8]) -> Result<u64, Error> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut writer = store.begin(1 << 20).await?;
        writer.write(bytes).await?;
        writer.finish(sha256(bytes)).await
    })
}

#[cfg(target_os = "linux")]
fn assert_aborted(output: &Output) {
    use std::os::unix::process::ExitStatusExt;
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), Some(6), "{stderr}");
    let fatal: Vec<_> = stderr
        .lines()
        .filter(|line| line.starts_with("fatal:"))
        .collect();
    assert_eq!(fatal.len(), 1, "{stderr}");
    assert!(fatal[0].contains("fsync of"), "{stderr}");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.contains("first stored"), "{stdout}");
    assert!(!stdout.contains("second answered"), "{stdout}");
}

#[test]
#[cfg(target_os = "linux")]
fn failed_fsync_of_the_database_ends_the_process() {
    if let Some(home) = home_from_parent() {
        let db = open(&home.join("db"));
        db.write_blocking(|tx| insert(tx, 1)).unwrap();
        say("first stored");
        fs::write(home.join("trigger"), "").unwrap();
        let _ = db.write_blocking(|tx| insert(tx, 2));
        say("second answered");
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let test = "faults::failed_fsync_of_the_database_ends_the_process";
    if let Some(output) = run(test, home.path(), "fsync", "/db-wal$") {
        assert_aborted(&output);
        assert_eq!(notes(&open(&home.path().join("db")))[0], 1);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn failed_fsync_in_a_checkpoint_ends_the_process() {
    if let Some(home) = home_from_parent() {
        let db = open(&home.join("db"));
        db.write_blocking(|tx| insert(tx, 1)).unwrap();
        say("first stored");
        fs::write(home.join("trigger"), "").unwrap();
        let large = "INSERT INTO note VALUES (2, zeroblob(20000000))";
        let _ = db.write_blocking(move |tx| Ok::<_, Error>(tx.execute(large, [])?));
        // Those who write do not wait for the checkpoint; who closes does.
        db.close_blocking();
        say("second answered");
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let test = "faults::failed_fsync_in_a_checkpoint_ends_the_process";
    if let Some(output) = run(test, home.path(), "fsync", "/db$") {
        assert_aborted(&output);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn failed_fsync_of_content_ends_the_process() {
    if let Some(home) = home_from_parent() {
        let store = store_in(&home);
        put(&store, b"one").unwrap();
        say("first stored");
        fs::write(home.join("trigger"), "").unwrap();
        let _ = put(&store, b"two");
        say("second answered");
        return;
    }
    for path in ["/content/tmp/", "/content/tmp$", "/content/3f$"] {
        let home = tempfile::tempdir().unwrap();
        let test = "faults::failed_fsync_of_content_ends_the_process";
        if let Some(output) = run(test, home.path(), "fsync", path) {
            assert_aborted(&output);
            let store = store_in(home.path());
            assert_eq!(store.read_blocking(&sha256(b"one")).unwrap(), b"one");
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn full_disk_is_reported_and_what_was_stored_stays() {
    if let Some(home) = home_from_parent() {
        let trigger = home.join("trigger");
        let db = open(&home.join("db"));
        let store = store_in(&home);
        db.write_blocking(|tx| insert(tx, 1)).unwrap();
        put(&store, b"one").unwrap();

        fs::write(&trigger, "").unwrap();
        let refused = db.write_blocking(|tx| insert(tx, 2)).unwrap_err();
        assert!(refused.is_full(), "{refused:?}");
        let refused = put(&store, b"two").unwrap_err();
        assert!(refused.is_full(), "{refused:?}");
        assert_eq!(fs::read_dir(home.join("content/tmp")).unwrap().count(), 0);
        assert_eq!(notes(&db), [1]);

        fs::remove_file(&trigger).unwrap();
        db.write_blocking(|tx| insert(tx, 3)).unwrap();
        put(&store, b"two").unwrap();
        db.close_blocking();
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let test = "faults::full_disk_is_reported_and_what_was_stored_stays";
    if let Some(output) = run(
        test,
        home.path(),
        "write",
        &home.path().display().to_string(),
    ) {
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{stderr}");
        assert_eq!(notes(&open(&home.path().join("db"))), [1, 3]);
        let store = store_in(home.path());
        assert_eq!(store.read_blocking(&sha256(b"two")).unwrap(), b"two");
    }
}
