//! A machine whose clock is not CUHK's.

use std::fs;

use crate::campus::{Campus, Server, get, monitor, program, serve_at, wait_for};
use crate::disk::submit_with;
use crate::fsync::shim;
use crate::ledger::Ledger;

/// Whoever asks for the time is told one that is as many seconds later as the file `CLOCK_AHEAD` says.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
static long ahead(void) {
    long seconds = 0;
    FILE *file = fopen(getenv("CLOCK_AHEAD"), "r");
    if (!file) return 0;
    if (fscanf(file, "%ld", &seconds) != 1) seconds = 0;
    fclose(file);
    return seconds;
}
int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) now->tv_sec += ahead();
    return result;
}
"#;

#[test]
fn under_a_clock_that_is_not_cuhks_nothing_is_taken_and_everybody_is_told_why() {
    let dir = tempfile::tempdir().unwrap();
    let Some(shim) = shim(dir.path(), SHIM) else {
        return;
    };
    let clock = dir.path().join("ahead");
    let is_ahead = |seconds: &str| {
        let new = dir.path().join("new");
        fs::write(&new, seconds).unwrap();
        fs::rename(&new, &clock).unwrap();
    };
    is_ahead("0");
    let mut campus = Campus::sandbox();
    campus.student(&["enrol"]).succeeded();
    campus.blackboard.stop();
    let mut wrong = program("blackboard");
    wrong.args(serve_at(&campus.path(), &campus.blackboard.address()));
    wrong.args(["--metrics", "127.0.0.1:0"]);
    wrong.env("LD_PRELOAD", &shim).env("CLOCK_AHEAD", &clock);
    campus.blackboard = Server::start_command(&mut wrong);
    let monitor = monitor(campus.blackboard.said()).unwrap();
    let mut ledger = Ledger::default();
    ledger.note(&submit_with(&campus, "before", &[]).succeeded());

    for (seconds, told) in [("100", "clock is 10"), ("200", "clock is 3 min")] {
        is_ahead(seconds);
        submit_with(&campus, "amid", &[]).refused(4, "platform_clock");
        let told_here = wait_for(&monitor, "/readyz", 503);
        assert!(told_here.contains(told), "{told_here}");
        assert!(told_here.contains("ahead of CUHK's"), "{told_here}");
        let (_, numbers) = get(&monitor, "/metrics");
        let ahead = numbers
            .lines()
            .find_map(|line| line.strip_prefix("blackboard_clock_ahead_seconds "));
        let ahead: i64 = ahead.unwrap().parse().unwrap();
        assert!(ahead.abs_diff(seconds.parse().unwrap()) <= 3, "{ahead}");
        let log = campus.blackboard.log();
        let warned = |line: &&str| line.contains(" warn ") && line.contains(told);
        assert_eq!(log.lines().filter(warned).count(), 1, "{log}");
        // Nothing is signed with this time, so that nothing is late by it, or waits for its files.
        ledger.is_all_of(&campus);
    }

    // It is seen without anybody's asking that the clock was set.
    is_ahead("0");
    wait_for(&monitor, "/readyz", 200);
    ledger.note(&submit_with(&campus, "after", &[]).succeeded());
    ledger.is_all_of(&campus);
}
