//! CUHK's own keys for TLS and for tokens: made and renewed by `serve`.
//!
//! `chain.pem` says which key file counts, so that a crash between two writes never pairs a
//! certificate with another key. The key is encrypted with a secret that is derived from the key of
//! the authority that certified it: whoever has unlocked that one has this one, and a start takes
//! no longer for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_certs::{
    Certificate, Chain, Fingerprint, ServiceName, SigningKey, is_encrypted, read_private,
    write_private,
};
use scb_cli::{Home, create_private_dir, read_limited, with_causes, write_atomic};

use crate::config::path;
use crate::issuers::Issuing;
use crate::signing::Signing;
use crate::store::{CertificateRecord, Profile, Service};
use crate::time::later;
use crate::{Config, Error, Subject};

pub(crate) const CHAIN: &str = "chain.pem";
const MAX_PEM: u64 = 64 * 1024;
/// A certificate that was lost is made anew under an older root if that counts for so long yet: then
/// the one that was lost would have been kept, too.
const OLDER_ROOT: Duration = Duration::from_secs(31 * 24 * 60 * 60);
/// What the secret is for.
const SECRET: &str = "own keys at rest";

/// A key of CUHK's own and the chain of its certificate.
#[derive(Debug, Clone)]
pub(crate) struct OwnIdentity {
    pub(crate) key: SigningKey,
    pub(crate) chain: Chain,
}

/// What the key is for. A key for TLS signs no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Tls,
    Tokens,
}

impl Purpose {
    fn directory(self, home: &Home) -> PathBuf {
        home.path(match self {
            Self::Tls => path::TLS,
            Self::Tokens => path::TOKENS,
        })
    }

    fn profile(self) -> Profile {
        match self {
            Self::Tls => Profile::Service,
            Self::Tokens => Profile::TokenSigner,
        }
    }

    /// The addresses in the certificate, as the configuration says.
    fn service(self, signing: &Signing) -> Option<Service> {
        (self == Self::Tls).then(|| own_service(signing))
    }
}

/// CUHK as a service, with the names that the configuration gives it.
pub(crate) fn own_service(signing: &Signing) -> Service {
    Service {
        name: ServiceName::cuhk(),
        dns_names: signing.config.dns.clone(),
        ip_addresses: signing.config.ip.clone(),
    }
}

impl OwnIdentity {
    /// The stored one, or a new one with a new key if there is none, or if it was revoked or
    /// retired, is past two thirds of its life, or does not fit the configuration.
    pub(crate) async fn current(
        home: &Home,
        purpose: Purpose,
        signing: &Signing,
        now: UnixTime,
    ) -> Result<Self, Error> {
        let directory = purpose.directory(home);
        let mut issuing = (signing.issuing(purpose.profile()), None);
        if let Some(stored) = Self::load(&directory, signing)? {
            let serial = stored.chain.leaf().serial();
            let record = signing.store.read(move |records| {
                let retired = records.signers().retired_at(&serial)?.is_some();
                let record = records.certificates().find(&serial)?;
                Ok(record.filter(|_| !retired))
            });
            if stored.fits(record.await?.as_ref(), purpose, signing, now) {
                return Ok(stored);
            }
        } else if purpose == Purpose::Tls
            && let Some((older, until)) = older_root(signing, now)
        {
            issuing = (older, Some(until));
        }
        let made = Self::make(&directory, purpose, signing, issuing, now).await?;
        made.remove_others(&directory)?;
        Ok(made)
    }

    /// Whether it has a third of its life left and has begun. One that begins only with its authority is
    /// young, too: another one would begin no earlier, and one would be made after the other.
    pub(crate) fn is_young(&self, now: UnixTime) -> bool {
        let leaf = self.chain.leaf();
        let (start, end) = (leaf.not_before().as_secs(), leaf.not_after().as_secs());
        let renewal = end.saturating_sub(end.saturating_sub(start) / 3);
        let authority = self.chain.certificates().get(1);
        let waits = authority.is_some_and(|authority| authority.not_before() > now);
        (waits || self.has_begun(now)) && now.as_secs() < renewal
    }

    /// Whether it counts already.
    pub(crate) fn has_begun(&self, now: UnixTime) -> bool {
        self.chain.leaf().not_before() <= now
    }

    /// None if there is none that the authorities in use can open. One that lies open is encrypted.
    fn load(directory: &Path, signing: &Signing) -> Result<Option<Self>, Error> {
        let chain = directory.join(CHAIN);
        if !chain.exists() {
            return Ok(None);
        }
        let Some(chain) = read_own_chain(&chain)? else {
            return Ok(None);
        };
        let key_file = key_file(directory, &chain.leaf().public_key()?.fingerprint());
        if !key_file.exists() {
            return Ok(None);
        }
        let issuers = signing.issuers.current();
        let Some(issuer) = issuers.of(chain.leaf()) else {
            return Ok(None);
        };
        let secret = issuer.secret(SECRET)?;
        let read = read_private(&key_file)
            .and_then(|pem| Ok((SigningKey::from_pem(&pem, Some(&secret))?, pem)));
        let (key, pem) = match read {
            // Of another authority of that name: a new key takes its place.
            Err(scb_certs::Error::WrongPassphrase) => return Ok(None),
            read => match unless_damaged(&key_file, read)? {
                Some(read) => read,
                None => return Ok(None),
            },
        };
        if *key.public_key() != chain.leaf().public_key()? {
            return Ok(None);
        }
        if !is_encrypted(&pem) {
            write_atomic(&key_file, key.to_pem(Some(&secret))?.as_bytes(), 0o600)?;
        }
        Ok(Some(Self { key, chain }))
    }

    fn fits(
        &self,
        record: Option<&CertificateRecord>,
        purpose: Purpose,
        signing: &Signing,
        now: UnixTime,
    ) -> bool {
        let issued_here = record.and_then(|record| record.certificate.as_ref())
            == Some(self.chain.leaf())
            && self.has_right_issuer(purpose, signing, now);
        let live = record.is_some_and(|record| record.is_live(now)) && self.is_young(now);
        let names = purpose
            .service(signing)
            .is_none_or(|service| names_match(self.chain.leaf(), &service));
        issued_here && live && names
    }

    /// The authority that issues now. A certificate for TLS under an older root is kept until it is
    /// due, so that whoever does not know the newer root yet can connect and learn of it.
    fn has_right_issuer(&self, purpose: Purpose, signing: &Signing, now: UnixTime) -> bool {
        let issuing = signing.issuing(purpose.profile());
        let Some(own) = self.chain.certificates().get(1) else {
            return false;
        };
        let issuers = signing.issuers.current();
        let is_older = issuers.root_of(own).as_ref() != Some(issuing.issuer.root());
        let counts = || {
            let mut listed = issuers.listing(now);
            listed.any(|listed| listed.issuer.certificate() == own)
        };
        own == issuing.issuer.certificate() || (purpose == Purpose::Tls && is_older && counts())
    }

    async fn make(
        directory: &Path,
        purpose: Purpose,
        signing: &Signing,
        (issuing, until): (Arc<Issuing>, Option<UnixTime>),
        now: UnixTime,
    ) -> Result<Self, Error> {
        let key = SigningKey::generate()?;
        let subject = Subject::Service(ServiceName::cuhk());
        let profile = purpose.profile();
        let mut intent = Signing::intent_by(&issuing, subject, profile, key.public_key(), now)?;
        if let Some(until) = until {
            intent.validity.not_after = intent.validity.not_after.min(until);
        }
        let secret = issuing.issuer.secret(SECRET)?;
        let pem = key.to_pem(Some(&secret))?;
        if !directory.exists() {
            create_private_dir(directory)?;
        }
        write_private(&key_file(directory, &intent.public_key), &pem)?;
        let record = CertificateRecord {
            intent: intent.clone(),
            certificate: None,
            revocation: None,
        };
        signing
            .store
            .write(move |records| {
                records.certificates().intend(&intent, now)?;
                if purpose == Purpose::Tokens {
                    records.signers().retire(Some(&intent.serial), now)?;
                    // The keys that are published change.
                    records.status().advance(now)?;
                }
                Ok(())
            })
            .await?;
        let service = purpose.service(signing);
        let chain = signing
            .finish_by(&issuing, record, key.public_key(), service.as_ref())
            .await?;
        write_atomic(&directory.join(CHAIN), chain.to_pem().as_bytes(), 0o644)?;
        Ok(Self { key, chain })
    }

    /// Removes the keys of earlier certificates.
    fn remove_others(&self, directory: &Path) -> Result<(), Error> {
        let failed = |source| scb_cli::Error::File {
            action: "tidy up",
            path: directory.to_owned(),
            source,
        };
        let own = key_file(directory, &self.key.public_key().fingerprint());
        for entry in fs::read_dir(directory).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let is_key = path
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("key-"));
            if is_key && path != own {
                fs::remove_file(&path).map_err(failed)?;
            }
        }
        Ok(())
    }
}

/// The chain in this file; none if it is damaged: the server makes another.
pub(crate) fn read_own_chain(file: &Path) -> Result<Option<Chain>, Error> {
    let pem = read_limited(file, MAX_PEM)?;
    unless_damaged(file, Chain::from_pem(&String::from_utf8_lossy(&pem)))
}

/// None for contents that are to blame: nobody else has this key, so that a new one takes its place.
fn unless_damaged<T>(file: &Path, read: Result<T, scb_certs::Error>) -> Result<Option<T>, Error> {
    match read {
        Err(error) if error.is_of_contents() => {
            tracing::warn!(
                "{} is damaged: {}; a new key takes its place",
                file.display(),
                with_causes(&error)
            );
            Ok(None)
        }
        read => Ok(Some(read?)),
    }
}

/// For a home without its certificate for TLS, such as one that was restored: not long after another
/// root was put to use, clients may know only the one before it.
fn older_root(signing: &Signing, now: UnixTime) -> Option<(Arc<Issuing>, UnixTime)> {
    let older = signing.issuers.current().services_under_older_root(now);
    older.filter(|(_, until)| later(now, OLDER_ROOT) <= *until)
}

/// Names and addresses that the present certificate for TLS has and the configuration has not: the
/// next one is without them, and who knows this server by them refuses it. None without a certificate.
pub(crate) fn dropped_names(home: &Home, config: &Config) -> Vec<String> {
    let file = home.path(path::TLS).join(CHAIN);
    let chain = read_limited(&file, MAX_PEM).ok();
    let chain = chain.and_then(|pem| Chain::from_pem(&String::from_utf8_lossy(&pem)).ok());
    let Some(chain) = chain else {
        return Vec::new();
    };
    let addresses = chain.leaf().ip_addresses().into_iter();
    let mut names = chain.leaf().dns_names();
    names.extend(addresses.map(|address| address.to_string()));
    let kept = config.names();
    names.retain(|name| !kept.contains(name));
    names
}

fn key_file(directory: &Path, public_key: &Fingerprint) -> PathBuf {
    let name = public_key.to_string();
    directory.join(format!("key-{}.pem", &name[..16]))
}

fn names_match(leaf: &Certificate, service: &Service) -> bool {
    leaf.dns_names() == service.dns_names && leaf.ip_addresses() == service.ip_addresses
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_certs::{DistributionUrls, IssuerKind, Serial, Validities, leaf_validity};

    use super::*;
    use crate::time::earlier;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    #[test]
    fn none_is_made_anew_because_it_begins_with_an_authority_that_begins_later() {
        let services = crate::store::issuer(IssuerKind::Services);
        let begins = services.certificate().not_before();
        let issued = |at: UnixTime| {
            let key = SigningKey::generate().unwrap();
            let validity = leaf_validity(at, Validities::SERVICE_LIFETIME, services.certificate());
            let (serial, urls) = (Serial::random().unwrap(), DistributionUrls::default());
            let chain = services.issue_token_signer(key.public_key(), &serial, &validity, &urls);
            let chain = chain.unwrap();
            OwnIdentity { key, chain }
        };
        let (early, late) = (issued(earlier(begins, DAY)), issued(later(begins, 2 * DAY)));
        assert_eq!(early.chain.leaf().not_before(), begins);
        assert!(
            early.is_young(earlier(begins, DAY / 2)),
            "it could not begin earlier"
        );
        assert!(early.is_young(begins));
        // By a clock that was ahead: the next one begins earlier.
        assert!(!late.is_young(later(begins, DAY)));
        assert!(late.is_young(later(begins, 2 * DAY)));
        assert!(!late.is_young(later(begins, 70 * DAY)));
    }
}
