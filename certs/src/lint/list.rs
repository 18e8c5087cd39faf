//! A revocation list, before it is signed.

use der::asn1::{GeneralizedTime, ObjectIdentifier};
use der::{Decode, Encode};
use rustls_pki_types::UnixTime;
use x509_cert::Version;
use x509_cert::crl::{RevokedCert, TbsCertList};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, CrlNumber, CrlReason};

use super::{Defect, is_ecdsa};
use crate::crl::{AUTHORITY_KEY_ID, CRL_NUMBER, MAX_CRL_SIZE};
use crate::parse::unix_time;
use crate::{Certificate, RevocationReason, RevokedEntry};

/// RFC 5280, section 5.3.1.
const REASON: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.21");
/// RFC 5280, section 5.3.2.
const INVALIDITY_DATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.24");

/// What a list is to say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listed<'a> {
    pub(crate) number: u64,
    pub(crate) this_update: UnixTime,
    pub(crate) next_update: UnixTime,
    pub(crate) revoked: &'a [RevokedEntry],
}

/// Looks at the part of a revocation list that is signed (TBSCertList, DER).
pub(crate) fn check_list(
    tbs: &[u8],
    listed: &Listed<'_>,
    issuer: &Certificate,
) -> Result<(), Defect> {
    let list = TbsCertList::from_der(tbs).map_err(|_| Defect::Encoding)?;
    if tbs.len() > MAX_CRL_SIZE || list.to_der().ok().as_deref() != Some(tbs) {
        return Err(Defect::Encoding);
    }
    // `None` is where the thing in question is not there.
    let checks = [
        (Defect::Version, Some(list.version == Version::V2)),
        (Defect::Algorithm, Some(is_ecdsa(&list.signature))),
        (Defect::Issuer, is_of(&list, issuer)),
        (Defect::ListTimes, has_times(&list, listed)),
        (Defect::Extension, has_two_extensions(&list)),
        (Defect::ListNumber, has_number(&list, listed.number)),
        (Defect::AuthorityKeyId, names_key(&list, issuer)),
        (Defect::ListEntries, has_entries(&list, listed.revoked)),
    ];
    let failed = checks.iter().find(|(_, holds)| *holds != Some(true));
    failed.map_or(Ok(()), |(defect, _)| Err(*defect))
}

fn is_of(list: &TbsCertList, issuer: &Certificate) -> Option<bool> {
    Some(list.issuer.to_der().ok()? == issuer.subject())
}

fn has_times(list: &TbsCertList, listed: &Listed<'_>) -> Option<bool> {
    let (start, end) = (
        unix_time(&list.this_update),
        unix_time(list.next_update.as_ref()?),
    );
    Some(start < end && (start, end) == (listed.this_update, listed.next_update))
}

/// A delta list, or one of a part of the certificates, would have another one.
fn has_two_extensions(list: &TbsCertList) -> Option<bool> {
    let found = list.crl_extensions.as_deref()?;
    let is_known = |one: &Extension| [CRL_NUMBER, AUTHORITY_KEY_ID].contains(&one.extn_id);
    Some(found.len() == 2 && found.iter().all(|one| is_known(one) && !one.critical))
}

fn extension<'a, T: Decode<'a>>(list: &'a TbsCertList, oid: ObjectIdentifier) -> Option<T> {
    let mut all = list.crl_extensions.as_deref()?.iter();
    let found = all.find(|one| one.extn_id == oid)?;
    T::from_der(found.extn_value.as_bytes()).ok()
}

fn has_number(list: &TbsCertList, number: u64) -> Option<bool> {
    let CrlNumber(found) = extension(list, CRL_NUMBER)?;
    Some(significant(found.as_bytes()) == significant(&number.to_be_bytes()))
}

/// A number without zeros in front.
fn significant(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|byte| *byte != 0);
    &bytes[start.unwrap_or(bytes.len())..]
}

fn names_key(list: &TbsCertList, issuer: &Certificate) -> Option<bool> {
    let id: AuthorityKeyIdentifier = extension(list, AUTHORITY_KEY_ID)?;
    Some(Some(id.key_identifier?.as_bytes()) == issuer.subject_key_id())
}

/// Each that is revoked, in this order, and nothing else: no list without entries in it has any.
fn has_entries(list: &TbsCertList, revoked: &[RevokedEntry]) -> Option<bool> {
    let found = list.revoked_certificates.as_deref();
    let is_absent = found.is_none() && revoked.is_empty();
    let entries = found.unwrap_or_default();
    let alike = entries.len() == revoked.len()
        && entries
            .iter()
            .zip(revoked)
            .all(|(entry, wanted)| is(entry, wanted) == Some(true));
    Some(is_absent || (alike && !entries.is_empty()))
}

fn is(entry: &RevokedCert, wanted: &RevokedEntry) -> Option<bool> {
    let extensions = entry.crl_entry_extensions.as_deref().unwrap_or_default();
    let is_known = |one: &Extension| [REASON, INVALIDITY_DATE].contains(&one.extn_id);
    let mut dates = extensions
        .iter()
        .filter(|one| one.extn_id == INVALIDITY_DATE);
    let since = match (dates.next(), dates.next()) {
        (None, _) => None,
        (Some(date), None) => {
            let date = GeneralizedTime::from_der(date.extn_value.as_bytes()).ok()?;
            Some(UnixTime::since_unix_epoch(date.to_unix_duration()))
        }
        _ => return None,
    };
    let reasons = extensions.iter().filter(|one| one.extn_id == REASON);
    let is_plain =
        reasons.count() <= 1 && extensions.iter().all(|one| is_known(one) && !one.critical);
    let serial = significant(entry.serial_number.as_bytes());
    Some(
        is_plain
            && serial == significant(wanted.serial.as_bytes())
            && unix_time(&entry.revocation_date) == wanted.revoked_at
            && reason(entry) == wanted.reason
            && since == wanted.invalid_since,
    )
}

/// No reason is given for one that is not used here.
fn reason(entry: &RevokedCert) -> RevocationReason {
    let extensions = entry.crl_entry_extensions.as_deref().unwrap_or_default();
    let extension = extensions.iter().find(|found| found.extn_id == REASON);
    let reason = extension.map(|found| CrlReason::from_der(found.extn_value.as_bytes()));
    match reason {
        Some(Ok(CrlReason::KeyCompromise)) => RevocationReason::KeyCompromise,
        Some(Ok(CrlReason::CaCompromise)) => RevocationReason::CaCompromise,
        Some(Ok(CrlReason::AffiliationChanged)) => RevocationReason::AffiliationChanged,
        Some(Ok(CrlReason::Superseded)) => RevocationReason::Superseded,
        Some(Ok(CrlReason::CessationOfOperation)) => RevocationReason::CessationOfOperation,
        Some(Ok(CrlReason::CertificateHold)) => RevocationReason::CertificateHold,
        Some(Ok(CrlReason::PrivilegeWithdrawn)) => RevocationReason::PrivilegeWithdrawn,
        _ => RevocationReason::Unspecified,
    }
}
