//! `HOME/config.toml`.
//!
//! Every key has a default; unknown keys are refused with their line. Written by
//! `blackboard init`, which sets `cuhk`; the rest is edited by hand:
//!
//! ```toml
//! cuhk = "cuhk.example:8011"    # where CUHK listens
//! listen = "127.0.0.1:8002"     # where this server listens (--listen comes first)
//! course = "SANDBOX"            # the one course and assignment that is open
//! assignment = "lab"
//! max_bytes = 536870912         # largest report, in bytes
//! max_members = 3               # largest group, 1 to 8
//!
//! [limits]                      # times in seconds, each a total, not per read
//! max_connections = 4096        # one more is refused with `busy`
//! handshake = 10
//! message = 10                  # one message of a step
//! idle = 60                     # a message for which the peer may take its time
//! content = 600                 # the whole report
//! drain = 5                     # open connections get this long when the server stops
//! linger = 2                    # for the peer to read a last message
//! busy_retry = 5                # when a client that was told `busy` may try again
//! ```

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU8;

use scb_protocol::MAX_QUESTION;
use scb_protocol::statement::Label;
use scb_transport::Limits;
use serde::{Deserialize, Serialize};

/// What `config.toml` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `host:port` where CUHK listens; none before `blackboard init`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cuhk: Option<String>,
    /// Where this server listens.
    pub listen: SocketAddr,
    /// The course that is open.
    pub course: Label,
    /// The assignment that is open.
    pub assignment: Label,
    /// Largest report, in bytes.
    pub max_bytes: u64,
    /// Largest group, 1 to 8.
    #[serde(deserialize_with = "group_size")]
    pub max_members: NonZeroU8,
    /// Connections and deadlines.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            cuhk: None,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8002)),
            course: label("SANDBOX"),
            assignment: label("lab"),
            max_bytes: 512 * 1024 * 1024,
            max_members: NonZeroU8::MIN.saturating_add(2),
            limits: Limits::default(),
        }
    }
}

fn label(text: &'static str) -> Label {
    // Letters only, as the two calls above show.
    text.parse().expect("a label")
}

/// No larger than the groups about which CUHK answers.
fn group_size<'de, D: serde::Deserializer<'de>>(from: D) -> Result<NonZeroU8, D::Error> {
    let size = NonZeroU8::deserialize(from)?;
    if usize::from(size.get()) > MAX_QUESTION {
        return Err(serde::de::Error::custom("a group has 1 to 8 members"));
    }
    Ok(size)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_the_default() {
        let config: Config = toml::from_str("").unwrap();
        assert_eq!(config, Config::default());
        assert_eq!(
            format!("{}/{}", config.course, config.assignment),
            "SANDBOX/lab"
        );
        assert_eq!((config.max_members.get(), config.max_bytes), (3, 1 << 29));
    }

    #[test]
    fn reads_back_what_it_writes() {
        let config = Config {
            cuhk: Some("cuhk.example:8011".into()),
            ..Config::default()
        };
        let text = toml::to_string_pretty(&config).unwrap();
        assert_eq!(toml::from_str::<Config>(&text).unwrap(), config);
    }

    #[test]
    fn refuses_what_makes_no_sense() {
        for text in [
            "max_members = 0",
            "max_members = 9",
            "max_member = 2",
            "max_bytes = -1",
            "course = \"../x\"",
            "listen = \"localhost\"",
            "[limits]\nidle = 0",
            "[limits]\nidle_seconds = 1",
        ] {
            assert!(toml::from_str::<Config>(text).is_err(), "{text}");
        }
    }
}
