//! CUHK over real TLS on a free port, with a clock that stands still until it is moved.
#![allow(clippy::unwrap_used, clippy::print_stdout, unreachable_pub)]

mod administration;
mod clock;
mod crosses;
mod enrolment;
mod guessing;
mod home;
mod imports;
mod keys;
mod log;
mod monitor;
mod own_keys;
mod permissions;
mod publication;
mod renewal;
mod requests;
mod revocation;
mod roots;
mod roster;
mod seasons;
mod serials;
mod services;
mod suspension;
mod timing;
mod university;
mod verification;
mod withdrawal;
mod witness;
