//! `HOME/config.toml` and the layout of CUHK's home.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use scb_certs::DistributionUrls;
use scb_transport::Limits;
use serde::{Deserialize, Serialize};

use crate::store::CrlSigner;

/// Where `serve` listens unless told otherwise.
pub const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8011);

/// Files and directories in the home.
pub(crate) mod path {
    pub(crate) const ROOT_CERTIFICATE_COPY: &str = "ca.pem";
    pub(crate) const ROOT: &str = "root";
    pub(crate) const STUDENTS: &str = "issuers/students";
    pub(crate) const SERVICES: &str = "issuers/services";
    pub(crate) const TLS: &str = "tls";
    pub(crate) const TOKENS: &str = "tokens";
    pub(crate) const DATABASE: &str = "cuhk.db";
    pub(crate) const KEY: &str = "key.pem";
    pub(crate) const CERTIFICATE: &str = "cert.pem";
}

/// What `HOME/config.toml` says. Unknown keys are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// DNS names of this server.
    pub dns: Vec<String>,
    /// IP addresses of this server.
    pub ip: Vec<IpAddr>,
    /// Where revocation lists and CA certificates will be published (HTTP), if anywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// Where `serve` listens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
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
            limits: Limits::default(),
        }
    }
}

impl Config {
    /// What a certificate by `issuer` says about where to find that issuer's revocation list
    /// and certificate: nothing without a public address.
    pub fn urls(&self, issuer: CrlSigner) -> DistributionUrls {
        let url = |kind: &str| {
            let base = self.public_url.as_deref()?.trim_end_matches('/');
            Some(format!("{base}/{}.{kind}", issuer.as_str()))
        };
        DistributionUrls {
            crl: url("crl"),
            ca: url("crt"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let config = Config {
            public_url: Some("http://ca.example".into()),
            listen: Some(DEFAULT_LISTEN),
            ..Config::default()
        };
        let text = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<Config>(&text).unwrap(), config);
        assert!(toml::from_str::<Config>("lisen = \"127.0.0.1:1\"").is_err());
    }

    #[test]
    fn certificates_name_addresses_only_if_there_are_any() {
        let urls = Config::default().urls(CrlSigner::Students);
        assert_eq!((urls.crl, urls.ca), (None, None));
        let public_url = Some("http://ca.example/".into());
        let urls = Config {
            public_url,
            ..Config::default()
        }
        .urls(CrlSigner::Students);
        assert_eq!(urls.crl.unwrap(), "http://ca.example/students.crl");
        assert_eq!(urls.ca.unwrap(), "http://ca.example/students.crt");
    }
}
