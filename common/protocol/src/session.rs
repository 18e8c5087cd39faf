//! The session key: one share per member, sealed with HPKE, and what is derived from all.

mod key;
mod share;

pub use key::SessionKey;
pub use share::{SessionSecret, Share, open_share, seal_share};

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod vectors;
