//! Who gets a certificate: decided and recorded inside one transaction, before anything is
//! signed.

mod student;

use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, RevocationReason, Serial};
use scb_protocol::{Code, Refusal, Step, rfc3339};

use crate::store::{CertificateRecord, Intent, Profile, Records};
use crate::{Error, Subject};

pub(crate) use student::{StudentRenewal, renew_student};

/// Most live certificates of one student: several devices, each with its own code.
pub const MAX_STUDENT_CERTIFICATES: usize = 3;
/// Most live certificates of one student with those that were renewed and have not ended yet: of each
/// device the one in use, the one before it, one that the end of a term cut short, and one to spare.
/// Renewal when it is due never comes near.
pub const MAX_LIVE_STUDENT_CERTIFICATES: usize = 4 * MAX_STUDENT_CERTIFICATES;
/// Most live certificates of one service: renewals overlap.
pub const MAX_SERVICE_CERTIFICATES: usize = 8;

/// Somebody who shows an enrolment code and asks for this certificate.
pub(crate) struct Claim {
    pub(crate) digest: [u8; 32],
    pub(crate) wanted: Intent,
    pub(crate) now: UnixTime,
}

/// Somebody who asks for the next certificate with the present one.
pub(crate) struct Renewal {
    pub(crate) presented: Fingerprint,
    pub(crate) wanted: Intent,
    pub(crate) now: UnixTime,
}

/// Records the certificate that a code is good for, and spends the code; or finds the one it
/// was spent on, if it is for the same key.
///
/// # Errors
///
/// `enrolment_refused` for an unknown subject and for a wrong code alike; everything else is
/// told only to somebody who knows the code: `code_used`, `code_withdrawn`, `code_expired`,
/// `student_inactive`, `key_refused`, `too_many_devices`, `term_over`, `certificate_revoked`,
/// `certificate_expired`.
pub(crate) fn claim(records: &Records<'_>, claim: &Claim) -> Result<CertificateRecord, Error> {
    let Claim {
        digest,
        wanted,
        now,
    } = claim;
    let Some(code) = records.codes().find(digest, &wanted.subject)? else {
        return Err(refuse(Code::EnrolmentRefused, wanted));
    };
    check_subject(records, wanted)?;
    if let Some(serial) = code.serial {
        let issued = records.certificates().find(&serial)?;
        let issued = issued.ok_or(Error::RecordInvalid {
            what: "enrolment code",
        })?;
        return repeat(issued, wanted, *now);
    }
    if code.withdrawn_at.is_some() {
        return Err(refuse(Code::CodeWithdrawn, wanted));
    }
    if now.as_secs() >= code.expires_at.as_secs() {
        return Err(refuse(Code::CodeExpired, wanted));
    }
    check_key(records, wanted)?;
    let wanted = within_term(records, wanted, *now)?;
    check_number(records, &wanted, *now)?;
    records.certificates().intend(&wanted, *now)?;
    records.codes().spend(digest, &wanted.serial)?;
    Ok(intended(&wanted))
}

/// Whether a code is known, without changing anything.
pub(crate) fn knows_code(
    records: &Records<'_>,
    digest: &[u8; 32],
    subject: &Subject,
) -> Result<bool, Error> {
    Ok(records.codes().find(digest, subject)?.is_some())
}

/// Records a service's next certificate. A repeated request for the same key gets the
/// certificate that the first one got.
///
/// # Errors
///
/// `certificate_revoked`, `certificate_expired` or `certificate_unknown_issuer` about the
/// certificate presented; `key_refused`; `too_many_devices`.
pub(crate) fn renew(records: &Records<'_>, renewal: &Renewal) -> Result<CertificateRecord, Error> {
    let Renewal {
        presented,
        wanted,
        now,
    } = renewal;
    live_certificate(records, presented, &wanted.subject, *now, Step::Two)?;
    check_key(records, wanted)?;
    let live = records.certificates().live(&wanted.subject, *now)?;
    let same_key = |record: &&CertificateRecord| {
        record.intent.public_key == wanted.public_key
            && record.intent.profile == wanted.profile
            && is_recent(&record.intent, *now)
    };
    if let Some(known) = live.iter().rev().find(same_key) {
        return Ok(known.clone());
    }
    check_number(records, wanted, *now)?;
    records.certificates().intend(wanted, *now)?;
    Ok(intended(wanted))
}

/// The record of a certificate that somebody authenticated with, if it still counts.
///
/// # Errors
///
/// `certificate_unknown_issuer`, `student_inactive` while it is on hold, `certificate_revoked` or
/// `certificate_expired`.
pub(crate) fn live_certificate(
    records: &Records<'_>,
    sha256: &Fingerprint,
    subject: &Subject,
    now: UnixTime,
    step: Step,
) -> Result<CertificateRecord, Error> {
    let refuse = |code| Error::from(about(Refusal::new(code, step), subject));
    let record = records.certificates().find_by_sha256(sha256)?;
    match record.filter(|record| record.intent.subject == *subject) {
        None => Err(refuse(Code::CertificateUnknownIssuer)),
        Some(record) if record.is_on_hold() => Err(refuse(Code::StudentInactive)),
        Some(record) if record.revocation.is_some() => Err(refuse(Code::CertificateRevoked)),
        Some(record) if is_of_withdrawn(records, &record)? => Err(refuse(Code::CertificateRevoked)),
        Some(record) if !record.is_live(now) => Err(refuse(Code::CertificateExpired)),
        Some(record) => Ok(record),
    }
}

/// Whether an authority that counts no more issued it. What it issued is revoked one after another;
/// none counts meanwhile.
pub(crate) fn is_of_withdrawn(
    records: &Records<'_>,
    record: &CertificateRecord,
) -> Result<bool, Error> {
    match &record.certificate {
        Some(certificate) => records.authorities().is_of_withdrawn(certificate),
        None => Ok(false),
    }
}

/// The same code again: the same certificate for the same key, nothing for another.
fn repeat(
    issued: CertificateRecord,
    wanted: &Intent,
    now: UnixTime,
) -> Result<CertificateRecord, Error> {
    if issued.intent.public_key != wanted.public_key {
        return Err(refuse(Code::CodeUsed, wanted));
    }
    match issued.revocation {
        Some(revocation) if revocation.reason == RevocationReason::KeyCompromise => {
            Err(refuse(Code::KeyRefused, wanted))
        }
        Some(_) => Err(refuse(Code::CertificateRevoked, wanted)),
        None if !issued.is_live(now) => Err(refuse(Code::CertificateExpired, wanted)),
        None => Ok(issued),
    }
}

fn check_subject(records: &Records<'_>, wanted: &Intent) -> Result<(), Error> {
    let known = match &wanted.subject {
        Subject::Student(sid) => records.roster().find(sid)?.map(|student| student.active),
        Subject::Service(name) => records.services().find(name)?.map(|_| true),
    };
    match known {
        None => Err(refuse(Code::EnrolmentRefused, wanted)),
        Some(false) => Err(refuse(Code::StudentInactive, wanted)),
        Some(true) => Ok(()),
    }
}

/// A key belongs to one subject, for one purpose, and to no authority; once compromised it
/// belongs to nobody.
fn check_key(records: &Records<'_>, wanted: &Intent) -> Result<(), Error> {
    let certificates = records.certificates();
    let reserved = certificates.is_reserved_key(&wanted.public_key)?;
    let spoilt = |record: &CertificateRecord| {
        let compromised = record
            .revocation
            .is_some_and(|revocation| revocation.reason == RevocationReason::KeyCompromise);
        let same =
            record.intent.subject == wanted.subject && record.intent.profile == wanted.profile;
        compromised || !same
    };
    if reserved
        || certificates
            .with_key(&wanted.public_key)?
            .iter()
            .any(spoilt)
    {
        return Err(refuse(Code::KeyRefused, wanted));
    }
    Ok(())
}

fn check_number(records: &Records<'_>, wanted: &Intent, now: UnixTime) -> Result<(), Error> {
    match wanted.profile {
        Profile::Student => check_devices(records, wanted, None, now),
        Profile::Service | Profile::TokenSigner => {
            let live = records.certificates().live(&wanted.subject, now)?;
            at_most(live.len(), MAX_SERVICE_CERTIFICATES, wanted)
        }
    }
}

/// What was renewed counts as one device together with what took its place, `renewed` among it.
fn check_devices(
    records: &Records<'_>,
    wanted: &Intent,
    renewed: Option<&Serial>,
    now: UnixTime,
) -> Result<(), Error> {
    let live = records.certificates().live(&wanted.subject, now)?;
    let replaced = records.renewals().replaced(&wanted.subject, now)?;
    let others = live.iter().filter(|record| {
        let serial = &record.intent.serial;
        Some(serial) != renewed && !replaced.contains(serial)
    });
    at_most(others.count(), MAX_STUDENT_CERTIFICATES, wanted)?;
    at_most(live.len(), MAX_LIVE_STUDENT_CERTIFICATES, wanted).map_err(|error| match error {
        // No machine is too many here: those that were renewed make room as they end.
        Error::Refused(refusal) => {
            let ends = live.iter().map(|record| record.intent.validity.not_after);
            let room_at = ends.min().map(rfc3339).unwrap_or_default();
            Error::Refused(refusal.with("room_at", room_at))
        }
        error => error,
    })
}

/// There is room for one more.
fn at_most(present: usize, limit: usize, wanted: &Intent) -> Result<(), Error> {
    if present < limit {
        return Ok(());
    }
    let refusal = Refusal::new(Code::TooManyDevices, Step::Two).with("limit", limit);
    Err(about(refusal, &wanted.subject).into())
}

/// A student's certificate ends with the current term at the latest. Where no term was ever set,
/// nothing is cut short; where all are over, nothing is issued.
fn within_term(records: &Records<'_>, wanted: &Intent, now: UnixTime) -> Result<Intent, Error> {
    let mut wanted = wanted.clone();
    if wanted.profile != Profile::Student {
        return Ok(wanted);
    }
    match (records.terms().current(now)?, records.terms().last()?) {
        (Some(term), _) => {
            let validity = &mut wanted.validity;
            validity.not_after = validity.not_after.min(term.ends_at);
            Ok(wanted)
        }
        (None, None) => Ok(wanted),
        (None, Some(last)) => {
            let refusal = Refusal::new(Code::TermOver, Step::Two)
                .with("term", &last.name)
                .with("ended", rfc3339(last.ends_at));
            Err(about(refusal, &wanted.subject).into())
        }
    }
}

fn intended(wanted: &Intent) -> CertificateRecord {
    CertificateRecord {
        intent: wanted.clone(),
        certificate: None,
        revocation: None,
    }
}

/// Whether a certificate is in the first half of its life.
fn is_recent(intent: &Intent, now: UnixTime) -> bool {
    let (start, end) = (
        intent.validity.not_before.as_secs(),
        intent.validity.not_after.as_secs(),
    );
    now.as_secs() < start + end.saturating_sub(start) / 2
}

fn refuse(code: Code, wanted: &Intent) -> Error {
    about(Refusal::new(code, Step::Two), &wanted.subject).into()
}

fn about(refusal: Refusal, subject: &Subject) -> Refusal {
    match subject {
        Subject::Student(sid) => refusal.about(sid),
        Subject::Service(name) => refusal.with("service", name),
    }
}
