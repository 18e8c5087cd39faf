//! Real TLS between both halves of this crate, and between it and OpenSSL.
#![allow(clippy::unwrap_used, clippy::print_stderr, unreachable_pub)]

mod client_judges;
mod frames;
mod harness;
mod listener;
mod log;
mod openssl;
mod server_judges;
mod wire;
