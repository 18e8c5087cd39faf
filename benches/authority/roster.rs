//! A roster imported by `cuhk roster import`, with codes.

use std::path::Path;
use std::time::Instant;

use crate::servers::import;

/// Imports so many students, then the same roster again; returns their IDs and codes.
pub fn measure(dir: &Path, sandbox: &Path, students: usize) -> Vec<(String, String)> {
    let (codes, first) = timed(|| import(dir, sandbox, students));
    assert_eq!(codes.len(), students);
    // Nobody needs a code any more.
    std::fs::remove_file(dir.join("codes.csv")).unwrap();
    let (_, again) = timed(|| compare(dir, sandbox));
    println!(
        "\nroster of {students} students, beside a running server\n  \
         imported, with codes   {:.2} s, {:.2} s of CPU\n  \
         compared (--dry-run)   {:.2} s, {:.2} s of CPU",
        first.0, first.1, again.0, again.1
    );
    codes
}

fn compare(dir: &Path, sandbox: &Path) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_cuhk"));
    command.arg("--home").arg(sandbox.join("cuhk"));
    command.args(["roster", "import", "--dry-run"]);
    let output = command.arg(dir.join("roster.csv")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// Seconds by the clock on the wall, and of the CPU time of processes that ended meanwhile.
fn timed<T>(run: impl FnOnce() -> T) -> (T, (f64, f64)) {
    let (started, before) = (Instant::now(), children());
    let done = run();
    (done, (started.elapsed().as_secs_f64(), children() - before))
}

/// `cutime` and `cstime` of `/proc/self/stat` (proc_pid_stat(5)), in hundredths of a second.
fn children() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    let ticks = fields.split(' ').skip(13).take(2);
    ticks
        .filter_map(|field| field.parse::<f64>().ok())
        .sum::<f64>()
        / 100.0
}
