//! The second act, the only one that needs the root's key.

use std::path::Path;

use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, DistributionUrls, Fingerprint, Passphrase, Root};

use super::{ANSWER, SigningAnswer, SigningRequest};
use crate::Error;
use crate::config::path;
use crate::issuers::{in_file, is_there, issuer_kind, open_key, read_certificate_file};

/// Opens the root in this directory: `cert.pem` and the encrypted `key.pem`.
///
/// # Errors
///
/// [`Error::RootKeyAbsent`], [`Error::WrongPassphrase`] and others of
/// [`Error::Certificates`].
pub fn open_root(dir: &Path, passphrase: &Passphrase) -> Result<Root, Error> {
    let key = dir.join(path::KEY);
    if !is_there(&key)? {
        return Err(Error::RootKeyAbsent {
            path: dir.to_owned(),
        });
    }
    let key = open_key(&key, passphrase)?;
    let file = dir.join(path::CERTIFICATE);
    Root::from_parts(read_certificate_file(&file)?, key).map_err(in_file(&file))
}

/// Certifies the new authority. Only its public key, its kind and the addresses are taken from the
/// request.
///
/// # Errors
///
/// [`Error::RequestNotOurs`] if it is for another trust domain, [`Error::WrongRoot`] if for another
/// root of it, [`Error::ClockBeforeRoot`] before the root's beginning, [`Error::RootEnded`] after its end;
/// [`Error::CeremonyInvalid`] if it is not signed by its own key, [`Error::Certificates`].
pub fn sign(request: &SigningRequest, root: &Root, now: UnixTime) -> Result<SigningAnswer, Error> {
    let own = root.certificate().authority_trust_domain()?;
    if request.trust_domain != own {
        return Err(Error::RequestNotOurs {
            own,
            found: request.trust_domain.clone(),
        });
    }
    require_root(request.root, root.certificate())?;
    check_time(root, now)?;
    require_in_force(root.certificate(), now)?;
    let kind =
        issuer_kind(request.authority).ok_or(Error::CeremonyInvalid("no issuing authority"))?;
    let key = request.verified()?;
    let urls = DistributionUrls {
        crl: request.crl_url.clone(),
        ca: request.ca_url.clone(),
    };
    let certificate = root.certify_issuer(kind, key.public_key(), now, &urls)?;
    Ok(SigningAnswer {
        kind: ANSWER.to_owned(),
        v: 1,
        authority: request.authority,
        certificate: certificate.to_pem(),
    })
}

/// Refuses every root but the one that was asked: another one's lists and certificates would be
/// looked for where they are not.
pub(super) fn require_root(asked: Fingerprint, root: &Certificate) -> Result<(), Error> {
    let found = root.fingerprint();
    match found == asked {
        true => Ok(()),
        false => Err(Error::WrongRoot { asked, found }),
    }
}

/// What a root signs after its end, a successor among it, nobody believes.
pub(crate) fn require_in_force(root: &Certificate, now: UnixTime) -> Result<(), Error> {
    let ended = root.not_after();
    match ended < now {
        true => Err(Error::RootEnded { ended, now }),
        false => Ok(()),
    }
}

/// On a machine without records the root's own beginning is all that is known of the time.
pub(super) fn check_time(root: &Root, now: UnixTime) -> Result<(), Error> {
    let begins = root.certificate().not_before();
    match begins > now {
        true => Err(Error::ClockBeforeRoot { begins, now }),
        false => Ok(()),
    }
}
