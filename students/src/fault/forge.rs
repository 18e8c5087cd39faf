//! What only the CA can make: a sandbox's CA lies open, so that it can be shown.

use std::path::Path;
use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_certs::{
    Certificate, Chain, DistributionUrls, Issuer, IssuerKind, Serial, ServiceName, SigningKey,
    SpiffeId, Validity, read_private,
};
use scb_cli::{Sandbox, passphrase_from, read_limited};
use scb_protocol::client::Member;
use scb_protocol::{TokenRequest, from_seconds, issue_token};

use crate::Error;

const HOUR: u64 = 3600;
/// Largest certificate file, in bytes.
const LIMIT: u64 = 64 * 1024;

/// A certificate for this member's key that ended an hour ago.
///
/// # Errors
///
/// [`Error::Certs`], [`Error::Cli`] if the sandbox is not whole.
pub(crate) fn expired_certificate(
    sandbox: &Sandbox,
    member: &Member,
    now: UnixTime,
) -> Result<Chain, Error> {
    let validity = Validity {
        not_before: before(now, 30 * 24 * HOUR),
        not_after: before(now, HOUR),
    };
    let issuer = issuer(sandbox, IssuerKind::Students)?;
    let (key, serial) = (member.key.public_key(), Serial::random()?);
    let urls = DistributionUrls::default();
    Ok(issuer.issue_student(&member.sid, key, &serial, &validity, &urls)?)
}

/// A token for this member that was signed 13 hours ago.
///
/// # Errors
///
/// As [`expired_certificate`]; [`Error::Protocol`].
pub(crate) fn expired_token(
    sandbox: &Sandbox,
    member: &Member,
    now: UnixTime,
) -> Result<String, Error> {
    let validity = Validity {
        not_before: before(now, 24 * HOUR),
        not_after: from_seconds(now.as_secs() + HOUR),
    };
    let issuer = issuer(sandbox, IssuerKind::Services)?;
    let (key, serial) = (SigningKey::generate()?, Serial::random()?);
    let urls = DistributionUrls::default();
    let chain = issuer.issue_token_signer(key.public_key(), &serial, &validity, &urls)?;
    let name = member.chain.leaf().spiffe_id()?;
    let domain = name.trust_domain();
    let request = TokenRequest {
        issuer: &SpiffeId::new_service(domain, &ServiceName::cuhk()),
        audience: &SpiffeId::new_service(domain, &ServiceName::blackboard()),
        subject: &name,
        certificate: member.chain.leaf(),
        now: before(now, 13 * HOUR),
    };
    Ok(issue_token(&request, &key, &chain)?)
}

fn issuer(sandbox: &Sandbox, kind: IssuerKind) -> Result<Issuer, Error> {
    let dir = sandbox.issuer(kind.as_str());
    let passphrase = passphrase_from(Some(&sandbox.passphrase()), "", false)?;
    let key = SigningKey::from_pem(&read_private(&dir.join("key.pem"))?, Some(&passphrase))?;
    let root = certificate(&sandbox.ca_pem())?;
    let certificate = certificate(&dir.join("cert.pem"))?;
    Ok(Issuer::from_parts(kind, certificate, key, root)?)
}

fn certificate(path: &Path) -> Result<Certificate, Error> {
    let pem = read_limited(path, LIMIT)?;
    Ok(Certificate::from_pem(&String::from_utf8_lossy(&pem))?)
}

fn before(now: UnixTime, seconds: u64) -> UnixTime {
    let earlier = now.as_secs().saturating_sub(seconds);
    UnixTime::since_unix_epoch(Duration::from_secs(earlier))
}
