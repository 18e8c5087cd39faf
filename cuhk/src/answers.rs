//! What CUHK tells a service about members.

use rustls_pki_types::UnixTime;
use scb_protocol::message::cuhk::MemberQuestion;
use scb_protocol::{InactiveReason, MemberAnswer};

use crate::issuance::is_of_withdrawn;
use crate::store::{Profile, Records};
use crate::{Error, Subject};

/// The answer about one member: active only if this very certificate is ours, of this
/// student, neither revoked nor outside its time, and the roster lists the student as active.
pub(crate) fn answer(
    records: &Records<'_>,
    member: &MemberQuestion,
    now: UnixTime,
) -> Result<MemberAnswer, Error> {
    Ok(MemberAnswer {
        sid: member.sid.clone(),
        cert_sha256: member.cert_sha256,
        inactive: inactive(records, member, now)?,
        checked_at: now,
    })
}

/// Why a student's certificate is not active; nothing if it is.
pub(crate) fn inactive(
    records: &Records<'_>,
    member: &MemberQuestion,
    now: UnixTime,
) -> Result<Option<InactiveReason>, Error> {
    let Some(record) = records.certificates().find_by_sha256(&member.cert_sha256)? else {
        return Ok(Some(InactiveReason::Unknown));
    };
    let owner = Subject::Student(member.sid.clone());
    if record.intent.subject != owner || record.intent.profile != Profile::Student {
        return Ok(Some(InactiveReason::Unknown));
    }
    let student = records.roster().find(&member.sid)?;
    // Whatever became of this certificate: its student has no other one either.
    if record.is_on_hold() || student.as_ref().is_some_and(|student| !student.active) {
        return Ok(Some(InactiveReason::Suspended));
    }
    if record.revocation.is_some() || is_of_withdrawn(records, &record)? {
        return Ok(Some(InactiveReason::Revoked));
    }
    let begun = record.intent.validity.not_before.as_secs() <= now.as_secs();
    if !begun || !record.is_live(now) {
        return Ok(Some(InactiveReason::Expired));
    }
    Ok(student.is_none().then_some(InactiveReason::Unknown))
}
