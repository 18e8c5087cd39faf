//! `config.toml` in the student's home: the servers as they were used last.

use serde::{Deserialize, Serialize};

/// What is remembered once it was used. The root is remembered as `ca.pem`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where CUHK listens, `host:port`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cuhk: Option<String>,
    /// Where Blackboard listens, `host:port`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blackboard: Option<String>,
    /// The largest group that Blackboard takes, as it said last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_members: Option<u8>,
    /// The most bytes that Blackboard takes in one hand-in, as it said last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
}
