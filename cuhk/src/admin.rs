//! What people do to the records by the command line, while `serve` runs or not.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_certs::{RevocationReason, ServiceName};
use scb_protocol::EnrolmentCode;

use crate::revocation::revoke_all;
use crate::store::{Records, Service};
use crate::time::later;
use crate::{Error, Subject};

/// How long an enrolment code is good for: 14 days.
pub const CODE_LIFETIME: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// A fresh code and when it ends.
#[derive(Debug)]
pub struct IssuedCode {
    /// The code. It cannot be shown again.
    pub code: EnrolmentCode,
    /// When it ends.
    pub expires_at: UnixTime,
}

/// Issues one code. With `replace`, revokes the subject's live certificates as superseded and
/// withdraws its unused codes.
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
    check_subject(records, subject)?;
    if replace {
        records.codes().withdraw(subject, now)?;
        revoke_all(records, subject, RevocationReason::Superseded.into(), now)?;
    }
    fresh_code(records, subject, now)
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
    now: UnixTime,
) -> Result<IssuedCode, Error> {
    let issued = new_code(now)?;
    let digest = issued.code.digest(&subject.to_string());
    records
        .codes()
        .add(&digest, subject, now, issued.expires_at)?;
    Ok(issued)
}

/// A code that nothing is stored of yet.
pub(crate) fn new_code(now: UnixTime) -> Result<IssuedCode, Error> {
    Ok(IssuedCode {
        code: EnrolmentCode::generate()?,
        expires_at: later(now, CODE_LIFETIME),
    })
}

/// Adds a service and issues its first code.
///
/// # Errors
///
/// [`Error::ServiceReserved`] for CUHK's own name, [`Error::ServiceExists`].
pub fn add_service(
    records: &Records<'_>,
    service: &Service,
    now: UnixTime,
) -> Result<IssuedCode, Error> {
    if service.name == ServiceName::cuhk() {
        return Err(Error::ServiceReserved(service.name.clone()));
    }
    records.services().add(service, now)?;
    fresh_code(records, &Subject::Service(service.name.clone()), now)
}
