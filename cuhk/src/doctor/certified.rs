//! Whether each authority's certificate is its own: for the key that the records have of it, by a root of
//! this home. The private keys are encrypted, so that this is as much as can be told without a
//! passphrase.

use scb_certs::{Certificate, Issuer};
use scb_cli::{Home, counted};

use super::Finding;
use crate::Error;
use crate::config::path;
use crate::issuers::{issuer_kind, named_root, read_certificate, stored_roots};
use crate::store::{CrlSigner, Records};

pub(super) const CHECK: &str = "authority-cert";

/// What is wrong with the certificates of these authorities. One that cannot be read is told by
/// another check.
pub(super) fn check(
    home: &Home,
    records: &Records<'_>,
    authorities: &[CrlSigner],
) -> Result<Vec<Finding>, Error> {
    let mut findings = Vec::new();
    for signer in authorities {
        let Ok(certificate) = read_certificate(home, &path::authority(*signer)) else {
            continue;
        };
        let wrong = match other_key(records, *signer, &certificate)? {
            Some(wrong) => Some(wrong),
            None => other_root(home, *signer, &certificate)?,
        };
        findings.extend(wrong.map(|wrong| not_its_own(home, *signer, &wrong)));
    }
    if findings.is_empty() {
        let all = counted(authorities.len(), "authority");
        findings.push(Finding::ok(
            CHECK,
            format!("{all} with the certificate of its own key"),
        ));
    }
    Ok(findings)
}

fn other_key(
    records: &Records<'_>,
    signer: CrlSigner,
    certificate: &Certificate,
) -> Result<Option<String>, Error> {
    let key = certificate.public_key()?.fingerprint();
    Ok(match records.certificates().holder_of_key(&key)? {
        Some(holder) if holder == signer.to_string() => None,
        Some(holder) => Some(format!("it is the certificate of `{holder}`")),
        None => Some("the records have no authority with its key".to_owned()),
    })
}

fn other_root(
    home: &Home,
    signer: CrlSigner,
    certificate: &Certificate,
) -> Result<Option<String>, Error> {
    let (Some(kind), Ok(roots)) = (issuer_kind(signer), stored_roots(home)) else {
        return Ok(None);
    };
    let checked = Issuer::check(kind, certificate, named_root(certificate, &roots)?);
    Ok(checked.err().map(|error| error.to_string()))
}

fn not_its_own(home: &Home, signer: CrlSigner, wrong: &str) -> Finding {
    let file = home.path(&path::authority(signer)).join(path::CERTIFICATE);
    let file = file.display();
    Finding::fail(
        CHECK,
        format!("{file} is not the certificate of `{signer}`: {wrong}"),
        format!(
            "put {file} back from the newest backup: cuhk restore FILE --home NEW, and copy it from \
             there; nothing else has to be restored"
        ),
    )
}
