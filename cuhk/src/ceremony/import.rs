//! The third act: the new authority is put to use.

use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, Issuer, Passphrase};
use scb_cli::{Home, read_limited, write_atomic};

use super::sign::require_root;
use super::{ANSWER, InForce, REQUEST, RootAnswer, SigningAnswer, SigningRequest};
use crate::Error;
use crate::config::path;
use crate::issuers::{issuer_kind, named_root, open_key, read_certificate, stored_roots};
use crate::store::{CrlSigner, Store};

/// Largest request or answer, in bytes.
const LIMIT: u64 = 256 * 1024;

const ANOTHER_KEY: &str = "the certificate is for another key";

impl SigningRequest {
    /// Reads one.
    ///
    /// # Errors
    ///
    /// [`Error::CeremonyInvalid`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, Error> {
        match serde_json::from_slice::<Self>(bytes) {
            Ok(request) if request.kind == REQUEST && request.v == 1 => Ok(request),
            _ => Err(Error::CeremonyInvalid("not a signing request")),
        }
    }

    /// As it is written to a file.
    pub fn to_json(&self) -> Vec<u8> {
        to_json(self)
    }
}

impl SigningAnswer {
    /// Reads one.
    ///
    /// # Errors
    ///
    /// [`Error::CeremonyInvalid`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, Error> {
        match serde_json::from_slice::<Self>(bytes) {
            Ok(answer) if answer.kind == ANSWER && answer.v == 1 => Ok(answer),
            _ => Err(Error::CeremonyInvalid(
                "not the answer to a signing request",
            )),
        }
    }

    /// As it is written to a file.
    pub fn to_json(&self) -> Vec<u8> {
        to_json(self)
    }
}

/// Both have no map with keys other than strings: they can always be written.
pub(super) fn to_json(value: &impl serde::Serialize) -> Vec<u8> {
    let mut json = serde_json::to_vec_pretty(value).unwrap_or_default();
    json.push(b'\n');
    json
}

/// Whether this very answer was taken in before.
///
/// # Errors
///
/// [`Error::CeremonyInvalid`] if it is another one, of an authority that was put to use: what its root is to
/// revoke one day is the certificate that it has. [`Error::Storage`], [`Error::Local`].
pub(crate) fn is_imported(
    home: &Home,
    store: &Store,
    answer: &SigningAnswer,
) -> Result<bool, Error> {
    let authority = answer.authority;
    let all = store.read_blocking(|records| records.authorities().all())?;
    if all.iter().all(|record| record.signer != authority) {
        return Ok(false);
    }
    let certificate = Certificate::from_pem(&answer.certificate).map_err(altered)?;
    match read_certificate(home, &path::authority(authority))? == certificate {
        true => Ok(true),
        false => Err(Error::CeremonyInvalid(
            "another certificate of this authority was taken in before, and it was put to use with that",
        )),
    }
}

/// Whether this very answer of a root was taken in before.
///
/// # Errors
///
/// [`Error::Storage`].
pub(crate) fn is_root_imported(store: &Store, answer: &RootAnswer) -> Result<bool, Error> {
    let signed = answer.signed();
    store.read_blocking(move |records| records.bundles().holds(&signed))
}

/// Takes in the certificate of the authority that was asked for. A running server publishes its
/// revocation list within a second and lets it issue 10 s later, when everybody has seen that.
///
/// # Errors
///
/// [`Error::NothingRequested`] if there is no such request, [`Error::CeremonyInvalid`] if the
/// answer is for another key or names other addresses, [`Error::NotInForce`] if it begins later or has
/// ended by this machine's clock, [`Error::WrongRoot`] if another root of this home signed it,
/// [`scb_certs::Error::IssuerInvalid`] if a stranger did. Then nothing is changed. Taken in before, it
/// changes nothing either.
pub fn import(
    home: &Home,
    store: &Store,
    answer: &SigningAnswer,
    now: UnixTime,
) -> Result<CrlSigner, Error> {
    let authority = answer.authority;
    if is_imported(home, store, answer)? {
        return Ok(authority);
    }
    let dir = home.path(&path::authority(authority));
    let file = dir.join(path::REQUEST);
    if !file.exists() || !dir.join(path::KEY).exists() {
        return Err(Error::NothingRequested(authority));
    }
    let request = SigningRequest::from_json(&read_limited(&file, LIMIT)?)?;
    let certificate = Certificate::from_pem(&answer.certificate).map_err(altered)?;
    check(home, &request, &certificate)?;
    InForce::of(&certificate).require(format!("`{authority}`"), now)?;
    let key = certificate.public_key()?.fingerprint();
    let pem = certificate.to_pem();
    write_atomic(&dir.join(path::CERTIFICATE), pem.as_bytes(), 0o644)?;
    store.write_blocking(move |records| {
        let name = authority.to_string();
        records.certificates().reserve_key(&key, &name)?;
        records.authorities().add(authority)?;
        records.note(&authority, &format!("put to use: key {key}"), now)?;
        records.status().advance(now).map(drop)
    })?;
    Ok(authority)
}

/// Looks whether this passphrase opens the key for which an answer came, and whether it is for that key.
/// Nothing is changed.
///
/// # Errors
///
/// [`Error::NothingRequested`]; [`Error::WrongPassphrase`]; [`Error::CeremonyInvalid`] if the answer is
/// for another key.
pub(crate) fn try_key(
    home: &Home,
    answer: &SigningAnswer,
    passphrase: &Passphrase,
) -> Result<(), Error> {
    let dir = home.path(&path::authority(answer.authority));
    let file = dir.join(path::KEY);
    if !file.exists() {
        return Err(Error::NothingRequested(answer.authority));
    }
    let certificate = Certificate::from_pem(&answer.certificate).map_err(altered)?;
    let key = open_key(&file, passphrase)?;
    match certificate.public_key()? == *key.public_key() {
        true => Ok(()),
        false => Err(Error::CeremonyInvalid(ANOTHER_KEY)),
    }
}

/// What the root has signed is not what came back.
pub(super) fn altered(_: scb_certs::Error) -> Error {
    Error::CeremonyInvalid("a certificate or list in the answer cannot be decoded")
}

fn check(home: &Home, request: &SigningRequest, certificate: &Certificate) -> Result<(), Error> {
    let kind =
        issuer_kind(request.authority).ok_or(Error::CeremonyInvalid("no issuing authority"))?;
    let roots = stored_roots(home)?;
    let root = named_root(certificate, &roots)?;
    Issuer::check(kind, certificate, root)?;
    require_root(request.root, root)?;
    let requested = request.verified()?;
    if certificate.public_key()? != *requested.public_key() {
        return Err(Error::CeremonyInvalid(ANOTHER_KEY));
    }
    require_addresses(request, certificate)
}

/// Who carried the request could have had everybody look for the root's list elsewhere.
fn require_addresses(request: &SigningRequest, certificate: &Certificate) -> Result<(), Error> {
    let asked = |url: &Option<String>| url.iter().cloned().collect::<Vec<_>>();
    match certificate.revocation_list_urls() == asked(&request.crl_url)
        && certificate.issuer_urls() == asked(&request.ca_url)
    {
        true => Ok(()),
        false => Err(Error::CeremonyInvalid(
            "the certificate says that the root's revocation list or certificate is elsewhere than was \
             asked for: the request was altered on its way, or asked anew meanwhile with another \
             `public_url`",
        )),
    }
}
