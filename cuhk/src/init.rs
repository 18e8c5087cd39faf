//! `cuhk init`: makes a home with its root, its issuing authorities and its database.
//!
//! Everything is made in a directory beside the home and moved there at the end, so that half
//! an init never looks like a whole one.

use std::path::Path;

use rustls_pki_types::UnixTime;
use scb_certs::{
    Certificate, Issuer, IssuerKind, Passphrase, Root, SigningKey, TrustDomain, Validities,
    write_private,
};
use scb_cli::{Home, Role, create_private_dir, write_atomic};
use scb_protocol::SignedBundle;

use crate::Error;
use crate::config::{Config, path};
use crate::draft;
use crate::issuers::read_certificate;
use crate::note_keys;
use crate::store::{CrlSigner, Store, StoredList};
use crate::time::{earlier, later};

/// What a new CUHK is made of.
#[derive(Debug)]
pub struct NewAuthority {
    /// The trust domain in every name.
    pub trust_domain: TrustDomain,
    /// What `config.toml` will say.
    pub config: Config,
    /// Encrypts the issuing authorities' keys.
    pub passphrase: Passphrase,
    /// Encrypts the root's key.
    pub root_passphrase: Passphrase,
}

/// The root certificate of the CUHK in `dir`, if there is one.
///
/// # Errors
///
/// [`Error::Local`] if the directory belongs to another program.
pub fn existing(dir: &Path) -> Result<Option<Certificate>, Error> {
    match open_home(dir) {
        Ok(home) => read_certificate(&home, path::ROOT).map(Some),
        Err(Error::NotInitialised { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The home in `dir`, which an init has finished.
///
/// # Errors
///
/// [`Error::NotInitialised`]; [`Error::Local`] if it belongs to another program.
pub fn open_home(dir: &Path) -> Result<Home, Error> {
    match Home::open(dir, Role::Cuhk) {
        Err(scb_cli::Error::NoHome { path, .. }) => Err(Error::NotInitialised { path }),
        opened => Ok(opened?),
    }
}

/// Makes a CUHK in `dir`, which must not exist or be empty, and answers its root certificate.
/// If there is one already, nothing is changed.
///
/// # Errors
///
/// [`scb_cli::Error::NotEmpty`] if `dir` holds other things; [`scb_storage::Error::HomeInUse`]
/// if another init is at work; any of [`Error::Certificates`], [`Error::Storage`],
/// [`Error::Local`]. In every case `dir` is as it was.
pub fn init(dir: &Path, new: &NewAuthority, now: UnixTime) -> Result<Certificate, Error> {
    if let Some(root) = existing(dir)? {
        return Ok(root);
    }
    draft::make(dir, |draft| {
        // Another init may have been faster.
        match existing(dir)? {
            Some(root) => Ok((root, draft::Finished::Unneeded)),
            None => Ok((build(draft, new, now)?, draft::Finished::Whole)),
        }
    })
}

fn build(dir: &Path, new: &NewAuthority, now: UnixTime) -> Result<Certificate, Error> {
    let home = Home::create(dir, Role::Cuhk)?;
    let root = Root::create(&new.trust_domain, SigningKey::generate()?, now)?;
    let urls = new.config.urls(CrlSigner::ROOT);
    let issuer =
        |kind| Ok::<_, Error>(root.issue_issuer(kind, SigningKey::generate()?, now, &urls)?);
    let (students, services) = (issuer(IssuerKind::Students)?, issuer(IssuerKind::Services)?);

    store_authority(
        &home,
        path::ROOT,
        root.key(),
        root.certificate(),
        &new.root_passphrase,
    )?;
    for (dir, issuer) in [(path::STUDENTS, &students), (path::SERVICES, &services)] {
        store_authority(
            &home,
            dir,
            issuer.key(),
            issuer.certificate(),
            &new.passphrase,
        )?;
    }
    note_keys::create(&home, &new.passphrase)?;
    for dir in [path::TLS, path::TOKENS] {
        create_private_dir(&home.path(dir))?;
    }
    first_records(&home, &root, [&students, &services], now)?;
    let config = new.config.to_toml();
    write_atomic(&home.path(path::CONFIG), config.as_bytes(), 0o600)?;
    let pem = root.certificate().to_pem();
    write_atomic(
        &home.path(path::ROOT_CERTIFICATE_COPY),
        pem.as_bytes(),
        0o644,
    )?;
    Ok(root.certificate().clone())
}

fn store_authority(
    home: &Home,
    dir: &str,
    key: &SigningKey,
    certificate: &Certificate,
    passphrase: &Passphrase,
) -> Result<(), Error> {
    let dir = home.path(dir);
    create_private_dir(&dir)?;
    write_private(&dir.join(path::KEY), &key.to_pem(Some(passphrase))?)?;
    write_atomic(
        &dir.join(path::CERTIFICATE),
        certificate.to_pem().as_bytes(),
        0o644,
    )?;
    Ok(())
}

/// The authorities' keys are reserved; the root's first revocation list, empty, is stored.
fn first_records(
    home: &Home,
    root: &Root,
    issuers: [&Issuer; 2],
    now: UnixTime,
) -> Result<(), Error> {
    let store = Store::create(&home.path(path::DATABASE))?;
    let [students, services] = issuers.map(|issuer| issuer.key().public_key().fingerprint());
    let keys = [
        (CrlSigner::ROOT, root.key().public_key().fingerprint()),
        (CrlSigner::STUDENTS, students),
        (CrlSigner::SERVICES, services),
    ];
    let until = later(now, Validities::ROOT_CRL);
    let from = earlier(now, Validities::BACKDATE);
    let crl = root.sign_crl(now.as_secs(), from, until, &[])?;
    let roots = [root.certificate().clone()];
    let bundle = SignedBundle::sign(&[root], &roots, 1, (now, until))?;
    store.write_blocking(move |records| {
        for (authority, key) in &keys {
            records
                .certificates()
                .reserve_key(key, &authority.to_string())?;
        }
        records.bundles().replace(1, &bundle)?;
        let epoch = records.status().advance(now)?;
        records
            .lists()
            .replace(CrlSigner::ROOT, &StoredList { crl, epoch })
    })?;
    store.close_blocking();
    Ok(())
}
