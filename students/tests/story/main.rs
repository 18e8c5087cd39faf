//! The student's program against servers that can be told to fail, over real TLS.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod campus;
mod clock;
mod commands;
mod commitment;
mod completion;
mod enrolment;
mod hand_in;
mod renewal;
mod servers;
mod trust;
mod waiting;
