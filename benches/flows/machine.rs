//! On what a benchmark runs, said before its numbers, and how much of it is wanted.

/// How much is wanted: little, or all. Nothing if the benchmarks are only listed.
pub(crate) enum Wanted {
    Quick,
    Full,
}

/// By the command line and the environment; `cargo test`, which does not optimise, wants little.
pub(crate) fn wanted() -> Option<Wanted> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let given = |name: &str| arguments.iter().any(|argument| argument == name);
    let quick = given("--quick") || !given("--bench") || std::env::var("SCB_BENCH_QUICK").is_ok();
    match (given("--list"), quick) {
        (true, _) => None,
        (false, true) => Some(Wanted::Quick),
        (false, false) => Some(Wanted::Full),
    }
}

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
