//! Tests that need a hook which only their build has.

pub(crate) mod panics;

// The same one as in the tests over real TLS; not all of it is needed here.
#[allow(dead_code, unreachable_pub, clippy::unwrap_used)]
#[path = "../tests/cuhk/university.rs"]
mod university;
