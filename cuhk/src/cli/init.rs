//! `cuhk init`

use std::net::IpAddr;
use std::path::Path;

use scb_certs::{Certificate, Fingerprint, TrustDomain};
use scb_cli::{Failure, load_config, printable, say};

use super::passphrases::{Passphrases, new_passphrase};
use super::{Desk, now, require_own_place};
use crate::addresses::{dns_name, once, public_url, server_address, trust_domain};
use crate::config::path;
use crate::passphrases::{Locked, check_different};
use crate::{Config, Error, NewAuthority, existing, init, open_home};

const EXAMPLES: &str = "\
Examples:
  cuhk init
  cuhk init --trust-domain cuhk.edu.hk --dns ca.cuhk.edu.hk --public-url http://crl.cuhk.edu.hk
  cuhk init --passphrase-file issuers.txt --root-passphrase-file root.txt

Both passphrases have at least 8 characters, and they differ; files that hold one are for their
owner alone (chmod 600). Run again, it changes nothing and
prints the fingerprint; it is an error to name another trust domain, address or URL then.";

const DEFAULT_TRUST_DOMAIN: &str = "cuhk.example";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Trust domain in every name: spiffe://NAME/student/… [default: cuhk.example]
    #[arg(long, value_name = "NAME", value_parser = trust_domain)]
    trust_domain: Option<TrustDomain>,
    /// DNS name of this server, repeatable [default without --ip: localhost]
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = dns_name)]
    dns: Vec<String>,
    /// IP address of this server, repeatable [default without --dns: 127.0.0.1 and ::1]
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',', value_parser = server_address)]
    ip: Vec<IpAddr>,
    /// Under which address others reach `cuhk serve --http` (HTTP, no TLS): certificates then
    /// name their revocation list and issuer there
    #[arg(long, value_name = "URL", value_parser = public_url)]
    public_url: Option<String>,
    #[command(flatten)]
    passphrases: Passphrases,
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
            dns: once(dns),
            ip: once(ip),
            public_url: self.public_url.clone(),
            ..Config::default()
        }
    }

    /// What was given must be what is there; what was not given may be anything.
    ///
    /// # Errors
    ///
    /// [`Error::InitialisedOtherwise`].
    fn check_same(&self, dir: &Path, root: &Certificate) -> Result<(), Error> {
        let config: Config = load_config(&open_home(dir)?)?;
        let trust_domain = root.authority_trust_domain()?.to_string();
        let mut found = Vec::new();
        if let Some(wanted) = &self.trust_domain {
            let wanted = wanted.to_string();
            found.extend(Difference::between("trust domain", trust_domain, wanted));
        }
        if !self.dns.is_empty() || !self.ip.is_empty() {
            let (is, wanted) = (names(&config), names(&self.config()));
            found.extend(Difference::between("names", is, wanted));
        }
        if let Some(wanted) = &self.public_url {
            let is = config.public_url.unwrap_or_else(|| "none".to_owned());
            found.extend(Difference::between("public URL", is, wanted.clone()));
        }
        if found.is_empty() {
            return Ok(());
        }
        let list = |text: fn(&Difference) -> &str| {
            let each = found
                .iter()
                .map(|one| format!("{} {}", one.what, text(one)));
            each.collect::<Vec<_>>().join(", ")
        };
        Err(Error::InitialisedOtherwise {
            path: dir.to_owned(),
            is: list(|one| &one.is),
            wanted: list(|one| &one.wanted),
        })
    }
}

pub(super) fn run(desk: &Desk<'_>, arguments: Arguments) -> Result<(), Failure> {
    let dir = desk.dir;
    require_own_place(dir)?;
    if let Some(root) = existing(dir)? {
        arguments.check_same(dir, &root)?;
        say(&format!(
            "{}: set up already, nothing was changed",
            shown(dir)
        ))?;
        return report(dir, &root);
    }
    let passphrase = new_passphrase(
        Locked::Issuers.flag(),
        arguments.passphrases.issuers.file().as_deref(),
        "Passphrase for the issuing authorities:",
        |_| Ok(()),
    )?;
    let root_passphrase = new_passphrase(
        Locked::Root.flag(),
        arguments.passphrases.root.file().as_deref(),
        "Passphrase for the root (keep it apart):",
        |typed| check_different(&passphrase, typed),
    )?;
    let config = arguments.config();
    let new = NewAuthority {
        trust_domain: match arguments.trust_domain {
            Some(given) => given,
            None => DEFAULT_TRUST_DOMAIN.parse().map_err(Error::from)?,
        },
        config,
        passphrase,
        root_passphrase,
    };
    let root = init(dir, &new, now())?;
    note_made(desk, root.fingerprint())?;
    say(&format!(
        "{}: the certification authority is ready",
        shown(dir)
    ))?;
    report(dir, &root)
}

/// The first operation that is noted.
fn note_made(desk: &Desk<'_>, root: Fingerprint) -> Result<(), Failure> {
    let (_, store) = desk.open_to_write()?;
    let result = format!("made: certificate {root}");
    store.write_blocking(move |records| records.note(&"root", &result, now()))?;
    Ok(())
}

/// One thing that `init` was told, beside what is so.
struct Difference {
    what: &'static str,
    is: String,
    wanted: String,
}

impl Difference {
    fn between(what: &'static str, is: String, wanted: String) -> Option<Self> {
        (is != wanted).then_some(Self { what, is, wanted })
    }
}

/// In any order, as in a certificate.
fn names(config: &Config) -> String {
    let ips = config.ip.iter().map(IpAddr::to_string);
    let mut names: Vec<_> = config.dns.iter().cloned().chain(ips).collect();
    names.sort();
    names.dedup();
    names.join(", ")
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
