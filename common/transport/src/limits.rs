//! Deadlines and bounds of a server. Every deadline is total, not per read.

use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use crate::Rate;

/// What one server allows. In a configuration file the times are seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Connections at once, 1 to 1,000,000; one more is told `busy`.
    #[serde(deserialize_with = "places")]
    pub max_connections: usize,
    /// Connections at once from one address (IPv6: from one /64), 1 to 1,000,000; one more is
    /// told `busy`.
    #[serde(deserialize_with = "places")]
    pub per_address: usize,
    /// New connections from one address at once, after a while without any; 1 to 1,000,000.
    #[serde(deserialize_with = "arriving")]
    pub address_burst: u32,
    /// New connections per second from one address in the long run; 1 to 1,000,000.
    #[serde(deserialize_with = "arriving")]
    pub address_rate: u32,
    /// Whether this machine's own addresses are counted like others.
    pub count_loopback: bool,
    /// From accept to the end of the TLS handshake.
    #[serde(with = "seconds")]
    pub handshake: Duration,
    /// For one message to arrive whole, or to be taken by the peer.
    #[serde(with = "seconds")]
    pub message: Duration,
    /// For a message whose time the peer may choose: a person is thinking.
    #[serde(with = "seconds")]
    pub idle: Duration,
    /// For all content of one submission.
    #[serde(with = "seconds")]
    pub content: Duration,
    /// For handlers to finish after shutdown was asked for.
    #[serde(with = "seconds")]
    pub drain: Duration,
    /// For a peer to read a last message before the socket is closed.
    #[serde(with = "seconds")]
    pub linger: Duration,
    /// After how many seconds a client that was told `busy` may try again; at most an hour.
    #[serde(deserialize_with = "retry")]
    pub busy_retry: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 4096,
            per_address: 1024,
            address_burst: 2000,
            address_rate: 200,
            count_loopback: false,
            handshake: Duration::from_secs(10),
            message: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            content: Duration::from_secs(600),
            drain: Duration::from_secs(5),
            linger: Duration::from_secs(2),
            busy_retry: 5,
        }
    }
}

impl Limits {
    /// The section `[limits]` of a configuration file, with a comment for each option.
    pub fn to_toml(&self) -> String {
        let Self {
            max_connections,
            per_address,
            address_burst,
            address_rate,
            count_loopback,
            handshake,
            message,
            idle,
            content,
            drain,
            linger,
            busy_retry,
        } = self;
        let default = Self::default();
        let mut text =
            "# Deadlines are in seconds, each a total, not per read.\n[limits]\n".to_owned();
        for (name, value, default, means) in [
            (
                "max_connections",
                max_connections.to_string(),
                default.max_connections.to_string(),
                "Connections at once, 1 to 1000000; one more is told `busy`. --max-connections comes \
                 first.",
            ),
            (
                "busy_retry",
                busy_retry.to_string(),
                default.busy_retry.to_string(),
                "Seconds after which a client that was told `busy` may try again.",
            ),
            (
                "per_address",
                per_address.to_string(),
                default.per_address.to_string(),
                "Connections at once from one address, for IPv6 from one /64; one more is told \
                 `busy`. A campus behind one address needs as many as it has students at once.",
            ),
            (
                "address_burst",
                address_burst.to_string(),
                default.address_burst.to_string(),
                "New connections from one address at once, after a while without any.",
            ),
            (
                "address_rate",
                address_rate.to_string(),
                default.address_rate.to_string(),
                "New connections per second from one address in the long run.",
            ),
            (
                "count_loopback",
                count_loopback.to_string(),
                default.count_loopback.to_string(),
                "Whether these three limits hold for this machine's own addresses, too.",
            ),
            (
                "handshake",
                seconds_of(*handshake),
                seconds_of(default.handshake),
                "From accept to the end of the TLS handshake.",
            ),
            (
                "message",
                seconds_of(*message),
                seconds_of(default.message),
                "For one message of a step.",
            ),
            (
                "idle",
                seconds_of(*idle),
                seconds_of(default.idle),
                "For a message for which the peer may take its time.",
            ),
            (
                "content",
                seconds_of(*content),
                seconds_of(default.content),
                "For the whole content of one submission, and for all revocation lists of one answer.",
            ),
            (
                "drain",
                seconds_of(*drain),
                seconds_of(default.drain),
                "For open connections to finish when the server stops.",
            ),
            (
                "linger",
                seconds_of(*linger),
                seconds_of(default.linger),
                "For the peer to read a last message.",
            ),
        ] {
            text += &format!("# {means} Default: {default}\n{name} = {value}\n");
        }
        text
    }

    /// How often one address may connect.
    pub(crate) fn arrivals(&self) -> Rate {
        Rate {
            burst: self.address_burst,
            per_second: self.address_rate.into(),
        }
    }

    /// Reads [`Limits::max_connections`] from a command line.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse_max_connections(text: &str) -> Result<usize, String> {
        let places = text.parse().map_err(|_| "not a number".to_owned())?;
        in_bounds(places).ok_or_else(|| BOUNDS.to_owned())
    }
}

/// As TOML, which tells `10.0` from `10`; both are read.
fn seconds_of(time: Duration) -> String {
    time.as_secs_f64().to_string()
}

const BOUNDS: &str = "from 1 to 1000000 connections: no machine holds more";

fn in_bounds(places: usize) -> Option<usize> {
    (1..=1_000_000).contains(&places).then_some(places)
}

fn places<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    in_bounds(usize::deserialize(from)?).ok_or_else(|| D::Error::custom(BOUNDS))
}

fn arriving<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    match u32::deserialize(from)? {
        number @ 1..=1_000_000 => Ok(number),
        _ => Err(D::Error::custom(
            "from 1 to 1000000 new connections: no machine takes more, and with none there is no server",
        )),
    }
}

fn retry<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    match u32::deserialize(from)? {
        seconds @ 0..=3600 => Ok(seconds),
        _ => Err(D::Error::custom(
            "from 0 to 3600 seconds: whoever is told `busy` should come back the same hour",
        )),
    }
}

/// More than 0 and at most a day, in seconds.
mod seconds {
    use std::time::Duration;

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    const DAY: Duration = Duration::from_secs(24 * 3600);

    pub(super) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(time.as_secs_f64())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let seconds = f64::deserialize(from)?;
        let time = Duration::try_from_secs_f64(seconds).map_err(D::Error::custom)?;
        match time.is_zero() || time > DAY {
            true => Err(D::Error::custom("more than 0 and at most 86400 seconds")),
            false => Ok(time),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn reads_whole_and_broken_seconds_and_keeps_the_rest() {
        let limits: Limits = serde_json::from_str(r#"{"handshake":3,"message":0.5}"#).unwrap();
        assert_eq!(limits.handshake, Duration::from_secs(3));
        assert_eq!(limits.message, Duration::from_millis(500));
        assert_eq!(limits.idle, Limits::default().idle);
    }

    #[test]
    fn refuses_what_would_refuse_everybody_or_nobody_and_unknown_names() {
        for text in [
            r#"{"idle":-1}"#,
            r#"{"idle":0}"#,
            r#"{"idel":1}"#,
            r#"{"idle":1e300}"#,
            r#"{"idle":86401}"#,
            r#"{"max_connections":0}"#,
            r#"{"per_address":0}"#,
            r#"{"address_burst":0}"#,
            r#"{"address_rate":0}"#,
            r#"{"address_burst":1000001}"#,
            r#"{"address_rate":4294967295}"#,
            r#"{"busy_retry":3601}"#,
            r#"{"max_connections":18446744073709551615}"#,
        ] {
            assert!(serde_json::from_str::<Limits>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_section_names_every_option() {
        let text = Limits::default().to_toml();
        let names = serde_json::to_value(Limits::default()).unwrap();
        for name in names.as_object().unwrap().keys() {
            assert!(text.contains(&format!("\n{name} = ")), "{name}");
        }
    }

    #[test]
    fn writes_what_it_reads() {
        let text = serde_json::to_string(&Limits::default()).unwrap();
        assert_eq!(
            serde_json::from_str::<Limits>(&text).unwrap(),
            Limits::default()
        );
    }
}
