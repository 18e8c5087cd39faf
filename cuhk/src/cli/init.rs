//! `cuhk init`

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use scb_certs::{Certificate, TrustDomain};
use scb_cli::{Failure, passphrase_from, passphrase_from_flag, printable, say};

use super::{dns_name, now};
use crate::config::path;
use crate::{Config, NewAuthority, existing, init};

const EXAMPLES: &str = "\
Examples:
  cuhk init
  cuhk init --trust-domain cuhk.edu.hk --dns ca.cuhk.edu.hk --public-url http://crl.cuhk.edu.hk
  cuhk init --passphrase-file issuers.txt --root-passphrase-file root.txt

Run again it changes nothing and prints the fingerprint.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Trust domain in every name: spiffe://NAME/student/…
    #[arg(long, value_name = "NAME", default_value = "cuhk.example")]
    trust_domain: TrustDomain,
    /// DNS name of this server, repeatable [default: localhost]
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = dns_name)]
    dns: Vec<String>,
    /// IP address of this server, repeatable [default: 127.0.0.1 and ::1]
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    ip: Vec<IpAddr>,
    /// Under which address others reach `cuhk serve --http` (HTTP, no TLS): certificates then
    /// name their revocation list and issuer there
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// File whose first line protects the issuing authorities' keys, instead of a prompt
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// File whose first line protects the root's key, instead of a prompt
    #[arg(long, value_name = "FILE")]
    root_passphrase_file: Option<PathBuf>,
}

impl Arguments {
    /// Names given replace the defaults altogether.
    fn config(&self) -> Config {
        let default = Config::default();
        let (dns, ip) = match self.dns.is_empty() && self.ip.is_empty() {
            true => (default.dns, default.ip),
            false => (self.dns.clone(), self.ip.clone()),
        };
        Config {
            dns,
            ip,
            public_url: self.public_url.clone(),
            ..Config::default()
        }
    }
}

pub(super) fn run(dir: &Path, arguments: Arguments) -> Result<(), Failure> {
    if let Some(root) = existing(dir)? {
        say(&format!(
            "{}: set up already, nothing was changed",
            shown(dir)
        ))?;
        return report(dir, &root);
    }
    let passphrase = passphrase_from(
        arguments.passphrase_file.as_deref(),
        "Passphrase for the issuing authorities:",
        true,
    )?;
    let root_passphrase = passphrase_from_flag(
        "--root-passphrase-file",
        arguments.root_passphrase_file.as_deref(),
        "Passphrase for the root (keep it apart):",
        true,
    )?;
    let config = arguments.config();
    let new = NewAuthority {
        trust_domain: arguments.trust_domain,
        config,
        passphrase,
        root_passphrase,
    };
    let root = init(dir, &new, now())?;
    say(&format!(
        "{}: the certification authority is ready",
        shown(dir)
    ))?;
    report(dir, &root)
}

fn report(dir: &Path, root: &Certificate) -> Result<(), Failure> {
    say(&format!(
        "root fingerprint (SHA-256)  {}",
        root.fingerprint()
    ))?;
    say(&format!(
        "root certificate            {}",
        shown(&dir.join(path::ROOT_CERTIFICATE_COPY))
    ))?;
    Ok(())
}

fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy())
}
