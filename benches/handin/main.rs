//! What handing in costs from outside: small submissions per second with one client and with
//! many, and how often the disk is waited for; a large report against nginx, which receives the
//! same over mutual TLS; proofs of a log with a million entries. Each beside its floor, measured
//! in the same run.
//!
//! `cargo bench --bench handin`, or with `-- --quick` (or `SCB_BENCH_QUICK=1`) in seconds.
//! Started by `cargo test`, which does not optimise, it is always quick.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub
)]

#[path = "../flows/client.rs"]
mod client;
mod disk;
mod large;
#[path = "../flows/machine.rs"]
mod machine;
#[allow(dead_code)]
#[path = "../flows/measure.rs"]
mod measure;
mod nginx;
mod proofs;
#[path = "../flows/servers.rs"]
mod servers;
mod small;

use machine::Wanted;

/// How much is done.
pub struct Scale {
    /// Clients at once, and hand-ins in all, of each run.
    pub small: &'static [(usize, usize)],
    /// Bytes of the large report.
    pub large: u64,
    /// Times that it is sent to each server.
    pub runs: usize,
    /// Entries of the logs, ascending.
    pub entries: &'static [u64],
    /// Proofs that are made and verified at each of them.
    pub proofs: usize,
}

impl Scale {
    const FULL: Self = Self {
        small: &[(1, 200), (64, 1280)],
        large: 1 << 30,
        runs: 3,
        entries: &[1_000, 1_000_000],
        proofs: 1_000,
    };
    const QUICK: Self = Self {
        small: &[(1, 5), (8, 16)],
        large: 4 << 20,
        runs: 1,
        entries: &[100, 1_000],
        proofs: 20,
    };
}

fn main() {
    let scale = match machine::wanted() {
        None => return,
        Some(Wanted::Quick) => Scale::QUICK,
        Some(Wanted::Full) => Scale::FULL,
    };
    scb_protocol::install_crypto();
    machine::introduce();
    small::measure(&scale);
    large::measure(&scale);
    proofs::measure(&scale);
}
