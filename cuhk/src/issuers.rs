//! The two issuing authorities, unlocked. The root's key is not among them.

use scb_certs::{
    Certificate, Issuer, IssuerKind, Passphrase, SigningKey, TrustDomain, read_private,
};
use scb_cli::{Home, read_limited};

use crate::Error;
use crate::config::path;

const MAX_PEM: u64 = 64 * 1024;

/// The issuing authorities with their keys.
#[derive(Debug, Clone)]
pub struct Issuers {
    pub(crate) students: Issuer,
    pub(crate) services: Issuer,
    pub(crate) root: Certificate,
    pub(crate) trust_domain: TrustDomain,
}

impl Issuers {
    /// Decrypts both keys. Takes about half a second: the passphrase is expensive to guess.
    ///
    /// # Errors
    ///
    /// [`scb_certs::Error::WrongPassphrase`], [`scb_certs::Error::KeyFileReadable`] and others
    /// of [`Error::Certificates`]; [`Error::Local`] for a missing file.
    pub fn unlock(home: &Home, passphrase: &Passphrase) -> Result<Self, Error> {
        let root = read_certificate(home, path::ROOT)?;
        let trust_domain = root.authority_trust_domain()?;
        let issuer = |kind, dir: &str| {
            let key = read_private(&home.path(dir).join(path::KEY))?;
            let key = SigningKey::from_pem(&key, Some(passphrase))?;
            let certificate = read_certificate(home, dir)?;
            Ok::<_, Error>(Issuer::from_parts(kind, certificate, key, root.clone())?)
        };
        Ok(Self {
            students: issuer(IssuerKind::Students, path::STUDENTS)?,
            services: issuer(IssuerKind::Services, path::SERVICES)?,
            root,
            trust_domain,
        })
    }

    /// The root certificate.
    pub fn root(&self) -> &Certificate {
        &self.root
    }
}

/// The certificate in `HOME/<dir>/cert.pem`.
pub(crate) fn read_certificate(home: &Home, dir: &str) -> Result<Certificate, Error> {
    let bytes = read_limited(&home.path(dir).join(path::CERTIFICATE), MAX_PEM)?;
    Ok(Certificate::from_pem(&String::from_utf8_lossy(&bytes))?)
}
