//! An issuing authority counts no more, and with it everything that it issued.
//!
//! Three things make that so. It is written down, from when on CUHK takes nothing that it issued.
//! The root's revocation list names it, which whoever trusts the root obeys, also for what somebody
//! else issued with its key: see [`crate::ceremony`]. And each certificate that it issued is revoked,
//! so that it is listed as such and its holder can get a code.

use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, Serial};
use scb_cli::{Home, counted};

use crate::config::path;
use crate::issuers::read_certificate;
use crate::revocation::{Grounds, revoke_each};
use crate::store::{
    AuthorityKind, AuthorityRecord, CertificateRecord, CrlSigner, Records, Revocation, Store,
};
use crate::{Error, NamedKey, Subject};

/// Certificates that are revoked in one transaction: nobody else waits for long.
const AT_ONCE: usize = 500;

/// What an authority had issued.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RevokedWith {
    /// Certificates that were revoked now.
    pub certificates: usize,
    /// Who has none that counts any more, of those who had one of these; each once.
    pub holders: Vec<Subject>,
}

/// The authority that is meant; none if it is another key.
///
/// # Errors
///
/// [`Error::Storage`], [`Error::RecordInvalid`], [`Error::Local`].
pub fn named_authority(
    home: &Home,
    store: &Store,
    key: &NamedKey,
) -> Result<Option<CrlSigner>, Error> {
    for record in store.read_blocking(|records| records.authorities().all())? {
        let signer = record.signer;
        let certificate = || read_certificate(home, &path::authority(signer));
        let is_meant = match key {
            NamedKey::Authority(named) => *named == signer,
            NamedKey::Fingerprint(sha256) => certificate()?.fingerprint() == *sha256,
            NamedKey::Serial(serial) => certificate()?.serial() == *serial,
        };
        if is_meant {
            return Ok(Some(signer));
        }
    }
    Ok(None)
}

/// Looks whether an authority can be withdrawn.
///
/// # Errors
///
/// [`Error::RootNotRevocable`]; [`Error::AuthorityInUse`] if no other was put to use in its place;
/// [`Error::KeyUnknown`] if there is none of this name, [`Error::Storage`].
pub(crate) fn check_withdrawal(store: &Store, signer: CrlSigner) -> Result<(), Error> {
    let all = store.read_blocking(|records| records.authorities().all())?;
    check(&all, signer)
}

fn check(all: &[AuthorityRecord], signer: CrlSigner) -> Result<(), Error> {
    let unknown = || Error::KeyUnknown(NamedKey::Authority(signer));
    let mut records = all.iter();
    let record = records.find(|record| record.signer == signer);
    match record.ok_or_else(unknown)? {
        _ if signer.kind() == AuthorityKind::Root => Err(Error::RootNotRevocable(signer)),
        record if record.withdrawn.is_none() && !record.has_heir(all) => {
            Err(Error::AuthorityInUse(signer))
        }
        _ => Ok(()),
    }
}

/// Writes down that an issuing authority counts no more; answers whether that was not so before, or
/// for a lesser reason. The list of its root is still to be signed, and what it issued to be revoked.
///
/// # Errors
///
/// As for `check_withdrawal`; then nothing is changed. [`Error::Local`].
pub fn withdraw_authority(
    home: &Home,
    store: &Store,
    signer: CrlSigner,
    grounds: Grounds,
    now: UnixTime,
) -> Result<bool, Error> {
    check_withdrawal(store, signer)?;
    let authority = read_certificate(home, &path::authority(signer))?;
    store.write_blocking(move |records| {
        let authorities = records.authorities();
        check(&authorities.all()?, signer)?;
        let revocation = Revocation {
            at: now,
            reason: grounds.reason,
            invalid_since: grounds.invalid_since,
        };
        let changed = authorities.withdraw((signer, &authority), &revocation)?;
        if changed {
            records.note(&signer, &format!("withdrawn ({})", grounds.reason), now)?;
            records.status().advance(now)?;
        }
        Ok(changed)
    })
}

/// Revokes every certificate that an authority issued. Repeated, it does what was left undone.
///
/// # Errors
///
/// [`Error::Storage`], [`Error::RecordInvalid`], [`Error::Local`].
pub fn revoke_issued(
    home: &Home,
    store: &Store,
    signer: CrlSigner,
    grounds: Grounds,
    now: UnixTime,
) -> Result<RevokedWith, Error> {
    let authority = read_certificate(home, &path::authority(signer))?;
    let mut revoked = RevokedWith::default();
    let issued = issued_by(store, &authority)?;
    for some in issued.chunks(AT_ONCE) {
        let serials: Vec<_> = some.iter().map(|(serial, _)| *serial).collect();
        revoked.certificates += store.write_blocking(move |records| {
            let some = revoke_each(records, serials, grounds, now)?;
            if some > 0 {
                let result = format!("{} of its revoked", counted(some, "certificate"));
                records.note(&signer, &result, now)?;
            }
            Ok(some)
        })?;
    }
    revoked.holders = issued.into_iter().map(|(_, subject)| subject).collect();
    revoked.holders.sort();
    revoked.holders.dedup();
    let holders = std::mem::take(&mut revoked.holders);
    revoked.holders = store.read_blocking(move |records| without(records, holders, now))?;
    Ok(revoked)
}

/// Those who have no certificate that counts.
fn without(
    records: &Records<'_>,
    holders: Vec<Subject>,
    now: UnixTime,
) -> Result<Vec<Subject>, Error> {
    let mut without = Vec::new();
    for holder in holders {
        if records.certificates().live(&holder, now)?.is_empty() {
            without.push(holder);
        }
    }
    Ok(without)
}

/// What it issued and nobody has revoked for good, also what has ended: its key could renew it.
fn issued_by(store: &Store, authority: &Certificate) -> Result<Vec<(Serial, Subject)>, Error> {
    let authority = authority.clone();
    store.read_blocking(move |records| {
        let mut issued = Vec::new();
        records.certificates().each(None, |record| {
            if is_concerned(&record, &authority) {
                issued.push((record.intent.serial, record.intent.subject));
            }
            Ok(())
        })?;
        Ok(issued)
    })
}

fn is_concerned(record: &CertificateRecord, authority: &Certificate) -> bool {
    let certificate = record.certificate.as_ref();
    let is_its = certificate.is_some_and(|certificate| certificate.names_issuer(authority));
    is_its && (record.revocation.is_none() || record.is_on_hold())
}
