//! What of the authorities lies in this home: certificates, by the names of their directories.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use rustls_pki_types::UnixTime;
use scb_certs::Certificate;
use scb_cli::{Home, read_limited};

use super::{in_file, issuer_kind};
use crate::Error;
use crate::config::path;
use crate::own_identity::{CHAIN, read_own_chain};
use crate::store::{AuthorityKind, AuthorityRecord, AuthorityState, CrlSigner};

const MAX_PEM: u64 = 64 * 1024;

/// The roots' certificates in this home, the oldest first.
pub(crate) fn stored_roots(home: &Home) -> Result<Vec<(CrlSigner, Certificate)>, Error> {
    let signers = stored(home, AuthorityKind::Root)?;
    // Where there is none its file is named, which has to come back.
    let lost = signers.is_empty().then_some(CrlSigner::ROOT);
    let read = |signer| {
        let certificate = read_certificate(home, &path::authority(signer))?;
        Ok((signer, certificate))
    };
    signers.into_iter().chain(lost).map(read).collect()
}

/// Which roots count, by what is written down of the authorities: the newest, and those under which
/// one has not retired.
pub(crate) fn counting_roots(
    home: &Home,
    records: &[AuthorityRecord],
    now: UnixTime,
) -> Result<Vec<CrlSigner>, Error> {
    let mut counting = needed_roots(home, records, now)?;
    let of_roots = records.iter().map(|record| record.signer);
    counting.extend(
        of_roots
            .filter(|signer| signer.kind() == AuthorityKind::Root)
            .max(),
    );
    Ok(counting.into_iter().collect())
}

/// Those under which one has not retired: the newest alone counts without.
pub(crate) fn needed_roots(
    home: &Home,
    records: &[AuthorityRecord],
    now: UnixTime,
) -> Result<BTreeSet<CrlSigner>, Error> {
    let roots = stored_roots(home)?;
    let mut needed = BTreeSet::new();
    for record in records {
        let in_use = record.state(records, now) != AuthorityState::Retired;
        if issuer_kind(record.signer).is_none() {
            continue;
        }
        let issuer = read_certificate(home, &path::authority(record.signer))?;
        let named = roots.iter().find(|(_, root)| issuer.names_issuer(root));
        needed.extend(named.filter(|_| in_use).map(|(signer, _)| *signer));
    }
    Ok(needed)
}

/// The root by which clients recognise this server at the moment: that of its certificate for TLS,
/// before it has one the first.
pub(crate) fn served_root(home: &Home) -> Result<Certificate, Error> {
    let roots = stored_roots(home)?;
    let chain = home.path(path::TLS).join(CHAIN);
    let served = match chain.exists() {
        false => None,
        true => {
            let chain = read_own_chain(&chain)?;
            let issuer = chain.as_ref().and_then(|chain| chain.certificates().get(1));
            issuer.and_then(|issuer| roots.iter().find(|(_, root)| issuer.names_issuer(root)))
        }
    };
    let (_, root) = served
        .or(roots.first())
        .ok_or(Error::RecordInvalid { what: "root" })?;
    Ok(root.clone())
}

/// The authorities of a kind that have a certificate in this home, in their order.
pub(crate) fn stored(home: &Home, kind: AuthorityKind) -> Result<Vec<CrlSigner>, Error> {
    let first = home.path(&path::authority(CrlSigner::first(kind)));
    let parent = first.parent().unwrap_or(&first);
    let failed = |source| scb_cli::Error::File {
        action: "read",
        path: parent.to_owned(),
        source,
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(parent).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let signer: Option<CrlSigner> = name.to_str().and_then(|name| name.parse().ok());
        found.extend(
            signer.filter(|signer| {
                signer.kind() == kind && certificate_file(home, *signer).is_file()
            }),
        );
    }
    found.sort();
    Ok(found)
}

pub(super) fn certificate_file(home: &Home, signer: CrlSigner) -> std::path::PathBuf {
    home.path(&path::authority(signer)).join(path::CERTIFICATE)
}

/// Whether there is such a file. Where this user may not look, it is not therefore gone.
///
/// # Errors
///
/// [`Error::NotAllowed`].
pub(crate) fn is_there(file: &Path) -> Result<bool, Error> {
    match file.try_exists() {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(Error::NotAllowed {
            path: file.to_owned(),
        }),
        found => Ok(found.unwrap_or(false)),
    }
}

/// The certificate in `HOME/<dir>/cert.pem`.
pub(crate) fn read_certificate(home: &Home, dir: &str) -> Result<Certificate, Error> {
    read_certificate_file(&home.path(dir).join(path::CERTIFICATE))
}

/// The certificate in this file.
pub(crate) fn read_certificate_file(file: &Path) -> Result<Certificate, Error> {
    if !is_there(file)? {
        return Err(Error::CertificateGone {
            path: file.to_owned(),
        });
    }
    let bytes = read_limited(file, MAX_PEM)?;
    Certificate::from_pem(&String::from_utf8_lossy(&bytes)).map_err(in_file(file))
}
