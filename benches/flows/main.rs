//! What a hand-in costs: each cryptographic operation, their sum for one group's steps 3 to 6,
//! the protocol without sockets, and real servers over loopback.
//!
//! `cargo bench --bench flows`, or with `-- --quick` (or `SCB_BENCH_QUICK=1`) in a few seconds.
//! Started by `cargo test`, which does not optimise, it is always quick.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub
)]

mod client;
mod handshake;
mod loopback;
mod machine;
mod measure;
mod operations;
mod protocol;
mod servers;

use machine::Wanted;
use measure::Effort;

fn main() {
    let effort = match machine::wanted() {
        None => return,
        Some(Wanted::Quick) => Effort::QUICK,
        Some(Wanted::Full) => Effort::FULL,
    };
    scb_protocol::install_crypto();
    introduce(&effort);
    let costs = operations::all(&effort);
    let sum = operations::print_sum(&costs);
    let alone = protocol::measure(&effort);
    protocol::print(&alone, &sum);
    loopback::run(&effort, &sum);
}

fn introduce(effort: &Effort) {
    machine::introduce();
    println!(
        "each time: median of {} rounds of at least {} µs by the clock on the wall; in brackets the \
         first and third quartile",
        effort.rounds,
        effort.round.as_micros(),
    );
}
