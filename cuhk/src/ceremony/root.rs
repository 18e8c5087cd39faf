//! What a root signs about roots: another one beside it, the trust bundle, revocation lists.
//!
//! The same three acts as for an issuing authority: request, signature, import.

use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, Crl, Root, SigningKey, TrustDomain, TrustStore, Validities};
use scb_cli::{Home, create_private_dir, write_atomic};
use scb_protocol::values::Der;
use scb_protocol::{BundleError, SignedBundle};
use serde::{Deserialize, Serialize};

use super::InForce;
use super::cross::{self, Crossing};
use super::import::{altered, to_json};
use super::revoked::{self, Revoked, require_listed, to_be_listed};
use super::sign::{check_time, require_in_force, require_root};
use crate::Error;
use crate::config::path;
use crate::issuers::{counting_roots, needed_roots, stored_roots};
use crate::store::{AuthorityKind, CrlSigner, Records, Store, StoredList};
use crate::time::{earlier, later};

const REQUEST: &str = "scb-root-request";
const ANSWER: &str = "scb-root-answer";

/// What is carried to the root: what counts now. Nothing secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootRequest {
    #[serde(rename = "type")]
    kind: String,
    v: u8,
    /// Of whom it is.
    pub trust_domain: TrustDomain,
    /// The name of the root that is to come, if one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<CrlSigner>,
    /// The roots that go on, the oldest first.
    roots: Vec<Der>,
    /// The number of the next trust bundle.
    sequence: u64,
    /// A number for revocation lists that no earlier one has.
    number: u64,
    /// The issuing authorities that count no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revoked: Vec<Revoked>,
    /// What two roots are to say of each other, if that is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cross: Option<Crossing>,
}

/// What is carried back. Nothing secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootAnswer {
    #[serde(rename = "type")]
    kind: String,
    v: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<CrlSigner>,
    /// The certificate of the next root, PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    certificate: Option<String>,
    /// Revocation lists of roots, PEM.
    lists: Vec<String>,
    bundle: String,
    signatures: Vec<Der>,
    /// Cross certificates, PEM, if they were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) crosses: Vec<String>,
}

impl RootRequest {
    /// Reads one.
    ///
    /// # Errors
    ///
    /// [`Error::CeremonyInvalid`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, Error> {
        match serde_json::from_slice::<Self>(bytes) {
            Ok(request) if request.kind == REQUEST && request.v == 1 => Ok(request),
            _ => Err(Error::CeremonyInvalid("not a request to a root")),
        }
    }

    /// As it is written to a file.
    pub fn to_json(&self) -> Vec<u8> {
        to_json(self)
    }

    /// The roots that go on, the oldest first: each is named in the trust bundle, whoever put it here.
    ///
    /// # Errors
    ///
    /// [`Error::Certificates`].
    pub fn roots(&self) -> Result<Vec<Certificate>, Error> {
        let roots = self
            .roots
            .iter()
            .map(|der| Certificate::from_der(der.as_bytes()));
        Ok(roots.collect::<Result<_, _>>()?)
    }
}

impl RootAnswer {
    /// Reads one.
    ///
    /// # Errors
    ///
    /// [`Error::CeremonyInvalid`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, Error> {
        match serde_json::from_slice::<Self>(bytes) {
            Ok(answer) if answer.kind == ANSWER && answer.v == 1 => Ok(answer),
            _ => Err(Error::CeremonyInvalid("not the answer of a root")),
        }
    }

    /// As it is written to a file.
    pub fn to_json(&self) -> Vec<u8> {
        to_json(self)
    }

    /// The certificate of the next root, PEM, if there is one.
    pub(crate) fn certificate(&self) -> Option<&str> {
        self.certificate.as_deref()
    }

    pub(super) fn signed(&self) -> SignedBundle {
        SignedBundle {
            bundle: self.bundle.clone(),
            signatures: self
                .signatures
                .iter()
                .map(|der| der.as_bytes().to_vec())
                .collect(),
        }
    }

    /// When the lists and the bundle count, and with them another root.
    ///
    /// # Errors
    ///
    /// [`Error::CeremonyInvalid`] if there is no list that can be decoded.
    pub(crate) fn in_force(&self) -> Result<InForce, Error> {
        let lists = self.lists()?;
        // The bundle begins when it is signed, the lists a little before.
        let from = lists.iter().map(Crl::this_update).max();
        let from = from.map(|from| later(from, Validities::BACKDATE));
        let until = lists.iter().map(Crl::next_update).min();
        from.zip(until)
            .map(|(from, until)| InForce::signed_at(from, until))
            .ok_or(Error::CeremonyInvalid("no revocation list of a root"))
    }

    fn lists(&self) -> Result<Vec<Crl>, Error> {
        let lists = self.lists.iter().map(|pem| Crl::from_pem(pem));
        lists.collect::<Result<_, _>>().map_err(altered)
    }
}

/// What the root is to sign: for `another` root beside it, with what the two say of each other, or only its list
/// and the bundle anew.
///
/// # Errors
///
/// [`Error::ListMissing`] if this is not the database that `cuhk init` made; [`Error::RootEnded`];
/// [`Error::Storage`], [`Error::Local`], [`Error::Certificates`].
pub fn request_root(
    home: &Home,
    store: &Store,
    another: bool,
    now: UnixTime,
) -> Result<RootRequest, Error> {
    let (all, next, sequence, number) = store.read_blocking(move |records| {
        let all = records.authorities().all()?;
        let next = records.authorities().next(AuthorityKind::Root)?;
        if records.lists().find(CrlSigner::ROOT)?.is_none() {
            return Err(Error::ListMissing(CrlSigner::ROOT));
        }
        let number = highest_number(records, now)?;
        Ok((all, next, records.bundles().next_number(now)?, number))
    })?;
    let counting = counting_roots(home, &all, now)?;
    let mut roots = stored_roots(home)?;
    roots.retain(|(signer, _)| counting.contains(signer));
    let newest = roots.last().ok_or(Error::RecordInvalid { what: "root" })?;
    let newest = &newest.1;
    require_in_force(newest, now)?;
    let cross = match another {
        true => Crossing::with_next(home, &roots, &needed_roots(home, &all, now)?, next)?,
        false => None,
    };
    let ders = roots.iter().map(|(_, root)| Der::new(root.der().to_vec()));
    Ok(RootRequest {
        kind: REQUEST.to_owned(),
        v: 1,
        trust_domain: newest.authority_trust_domain()?,
        next: another.then_some(next),
        sequence,
        number,
        roots: ders.collect(),
        revoked: to_be_listed(home, &all)?,
        cross,
    })
}

/// Signs with roots' keys: their revocation lists for another 13 months and the trust bundle; with
/// the key of the `next` root its certificate and its first list as well. What two roots say of each other is signed
/// if it is asked for.
///
/// # Errors
///
/// [`Error::RequestNotOurs`] if a root is not among those that go on, [`Error::WrongRoot`] if the newest does not sign,
/// [`Error::ClockBeforeRoot`] before a root's beginning, [`Error::RootEnded`] after the newest's end;
/// [`Error::CeremonyInvalid`] if a next root is asked for and its key is not there, or the other way round.
pub fn sign_root(
    request: &RootRequest,
    by: &[Root],
    next: Option<SigningKey>,
    now: UnixTime,
) -> Result<RootAnswer, Error> {
    let mut roots = request.roots()?;
    for root in by {
        let own = root.certificate().authority_trust_domain()?;
        if request.trust_domain != own || !roots.contains(root.certificate()) {
            return Err(Error::RequestNotOurs {
                own,
                found: request.trust_domain.clone(),
            });
        }
    }
    let newest = roots.last().ok_or(Error::RecordInvalid { what: "root" })?;
    let first = by.first().ok_or(Error::CeremonyInvalid("no root"))?;
    if !by.iter().any(|root| root.certificate() == newest) {
        require_root(newest.fingerprint(), first.certificate())?;
    }
    by.iter().try_for_each(|root| check_time(root, now))?;
    require_in_force(newest, now)?;
    let next = match (request.next, next) {
        (Some(_), Some(key)) => Some(Root::create(&request.trust_domain, key, now)?),
        (None, None) => None,
        _ => return Err(Error::CeremonyInvalid("a key for another root, or none")),
    };
    let (from, until) = (
        earlier(now, Validities::BACKDATE),
        later(now, Validities::ROOT_CRL),
    );
    let list = |root: &Root| {
        let listed = revoked::entries(&request.revoked, root.certificate())?;
        Ok(root
            .sign_crl(request.number, from, until, &listed)?
            .to_pem())
    };
    let signers: Vec<_> = by.iter().chain(&next).collect();
    let lists = signers.iter().map(|root| list(root));
    let lists = lists.collect::<Result<_, Error>>()?;
    roots.extend(next.iter().map(|next| next.certificate().clone()));
    let crosses = request.cross.as_ref();
    let crosses = crosses.map(|cross| cross.sign(&roots, &signers, now));
    let crosses = crosses.transpose()?.unwrap_or_default();
    let signed = SignedBundle::sign(&signers, &roots, request.sequence, (now, until))?;
    Ok(RootAnswer {
        kind: ANSWER.to_owned(),
        v: 1,
        next: request.next,
        certificate: next.map(|next| next.certificate().to_pem()),
        lists,
        bundle: signed.bundle,
        signatures: signed.signatures.into_iter().map(Der::new).collect(),
        crosses,
    })
}

/// Takes in what a root signed: a running server hands it out within a second.
///
/// # Errors
///
/// [`Error::NotInForce`] by this machine's clock; [`Error::CeremonyInvalid`] if no root of this home has signed the
/// bundle, if it is not a later one, names a root that is none of this home's or leaves one out, what comes with it does
/// not belong to it or has a number that was not asked for, a list leaves out an authority that counts no more, or the
/// next root's is not there. Then nothing is changed.
pub fn import_root(
    home: &Home,
    store: &Store,
    answer: &RootAnswer,
    now: UnixTime,
) -> Result<Option<CrlSigner>, Error> {
    let all = store.read_blocking(|records| records.authorities().all())?;
    let known = store.read_blocking(|records| records.bundles().sequence())?;
    let counting = counting_roots(home, &all, now)?;
    let stored = stored_roots(home)?.into_iter();
    let mut roots: Vec<_> = stored
        .filter(|(signer, _)| counting.contains(signer))
        .collect();
    let trusted = TrustStore::of_roots(roots.iter().map(|(_, root)| root.clone()).collect())?;
    let bundle = answer.signed().verify(&trusted, known + 1, now);
    let bundle = bundle.map_err(|error| not_taken(&error, now))?;
    let next = next_root(answer, bundle.trust(), &all)?;
    roots.extend(next.clone());
    let (sequence, signed, lists) = (bundle.sequence(), answer.signed(), answer.lists()?);
    require_own(home, bundle.trust(), &roots)?;
    store.read_blocking(move |records| require_numbers(records, sequence, now))?;
    let highest = store.read_blocking(move |records| highest_number(records, now))?;
    if lists.iter().any(|list| list.number() > highest) {
        return Err(Error::CeremonyInvalid(NUMBERS));
    }
    if let Some(over) = lists.iter().find(|list| list.next_update() <= now) {
        let counted = InForce::signed_at(over.this_update(), over.next_update());
        return Err(not_in_force(counted, now));
    }
    require_listed(home, &all, (&lists, &roots))?;
    let lists = signed_lists(lists, &roots, answer.next)?;
    let crosses = cross::checked(home, answer, &roots, now)?;
    write_roots(home, bundle.trust(), next)?;
    if let Some((newest, _)) = roots.last() {
        cross::write(home, *newest, &crosses)?;
    }
    let next = answer.next;
    store.write_blocking(move |records| {
        let epoch = records.status().advance(now)?;
        for (signer, list) in lists {
            records
                .lists()
                .replace(signer, &StoredList { crl: list, epoch })?;
        }
        put_to_use(records, next, &roots, now)?;
        let signer = next.unwrap_or(CrlSigner::ROOT);
        let new = if next.is_some() { "put to use; " } else { "" };
        let result = format!("{new}trust bundle {sequence} and revocation lists signed");
        records.note(&signer, &result, now)?;
        records.bundles().replace(sequence, &signed)
    })?;
    Ok(next)
}

fn not_taken(error: &BundleError, now: UnixTime) -> Error {
    match error {
        BundleError::NotInForce {
            not_before,
            not_after,
        } => not_in_force(InForce::signed_at(*not_before, *not_after), now),
        BundleError::WentBack { .. } => Error::CeremonyInvalid(NUMBER_USED),
        _ => Error::CeremonyInvalid("no root of this home has signed its trust bundle"),
    }
}

fn not_in_force(counts: InForce, now: UnixTime) -> Error {
    let refused = counts.require("what the root has signed", now);
    refused.err().unwrap_or(Error::CeremonyInvalid(
        "its revocation list and its trust bundle differ",
    ))
}

/// Writes the next root's certificate into its directory, and all that count into `ca.pem`.
fn write_roots(
    home: &Home,
    trust: &TrustStore,
    next: Option<(CrlSigner, Certificate)>,
) -> Result<(), Error> {
    if let Some((signer, root)) = next {
        let dir = home.path(&path::authority(signer));
        if !dir.exists() {
            create_private_dir(&dir)?;
        }
        let pem = root.to_pem();
        write_atomic(&dir.join(path::CERTIFICATE), pem.as_bytes(), 0o644)?;
    }
    let pem: String = trust.roots().iter().map(Certificate::to_pem).collect();
    let copy = home.path(path::ROOT_CERTIFICATE_COPY);
    Ok(write_atomic(&copy, pem.as_bytes(), 0o644)?)
}

/// What was signed names every root that counts here and no stranger: whoever carried the request could
/// have put one in.
fn require_own(
    home: &Home,
    named: &TrustStore,
    counting: &[(CrlSigner, Certificate)],
) -> Result<(), Error> {
    let stored = stored_roots(home)?;
    let is_own = |root: &Certificate| {
        let mut own = stored.iter().chain(counting);
        own.any(|(_, known)| known == root)
    };
    if !named.roots().iter().all(is_own) {
        return Err(Error::CeremonyInvalid(
            "the trust bundle names a root that is none of this home's: the request was altered on its \
             way, and whoever has the answer may show it to others: ask anew, and see what is signed",
        ));
    }
    let is_named = |(_, root): &(CrlSigner, Certificate)| named.roots().contains(root);
    match counting.iter().all(is_named) {
        true => Ok(()),
        false => Err(Error::CeremonyInvalid(
            "the trust bundle leaves out a root that counts here",
        )),
    }
}

const NUMBER_USED: &str = "the number that its request asked for is used already: another answer, to the same request \
    or to a later one, was taken in before";
const NUMBERS: &str = "a number in it is not one that was asked for: nothing later could follow it";

/// No later than the one that may be asked for now: after the highest number there is none.
fn require_numbers(records: &Records<'_>, sequence: u64, now: UnixTime) -> Result<(), Error> {
    let next = records.bundles().next_number(now)?;
    match sequence <= next.max(now.as_secs()) {
        true => Ok(()),
        false => Err(Error::CeremonyInvalid(NUMBERS)),
    }
}

/// The number that a list of a root would have now.
fn highest_number(records: &Records<'_>, now: UnixTime) -> Result<u64, Error> {
    let all = records.authorities().all()?;
    let roots = all.iter().map(|record| record.signer);
    let roots = roots.filter(|signer| signer.kind() == AuthorityKind::Root);
    let numbers = roots.map(|signer| records.lists().next_number(signer, now));
    let numbers = numbers.collect::<Result<Vec<_>, _>>()?;
    Ok(numbers.into_iter().max().unwrap_or(0))
}

fn put_to_use(
    records: &Records<'_>,
    next: Option<CrlSigner>,
    roots: &[(CrlSigner, Certificate)],
    now: UnixTime,
) -> Result<(), Error> {
    let is_next = |(signer, _): &&(CrlSigner, Certificate)| Some(*signer) == next;
    let Some((signer, root)) = roots.iter().find(is_next) else {
        return Ok(());
    };
    let key = root.public_key()?.fingerprint();
    records
        .certificates()
        .reserve_key(&key, &signer.to_string())?;
    records.authorities().add(*signer)?;
    records.authorities().activate(*signer, now)
}

/// The root that comes with an answer: one of the bundle, and of the name that was asked for.
fn next_root(
    answer: &RootAnswer,
    trust: &TrustStore,
    all: &[crate::AuthorityRecord],
) -> Result<Option<(CrlSigner, Certificate)>, Error> {
    let (signer, pem) = match (answer.next, &answer.certificate) {
        (Some(signer), Some(pem)) => (signer, pem),
        (None, None) => return Ok(None),
        _ => return Err(Error::CeremonyInvalid("a root without its name")),
    };
    let certificate = Certificate::from_pem(pem).map_err(altered)?;
    let is_new =
        signer.kind() == AuthorityKind::Root && all.iter().all(|record| record.signer != signer);
    match is_new && trust.roots().contains(&certificate) {
        true => Ok(Some((signer, certificate))),
        false => Err(Error::CeremonyInvalid("its root is not the next one")),
    }
}

/// Whose the lists are. Without one of the next root, which has none here yet, no list could be handed out any more.
fn signed_lists(
    lists: Vec<Crl>,
    roots: &[(CrlSigner, Certificate)],
    next: Option<CrlSigner>,
) -> Result<Vec<(CrlSigner, Crl)>, Error> {
    let signed = lists
        .into_iter()
        .map(|list| Ok((signer_of(&list, roots)?, list)));
    let signed: Vec<_> = signed.collect::<Result<_, Error>>()?;
    let is_there = |next| signed.iter().any(|(signer, _)| *signer == next);
    match !signed.is_empty() && next.is_none_or(is_there) {
        true => Ok(signed),
        false => Err(Error::CeremonyInvalid(
            "the revocation list of the root that signed it is not in it: it was cut on its way",
        )),
    }
}

/// Whose list it is, signed by that root.
fn signer_of(list: &Crl, roots: &[(CrlSigner, Certificate)]) -> Result<CrlSigner, Error> {
    let is_its =
        |(_, root): &&(CrlSigner, Certificate)| Some(list.issuer_key_id()) == root.subject_key_id();
    let (signer, root) = roots
        .iter()
        .find(is_its)
        .ok_or(Error::CeremonyInvalid("a list of no root of this home"))?;
    list.verify(root)?;
    Ok(*signer)
}
