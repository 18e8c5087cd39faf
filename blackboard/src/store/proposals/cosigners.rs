//! Who is to sign a proposal, and what each has said over which connection.

use rusqlite::{Connection, Row};
use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, StudentId};
use scb_protocol::message::proposal::{Reason, Said};
use scb_protocol::statement::SubmissionId;

use super::rows::time;
use crate::store::Error;

/// A member, and what he has said over which connection.
#[derive(Debug, Clone)]
pub(super) struct Cosigner {
    pub(super) sid: StudentId,
    pub(super) said: Said,
    pub(super) certificate: Option<Fingerprint>,
    pub(super) at: Option<UnixTime>,
    pub(super) index: Option<u64>,
    pub(super) with: Vec<StudentId>,
    pub(super) signatures: Option<Vec<u8>>,
    pub(super) reason: Option<Reason>,
}

/// Who is to sign, in order; `None` if something there is no such thing.
pub(super) fn of(
    connection: &Connection,
    submission: SubmissionId,
) -> Result<Option<Vec<Cosigner>>, Error> {
    let sql = "SELECT sid, said, certificate, at, log_index, members, signatures, reason \
               FROM cosigners LEFT JOIN deliveries ON deliveries.id = cosigners.delivery \
               WHERE cosigners.submission = ? ORDER BY nth";
    let mut query = connection.prepare_cached(sql)?;
    let rows = query.query_map([submission.as_bytes()], |row| Ok(cosigner(row)))?;
    let mut found = Vec::new();
    for row in rows {
        match row?? {
            Some(cosigner) => found.push(cosigner),
            None => return Ok(None),
        }
    }
    Ok(Some(found))
}

fn cosigner(row: &Row<'_>) -> rusqlite::Result<Option<Cosigner>> {
    let (sid, said): (String, String) = (row.get("sid")?, row.get("said")?);
    let (members, reason): (Option<String>, Option<String>) =
        (row.get("members")?, row.get("reason")?);
    let certificate: Option<[u8; 32]> = row.get("certificate")?;
    let at: Option<i64> = row.get("at")?;
    let index: Option<i64> = row.get("log_index")?;
    let signatures = row.get("signatures")?;
    let parsed = || {
        let with = members.as_deref().unwrap_or_default();
        let with = with.split(',').filter(|sid| !sid.is_empty());
        use Said::{Declined, Nothing, Signed, Withdrawn};
        let mut words = [Nothing, Signed, Declined, Withdrawn].into_iter();
        Some(Cosigner {
            sid: sid.parse().ok()?,
            said: words.find(|word| word.as_str() == said)?,
            certificate: certificate.map(Fingerprint::from_bytes),
            at: at.map(time),
            index: index.map(i64::unsigned_abs),
            with: with.map(str::parse).collect::<Result<_, _>>().ok()?,
            signatures,
            reason: reason.as_deref().and_then(|text| text.parse().ok()),
        })
    };
    Ok(parsed())
}
