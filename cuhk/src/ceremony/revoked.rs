//! The issuing authorities that count no more, as they are asked to be put on the lists of their
//! roots.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, Crl, Fingerprint, RevocationReason, RevokedEntry};
use scb_cli::Home;
use scb_protocol::values::Der;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::config::path;
use crate::issuers::read_certificate;
use crate::store::{AuthorityKind, AuthorityRecord, CrlSigner, Store};

/// An issuing authority that counts no more. Nothing secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revoked {
    /// Its name.
    pub authority: CrlSigner,
    certificate: Der,
    /// Since when, in seconds since 1970.
    at: u64,
    /// Why.
    pub reason: RevocationReason,
    /// Since when its key is not to be believed, in seconds since 1970, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    invalid_since: Option<u64>,
}

impl Revoked {
    fn of(home: &Home, record: &AuthorityRecord) -> Result<Option<Self>, Error> {
        let Some(revocation) = record.withdrawn else {
            return Ok(None);
        };
        let certificate = read_certificate(home, &path::authority(record.signer))?;
        Ok(Some(Self {
            authority: record.signer,
            certificate: Der::new(certificate.der().to_vec()),
            at: revocation.at.as_secs(),
            reason: revocation.reason,
            invalid_since: revocation.invalid_since.map(|since| since.as_secs()),
        }))
    }

    /// SHA-256 of its certificate.
    pub fn sha256(&self) -> Fingerprint {
        Fingerprint::of(self.certificate.as_bytes())
    }

    fn certificate(&self) -> Result<Certificate, Error> {
        Certificate::from_der(self.certificate.as_bytes())
            .map_err(|_| Error::CeremonyInvalid("a revoked authority cannot be decoded"))
    }

    fn entry(&self, certificate: &Certificate) -> RevokedEntry {
        let time = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        RevokedEntry {
            serial: certificate.serial(),
            revoked_at: time(self.at),
            reason: self.reason,
            invalid_since: self.invalid_since.map(time),
        }
    }
}

/// What the list of this root says: of each authority that it certified, since when and why.
pub(super) fn entries(revoked: &[Revoked], root: &Certificate) -> Result<Vec<RevokedEntry>, Error> {
    let mut entries = Vec::new();
    for one in revoked {
        let certificate = one.certificate()?;
        if certificate.names_issuer(root) {
            entries.push(one.entry(&certificate));
        }
    }
    Ok(entries)
}

/// All that were withdrawn. An authority stays on the list for good: it lives nearly as long as its
/// root, and there are few.
pub(super) fn to_be_listed(home: &Home, all: &[AuthorityRecord]) -> Result<Vec<Revoked>, Error> {
    let revoked = all
        .iter()
        .filter_map(|one| Revoked::of(home, one).transpose());
    revoked.collect()
}

/// Refuses lists that leave out one that was withdrawn, such as after the request was made.
pub(super) fn require_listed(
    home: &Home,
    all: &[AuthorityRecord],
    (lists, roots): (&[Crl], &[(CrlSigner, Certificate)]),
) -> Result<(), Error> {
    for one in to_be_listed(home, all)? {
        let certificate = one.certificate()?;
        let of_root = |list: &&Crl| {
            let is_its = |root: &Certificate| root.subject_key_id() == Some(list.issuer_key_id());
            let mut roots = roots.iter();
            roots.any(|(_, root)| is_its(root) && certificate.names_issuer(root))
        };
        let mut lists = lists.iter().filter(of_root);
        if lists.any(|list| !list.contains(&certificate.serial())) {
            return Err(Error::CeremonyInvalid(
                "a revocation list in it leaves out an authority that was withdrawn since",
            ));
        }
    }
    Ok(())
}

/// Those that were withdrawn and that the list of their root, as it is handed out, does not name yet.
///
/// # Errors
///
/// [`Error::Storage`], [`Error::RecordInvalid`], [`Error::Local`].
pub(crate) fn unlisted(home: &Home, store: &Store) -> Result<Vec<CrlSigner>, Error> {
    let (all, lists) = store.read_blocking(|records| {
        let all = records.authorities().all()?;
        let roots = all.iter().map(|record| record.signer);
        let roots = roots.filter(|signer| signer.kind() == AuthorityKind::Root);
        let lists = roots.map(|signer| records.lists().find(signer));
        let lists = lists.collect::<Result<Vec<_>, _>>()?;
        Ok((all, lists))
    })?;
    let mut unlisted = Vec::new();
    for one in to_be_listed(home, &all)? {
        let certificate = one.certificate()?;
        let key_id = certificate.authority_key_id();
        let names = |list: &Crl| {
            Some(list.issuer_key_id()) == key_id && list.contains(&certificate.serial())
        };
        if !lists.iter().flatten().any(|stored| names(&stored.crl)) {
            unlisted.push(one.authority);
        }
    }
    Ok(unlisted)
}
