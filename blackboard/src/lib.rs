//! Blackboard, the learning platform: verifies the members of a group through CUHK and takes
//! in their work.
//!
//! It believes no word about a student before certificates, tokens, proofs and CUHK's signed
//! answer are checked; it acknowledges nothing before it is durable; it never lets a name
//! that came from a peer become a path, and it never sees a student's private key.

mod announced;
mod arguments;
mod authority;
mod class_list;
mod commands;
mod config;
mod courses;
mod enrol;
mod failure;
mod fault;
mod fsck;
mod gradebook;
mod handler;
mod identity;
mod init;
mod logs;
mod monitor;
mod note_keys;
mod outside_witness;
mod platform;
mod quota;
mod recover;
mod renewal;
mod sandbox;
mod serve;
mod sessions;
mod store;
mod submissions;
mod uploads;
mod witness;
mod witnessed;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

pub use commands::main;
