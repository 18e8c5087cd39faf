//! `HOME/config.toml` and the layout of CUHK's home.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use scb_certs::DistributionUrls;
use scb_cli::{Home, bounded};
use scb_transport::Limits;
use serde::{Deserialize, Deserializer, Serialize};

use crate::addresses;
use crate::calendar::{CampusOffset, days};
use crate::store::{AuthorityKind, CrlSigner};

/// Where `serve` listens unless told otherwise.
pub(crate) const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8011);

/// Wrong enrolment codes in a minute from one address.
const WRONG_CODES: NonZeroU32 = NonZeroU32::new(60).expect("60 is not 0");

/// And at most.
const MOST_WRONG_CODES: NonZeroU32 = NonZeroU32::new(1_000_000).expect("a million is not 0");

/// Logs of one service that are witnessed.
const WITNESSED_LOGS: NonZeroU32 = NonZeroU32::new(10_000).expect("10000 is not 0");

/// And at most.
const MOST_WITNESSED_LOGS: NonZeroU32 = NonZeroU32::new(10_000_000).expect("ten million are not 0");

/// For how many days a question about a student is kept, unless configured otherwise.
const QUESTION_RETENTION_DAYS: u32 = 400;
/// At most: ten years, as long as the root counts.
const MAX_QUESTION_RETENTION_DAYS: u32 = 3660;
/// And at least: ten more than a student's program insists on, so that no clock that is wrong by
/// hours makes it complain.
pub(crate) const MIN_QUESTION_RETENTION_DAYS: u32 = 100;

/// For how many days it is kept what operators did: seven years.
const OPERATION_RETENTION_DAYS: u32 = 2557;
/// And at least: a year.
pub(crate) const MIN_OPERATION_RETENTION_DAYS: u32 = 366;
/// And at most: twenty.
const MAX_OPERATION_RETENTION_DAYS: u32 = 7305;

/// For how many days the name of a student who has left is kept: two years.
const LEFT_STUDENT_RETENTION_DAYS: u32 = 730;
/// And at least: longer than who comes back after a summer, or a term off, is away.
const MIN_LEFT_STUDENT_RETENTION_DAYS: u32 = 200;
/// And at most: twenty years.
const MAX_LEFT_STUDENT_RETENTION_DAYS: u32 = 7305;

/// Files and directories in the home.
pub(crate) mod path {
    pub(crate) const ROOT_CERTIFICATE_COPY: &str = "ca.pem";
    pub(crate) const ROOT: &str = "root";
    pub(crate) const STUDENTS: &str = "issuers/students";
    pub(crate) const SERVICES: &str = "issuers/services";
    pub(crate) const TLS: &str = "tls";
    pub(crate) const TOKENS: &str = "tokens";
    pub(crate) const KEYS: &str = "keys";
    pub(crate) const LOG_KEY: &str = "keys/log.pem";
    /// Cosigns the logs of services.
    pub(crate) const WITNESS_KEY: &str = "keys/witness.pem";
    /// The public part of the issuance log, with the paths of C2SP tlog-tiles.
    pub(crate) const LOG: &str = "log";
    pub(crate) const DATABASE: &str = "cuhk.db";
    pub(crate) const CONFIG: &str = "config.toml";
    pub(crate) const KEY: &str = "key.pem";
    pub(crate) const CERTIFICATE: &str = "cert.pem";
    pub(crate) const REQUEST: &str = "request.json";

    /// The directory of an authority: `root`, `issuers/students`, `issuers/students-2`.
    pub(crate) fn authority(signer: super::CrlSigner) -> String {
        match signer.kind() {
            super::AuthorityKind::Root => signer.to_string(),
            _ => format!("issuers/{signer}"),
        }
    }
}

/// What `HOME/config.toml` says. Unknown keys are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// DNS names of this server.
    #[serde(deserialize_with = "addresses::dns_names")]
    pub dns: Vec<String>,
    /// IP addresses of this server.
    #[serde(deserialize_with = "addresses::server_addresses")]
    pub ip: Vec<IpAddr>,
    /// Where revocation lists and CA certificates will be published (HTTP), if anywhere.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "addresses::public_url_if_any"
    )]
    pub public_url: Option<String>,
    /// Where `serve` listens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
    /// Where `serve` publishes revocation lists and CA certificates (HTTP), if anywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<SocketAddr>,
    /// Where `serve` tells of its health and its numbers (HTTP), if anywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<SocketAddr>,
    /// Wrong enrolment codes in a minute from one address (IPv6: from one /64), beyond which a
    /// wrong one is told `busy`. A right one always counts. At most 1,000,000.
    #[serde(deserialize_with = "wrong_codes")]
    pub wrong_codes: NonZeroU32,
    /// How many days after its end a student's certificate may still be renewed with its key; at most
    /// 366.
    #[serde(deserialize_with = "renewal_grace")]
    pub renewal_grace_days: u32,
    /// The campus's offset from UTC, by which terms end.
    pub utc_offset: CampusOffset,
    /// How many logs of one service CUHK witnesses; at most 10,000,000.
    #[serde(deserialize_with = "witnessed_logs")]
    pub witnessed_logs: NonZeroU32,
    /// For how many days the issuance log's questions about students are kept; 100 to 3660.
    #[serde(deserialize_with = "question_retention")]
    pub question_retention_days: u32,
    /// For how many days it is kept what operators did; 366 to 7305.
    #[serde(deserialize_with = "operation_retention")]
    pub operation_retention_days: u32,
    /// For how many days name and address of a student who has left are kept; 200 to 7305.
    #[serde(deserialize_with = "left_student_retention")]
    pub left_student_retention_days: u32,
    /// Deadlines and bounds.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            dns: vec!["localhost".to_owned()],
            ip: vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
            public_url: None,
            listen: None,
            http: None,
            metrics: None,
            wrong_codes: WRONG_CODES,
            renewal_grace_days: 30,
            utc_offset: CampusOffset::default(),
            witnessed_logs: WITNESSED_LOGS,
            question_retention_days: QUESTION_RETENTION_DAYS,
            operation_retention_days: OPERATION_RETENTION_DAYS,
            left_student_retention_days: LEFT_STUDENT_RETENTION_DAYS,
            limits: Limits::default(),
        }
    }
}

impl Config {
    /// The whole file: every option with its meaning and its default. An option that is not set
    /// stands there as a comment.
    pub(crate) fn to_toml(&self) -> String {
        let Self {
            dns,
            ip,
            public_url,
            listen,
            http,
            metrics,
            wrong_codes,
            renewal_grace_days,
            utc_offset,
            witnessed_logs,
            question_retention_days,
            operation_retention_days,
            left_student_retention_days,
            limits,
        } = self;
        let ip: Vec<String> = ip.iter().map(ToString::to_string).collect();
        let listen = listen.map(|address| address.to_string());
        let http = http.map(|address| address.to_string());
        let metrics = metrics.map(|address| address.to_string());
        format!(
            "# Configuration of cuhk: HOME/config.toml, read when `cuhk serve` starts.\n\
             # A flag comes before an environment variable, that before this file, this before the\n\
             # default. `cuhk --print-config` prints all that is in force.\n\
             \n\
             # DNS names of this server, in its own certificate. Default: [\"localhost\"]\n\
             dns = {dns}\n\
             # IP addresses of this server, likewise. Default: [\"127.0.0.1\", \"::1\"]\n\
             ip = {ip}\n\
             # Under which HTTP address others find what is published at `http`; it stands in\n\
             # certificates that are issued from then on. Default: none\n\
             {public_url}\n\
             # Where `serve` listens; --listen and SCB_CUHK_LISTEN come first.\n\
             # Default: \"{DEFAULT_LISTEN}\"\n\
             {listen}\n\
             # Where `serve` publishes revocation lists and CA certificates, HTTP without TLS;\n\
             # --http and SCB_CUHK_HTTP come first. Default: nowhere, in a sandbox a free port\n\
             {http}\n\
             # Where `serve` answers /healthz, /readyz and /metrics, HTTP without TLS, for your\n\
             # monitoring only; --metrics and SCB_CUHK_METRICS come first. Default: nowhere\n\
             {metrics}\n\
             # Wrong enrolment codes in a minute from one address, for IPv6 from one /64. After that\n\
             # a wrong one is told `busy` and its connection closed; a right one always counts, so\n\
             # that nobody is locked out by others. This machine's own addresses are not counted unless\n\
             # `count_loopback` below says so. Default: {WRONG_CODES}\n\
             wrong_codes = {wrong_codes}\n\
             # For how many days after its end a student's certificate can be renewed with its own\n\
             # key, as long as the roster lists the student; later only with a new code. 0: never.\n\
             # At most 366. Default: 30\n\
             renewal_grace_days = {renewal_grace_days}\n\
             # The campus's offset from UTC: a term ends there at the end of its last day\n\
             # (`cuhk term set`). Default: \"+08:00\"\n\
             utc_offset = \"{utc_offset}\"\n\
             # How many logs of one service CUHK witnesses: of blackboard one per assignment, for\n\
             # ever. More are refused as `too_many_logs`. Default: {WITNESSED_LOGS}\n\
             witnessed_logs = {witnessed_logs}\n\
             # For how many days the issuance log keeps who asked about a student; `cuhk prune`\n\
             # removes what is older, and the entries of witnessed logs that have not grown for as\n\
             # long. At least {MIN_QUESTION_RETENTION_DAYS}, as students miss what is younger than 90, and at most\n\
             # {MAX_QUESTION_RETENTION_DAYS}. Default: {QUESTION_RETENTION_DAYS}\n\
             question_retention_days = {question_retention_days}\n\
             # For how many days it is kept what operators did and who (`cuhk operations list`);\n\
             # `cuhk prune` removes what is older. At least {MIN_OPERATION_RETENTION_DAYS}, at most {MAX_OPERATION_RETENTION_DAYS}.\n\
             # Default: {OPERATION_RETENTION_DAYS}\n\
             operation_retention_days = {operation_retention_days}\n\
             # For how many days after students were suspended, also by `--missing suspend`, name, address\n\
             # and programme are kept; `cuhk prune` removes them then, unless a certificate has\n\
             # not ended. Their IDs stay for ever. At least {MIN_LEFT_STUDENT_RETENTION_DAYS}, at most {MAX_LEFT_STUDENT_RETENTION_DAYS}.\n\
             # Default: {LEFT_STUDENT_RETENTION_DAYS}\n\
             left_student_retention_days = {left_student_retention_days}\n\
             \n\
             {limits}",
            dns = list(dns),
            ip = list(&ip),
            public_url = optional("public_url", public_url.as_deref(), "http://ca.example"),
            listen = optional("listen", listen.as_deref(), &DEFAULT_LISTEN.to_string()),
            http = optional("http", http.as_deref(), "127.0.0.1:8012"),
            metrics = optional("metrics", metrics.as_deref(), "127.0.0.1:8013"),
            limits = limits.to_toml(),
        )
    }

    /// Whether a name in CUHK's own certificate covers an address at which it listens.
    pub(crate) fn covers(&self, listens: IpAddr) -> bool {
        let Self { dns, ip, .. } = self;
        let is_elsewhere = |name: &String| name != "localhost";
        match listens {
            ip_here if ip_here.is_unspecified() => {
                dns.iter().any(is_elsewhere) || ip.iter().any(|ip| !ip.is_loopback())
            }
            ip_here if ip_here.is_loopback() => {
                let standard = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
                let by_name = standard.contains(&ip_here) && !dns.iter().all(is_elsewhere);
                by_name || ip.contains(&ip_here)
            }
            ip_here => dns.iter().any(is_elsewhere) || ip.contains(&ip_here),
        }
    }

    /// How long after its end a student's certificate may still be renewed.
    pub(crate) fn renewal_grace(&self) -> Duration {
        days(self.renewal_grace_days)
    }

    /// All names and addresses in CUHK's own certificate.
    pub(crate) fn names(&self) -> Vec<String> {
        let ip = self.ip.iter().map(IpAddr::to_string);
        self.dns.iter().cloned().chain(ip).collect()
    }

    /// What a certificate by `issuer` says about where to find that issuer's revocation list
    /// and certificate: nothing without a public address.
    pub fn urls(&self, issuer: CrlSigner) -> DistributionUrls {
        let url = |path: String| {
            let base = self.public_url.as_deref()?.trim_end_matches('/');
            Some(format!("{base}{path}"))
        };
        DistributionUrls {
            crl: url(crl_path(issuer)),
            ca: url(ca_path(issuer)),
        }
    }
}

/// What to say of a configuration that does not come to the end of what `cuhk init` writes.
pub(crate) fn cut_config(home: &Home) -> Option<String> {
    scb_cli::cut_config(home, &Config::default().to_toml())
}

fn question_retention<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    bounded(
        from,
        MIN_QUESTION_RETENTION_DAYS..=MAX_QUESTION_RETENTION_DAYS,
        "days: students miss younger questions, and older ones than the root nobody needs",
    )
}

fn operation_retention<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    bounded(
        from,
        MIN_OPERATION_RETENTION_DAYS..=MAX_OPERATION_RETENTION_DAYS,
        "days: an audit looks back a year at least",
    )
}

fn left_student_retention<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    bounded(
        from,
        MIN_LEFT_STUDENT_RETENTION_DAYS..=MAX_LEFT_STUDENT_RETENTION_DAYS,
        "days: who takes a term off comes back under the same name",
    )
}

fn renewal_grace<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    bounded(
        from,
        0..=366,
        "days: in whose hands a key is that was not used for longer, only a new code tells",
    )
}

fn wrong_codes<'de, D: Deserializer<'de>>(from: D) -> Result<NonZeroU32, D::Error> {
    bounded(
        from,
        NonZeroU32::MIN..=MOST_WRONG_CODES,
        "in a minute: more is no limit",
    )
}

fn witnessed_logs<'de, D: Deserializer<'de>>(from: D) -> Result<NonZeroU32, D::Error> {
    bounded(
        from,
        NonZeroU32::MIN..=MOST_WITNESSED_LOGS,
        "logs: each is kept for ever, and more are no limit",
    )
}

fn list(values: &[String]) -> String {
    let quoted: Vec<String> = values.iter().map(|value| quoted(value)).collect();
    format!("[{}]", quoted.join(", "))
}

/// The option, or a comment with an example of it.
fn optional(name: &str, value: Option<&str>, example: &str) -> String {
    match value {
        Some(value) => format!("{name} = {}", quoted(value)),
        None => format!("# {name} = {}", quoted(example)),
    }
}

/// A TOML basic string. What JSON escapes is a subset of what TOML does, except for DEL.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text)
        .to_string()
        .replace('\u{7f}', "\\u007F")
}

/// Where a revocation list is served, below the public address.
pub(crate) fn crl_path(signer: CrlSigner) -> String {
    format!("/crl/{signer}.crl")
}

/// Where an authority's certificate is served, below the public address.
pub(crate) fn ca_path(signer: CrlSigner) -> String {
    format!("/ca/{signer}.cer")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
