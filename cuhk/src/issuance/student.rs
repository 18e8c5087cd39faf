//! A student's next certificate, which takes the place of the one before: a device has one line
//! of them. Either the old certificate opened the connection, or, once it has ended, its key
//! signed the request.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, RevocationReason};
use scb_protocol::{Code, Refusal, Step, rfc3339};

use super::{
    about, check_devices, check_key, intended, is_recent, live_certificate, refuse, within_term,
};
use crate::store::{CertificateRecord, Intent, Records};
use crate::time::{earlier, later};
use crate::{Error, Subject};

/// A student who asks for the next certificate.
pub(crate) struct StudentRenewal {
    /// The certificate whose key the student holds.
    pub(crate) presented: Fingerprint,
    pub(crate) wanted: Intent,
    pub(crate) now: UnixTime,
    /// How long after its end the old one may still be renewed.
    pub(crate) grace: Duration,
}

/// Records the next certificate. A repeated request with the same key gets the certificate that
/// the first one got.
///
/// # Errors
///
/// About the certificate presented: `certificate_unknown_issuer`, `student_inactive` (on hold),
/// `certificate_revoked`, `certificate_expired`, `renewal_too_late`, `certificate_superseded`,
/// `renewal_not_longer`. About the student: `student_unlisted`, `student_inactive`. And
/// `key_refused`, `too_many_devices`, `term_over`.
pub(crate) fn renew_student(
    records: &Records<'_>,
    renewal: &StudentRenewal,
) -> Result<CertificateRecord, Error> {
    let StudentRenewal { wanted, now, .. } = renewal;
    let old = renewable(records, renewal)?;
    check_listed(records, wanted)?;
    if let Some(before) = repeated(records, &old, renewal)? {
        return Ok(before);
    }
    check_key(records, wanted)?;
    let (full, wanted) = (wanted, within_term(records, wanted, *now)?);
    check_longer(records, &old, (full, &wanted), *now)?;
    check_devices(records, &wanted, Some(&old.intent.serial), *now)?;
    records.certificates().intend(&wanted, *now)?;
    let (from, to) = (&old.intent.serial, &wanted.serial);
    records.renewals().succeed(from, to)?;
    Ok(intended(&wanted))
}

/// The certificate presented, if it counts or has not ended too long ago.
fn renewable(records: &Records<'_>, renewal: &StudentRenewal) -> Result<CertificateRecord, Error> {
    let StudentRenewal {
        presented,
        wanted,
        now,
        grace,
    } = renewal;
    let moment = earlier(*now, *grace);
    let found = live_certificate(records, presented, &wanted.subject, moment, Step::Two);
    match found {
        Err(Error::Refused(refusal))
            if refusal.code == Code::CertificateExpired && !grace.is_zero() =>
        {
            let record = records.certificates().find_by_sha256(presented)?;
            let end = record.map(|record| record.intent.validity.not_after);
            let refusal = Refusal::new(Code::RenewalTooLate, Step::Two);
            let refusal = match end {
                Some(end) => refusal
                    .with("expired", rfc3339(end))
                    .with("renewable_until", rfc3339(later(end, *grace))),
                None => refusal,
            };
            Err(about(refusal, &wanted.subject).into())
        }
        found => found,
    }
}

fn check_listed(records: &Records<'_>, wanted: &Intent) -> Result<(), Error> {
    let Subject::Student(sid) = &wanted.subject else {
        return Err(Error::RecordInvalid { what: "profile" });
    };
    match records.roster().find(sid)? {
        None => Err(refuse(Code::StudentUnlisted, wanted)),
        Some(student) if !student.active => Err(refuse(Code::StudentInactive, wanted)),
        Some(_) => Ok(()),
    }
}

/// Nothing is gained by a certificate that ends with the term as the old one does.
fn check_longer(
    records: &Records<'_>,
    old: &CertificateRecord,
    (full, wanted): (&Intent, &Intent),
    now: UnixTime,
) -> Result<(), Error> {
    let (before, after) = (old.intent.validity.not_after, wanted.validity.not_after);
    if after > before || after == full.validity.not_after {
        return Ok(());
    }
    let refusal = Refusal::new(Code::RenewalNotLonger, Step::Two).with("until", rfc3339(before));
    let refusal = match records.terms().current(now)? {
        Some(term) => refusal.with("term", term.name),
        None => refusal,
    };
    Err(about(refusal, &wanted.subject).into())
}

/// What this request has led to before. What a lost answer held may have ended since: then
/// there is a further one.
fn repeated(
    records: &Records<'_>,
    old: &CertificateRecord,
    renewal: &StudentRenewal,
) -> Result<Option<CertificateRecord>, Error> {
    let StudentRenewal { wanted, now, .. } = renewal;
    let Some(successor) = records.renewals().successor(&old.intent.serial)? else {
        // A young certificate for the same key is what was asked for.
        let same = old.intent.public_key == wanted.public_key && is_recent(&old.intent, *now);
        return Ok(same.then(|| old.clone()));
    };
    let record = records.certificates().find(&successor)?;
    let record = record.ok_or(Error::RecordInvalid { what: "renewal" })?;
    if record.intent.public_key != wanted.public_key {
        return Err(refuse(Code::CertificateSuperseded, wanted));
    }
    match record.revocation {
        Some(revocation) if revocation.reason == RevocationReason::CertificateHold => {
            Err(refuse(Code::StudentInactive, wanted))
        }
        Some(_) => Err(refuse(Code::CertificateRevoked, wanted)),
        None => Ok(record.is_live(*now).then_some(record)),
    }
}
