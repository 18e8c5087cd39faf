//! `HOME/config.toml`.
//!
//! Every key has a default; unknown keys are refused with their line. `blackboard init`
//! writes all of them with a comment each (see [`Config::to_toml`]), to be edited by hand.

mod witness;

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU8;
use std::time::Duration;

use scb_cli::{Home, bounded, cut_config, lost_config};
use scb_protocol::MAX_QUESTION;
use scb_protocol::server::Outage;
use scb_protocol::statement::Label;
use scb_transport::Limits;
use serde::{Deserialize, Deserializer, Serialize};

pub(crate) use witness::{NamedWitness, WitnessPolicyError};

use crate::quota::Quota;

/// What `config.toml` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// `host:port` where CUHK listens; none before `blackboard init`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cuhk: Option<String>,
    /// Where this server listens.
    pub(crate) listen: SocketAddr,
    /// Where this server tells of its health and its numbers (HTTP), if anywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) metrics: Option<SocketAddr>,
    /// What earlier versions made a course of; read, and nothing comes of it.
    #[serde(skip_serializing)]
    pub(crate) course: Option<Label>,
    /// As [`Config::course`].
    #[serde(skip_serializing)]
    pub(crate) assignment: Option<Label>,
    /// Most bytes of one hand-in, whatever an assignment allows; 1 to 2^40.
    #[serde(deserialize_with = "hand_in_bytes")]
    pub(crate) max_bytes: u64,
    /// How long after the signed statement the files may come; in the file, seconds.
    #[serde(with = "window")]
    pub(crate) upload_window: Duration,
    /// Hand-ins of one student whose files may still come; at most 100,000.
    #[serde(deserialize_with = "hand_ins_of_one")]
    pub(crate) unfinished_per_student: u32,
    /// Bytes of these together; at most 2^50.
    #[serde(deserialize_with = "disk_bytes")]
    pub(crate) unfinished_bytes_per_student: u64,
    /// Hand-ins of all students whose files may still come; beyond it only first ones are taken.
    /// At most 10,000,000.
    #[serde(deserialize_with = "hand_ins_of_all")]
    pub(crate) unfinished: u32,
    /// Bytes of all hand-ins whose files may still come; at most 2^50.
    #[serde(deserialize_with = "disk_bytes")]
    pub(crate) unfinished_bytes: u64,
    /// How long a proposal waits for signatures; in the file, seconds.
    #[serde(with = "window")]
    pub(crate) cosign_window: Duration,
    /// Largest group, 1 to 8, of assignments that do not say otherwise.
    #[serde(deserialize_with = "group_size")]
    pub(crate) max_members: NonZeroU8,
    /// What happens while CUHK cannot be reached.
    pub(crate) outage: Outage,
    /// Witnesses of this server's logs besides CUHK.
    pub(crate) witnesses: Vec<NamedWitness>,
    /// How many of CUHK and these must have cosigned before a receipt is complete.
    pub(crate) quorum: usize,
    /// Connections and deadlines.
    pub(crate) limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            cuhk: None,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8002)),
            metrics: None,
            course: None,
            assignment: None,
            max_bytes: 512 * 1024 * 1024,
            upload_window: Duration::from_secs(24 * 60 * 60),
            unfinished_per_student: 32,
            unfinished_bytes_per_student: 4 << 30,
            unfinished: 100_000,
            unfinished_bytes: 64 << 30,
            cosign_window: Duration::from_secs(7 * 24 * 60 * 60),
            max_members: NonZeroU8::MIN.saturating_add(2),
            outage: Outage::Refuse,
            witnesses: Vec::new(),
            quorum: 1,
            limits: Limits::default(),
        }
    }
}

impl Config {
    /// What to say of a file that is gone, sets nothing or was cut off, after `blackboard init` has
    /// written it whole.
    pub(crate) fn lost_of(home: &Home) -> Option<String> {
        lost_config(home).or_else(|| cut_config(home, &Self::default().to_toml()))
    }

    /// How much may be unfinished.
    pub(crate) fn quota(&self) -> Quota {
        Quota {
            per_student: self.unfinished_per_student,
            bytes_per_student: self.unfinished_bytes_per_student,
            in_all: self.unfinished,
            bytes_in_all: self.unfinished_bytes,
        }
    }

    /// With at most so many connections at once, if the command line says so.
    pub(crate) fn limited(mut self, max_connections: Option<usize>) -> Self {
        if let Some(most) = max_connections {
            self.limits.max_connections = most;
        }
        self
    }

    /// The whole file, with a comment for each key.
    pub(crate) fn to_toml(&self) -> String {
        let cuhk = match &self.cuhk {
            Some(address) => format!("cuhk = {}", toml::Value::from(address.as_str())),
            None => "# cuhk = \"cuhk.example:8011\"".to_owned(),
        };
        let metrics = match &self.metrics {
            Some(address) => format!("metrics = \"{address}\""),
            None => "# metrics = \"127.0.0.1:8014\"".to_owned(),
        };
        format!(
            "# Configuration of blackboard: HOME/config.toml, read when `blackboard serve` starts.\n\
             # A flag comes before an environment variable, that before this file, this before the\n\
             # default. `blackboard --print-config` prints all that is in force.\n\
             \n\
             # Where CUHK listens; `blackboard init` asked for it. Default: none\n\
             {cuhk}\n\
             # Where this server listens; --listen and SCB_BLACKBOARD_LISTEN come first.\n\
             # Default: \"127.0.0.1:8002\"\n\
             listen = \"{listen}\"\n\
             # Where it answers /healthz, /readyz and /metrics, HTTP without TLS, for your\n\
             # monitoring only; --metrics and SCB_BLACKBOARD_METRICS come first. Default: nowhere\n\
             {metrics}\n\
             # Most bytes of one hand-in, whatever an assignment allows. Default: 536870912\n\
             max_bytes = {max_bytes}\n\
             # How long the files of a signed statement may follow it, in seconds: whoever signed in\n\
             # time is in time, however slow the link. Default: 86400, a day\n\
             upload_window = {upload_window}\n\
             # Hand-ins of one student that are signed and whose files have not come whole; one is\n\
             # always taken. Default: 32\n\
             unfinished_per_student = {unfinished_per_student}\n\
             # Bytes of these together; of one they may be more. Default: 4294967296\n\
             unfinished_bytes_per_student = {unfinished_bytes_per_student}\n\
             # Hand-ins of all students together that have not come whole; beyond that nobody who has\n\
             # one begins another. Default: 100000\n\
             unfinished = {unfinished}\n\
             # Bytes on the disk of all hand-ins that have not come whole. Beyond that files wait\n\
             # (`storage_full`), and the time of the signed statement counts; the last quarter is\n\
             # for those who have nothing else unfinished, and up to a MiB always finds room.\n\
             # Default: 68719476736\n\
             unfinished_bytes = {unfinished_bytes}\n\
             # How long a report waits for the signatures of members who are elsewhere, in\n\
             # seconds; never longer than its assignment is open. Default: 604800, a week\n\
             cosign_window = {cosign_window}\n\
             # Largest group, 1 to 8 members, of assignments that do not say otherwise. Default: 3\n\
             max_members = {max_members}\n\
             # While CUHK cannot be reached: \"refuse\" everybody, or accept the \"tokens\" that it\n\
             # gave each student for 12 hours, as long as all revocation lists are in force. What\n\
             # is handed in so says so in its receipt. Once CUHK answers, its answer counts.\n\
             # Default: \"refuse\"\n\
             outage = \"{outage}\"\n\
             # Who cosigns the logs of this server besides CUHK: each with its verifier key and the\n\
             # address at which it speaks C2SP tlog-witness; https needs `ca`, a file with the\n\
             # certificates of the authorities, http is for this machine only. Such as\n\
             #     {{ key = \"library.example/w+…\", url = \"https://w.library.example\",\n\
             #       ca = \"/etc/ssl/certs/ca-certificates.crt\" }}\n\
             # on one line. Default: none\n\
             witnesses = {witnesses}\n\
             # How many must have cosigned, CUHK always among them, before a receipt is complete; until\n\
             # then it is pending. Default: 1\n\
             quorum = {quorum}\n\
             \n\
             {limits}",
            limits = self.limits.to_toml(),
            listen = self.listen,
            max_bytes = self.max_bytes,
            upload_window = self.upload_window.as_secs(),
            unfinished_per_student = self.unfinished_per_student,
            unfinished_bytes_per_student = self.unfinished_bytes_per_student,
            unfinished = self.unfinished,
            unfinished_bytes = self.unfinished_bytes,
            cosign_window = self.cosign_window.as_secs(),
            max_members = self.max_members,
            outage = self.outage,
            witnesses = witness::list(&self.witnesses),
            quorum = self.quorum,
        )
    }
}

/// No larger than the groups about which CUHK answers.
fn group_size<'de, D: Deserializer<'de>>(from: D) -> Result<NonZeroU8, D::Error> {
    let size = NonZeroU8::deserialize(from)?;
    if usize::from(size.get()) > MAX_QUESTION {
        return Err(serde::de::Error::custom("a group has 1 to 8 members"));
    }
    Ok(size)
}

fn hand_in_bytes<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    bounded(
        from,
        1..=1 << 40,
        "bytes: without any nobody hands in, and more than a TiB comes over no link in time",
    )
}

fn disk_bytes<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    bounded(from, 0..=1 << 50, "bytes: no disk here holds a PiB")
}

fn hand_ins_of_one<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    bounded(from, 0..=100_000, "hand-ins: nobody needs to begin more")
}

fn hand_ins_of_all<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    bounded(
        from,
        0..=10_000_000,
        "hand-ins: each has a directory of its own until its files have come",
    )
}

/// The longest for which anything waits, in seconds: a year.
pub(crate) const LONGEST_WINDOW: u64 = 366 * 24 * 60 * 60;

/// Serde for whole seconds, from a minute to a year.
mod window {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    use super::LONGEST_WINDOW;

    pub(super) fn serialize<S: Serializer>(window: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(window.as_secs())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let seconds = u64::deserialize(from)?;
        if !(60..=LONGEST_WINDOW).contains(&seconds) {
            return Err(serde::de::Error::custom(
                "from 60 to 31622400 seconds: what waits longer than a year waits for nobody",
            ));
        }
        Ok(Duration::from_secs(seconds))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_the_default() {
        let config: Config = toml::from_str("").unwrap();
        assert_eq!(config, Config::default());
        assert_eq!((config.max_members.get(), config.max_bytes), (3, 1 << 29));
    }

    #[test]
    fn what_an_earlier_version_wrote_is_still_read() {
        let config: Config = toml::from_str("course = \"X\"\nassignment = \"lab\"").unwrap();
        assert!(!config.to_toml().contains("lab"), "{}", config.to_toml());
    }

    #[test]
    fn reads_back_what_it_writes() {
        let config = Config {
            cuhk: Some("cuhk.example:8011".into()),
            metrics: Some("[::1]:9".parse().unwrap()),
            outage: Outage::Tokens,
            ..Config::default()
        };
        for config in [config, Config::default()] {
            let text = config.to_toml();
            assert_eq!(toml::from_str::<Config>(&text).unwrap(), config, "{text}");
        }
    }

    #[test]
    fn a_file_that_does_not_come_to_its_end_is_noticed_wherever_it_was_cut() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::create(dir.path(), scb_cli::Role::Blackboard).unwrap();
        let write = |text: &str| std::fs::write(home.path("config.toml"), text).unwrap();
        let told = || Config::lost_of(&home).unwrap();
        assert!(told().contains("is gone"), "{}", told());
        let config = Config {
            cuhk: Some("cuhk.example:8011".into()),
            metrics: Some("[::1]:9".parse().unwrap()),
            ..Config::default()
        };
        let whole = config.to_toml();
        write(&whole);
        assert_eq!(Config::lost_of(&home), None);
        let last = whole.trim_end().lines().last().unwrap();
        let (cut, _) = whole.split_once(last).unwrap();
        for (end, _) in cut.match_indices('\n') {
            write(&cut[..=end]);
            let is_set = cut[..end].contains("\ncuhk = ");
            let word = if is_set { "cut off" } else { "sets nothing" };
            assert!(told().contains(word), "{}", told());
        }
        // What somebody has written by hand has whatever they wanted.
        write("cuhk = \"cuhk.example:8011\"\n");
        assert_eq!(Config::lost_of(&home), None);
    }

    #[test]
    fn the_file_names_every_option() {
        let config = Config {
            cuhk: Some("cuhk.example:8011".into()),
            metrics: Some("127.0.0.1:8014".parse().unwrap()),
            ..Config::default()
        };
        let every: toml::Table = toml::from_str(&toml::to_string(&config).unwrap()).unwrap();
        let text = Config::default().to_toml();
        for name in every.keys().filter(|name| *name != "limits") {
            assert!(text.contains(&format!("{name} = ")), "{name}: {text}");
        }
        let uncommented = text
            .replace("# cuhk = ", "cuhk = ")
            .replace("# metrics = ", "metrics = ");
        assert_eq!(toml::from_str::<Config>(&uncommented).unwrap(), config);
    }

    #[test]
    fn what_is_beyond_its_bounds_is_told_with_its_line_and_why() {
        for (line, what) in [
            ("max_bytes = 0", "from 1 to 1099511627776 bytes: without"),
            ("max_bytes = 1099511627777", "more than a TiB"),
            ("unfinished_per_student = 100001", "from 0 to 100000 hand"),
            ("unfinished_bytes_per_student = 1125899906842625", "a PiB"),
            ("unfinished = 4294967295", "from 0 to 10000000 hand-ins"),
            ("unfinished_bytes = 9223372036854775807", "a PiB"),
            ("cosign_window = 31622401", "from 60 to 31622400 seconds"),
            ("limits.per_address = 1000001", "no machine holds more"),
        ] {
            let told = toml::from_str::<Config>(&format!("quorum = 1\n{line}\n"));
            let told = told.unwrap_err().to_string();
            assert!(told.contains("line 2") && told.contains(what), "{told}");
        }
    }

    #[test]
    fn refuses_what_makes_no_sense() {
        for text in [
            "max_members = 0",
            "max_members = 9",
            "max_member = 2",
            "max_bytes = -1",
            "upload_window = 59",
            "upload_window = 31622401",
            "cosign_window = 59",
            "course = \"../x\"",
            "outage = \"accept\"",
            "listen = \"localhost\"",
            "[limits]\nidle = 0",
            "[limits]\nidle_seconds = 1",
        ] {
            assert!(toml::from_str::<Config>(text).is_err(), "{text}");
        }
    }
}
