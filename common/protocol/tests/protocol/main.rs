//! The protocol core from outside: client and server states joined in memory, with a fixed
//! clock, an honest CUHK and hooks that alter what passes between the two.
#![allow(clippy::unwrap_used, clippy::type_complexity)]

mod audit;
mod authority;
mod certificates;
mod client;
mod confirmation;
mod desk;
mod evidence;
mod export;
mod formats;
mod grade;
mod identity_token;
mod introspection;
mod judges;
mod leaf;
mod leaks;
mod log_proof;
mod main_job;
mod malformed;
mod order;
mod presentation;
mod random;
mod reading;
mod receipt;
mod rejection;
mod renewal;
mod signatures;
mod statement;
mod submission;
mod support;
mod tokens;
mod trust_bundle;
mod verification;
mod wire;
mod witness;
