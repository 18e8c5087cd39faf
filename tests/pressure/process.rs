//! What the system says of a running server, and waiting for something to become true.

use std::ffi::OsString;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::campus::{Ran, Server, program};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// A server's command under a limit of the shell, such as `-n 64` (sh(1), `ulimit`).
pub fn limited(limit: &str, name: &str, arguments: &[OsString]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit {limit} && exec \"$0\" \"$@\"")]);
    command.arg(program(name).get_program()).args(arguments);
    command
}

/// Open file descriptors.
pub fn descriptors(server: &Server) -> usize {
    fs::read_dir(format!("/proc/{}/fd", server.id()))
        .unwrap()
        .count()
}

/// Resident memory in KiB (proc(5), `VmRSS`).
pub fn resident(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kibibytes = line.unwrap().split_whitespace().nth(1);
    kibibytes.unwrap().parse().unwrap()
}

/// CPU time used, in clock ticks of 10 ms (proc(5), fields 14 and 15).
pub fn ticks(server: &Server) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.id())).unwrap();
    let (_, after_name) = stat.rsplit_once(')').unwrap();
    let field = |number: usize| after_name.split_whitespace().nth(number - 3).unwrap();
    field(14).parse::<u64>().unwrap() + field(15).parse::<u64>().unwrap()
}

/// How long its main thread was ready to run while other programs had the processors
/// (the kernel's sched-stats, second field of `/proc/PID/schedstat`).
pub fn waited_for_others(server: &Server) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/schedstat", server.id()));
    let stat = stat.unwrap_or_default();
    let nanoseconds = stat.split_whitespace().nth(1).and_then(|n| n.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or(0))
}

/// Looks again and again until it is so, or panics after `limit`.
#[track_caller]
pub fn until(what: &str, limit: Duration, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        sleep(LOOK);
    }
}

/// A number below `bound` that differs from run to run.
pub fn random(bound: u64) -> u64 {
    RandomState::new().hash_one(Instant::now()) % bound
}

/// A count from the environment, or the one that is short enough for every run.
pub fn count(variable: &str, default: usize) -> usize {
    match std::env::var(variable) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{variable}={text} is not a count")),
        Err(_) => default,
    }
}

/// The most memory that a running process has had at once, in KiB (proc(5), `VmHWM`); nothing of one
/// that has ended.
pub fn most_memory(id: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Runs a command to its end; how it ended, and the most memory that it had, in KiB.
pub fn measured(command: &mut Command) -> (Ran, u64) {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        most = most.max(most_memory(child.id()).unwrap_or(0));
        sleep(LOOK);
    }
    (child.wait_with_output().unwrap().into(), most)
}

/// All files below a folder, in order.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(files_below(&path)),
            false => files.push(path),
        }
    }
    files.sort();
    files
}
