//! The first act: a new key, and the request for its certificate.

use std::fs;
use std::path::Path;

use scb_certs::{IssuerKind, Passphrase, SigningKey, create_request, write_private};
use scb_cli::{Home, create_private_dir, write_atomic};
use scb_protocol::values::Der;

use super::{REQUEST, SigningRequest};
use crate::Error;
use crate::config::{Config, path};
use crate::issuers::{self, read_certificate};
use crate::store::{AuthorityKind, CrlSigner, Store};

/// Makes the key of the next issuing authority of this kind, encrypted with the same passphrase as
/// the others, and the request for its certificate. Repeated before the answer is taken in, it is
/// the same key.
///
/// # Errors
///
/// [`Error::WrongPassphrase`]: the server could not open the new key.
/// [`Error::Certificates`], [`Error::Local`], [`Error::Storage`].
pub fn request(
    home: &Home,
    store: &Store,
    config: &Config,
    kind: IssuerKind,
    passphrase: &Passphrase,
) -> Result<SigningRequest, Error> {
    open_key(home, CrlSigner::first(kind.into()), passphrase)?;
    let authority = store.read_blocking(move |records| records.authorities().next(kind.into()))?;
    let key = next_key(&home.path(&path::authority(authority)), passphrase)?;
    let root = newest_root(store)?;
    let urls = config.urls(root);
    let certificate = read_certificate(home, &path::authority(root))?;
    let request = SigningRequest {
        kind: REQUEST.to_owned(),
        v: 1,
        trust_domain: certificate.authority_trust_domain()?,
        authority,
        root: certificate.fingerprint(),
        request: Der::new(create_request(&key)?),
        crl_url: urls.crl,
        ca_url: urls.ca,
    };
    let file = home.path(&path::authority(authority)).join(path::REQUEST);
    write_atomic(&file, &request.to_json(), 0o644)?;
    Ok(request)
}

/// The root that certifies: the last that was put to use.
///
/// # Errors
///
/// [`Error::Storage`].
pub(crate) fn newest_root(store: &Store) -> Result<CrlSigner, Error> {
    let all = store.read_blocking(|records| records.authorities().all())?;
    let roots = all.iter().map(|record| record.signer);
    let newest = roots
        .filter(|signer| signer.kind() == AuthorityKind::Root)
        .max();
    Ok(newest.unwrap_or(CrlSigner::ROOT))
}

/// The key that an interrupted ceremony has left in this directory, or a new one. If that cannot be
/// written, no directory is left that was not there.
pub(crate) fn next_key(dir: &Path, passphrase: &Passphrase) -> Result<SigningKey, Error> {
    let file = dir.join(path::KEY);
    if file.exists() {
        return issuers::open_key(&file, passphrase);
    }
    if !dir.exists() {
        create_private_dir(dir)?;
    }
    let key = SigningKey::generate()?;
    let written = write_private(&file, &key.to_pem(Some(passphrase))?);
    if written.is_err() {
        // Goes only if it is empty.
        let _ = fs::remove_dir(dir);
    }
    written?;
    Ok(key)
}

fn open_key(
    home: &Home,
    authority: CrlSigner,
    passphrase: &Passphrase,
) -> Result<SigningKey, Error> {
    issuers::open_key(
        &home.path(&path::authority(authority)).join(path::KEY),
        passphrase,
    )
}
