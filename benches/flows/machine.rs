//! On what a benchmark runs, said before its numbers.

/// Prints the profile, the number of processor cores and the load at the start.
pub(crate) fn introduce() {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let profile = if cfg!(debug_assertions) {
        "dev (own crates not optimised: the numbers mean nothing)"
    } else {
        "release"
    };
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("unknown");
    println!("profile {profile}; {cores} cores; load average at the start {load}");
}
