//! What only the CA can make: a sandbox's CA lies open, so that it can be shown.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use rustls_pki_types::UnixTime;
use scb_certs::{
    Certificate, DistributionUrls, Issuer, IssuerKind, Serial, ServiceName, SigningKey, Validity,
    read_private,
};
use scb_cli::{Sandbox, passphrase_from, read_limited};

use crate::identity::Identity;

const HOUR: u64 = 3600;
/// Largest certificate file, in bytes.
const LIMIT: u64 = 64 * 1024;

/// A certificate for this server's key and addresses that ended an hour ago.
pub(super) fn ended(
    sandbox: &Sandbox,
    honest: &Identity,
    now: UnixTime,
) -> anyhow::Result<Identity> {
    let validity = Validity {
        not_before: before(now, 90 * 24 * HOUR),
        not_after: before(now, HOUR),
    };
    issue(sandbox, honest, &ServiceName::blackboard(), &validity)
}

/// A certificate of another service for this server's key and addresses.
pub(super) fn another_service(
    sandbox: &Sandbox,
    honest: &Identity,
    now: UnixTime,
) -> anyhow::Result<Identity> {
    let validity = Validity {
        not_before: before(now, 60),
        not_after: honest.chain.leaf().not_after(),
    };
    issue(sandbox, honest, &"library".parse()?, &validity)
}

fn issue(
    sandbox: &Sandbox,
    honest: &Identity,
    name: &ServiceName,
    validity: &Validity,
) -> anyhow::Result<Identity> {
    let leaf = honest.chain.leaf();
    let chain = services(sandbox)?.issue_service(
        name,
        honest.key.public_key(),
        &Serial::random()?,
        validity,
        &leaf.dns_names(),
        &leaf.ip_addresses(),
        &DistributionUrls::default(),
    )?;
    Ok(Identity {
        chain,
        key: honest.key.clone(),
    })
}

fn services(sandbox: &Sandbox) -> anyhow::Result<Issuer> {
    let dir = sandbox.issuer(IssuerKind::Services.as_str());
    let passphrase = passphrase_from(Some(&sandbox.passphrase()), "", false)?;
    let key = read_private(&dir.join("key.pem")).context("the sandbox's CA is not whole")?;
    let key = SigningKey::from_pem(&key, Some(&passphrase))?;
    let root = certificate(&sandbox.ca_pem())?;
    let certificate = certificate(&dir.join("cert.pem"))?;
    Ok(Issuer::from_parts(
        IssuerKind::Services,
        certificate,
        key,
        root,
    )?)
}

fn certificate(path: &Path) -> anyhow::Result<Certificate> {
    let pem = read_limited(path, LIMIT)?;
    Ok(Certificate::from_pem(&String::from_utf8_lossy(&pem))?)
}

fn before(now: UnixTime, seconds: u64) -> UnixTime {
    let earlier = now.as_secs().saturating_sub(seconds);
    UnixTime::since_unix_epoch(Duration::from_secs(earlier))
}
