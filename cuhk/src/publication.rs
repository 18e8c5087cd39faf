//! The revocation lists as they are handed out: signed again when anybody's status has
//! changed and long before they run out.

mod revoked;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, Crl, Validities};

use crate::Error;
use crate::issuers::{Issuers, Issuing};
use crate::store::{CrlSigner, Records, Store, StoredList};
use crate::time::{earlier, later};

pub(crate) use self::revoked::RevokedCertificates;

/// A list is signed again when it has less than this left.
const RENEW_BEFORE: Duration = Duration::from_secs(12 * 60 * 60);
/// A revoked certificate stays listed for this long after it has run out anyway.
const KEEP_AFTER_END: Duration = Duration::from_secs(2 * 24 * 60 * 60);
/// How long everybody has to see the first list of an issuing authority before it issues.
const NOTICE: Duration = Duration::from_secs(10);

/// The current lists.
#[derive(Debug, Clone)]
pub(crate) struct Publication {
    /// The epoch that they cover.
    pub(crate) epoch: u64,
    /// Those that everybody fetches together: of the roots, then of the issuing authorities.
    pub(crate) lists: Vec<Crl>,
    /// Of the issuing authorities that a root's list among those names: whoever has that list believes
    /// nothing that they issued. For whoever follows the address in one of their certificates.
    besides: Vec<Crl>,
    /// How many of them are of roots.
    roots: usize,
}

impl Publication {
    /// The current lists, signed anew where that is needed, from what has changed in `revoked`. An
    /// issuing authority whose list was not there before may issue from a little later on, once its
    /// certificate has begun.
    pub(crate) async fn current(
        store: &Store,
        issuers: &Arc<Issuers>,
        revoked: &mut RevokedCertificates,
        now: UnixTime,
    ) -> Result<Self, Error> {
        let known = Arc::clone(issuers);
        let current = store.read(move |records| stored(records, &known, now));
        if let Some(current) = current.await? {
            return Ok(current);
        }
        // After an error nothing is left of them, and all are read again.
        let (issuers, before) = (Arc::clone(issuers), std::mem::take(revoked));
        let signing = store.read(move |records| {
            let revoked = before.updated(records, now)?;
            Ok((sign(records, &issuers, &revoked, now)?, revoked))
        });
        let (signed, updated) = signing.await?;
        *revoked = updated;
        store.write(move |records| keep(records, signed)).await
    }

    /// These lists of issuing authorities beside the lists of the roots.
    fn of(epoch: u64, of_roots: Vec<Crl>, of_issuers: Vec<(Certificate, Crl)>) -> Self {
        let is_named = |issuer: &Certificate| {
            let by_its_root = |list: &&Crl| Some(list.issuer_key_id()) == issuer.authority_key_id();
            let mut lists = of_roots.iter().filter(by_its_root);
            lists.any(|list| list.contains(&issuer.serial()))
        };
        let (mut lists, mut besides) = (Vec::new(), Vec::new());
        for (issuer, list) in of_issuers {
            match is_named(&issuer) {
                true => besides.push(list),
                false => lists.push(list),
            }
        }
        Self {
            epoch,
            roots: of_roots.len(),
            lists: [of_roots, lists].concat(),
            besides,
        }
    }

    /// The list of this authority.
    pub(crate) fn list_of(&self, authority: &Certificate) -> Option<&Crl> {
        let key_id = authority.subject_key_id();
        let mut all = self.lists.iter().chain(&self.besides);
        all.find(|list| Some(list.issuer_key_id()) == key_id)
    }

    /// The bytes of a list, which whoever is slow to read them shares with everybody else.
    pub(crate) fn bytes_of(list: &Crl) -> Bytes {
        struct Shared(Crl);
        impl AsRef<[u8]> for Shared {
            fn as_ref(&self) -> &[u8] {
                self.0.der()
            }
        }
        Bytes::from_owner(Shared(list.clone()))
    }

    /// Whether none of the lists that are signed here needs to be renewed for its age.
    pub(crate) fn is_fresh(&self, now: UnixTime) -> bool {
        let (_, signed_here) = self.lists.split_at(self.roots);
        let mut signed_here = signed_here.iter().chain(&self.besides);
        signed_here.all(|crl| is_fresh(crl, now))
    }

    /// The lists of the roots.
    pub(crate) fn of_roots(&self) -> &[Crl] {
        &self.lists[..self.roots]
    }

    /// With others in the place of the lists.
    pub(crate) fn with_lists(&self, lists: Vec<Crl>) -> Self {
        Self {
            lists,
            ..self.clone()
        }
    }
}

fn is_fresh(crl: &Crl, now: UnixTime) -> bool {
    let from = crl.this_update().as_secs();
    let until = earlier(crl.next_update(), RENEW_BEFORE).as_secs();
    (from..until).contains(&now.as_secs())
}

/// The stored lists, if they cover the epoch and are fresh.
fn stored(
    records: &Records<'_>,
    issuers: &Issuers,
    now: UnixTime,
) -> Result<Option<Publication>, Error> {
    let epoch = records.status().epoch()?;
    let of_roots = root_lists(records, issuers, now)?;
    let mut lists = Vec::new();
    for issuing in issuers.listing(now) {
        match records.lists().covering(issuing.signer, epoch)? {
            Some(list) if is_fresh(&list.crl, now) => {
                lists.push((issuing.issuer.certificate().clone(), list.crl));
            }
            _ => return Ok(None),
        }
    }
    Ok(Some(Publication::of(epoch, of_roots, lists)))
}

/// Lists that are signed and not yet stored.
struct Signed {
    epoch: u64,
    roots: Vec<Crl>,
    lists: Vec<(Arc<Issuing>, Crl)>,
    /// Whoever has one for the first time.
    first: Vec<CrlSigner>,
    now: UnixTime,
}

/// Signs all lists of one snapshot. Nobody waits for it: what is revoked meanwhile belongs to
/// the next epoch. No list is signed if a revocation was lost on disk: see [`RevokedCertificates`].
fn sign(
    records: &Records<'_>,
    issuers: &Issuers,
    revoked: &RevokedCertificates,
    now: UnixTime,
) -> Result<Signed, Error> {
    let since = earlier(now, KEEP_AFTER_END);
    let mut lists = Vec::new();
    for issuing in issuers.listing(now) {
        let Issuing { signer, issuer } = &**issuing;
        let listed = revoked.listed_by(issuer, since);
        let number = records.lists().next_number(*signer, now)?;
        let (from, until) = (
            earlier(now, Validities::BACKDATE),
            later(now, Validities::CRL),
        );
        let crl = issuer.sign_crl(number, from, until, &listed)?;
        lists.push((Arc::clone(issuing), crl));
    }
    Ok(Signed {
        epoch: records.status().epoch()?,
        roots: root_lists(records, issuers, now)?,
        lists,
        first: issuers.unpublished().collect(),
        now,
    })
}

/// Numbers only grow: stores the lists before anybody sees them.
fn keep(records: &Records<'_>, signed: Signed) -> Result<Publication, Error> {
    let epoch = signed.epoch;
    let mut lists = Vec::new();
    for (issuing, crl) in signed.lists {
        let list = StoredList {
            crl: crl.clone(),
            epoch,
        };
        records.lists().replace(issuing.signer, &list)?;
        let certificate = issuing.issuer.certificate().clone();
        if signed.first.contains(&issuing.signer) {
            let from = later(signed.now, NOTICE).max(certificate.not_before());
            records.authorities().activate(issuing.signer, from)?;
        }
        lists.push((certificate, crl));
    }
    Ok(Publication::of(epoch, signed.roots, lists))
}

/// Those that were signed with the roots' keys, which are not here.
fn root_lists(records: &Records<'_>, issuers: &Issuers, now: UnixTime) -> Result<Vec<Crl>, Error> {
    let list = |(signer, _)| {
        let stored = records.lists().find(signer)?;
        let missing = || Error::RecordInvalid {
            what: "revocation list of the root",
        };
        Ok(stored.ok_or_else(missing)?.crl)
    };
    issuers.roots(now).into_iter().map(list).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_certs::IssuerKind;

    use super::*;

    #[test]
    fn whoever_asks_for_a_list_is_given_the_same_bytes() {
        let now = UnixTime::since_unix_epoch(Duration::from_secs(1_772_424_000));
        let issuer = crate::store::issuer(IssuerKind::Students);
        let list = issuer
            .sign_crl(1, now, later(now, Validities::CRL), &[])
            .unwrap();
        let [one, other] = [(); 2].map(|()| Publication::bytes_of(&list));
        assert_eq!(one, list.der());
        assert_eq!(one.as_ptr(), list.der().as_ptr());
        assert_eq!(one.as_ptr(), other.as_ptr());
    }
}
