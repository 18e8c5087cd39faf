//! One large report: handed in by the `student` program, and sent to nginx over mutual TLS.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

use crate::Scale;
use crate::disk::write_floor;
use crate::nginx::Nginx;
use crate::servers::Servers;

const MIB: f64 = 1_048_576.0;

/// Seconds on the wall and of the server's CPU, of each run.
struct Took(Vec<(f64, f64)>);

/// Measures and prints. Each run has other bytes: the same again would not be sent.
pub fn measure(scale: &Scale) {
    let dir = tempfile::tempdir().unwrap();
    println!(
        "\na report of {:.0} MiB over loopback, median of {} runs; each side's own checks are in \
         the time\n",
        scale.large as f64 / MIB,
        scale.runs
    );
    println!("                                        seconds     MiB/s    server's CPU seconds");
    let floor = (0..scale.runs).map(|_| (write_floor(dir.path(), scale.large), 0.0));
    Took(floor.collect()).print("floor: written and fsync", scale);
    Took(
        (0..scale.runs)
            .map(|_| (hash_floor(scale.large), 0.0))
            .collect(),
    )
    .print("floor: SHA-256", scale);
    if let Some(nginx) = Nginx::start(dir.path()) {
        let (sent, synced) = to_nginx(&nginx, dir.path(), scale);
        sent.print("nginx, curl --upload-file", scale);
        synced.print("  and then fsync of what it received", scale);
    }
    to_blackboard(dir.path(), scale).print("blackboard, student submit", scale);
}

fn to_nginx(nginx: &Nginx, dir: &Path, scale: &Scale) -> (Took, Took) {
    let (mut sent, mut synced) = (Vec::new(), Vec::new());
    for run in 0..scale.runs {
        let report = report(dir, run, scale.large);
        let (cpu, begun) = (nginx.cpu(), Instant::now());
        let received = nginx.receive(&report);
        sent.push((begun.elapsed().as_secs_f64(), nginx.cpu() - cpu));
        let file = File::open(&received).unwrap();
        assert_eq!(file.metadata().unwrap().len(), scale.large);
        file.sync_all().unwrap();
        synced.push((begun.elapsed().as_secs_f64(), nginx.cpu() - cpu));
        std::fs::remove_file(received).unwrap();
        std::fs::remove_file(report).unwrap();
    }
    (Took(sent), Took(synced))
}

fn to_blackboard(dir: &Path, scale: &Scale) -> Took {
    let (mut servers, _) = Servers::start(0);
    allow(&mut servers, scale.large);
    hand_in(&servers, &report(dir, scale.runs, 1024));
    let mut took = Vec::new();
    for run in 0..scale.runs {
        let report = report(dir, run, scale.large);
        let (cpu, begun) = (servers.blackboard.cpu(), Instant::now());
        hand_in(&servers, &report);
        took.push((
            begun.elapsed().as_secs_f64(),
            servers.blackboard.cpu() - cpu,
        ));
        std::fs::remove_file(report).unwrap();
    }
    Took(took)
}

/// Blackboard takes half a GiB at most unless its operator wants more, for all and for the
/// assignment.
fn allow(servers: &mut Servers, size: u64) {
    let path = servers.sandbox().join("blackboard/config.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    let lines = config
        .lines()
        .map(|line| match line.starts_with("max_bytes") {
            true => format!("max_bytes = {}\n", size.max(1024)),
            false => format!("{line}\n"),
        });
    std::fs::write(&path, lines.collect::<String>()).unwrap();
    servers.restart_blackboard();
    let changed = Command::new(env!("CARGO_BIN_EXE_blackboard"))
        .arg("--home")
        .arg(servers.sandbox().join("blackboard"))
        .args(["assignment", "change", "lab", "--course", "SANDBOX"])
        .args(["--max-bytes", &size.max(1024).to_string(), "--yes"])
        .output()
        .unwrap();
    assert!(changed.status.success(), "{changed:?}");
}

/// Steps 3 to 6 with the sandbox's three students; the first time steps 1 and 2, too.
fn hand_in(servers: &Servers, report: &Path) {
    let output = Command::new(env!("CARGO_BIN_EXE_student"))
        .arg("--sandbox")
        .arg(servers.sandbox())
        .arg("submit")
        .arg(report)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// A file of random bytes.
fn report(dir: &Path, run: usize, size: u64) -> PathBuf {
    let path = dir.join(format!("report-{run}.bin"));
    let mut file = File::create(&path).unwrap();
    let random = SystemRandom::new();
    let mut block = vec![0; 1 << 20];
    let mut left = size;
    while left > 0 {
        random.fill(&mut block).unwrap();
        let some = left.min(block.len() as u64);
        file.write_all(&block[..some as usize]).unwrap();
        left -= some;
    }
    // Not to be written out while something is measured.
    file.sync_all().unwrap();
    path
}

fn hash_floor(size: u64) -> f64 {
    let block = vec![7; 1 << 20];
    let begun = Instant::now();
    for _ in 0..size >> 20 {
        std::hint::black_box(digest(&SHA256, &block));
    }
    begun.elapsed().as_secs_f64()
}

impl Took {
    fn print(mut self, what: &str, scale: &Scale) {
        self.0.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (seconds, cpu) = self.0[self.0.len() / 2];
        let rate = scale.large as f64 / MIB / seconds;
        let cpu = match what.starts_with("floor") {
            true => String::new(),
            false => format!("{cpu:.2}"),
        };
        println!("  {what:<36}  {seconds:>7.2}  {rate:>8.0}    {cpu}");
    }
}
