//! How often a server waits for the disk, and how long that takes here.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// Appends a byte to a file, whose size is the count, whenever the program it is loaded into
/// waits for the disk.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
static void count(void) {
    static int counter = -1;
    const char *path = getenv("SCB_SYNCS");
    if (counter < 0 && path) counter = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (counter >= 0 && write(counter, ".", 1) != 1) abort();
}
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
int fsync(int fd) { count(); return REAL(fsync)(fd); }
int fdatasync(int fd) { count(); return REAL(fdatasync)(fd); }
"#;

/// Counts `fsync` and `fdatasync` of one process.
pub struct SyncCounter {
    library: PathBuf,
    count: PathBuf,
}

impl SyncCounter {
    /// `None` without a C compiler.
    pub fn build(dir: &Path, name: &str) -> Option<Self> {
        let source = dir.join("count_syncs.c");
        let counter = Self {
            library: dir.join("count_syncs.so"),
            count: dir.join(format!("{name}.syncs")),
        };
        std::fs::write(&source, SHIM).unwrap();
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-o"])
            .args([&counter.library, &source])
            .status();
        built
            .is_ok_and(|status| status.success())
            .then_some(counter)
    }

    /// What the process's environment must have.
    pub fn environment(&self) -> [(&'static str, &Path); 2] {
        [("LD_PRELOAD", &self.library), ("SCB_SYNCS", &self.count)]
    }

    /// Since the process began.
    pub fn count(&self) -> u64 {
        std::fs::metadata(&self.count).map_or(0, |file| file.len())
    }
}

/// What one write of 4 KiB with its `fdatasync` takes, one after another.
pub struct SyncFloor {
    /// Microseconds.
    pub median: f64,
    /// Microseconds.
    pub p99: f64,
    pub per_second: f64,
}

/// Writes so many times.
pub fn sync_floor(dir: &Path, times: usize) -> SyncFloor {
    let mut file = File::create(dir.join("floor")).unwrap();
    let begun = Instant::now();
    let mut took: Vec<f64> = (0..times)
        .map(|_| {
            let one = Instant::now();
            file.write_all(&[7; 4096]).unwrap();
            file.sync_data().unwrap();
            one.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    let per_second = times as f64 / begun.elapsed().as_secs_f64();
    took.sort_by(f64::total_cmp);
    SyncFloor {
        median: took[times / 2],
        p99: took[((times - 1) as f64 * 0.99).round() as usize],
        per_second,
    }
}

/// Seconds to write so many bytes to a new file and wait until the disk has them.
pub fn write_floor(dir: &Path, size: u64) -> f64 {
    let path = dir.join("floor");
    let block = vec![7u8; 1 << 20];
    let begun = Instant::now();
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .open(&path)
        .unwrap();
    let mut left = size;
    while left > 0 {
        let some = left.min(block.len() as u64);
        file.write_all(&block[..some as usize]).unwrap();
        left -= some;
    }
    file.sync_all().unwrap();
    let took = begun.elapsed().as_secs_f64();
    drop(file);
    std::fs::remove_file(path).unwrap();
    took
}
