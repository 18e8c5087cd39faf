//! What two roots say of each other, while one takes the place of the other: for whoever knows one alone, and no
//! trust bundle.

use std::collections::BTreeSet;

use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, DistributionUrls, Fingerprint, Root, check_cross, may_certify_root};
use scb_cli::{Home, load_config, write_atomic};
use serde::{Deserialize, Serialize};

use super::InForce;
use super::import::altered;
use super::root::{RootAnswer, RootRequest};
use super::sign::require_in_force;
use crate::Error;
use crate::config::{Config, path};
use crate::issuers::{CrossFile, stored_crosses, stored_roots};
use crate::store::CrlSigner;

/// Cross certificates between the next root and the last that counts beside it, else between the last two of a
/// request: the addresses that they name. Nothing secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Crossing {
    older: Addresses,
    newer: Addresses,
    /// Which the older one is, where it is not the last before the newer: one that was passed over has retired as soon
    /// as the newer counts, and leads nobody on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    older_root: Option<Fingerprint>,
}

/// Where a root's revocation list and certificate are published, if anywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Addresses {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    crl_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ca_url: Option<String>,
}

impl Addresses {
    fn of(config: &Config, root: CrlSigner) -> Self {
        let urls = config.urls(root);
        Self {
            crl_url: urls.crl,
            ca_url: urls.ca,
        }
    }

    fn urls(&self) -> DistributionUrls {
        DistributionUrls {
            crl: self.crl_url.clone(),
            ca: self.ca_url.clone(),
        }
    }

    fn all(&self) -> impl Iterator<Item = &str> {
        let urls = [&self.crl_url, &self.ca_url].into_iter();
        urls.filter_map(|url| url.as_deref())
    }
}

impl Crossing {
    /// Between these two, with the addresses that this home has.
    pub(super) fn between(home: &Home, older: CrlSigner, newer: CrlSigner) -> Result<Self, Error> {
        let config: Config = load_config(home)?;
        Ok(Self {
            older: Addresses::of(&config, older),
            newer: Addresses::of(&config, newer),
            older_root: None,
        })
    }

    /// Between the `next` root and the last of `roots`, the oldest first, that goes on beside it: under which one of
    /// `needed` is, else the newest.
    pub(super) fn with_next(
        home: &Home,
        roots: &[(CrlSigner, Certificate)],
        needed: &BTreeSet<CrlSigner>,
        next: CrlSigner,
    ) -> Result<Option<Self>, Error> {
        let goes_on = |(signer, _): &&(CrlSigner, Certificate)| needed.contains(signer);
        let newest = roots.last();
        let Some(older) = roots.iter().rev().find(goes_on).or(newest) else {
            return Ok(None);
        };
        let is_newest = newest.is_some_and(|(signer, _)| *signer == older.0);
        Ok(Some(Self {
            older_root: (!is_newest).then(|| older.1.fingerprint()),
            ..Self::between(home, older.0, next)?
        }))
    }

    /// What the last of `roots` and the older one say of each other, PEM: only where the keys of both are here, as
    /// whoever carried the request could have put a stranger's root into it.
    pub(super) fn sign(
        &self,
        roots: &[Certificate],
        signers: &[&Root],
        now: UnixTime,
    ) -> Result<Vec<String>, Error> {
        let [before @ .., newer] = roots else {
            return Err(Error::CeremonyInvalid("a cross certificate of no root"));
        };
        let is_meant = |root: &&Certificate| match self.older_root {
            Some(meant) => root.fingerprint() == meant,
            None => true,
        };
        let Some(older) = before.iter().rev().find(is_meant) else {
            return Err(Error::CeremonyInvalid(
                "a cross certificate of a root that is none of those before the newest",
            ));
        };
        // One that has ended certifies nothing, and is certified by nobody: the lists do without.
        if [older, newer]
            .map(|root| require_in_force(root, now))
            .iter()
            .any(Result::is_err)
        {
            return Ok(Vec::new());
        }
        let key_of = |root: &Certificate| {
            let mut signers = signers.iter();
            signers.find(|signer| signer.certificate() == root)
        };
        let (Some(with_older), Some(with_newer)) = (key_of(older), key_of(newer)) else {
            return Ok(Vec::new());
        };
        let mut made = Vec::new();
        for (issuer, subject, addresses) in [
            (with_older, newer, &self.older),
            (with_newer, older, &self.newer),
        ] {
            if may_certify_root(issuer.certificate()) {
                let cross = issuer.cross_certify(subject, now, &addresses.urls())?;
                made.push(cross.to_pem());
            }
        }
        Ok(made)
    }
}

impl RootRequest {
    /// Whether cross certificates are asked for.
    pub(crate) fn asks_for_crosses(&self) -> bool {
        self.cross.is_some()
    }

    /// The addresses that cross certificates will name.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = &str> {
        let crossing = self.cross.iter();
        crossing.flat_map(|cross| cross.older.all().chain(cross.newer.all()))
    }

    /// Asks also for those between the last two roots, if these could make one that is not here yet or will soon end:
    /// of a root from before cross certificates, or once a year.
    ///
    /// # Errors
    ///
    /// [`Error::Local`], [`Error::Certificates`].
    pub(crate) fn with_missing_crosses(
        mut self,
        home: &Home,
        keys: &[Root],
        now: UnixTime,
    ) -> Result<Self, Error> {
        let (stored, asked) = (stored_roots(home)?, self.roots()?);
        let signer_of = |root: &Certificate| {
            let mut stored = stored.iter();
            stored
                .find(|(_, known)| known == root)
                .map(|(signer, _)| *signer)
        };
        let is_here = |root: &Certificate| keys.iter().any(|key| key.certificate() == root);
        let [.., older, newer] = &asked[..] else {
            return Ok(self);
        };
        let (Some(old), Some(new)) = (signer_of(older), signer_of(newer)) else {
            return Ok(self);
        };
        let known = stored_crosses(home, &stored);
        let lacks = |pair| !known.iter().any(|cross| cross.lasts_for(pair, now));
        let is_wanted = (may_certify_root(older) && lacks((new, old)))
            || (may_certify_root(newer) && lacks((old, new)));
        if is_wanted && is_here(older) && is_here(newer) {
            self.cross = Some(Crossing::between(home, old, new)?);
        }
        Ok(self)
    }
}

impl RootAnswer {
    /// Whether whoever knows an older root alone goes on to what is under the next one.
    pub(crate) fn leads_on(&self) -> bool {
        let next = self.certificate().map(Certificate::from_pem);
        let Some(Ok(next)) = next else {
            return false;
        };
        let crosses = self.crosses.iter().map(|pem| Certificate::from_pem(pem));
        crosses
            .flatten()
            .any(|cross| cross.subject_key_id() == next.subject_key_id())
    }
}

/// Those in an answer, each with the file that is for it: what the last of `roots` and an older one of this home say
/// of each other, and with this home's addresses. None in the answer of an earlier version.
///
/// # Errors
///
/// [`Error::CeremonyInvalid`], [`Error::NotInForce`]; [`Error::Local`].
pub(super) fn checked(
    home: &Home,
    answer: &RootAnswer,
    roots: &[(CrlSigner, Certificate)],
    now: UnixTime,
) -> Result<Vec<(CrossFile, Certificate)>, Error> {
    let mut found = Vec::new();
    if answer.crosses.is_empty() {
        return Ok(found);
    }
    let newer = roots.last().ok_or(Error::CeremonyInvalid(STRANGE))?;
    let mut older = stored_roots(home)?;
    older.retain(|(signer, _)| *signer < newer.0);
    for pem in &answer.crosses {
        let cross = Certificate::from_pem(pem).map_err(altered)?;
        let (which, older) =
            between(&cross, &older, &newer.1).ok_or(Error::CeremonyInvalid(STRANGE))?;
        let crossing = Crossing::between(home, older, newer.0)?;
        let addresses = match which {
            CrossFile::NewWithOld => &crossing.older,
            CrossFile::OldWithNew => &crossing.newer,
        };
        if found.iter().any(|(other, _)| *other == which) {
            return Err(Error::CeremonyInvalid(
                "a cross certificate in it is there twice",
            ));
        }
        let named = |urls: Option<String>| urls.into_iter().collect::<Vec<_>>();
        let urls = addresses.urls();
        if cross.revocation_list_urls() != named(urls.crl) || cross.issuer_urls() != named(urls.ca)
        {
            return Err(Error::CeremonyInvalid(ELSEWHERE));
        }
        InForce::of(&cross).require("a cross certificate", now)?;
        found.push((which, cross));
    }
    Ok(found)
}

/// Which of the two it is between `newer` and one of the `older`, and which one that is.
fn between(
    cross: &Certificate,
    older: &[(CrlSigner, Certificate)],
    newer: &Certificate,
) -> Option<(CrossFile, CrlSigner)> {
    let of =
        |subject: &Certificate, issuer: &Certificate| check_cross(cross, subject, issuer).is_ok();
    let which = |root: &Certificate| {
        if of(newer, root) {
            Some(CrossFile::NewWithOld)
        } else if of(root, newer) {
            Some(CrossFile::OldWithNew)
        } else {
            None
        }
    };
    let mut older = older.iter().rev();
    older.find_map(|(signer, root)| Some((which(root)?, *signer)))
}

const STRANGE: &str = "a cross certificate in it is none between the newest root of this home and one before it: the \
                       request or the answer was altered on its way";
const ELSEWHERE: &str = "a cross certificate in it says that a root's revocation list or certificate is elsewhere than \
                         at this home's `public_url`: the request was altered on its way, or that was changed \
                         meanwhile: ask anew";

/// Writes them into the directory of the newer root.
pub(super) fn write(
    home: &Home,
    newer: CrlSigner,
    crosses: &[(CrossFile, Certificate)],
) -> Result<(), Error> {
    let dir = home.path(&path::authority(newer));
    for (which, cross) in crosses {
        write_atomic(&dir.join(which.name()), cross.to_pem().as_bytes(), 0o644)?;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use scb_certs::SigningKey;

    use super::*;

    /// It may still count then: what else is signed with it does not fail for that.
    #[test]
    fn a_root_that_has_ended_certifies_nothing_and_is_certified_by_nobody() {
        let day = |days: u64| {
            UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000 + days * 86_400))
        };
        let domain = "cuhk.example".parse().unwrap();
        let root =
            |days| Root::create(&domain, SigningKey::generate().unwrap(), day(days)).unwrap();
        let (old, new) = (root(0), root(3600));
        let nowhere = || Addresses {
            crl_url: None,
            ca_url: None,
        };
        let crossing = Crossing {
            older: nowhere(),
            newer: nowhere(),
            older_root: None,
        };
        let roots = [&old, &new].map(|root| root.certificate().clone());
        let made = |days| {
            crossing
                .sign(&roots, &[&old, &new], day(days))
                .unwrap()
                .len()
        };
        assert_eq!(made(3601), 2);
        assert_eq!(made(3654), 0);
    }
}
