//! What ends the use of certificates: revocation, for good, and suspension, until it is lifted.

use std::fmt;
use std::str::FromStr;

use rustls_pki_types::UnixTime;
use scb_certs::{RevocationReason, Serial, StudentId};
use scb_cli::{counted, local_time};

use crate::admin::check_known;
use crate::store::{CertificateRecord, Profile, Records, Revocation};
use crate::{Error, Subject};

/// What is revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// All certificates of a student or a service.
    Subject(Subject),
    /// The certificate with this serial number, and what it was renewed from and to: one device.
    Certificate(Serial),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Subject(subject) => write!(f, "{subject}"),
            Self::Certificate(serial) => write!(f, "certificate {serial}"),
        }
    }
}

/// A target as somebody wrote it: a student ID, `service/NAME` or a serial number, with or without colons. What could be
/// either a student ID or a serial number is told apart by the records; `student/` or `serial/`
/// before it says which is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedTarget {
    subject: Option<Subject>,
    serial: Option<Serial>,
}

impl FromStr for NamedTarget {
    type Err = scb_certs::Error;

    fn from_str(text: &str) -> Result<Self, scb_certs::Error> {
        let (subject, serial) = match text.split_once('/') {
            Some(("student", sid)) => (Some(Subject::Student(sid.parse()?)), None),
            Some(("serial", serial)) => (None, Some(serial_number(serial)?)),
            Some(_) => (Some(text.parse()?), None),
            None => (text.parse().ok(), serial_number(text).ok()),
        };
        match (&subject, &serial) {
            (None, None) => Err(scb_certs::Error::SerialInvalid),
            _ => Ok(Self { subject, serial }),
        }
    }
}

/// As our programs print it, with colons, as `openssl x509 -text` does, or with `0x`, as scripts do.
fn serial_number(text: &str) -> Result<Serial, scb_certs::Error> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    digits.replace(':', "").parse()
}

impl NamedTarget {
    /// What is meant.
    ///
    /// # Errors
    ///
    /// [`Error::TargetAmbiguous`] if there are both such a student and such a certificate.
    pub(crate) fn resolve(self, records: &Records<'_>) -> Result<Target, Error> {
        let (subject, serial) = match (self.subject, self.serial) {
            (Some(subject), Some(serial)) => (subject, serial),
            (Some(subject), None) => return Ok(Target::Subject(subject)),
            // One of the two is there, or it would not have been read.
            (None, serial) => {
                let serial = serial.ok_or(scb_certs::Error::SerialInvalid)?;
                return Ok(Target::Certificate(serial));
            }
        };
        let is_student = match &subject {
            Subject::Student(sid) => records.roster().find(sid)?.is_some(),
            Subject::Service(_) => true,
        };
        let is_serial = records.certificates().find(&serial)?.is_some();
        match (is_student, is_serial) {
            (true, true) => Err(Error::TargetAmbiguous(subject)),
            (false, true) => Ok(Target::Certificate(serial)),
            (_, false) => Ok(Target::Subject(subject)),
        }
    }
}

/// Why certificates are revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grounds {
    /// The reason.
    pub reason: RevocationReason,
    /// Since when the key is not to be believed, where that is known.
    pub invalid_since: Option<UnixTime>,
}

impl From<RevocationReason> for Grounds {
    fn from(reason: RevocationReason) -> Self {
        Self {
            reason,
            invalid_since: None,
        }
    }
}

/// What [`revoke`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revoked {
    /// Certificates revoked, or now known to be compromised.
    pub certificates: usize,
    /// Unused codes withdrawn.
    pub codes: usize,
}

impl fmt::Display for Revoked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (certificates, codes) = (self.certificates, self.codes);
        write!(
            f,
            "{} revoked, {} withdrawn",
            counted(certificates, "certificate"),
            counted(codes, "unused code")
        )
    }
}

/// Why there is nothing to revoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NothingLeft {
    /// No certificate has this serial number, or nobody this name.
    Unknown,
    /// There was never a certificate, and there is no unused code.
    Never,
    /// It was revoked before; of several, the one that would have counted longest.
    Revoked(Revocation),
    /// The last certificate ended at this time.
    Ended(UnixTime),
}

impl fmt::Display for NothingLeft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("CUHK knows no such certificate, student or service"),
            Self::Never => f.write_str("no certificate was ever issued, and no code is unused"),
            Self::Revoked(Revocation { at, reason, .. }) => {
                write!(f, "revoked already, at {} ({reason})", local_time(*at))
            }
            Self::Ended(end) => write!(f, "the last certificate ended at {}", local_time(*end)),
        }
    }
}

/// What [`suspend`] or [`restore`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suspension {
    /// Whether anything changed.
    pub changed: bool,
    /// Certificates put on hold, or taken off it.
    pub certificates: usize,
}

/// Revokes all certificates of a subject, those on hold among them, and withdraws its unused codes;
/// or revokes the certificates of one device. A student's that have ended are revoked, too: their
/// keys renew nothing any more. Of a service that is so only of a key that is compromised, which
/// is refused for ever. There is no way back: what can be lifted is a suspension.
///
/// # Errors
///
/// [`Error::NothingToRevoke`].
pub fn revoke(
    records: &Records<'_>,
    target: &Target,
    grounds: impl Into<Grounds>,
    now: UnixTime,
) -> Result<Revoked, Error> {
    let grounds = grounds.into();
    let (certificates, codes) = match target {
        Target::Certificate(serial) => (revoke_line(records, serial, grounds, now)?, 0),
        Target::Subject(subject) => (
            revoke_all(records, subject, grounds, now)?,
            records.codes().withdraw(subject, now)?,
        ),
    };
    match (certificates, codes) {
        (0, 0) => Err(Error::NothingToRevoke {
            target: target.clone(),
            why: nothing_left(records, target)?,
        }),
        (certificates, codes) => {
            let revoked = Revoked {
                certificates,
                codes,
            };
            note(
                records,
                target,
                &format!("{revoked} ({})", grounds.reason),
                now,
            )?;
            Ok(revoked)
        }
    }
}

/// Of a certificate it is noted whose it was.
fn note(records: &Records<'_>, target: &Target, result: &str, now: UnixTime) -> Result<(), Error> {
    match target {
        Target::Subject(subject) => records.note(subject, result, now),
        Target::Certificate(serial) => match records.certificates().find(serial)? {
            None => records.note(target, result, now),
            Some(record) => {
                let result = format!("{result}: {target}");
                records.note(&record.intent.subject, &result, now)
            }
        },
    }
}

/// What became of the certificate that would have counted longest.
fn nothing_left(records: &Records<'_>, target: &Target) -> Result<NothingLeft, Error> {
    let all = match target {
        Target::Subject(subject) => records.certificates().of(subject)?,
        Target::Certificate(serial) => records.certificates().find(serial)?.into_iter().collect(),
    };
    let longest = all
        .into_iter()
        .max_by_key(|record| record.intent.validity.not_after);
    match (longest, target) {
        (Some(record), _) => Ok(match record.revocation {
            Some(revocation) => NothingLeft::Revoked(revocation),
            None => NothingLeft::Ended(record.intent.validity.not_after),
        }),
        (None, Target::Certificate(_)) => Ok(NothingLeft::Unknown),
        (None, Target::Subject(subject)) => match check_known(records, subject) {
            Ok(()) => Ok(NothingLeft::Never),
            Err(Error::StudentUnknown(_) | Error::ServiceUnknown(_)) => Ok(NothingLeft::Unknown),
            Err(error) => Err(error),
        },
    }
}

/// Suspends a student: no code, certificate or token is issued, no verification says `active`,
/// and the certificates that have not ended are listed as on hold until [`restore`].
///
/// # Errors
///
/// [`Error::StudentUnknown`].
pub fn suspend(records: &Records<'_>, sid: &StudentId, now: UnixTime) -> Result<Suspension, Error> {
    let suspended = records.roster().suspend(sid)?;
    if suspended {
        records.roster().note_left(sid, now)?;
    }
    let live = records
        .certificates()
        .live(&Subject::Student(sid.clone()), now)?;
    let held = revoke_each(
        records,
        serials(live),
        RevocationReason::CertificateHold.into(),
        now,
    )?;
    told(records, (sid, "suspended"), (suspended, held), now)
}

/// Lets a suspended student in again. Certificates on hold count again; those that were revoked
/// meanwhile stay revoked.
///
/// # Errors
///
/// [`Error::StudentUnknown`].
pub fn restore(records: &Records<'_>, sid: &StudentId, now: UnixTime) -> Result<Suspension, Error> {
    let restored = records.roster().restore(sid)?;
    let released = records
        .certificates()
        .release(&Subject::Student(sid.clone()))?;
    told(records, (sid, "restored"), (restored, released), now)
}

fn told(
    records: &Records<'_>,
    (sid, done): (&StudentId, &str),
    (roster_changed, certificates): (bool, usize),
    now: UnixTime,
) -> Result<Suspension, Error> {
    let changed = roster_changed || certificates > 0;
    if changed {
        let result = format!("{done}, {}", counted(certificates, "certificate"));
        records.note(sid, &result, now)?;
        records.status().advance(now)?;
    }
    Ok(Suspension {
        changed,
        certificates,
    })
}

/// Revokes what a subject has, as [`revoke`] says.
pub(crate) fn revoke_all(
    records: &Records<'_>,
    subject: &Subject,
    grounds: Grounds,
    now: UnixTime,
) -> Result<usize, Error> {
    let all = records.certificates().of(subject)?;
    let concerned = all
        .into_iter()
        .filter(|record| is_concerned(record, grounds, now));
    revoke_each(records, serials(concerned), grounds, now)
}

/// Revokes a certificate, and of those in its line what [`revoke_all`] would: whoever has one
/// key of a device may have the others.
fn revoke_line(
    records: &Records<'_>,
    serial: &Serial,
    grounds: Grounds,
    now: UnixTime,
) -> Result<usize, Error> {
    let mut concerned = Vec::new();
    for member in records.renewals().line(serial)? {
        let record = records.certificates().find(&member)?;
        if member == *serial || record.is_some_and(|record| is_concerned(&record, grounds, now)) {
            concerned.push(member);
        }
    }
    revoke_each(records, concerned, grounds, now)
}

/// A student's certificate always: within the grace period its key still renews what has ended, and
/// how long that is may be configured otherwise tomorrow.
fn is_concerned(record: &CertificateRecord, grounds: Grounds, now: UnixTime) -> bool {
    record.intent.profile == Profile::Student
        || grounds.reason == RevocationReason::KeyCompromise
        || now.as_secs() <= record.intent.validity.not_after.as_secs()
}

fn serials(records: impl IntoIterator<Item = CertificateRecord>) -> impl Iterator<Item = Serial> {
    records.into_iter().map(|record| record.intent.serial)
}

/// Revokes these certificates; answers of how many that changed anything.
pub(crate) fn revoke_each(
    records: &Records<'_>,
    serials: impl IntoIterator<Item = Serial>,
    grounds: Grounds,
    now: UnixTime,
) -> Result<usize, Error> {
    let revocation = Revocation {
        at: now,
        reason: grounds.reason,
        invalid_since: grounds.invalid_since,
    };
    let mut changed = 0;
    for serial in serials {
        if records.certificates().revoke(&serial, &revocation)? {
            changed += 1;
        }
    }
    if changed > 0 {
        records.status().advance(now)?;
    }
    Ok(changed)
}

#[cfg(test)]
mod tests;
