//! The revocation lists as they are handed out: signed again when anybody's status has
//! changed and long before they run out.

use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_certs::{Crl, Validities};

use crate::Error;
use crate::issuers::Issuers;
use crate::store::{CrlSigner, Records, Store, StoredList};
use crate::time::{earlier, later};

/// A list is signed again when it has less than this left.
const RENEW_BEFORE: Duration = Duration::from_secs(12 * 60 * 60);
/// A revoked certificate stays listed for this long after it has run out anyway.
const KEEP_AFTER_END: Duration = Duration::from_secs(2 * 24 * 60 * 60);

/// The three current lists.
#[derive(Debug, Clone)]
pub(crate) struct Publication {
    /// The epoch that they cover.
    pub(crate) epoch: u64,
    /// Root, students, services.
    pub(crate) lists: [Crl; 3],
}

impl Publication {
    /// The current lists, signed anew where that is needed.
    pub(crate) async fn current(
        store: &Store,
        issuers: &Arc<Issuers>,
        now: UnixTime,
    ) -> Result<Self, Error> {
        if let Some(current) = store.read(move |records| stored(records, now)).await? {
            return Ok(current);
        }
        let issuers = Arc::clone(issuers);
        let signed = store
            .read(move |records| sign(records, &issuers, now))
            .await?;
        store.write(move |records| keep(records, signed)).await
    }

    /// The list of one signer.
    pub(crate) fn list(&self, signer: CrlSigner) -> &Crl {
        let [root, students, services] = &self.lists;
        match signer {
            CrlSigner::Root => root,
            CrlSigner::Students => students,
            CrlSigner::Services => services,
        }
    }

    /// Whether none of the lists that are signed here needs to be renewed for its age.
    pub(crate) fn is_fresh(&self, now: UnixTime) -> bool {
        self.lists[1..].iter().all(|crl| is_fresh(crl, now))
    }
}

fn is_fresh(crl: &Crl, now: UnixTime) -> bool {
    let from = crl.this_update().as_secs();
    let until = earlier(crl.next_update(), RENEW_BEFORE).as_secs();
    (from..until).contains(&now.as_secs())
}

/// The stored lists, if they cover the epoch and are fresh.
fn stored(records: &Records<'_>, now: UnixTime) -> Result<Option<Publication>, Error> {
    let epoch = records.status().epoch()?;
    let mut lists = Vec::with_capacity(2);
    for signer in [CrlSigner::Students, CrlSigner::Services] {
        match records.lists().find(signer)? {
            Some(list) if list.epoch == epoch && is_fresh(&list.crl, now) => lists.push(list.crl),
            _ => return Ok(None),
        }
    }
    let Ok([students, services]) = <[Crl; 2]>::try_from(lists) else {
        return Ok(None);
    };
    let lists = [root_list(records)?, students, services];
    Ok(Some(Publication { epoch, lists }))
}

/// Signs both lists of one snapshot. Nobody waits for it: what is revoked meanwhile belongs to
/// the next epoch. No list is signed while a row is altered: a revocation that was lost on disk
/// would be missing from it.
fn sign(records: &Records<'_>, issuers: &Issuers, now: UnixTime) -> Result<Publication, Error> {
    records.certificates().check()?;
    let epoch = records.status().epoch()?;
    let since = earlier(now, KEEP_AFTER_END);
    let sign = |signer, issuer: &scb_certs::Issuer| {
        let revoked = records
            .certificates()
            .revoked(signer == CrlSigner::Students, since)?;
        let number = records.lists().next_number(signer, now)?;
        Ok::<_, Error>(issuer.sign_crl(number, now, later(now, Validities::CRL), &revoked)?)
    };
    let lists = [
        root_list(records)?,
        sign(CrlSigner::Students, &issuers.students)?,
        sign(CrlSigner::Services, &issuers.services)?,
    ];
    Ok(Publication { epoch, lists })
}

/// Numbers only grow: stores the lists before anybody sees them.
fn keep(records: &Records<'_>, signed: Publication) -> Result<Publication, Error> {
    let [_, students, services] = &signed.lists;
    for (signer, crl) in [
        (CrlSigner::Students, students),
        (CrlSigner::Services, services),
    ] {
        let list = StoredList {
            crl: crl.clone(),
            epoch: signed.epoch,
        };
        records.lists().replace(signer, &list)?;
    }
    Ok(signed)
}

fn root_list(records: &Records<'_>) -> Result<Crl, Error> {
    let stored = records.lists().find(CrlSigner::Root)?;
    Ok(stored
        .ok_or(Error::RecordInvalid {
            what: "revocation list of the root",
        })?
        .crl)
}
