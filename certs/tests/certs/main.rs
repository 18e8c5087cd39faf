//! The crate seen from outside: what it accepts, what it refuses, and what others say of it.
#![allow(clippy::unwrap_used)]

mod campus;
mod cms;
mod crl;
mod crosses;
mod encoding;
mod issuing;
mod judge;
mod key_files;
mod mutation;
mod openssl;
mod profiles;
mod python;
mod refusal;
mod requests;
mod trust;
