//! The keys that sign the issuance log's checkpoints and cosign the logs of services. `cuhk init` makes
//! both. Others keep what they have signed: one that is gone is never replaced in silence.

use scb_certs::{Ed25519Seed, Passphrase, read_private, write_private};
use scb_cli::{Home, create_private_dir};

use crate::Error;
use crate::config::path;
use crate::issuers::{in_file, not_opened};
use crate::store::Store;

/// What the secret is for.
const WITNESS_SECRET: &str = "witness key at rest";

/// What the records say was signed already.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signed {
    /// Checkpoints of the issuance log.
    pub(crate) log: bool,
    /// Cosignatures of services' logs.
    pub(crate) witness: bool,
}

impl Signed {
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::RecordInvalid`].
    pub(crate) fn of(home: &Home, store: &Store) -> Result<Self, Error> {
        let has_log = home.path(path::LOG).exists();
        store.read_blocking(move |records| {
            Ok(Self {
                log: has_log || records.log().size()? > 0,
                witness: !records.witnessed().all()?.is_empty(),
            })
        })
    }
}

/// Makes both keys.
pub(crate) fn create(home: &Home, passphrase: &Passphrase) -> Result<(), Error> {
    let log = create_log_key(home, passphrase)?;
    create_witness_key(home, &log)
}

/// Makes a key that a home from before there was one lacks, as long as none has signed anything.
///
/// # Errors
///
/// [`Error::Storage`], [`Error::Certificates`], [`Error::Local`].
pub(crate) fn create_missing(home: &Home, passphrase: &Passphrase) -> Result<(), Error> {
    let is_missing = |name| !home.path(name).exists();
    if !is_missing(path::LOG_KEY) && !is_missing(path::WITNESS_KEY) {
        return Ok(());
    }
    let store = Store::open(&home.path(path::DATABASE))?;
    let signed = Signed::of(home, &store)?;
    store.close_blocking();
    if is_missing(path::LOG_KEY) && !signed.log {
        create_log_key(home, passphrase)?;
    }
    if is_missing(path::WITNESS_KEY) && !signed.witness {
        create_witness_key(home, &unlock_log(home, passphrase)?)?;
    }
    Ok(())
}

fn create_log_key(home: &Home, passphrase: &Passphrase) -> Result<Ed25519Seed, Error> {
    create_private_dir(&home.path(path::KEYS))?;
    let key = Ed25519Seed::generate()?;
    write_private(&home.path(path::LOG_KEY), &key.to_pem(Some(passphrase))?)?;
    Ok(key)
}

/// Makes the key that cosigns, encrypted with a secret that follows from the log's: a start stretches
/// no further passphrase. What an earlier one cosigned stays good, as CUHK endorsed it, and so does
/// what is remembered of the logs.
pub(crate) fn create_witness_key(home: &Home, log: &Ed25519Seed) -> Result<(), Error> {
    let key = Ed25519Seed::generate()?;
    let pem = key.to_pem(Some(&log.secret(WITNESS_SECRET)?))?;
    Ok(write_private(&home.path(path::WITNESS_KEY), &pem)?)
}

/// The key that signs checkpoints.
///
/// # Errors
///
/// [`Error::SigningKeyGone`], [`Error::WrongPassphrase`]; a damaged file.
pub(crate) fn unlock_log(home: &Home, passphrase: &Passphrase) -> Result<Ed25519Seed, Error> {
    let file = home.path(path::LOG_KEY);
    if !file.exists() {
        return Err(Error::SigningKeyGone { path: file });
    }
    let pem = read_private(&file);
    pem.and_then(|pem| Ed25519Seed::from_pem(&pem, Some(passphrase)))
        .map_err(not_opened(&file))
}

/// The key that cosigns the logs of services.
///
/// # Errors
///
/// [`Error::SigningKeyGone`]; a damaged file.
pub(crate) fn unlock_witness(home: &Home, log: &Ed25519Seed) -> Result<Ed25519Seed, Error> {
    let (file, secret) = (home.path(path::WITNESS_KEY), log.secret(WITNESS_SECRET)?);
    if !file.exists() {
        return Err(Error::SigningKeyGone { path: file });
    }
    let pem = read_private(&file);
    let read = pem.and_then(|pem| Ed25519Seed::from_pem(&pem, Some(&secret)));
    read.map_err(|error| match error {
        // The secret is always right: it follows from the log's key.
        scb_certs::Error::WrongPassphrase => in_file(&file)(scb_certs::Error::KeyMalformed),
        error => in_file(&file)(error),
    })
}
