//! What people do to the records by the command line, while `serve` runs or not.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_certs::{RevocationReason, ServiceName};
use scb_cli::counted;
use scb_protocol::EnrolmentCode;
use scb_protocol::witness::is_reserved;

use crate::addresses::names;
use crate::revocation::{Revoked, revoke_all};
use crate::store::{CertificateRecord, Records, Service};
use crate::time::later;
use crate::{Error, Subject};

/// How long an enrolment code is good for, unless somebody says otherwise: 14 days.
pub const CODE_LIFETIME: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// A fresh code and when it ends.
#[derive(Debug)]
pub struct IssuedCode {
    /// The code. It cannot be shown again.
    pub code: EnrolmentCode,
    /// When it ends.
    pub expires_at: UnixTime,
}

/// Issues one code. With `replace`, revokes the subject's certificates as superseded, so that no
/// key of before renews, and withdraws its unused codes.
///
/// # Errors
///
/// [`Error::StudentUnknown`], [`Error::StudentInactive`], [`Error::ServiceUnknown`].
pub fn issue_code(
    records: &Records<'_>,
    subject: &Subject,
    replace: bool,
    now: UnixTime,
) -> Result<IssuedCode, Error> {
    issue_code_until(records, subject, replace, (now, later(now, CODE_LIFETIME)))
}

/// As [`issue_code`], with another end.
pub(crate) fn issue_code_until(
    records: &Records<'_>,
    subject: &Subject,
    replace: bool,
    (now, until): (UnixTime, UnixTime),
) -> Result<IssuedCode, Error> {
    check_subject(records, subject)?;
    let mut result = "a code".to_owned();
    if replace {
        let codes = records.codes().withdraw(subject, now)?;
        let certificates = revoke_all(records, subject, RevocationReason::Superseded.into(), now)?;
        result += &format!(
            "; {} revoked, {} withdrawn",
            counted(certificates, "certificate"),
            counted(codes, "other code")
        );
    }
    records.note(subject, &result, now)?;
    fresh_code(records, subject, (now, until))
}

fn check_subject(records: &Records<'_>, subject: &Subject) -> Result<(), Error> {
    match subject {
        Subject::Student(sid) => match records.roster().find(sid)? {
            None => Err(Error::StudentUnknown(sid.clone())),
            Some(student) if !student.active => Err(Error::StudentInactive(sid.clone())),
            Some(_) => Ok(()),
        },
        Subject::Service(name) => match records.services().find(name)? {
            None => Err(Error::ServiceUnknown(name.clone())),
            Some(_) => Ok(()),
        },
    }
}

/// A code for somebody who may have one.
pub(crate) fn fresh_code(
    records: &Records<'_>,
    subject: &Subject,
    (now, until): (UnixTime, UnixTime),
) -> Result<IssuedCode, Error> {
    let issued = new_code(until)?;
    let digest = issued.code.digest(&subject.to_string());
    records
        .codes()
        .add(&digest, subject, now, issued.expires_at)?;
    Ok(issued)
}

/// A code that nothing is stored of yet.
pub(crate) fn new_code(expires_at: UnixTime) -> Result<IssuedCode, Error> {
    Ok(IssuedCode {
        code: EnrolmentCode::generate()?,
        expires_at,
    })
}

/// Adds a service and issues its first code.
///
/// # Errors
///
/// [`Error::ServiceReserved`] for CUHK's own name and those of other things, [`Error::ServiceExists`].
pub fn add_service(
    records: &Records<'_>,
    service: &Service,
    now: UnixTime,
) -> Result<IssuedCode, Error> {
    if is_reserved(&service.name) {
        return Err(Error::ServiceReserved(service.name.clone()));
    }
    records.services().add(service, now)?;
    let subject = Subject::Service(service.name.clone());
    records.note(
        &subject,
        &format!(
            "{}; a code",
            names(&service.dns_names, &service.ip_addresses)
        ),
        now,
    )?;
    fresh_code(records, &subject, (now, later(now, CODE_LIFETIME)))
}

/// Gives a service other names and addresses; answers which it had, and its certificates that
/// count, oldest first. They keep theirs: the next one takes the new ones.
///
/// # Errors
///
/// [`Error::ServiceReserved`] for CUHK's own name, [`Error::ServiceUnknown`].
pub fn change_service(
    records: &Records<'_>,
    service: &Service,
    now: UnixTime,
) -> Result<(Service, Vec<CertificateRecord>), Error> {
    let before = known_service(records, &service.name)?;
    records.services().change(service)?;
    let subject = Subject::Service(service.name.clone());
    if before != *service {
        records.note(
            &subject,
            &names(&service.dns_names, &service.ip_addresses),
            now,
        )?;
    }
    Ok((before, records.certificates().live(&subject, now)?))
}

/// Removes a service: its certificates are revoked at once, its unused codes withdrawn.
///
/// # Errors
///
/// As for [`change_service`].
pub fn remove_service(
    records: &Records<'_>,
    name: &ServiceName,
    now: UnixTime,
) -> Result<Revoked, Error> {
    known_service(records, name)?;
    let subject = Subject::Service(name.clone());
    let reason = RevocationReason::CessationOfOperation;
    let removed = Revoked {
        certificates: revoke_all(records, &subject, reason.into(), now)?,
        codes: records.codes().withdraw(&subject, now)?,
    };
    records.services().remove(name)?;
    records.note(&subject, &removed.to_string(), now)?;
    Ok(removed)
}

/// A service that is not CUHK itself.
pub(crate) fn known_service(records: &Records<'_>, name: &ServiceName) -> Result<Service, Error> {
    if *name == ServiceName::cuhk() {
        return Err(Error::ServiceReserved(name.clone()));
    }
    let service = records.services().find(name)?;
    service.ok_or_else(|| Error::ServiceUnknown(name.clone()))
}

/// Withdraws the unused codes of a subject, for good, and leaves its certificates alone; answers
/// how many there were.
///
/// # Errors
///
/// [`Error::StudentUnknown`], [`Error::ServiceUnknown`].
pub(crate) fn withdraw_codes(
    records: &Records<'_>,
    subject: &Subject,
    now: UnixTime,
) -> Result<usize, Error> {
    check_known(records, subject)?;
    let codes = records.codes().withdraw(subject, now)?;
    if codes > 0 {
        let result = format!("{} withdrawn", counted(codes, "code"));
        records.note(subject, &result, now)?;
    }
    Ok(codes)
}

/// Looks whether there is such a student, suspended or not, or such a service.
pub(crate) fn check_known(records: &Records<'_>, subject: &Subject) -> Result<(), Error> {
    match check_subject(records, subject) {
        Err(Error::StudentInactive(_)) => Ok(()),
        checked => checked,
    }
}
