//! What the faults are made of.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use rustls_pki_types::UnixTime;
use scb_certs::{
    Certificate, Crl, DistributionUrls, Fingerprint, IssuerKind, Root, Serial, ServiceName,
    SigningKey, SpiffeId, Validity,
};
use scb_protocol::{InactiveReason, MemberAnswer};
use serde_json::Value;

use crate::issuers::Issuers;
use crate::own_identity::{OwnIdentity, own_service};
use crate::signing::Signing;
use crate::store::{CertificateRecord, Intent, Profile};
use crate::time::{earlier, later};
use crate::{Error, Subject};

const DAY: u64 = 24;

pub(super) fn hours_before(now: UnixTime, hours: u64) -> UnixTime {
    earlier(now, Duration::from_secs(hours * 60 * 60))
}

pub(super) fn another_service(issuer: &SpiffeId) -> Result<SpiffeId, Error> {
    let library: ServiceName = "library".parse()?;
    Ok(SpiffeId::new_service(issuer.trust_domain(), &library))
}

/// The signature with another first character.
pub(super) fn altered_signature(mut token: String) -> String {
    let start = token.rfind('.').map_or(0, |dot| dot + 1);
    let other = if token[start..].starts_with('A') {
        "B"
    } else {
        "A"
    };
    if start < token.len() {
        token.replace_range(start..=start, other);
    }
    token
}

/// The same token with `"alg":"none"` and an empty signature.
pub(super) fn unsigned(token: &str) -> String {
    let mut parts = token.split('.');
    let header = parts.next().unwrap_or_default();
    let claims = parts.next().unwrap_or_default();
    let decoded = BASE64URL_NOPAD
        .decode(header.as_bytes())
        .unwrap_or_default();
    let mut header: Value = serde_json::from_slice(&decoded).unwrap_or_default();
    header["alg"] = "none".into();
    let header = BASE64URL_NOPAD.encode(header.to_string().as_bytes());
    format!("{header}.{claims}.")
}

pub(super) fn other_members(members: &mut [MemberAnswer]) {
    for member in members {
        member.cert_sha256 = Fingerprint::of(member.cert_sha256.as_bytes());
    }
}

pub(super) fn inactive(members: &mut [MemberAnswer]) {
    for member in members {
        member.inactive = Some(InactiveReason::Suspended);
    }
}

/// The issuing authorities' lists, empty, as if they had been signed two days ago for one day.
pub(super) fn stale(lists: &[Crl], issuers: &Issuers, now: UnixTime) -> Result<Vec<Crl>, Error> {
    let (from, until) = (hours_before(now, 2 * DAY), hours_before(now, DAY));
    let mut stale = lists.to_vec();
    for issuing in issuers.listing(now) {
        let key_id = issuing.issuer.certificate().subject_key_id();
        for list in &mut stale {
            if Some(list.issuer_key_id()) == key_id {
                *list = issuing.issuer.sign_crl(list.number(), from, until, &[])?;
            }
        }
    }
    Ok(stale)
}

/// A chain with the right names all through, from a root that was made just now.
pub(super) fn of_another_root(
    signing: &Signing,
    now: UnixTime,
) -> Result<(OwnIdentity, Certificate), Error> {
    let key = || SigningKey::generate();
    let urls = DistributionUrls::default();
    let root = Root::create(&signing.issuers.current().trust_domain, key()?, now)?;
    let issuer = root.issue_issuer(IssuerKind::Services, key()?, now, &urls)?;
    let (service, key) = (own_service(signing), key()?);
    let validity = Validity {
        not_before: hours_before(now, 1),
        not_after: later(now, Duration::from_secs(60 * 60)),
    };
    let chain = issuer.issue_service(
        &service.name,
        key.public_key(),
        &Serial::random()?,
        &validity,
        &service.dns_names,
        &service.ip_addresses,
        &urls,
    )?;
    Ok((OwnIdentity { key, chain }, root.certificate().clone()))
}

/// A certificate for CUHK's own key that ended an hour ago: recorded as every certificate is.
pub(super) async fn ended(
    honest: &OwnIdentity,
    signing: &Signing,
    now: UnixTime,
) -> Result<OwnIdentity, Error> {
    let key = honest.key.clone();
    let intent = Intent {
        serial: Serial::random()?,
        subject: Subject::Service(ServiceName::cuhk()),
        profile: Profile::Service,
        public_key: key.public_key().fingerprint(),
        validity: Validity {
            not_before: hours_before(now, DAY),
            not_after: hours_before(now, 1),
        },
    };
    let record = CertificateRecord {
        intent: intent.clone(),
        certificate: None,
        revocation: None,
    };
    signing
        .store
        .write(move |records| records.certificates().intend(&intent, now))
        .await?;
    let service = own_service(signing);
    let chain = signing
        .finish(record, key.public_key(), Some(&service))
        .await?;
    Ok(OwnIdentity { key, chain })
}
