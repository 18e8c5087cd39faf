//! Under pressure, with the real binaries: killed, without space, crowded, slowed down, cut
//! off. See `docs/TESTING.md` for the longer runs.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub
)]
#![cfg(target_os = "linux")]

#[path = "../campus/mod.rs"]
mod campus;

mod at_home;
mod class;
mod clock;
mod crowd;
mod cuts;
mod damage;
mod descriptors;
mod disk;
mod frozen;
mod fsync;
mod full_home;
mod kills;
mod large;
mod ledger;
mod limits;
mod logged;
mod names;
mod process;
mod progress;
mod proxy;
mod read_back;
mod renewals;
mod roster;
mod signatures;
mod silent;
mod slow;
mod stages;
mod uploads;
mod windows;
