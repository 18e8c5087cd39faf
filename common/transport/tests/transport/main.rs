//! Real TLS between both halves of this crate, and between it and OpenSSL.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::print_stdout,
    unreachable_pub
)]

mod client_judges;
mod descriptors;
mod frames;
mod harness;
mod http;
mod http_bodies;
mod http_client;
mod http_heads;
mod http_long;
mod listener;
mod log;
mod openssl;
mod server_judges;
mod wire;
