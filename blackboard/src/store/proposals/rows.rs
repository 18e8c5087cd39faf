//! The tables of proposals, of who is to sign them, and of what came over which connection.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, StudentId};
use scb_protocol::from_seconds;
use scb_protocol::message::proposal::{CosignerStanding, ProposalState, Reason, Said};
use scb_protocol::server::{Commitment, DeliveredSignature};
use scb_protocol::statement::{Statement, SubmissionId};

use super::logged::{self, SaidBy};
use super::{End, Signing};
use crate::store::arrival::Dated;
use crate::store::{Error, as_integer, as_list};

/// A proposal as it is kept.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) statement: Statement,
    pub(super) bytes: Vec<u8>,
    pub(super) kept: Kept,
    cosigners: Vec<Cosigner>,
}

/// What is kept of it besides the statement.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept {
    pub(super) proposed_at: UnixTime,
    pub(super) waits_until: UnixTime,
    pub(super) files_at: Option<UnixTime>,
    /// When the last member signed, and which entry says so.
    pub(super) signed: Option<(UnixTime, u64)>,
    pub(super) ended: Option<ProposalState>,
}

/// A member, and what he has said over which connection.
#[derive(Debug, Clone)]
struct Cosigner {
    sid: StudentId,
    said: Said,
    certificate: Option<Fingerprint>,
    at: Option<UnixTime>,
    index: Option<u64>,
    with: Vec<StudentId>,
    signatures: Option<Vec<u8>>,
    reason: Option<Reason>,
}

impl Stored {
    pub(super) fn submission(&self) -> SubmissionId {
        self.statement.submission
    }

    pub(super) fn sids(&self) -> impl Iterator<Item = &StudentId> {
        self.cosigners.iter().map(|one| &one.sid)
    }

    pub(super) fn names(&self, sid: &StudentId) -> bool {
        self.sids().any(|named| named == sid)
    }

    pub(super) fn has_signed(&self, sid: &StudentId) -> bool {
        let mut cosigners = self.cosigners.iter();
        cosigners.any(|one| one.sid == *sid && one.said == Said::Signed)
    }

    /// When the latest of those who have signed did.
    pub(super) fn last_signed(&self) -> Option<UnixTime> {
        let signed = self.cosigners.iter().filter(|one| one.said == Said::Signed);
        signed.filter_map(|one| one.at).max()
    }

    /// Since when, and by which entry, everybody has signed it; and until when its files may come.
    pub(super) fn commitment(&self) -> Option<Commitment> {
        self.kept.signed.map(|(at, index)| Commitment {
            index,
            at,
            upload_until: self.kept.waits_until,
        })
    }

    /// Everybody has signed, and the files are here: what keeps it from being a submission is nothing
    /// that its members could do.
    pub(super) fn waits_for_cuhk(&self) -> bool {
        self.kept.signed.is_some() && self.kept.files_at.is_some()
    }

    pub(super) fn standings(&self) -> Vec<CosignerStanding> {
        let standing = |one: &Cosigner| CosignerStanding {
            sid: one.sid.clone(),
            said: one.said,
            at: one.at,
            with: one.with.clone(),
            reason: one.reason.clone(),
        };
        self.cosigners.iter().map(standing).collect()
    }

    /// What each has said, and by which entry, as far as that is here.
    pub(super) fn said(&self) -> impl Iterator<Item = SaidBy<'_>> {
        self.cosigners.iter().map(|one| SaidBy {
            sid: &one.sid,
            said: one.said,
            at: one.at,
            index: one.index,
            with: &one.with,
            signatures: one.certificate.and(one.signatures.as_deref()),
        })
    }

    pub(super) fn delivered(&self) -> Vec<DeliveredSignature> {
        let signed = self.cosigners.iter().filter(|one| one.said == Said::Signed);
        let delivered = signed.filter_map(|one| {
            Some(DeliveredSignature {
                sid: one.sid.clone(),
                certificate: one.certificate?,
                signatures: one.signatures.clone()?,
            })
        });
        delivered.collect()
    }
}

/// As [`Stored::waits_for_cuhk`], of a row.
pub(in crate::store) const WAITS_FOR_CUHK: &str =
    "(signed_at IS NOT NULL AND files_at IS NOT NULL)";
/// It has no receipt, nor that of the same version.
pub(in crate::store) const UNANSWERED: &str =
    "NOT EXISTS (SELECT 1 FROM answered WHERE answered.submission = proposals.submission)";

const PROPOSAL: &str = "SELECT submission, proposed_at, waits_until, statement, files_at, \
                        signed_at, signed_index, ended FROM proposals";

pub(super) fn find(
    connection: &Connection,
    submission: SubmissionId,
) -> Result<Option<Stored>, Error> {
    let sql = format!("{PROPOSAL} WHERE submission = ?");
    let mut query = connection.prepare_cached(&sql)?;
    let found = query.query_row([submission.as_bytes()], Raw::read);
    let found = found.optional()?;
    found.map(|raw| raw.complete(connection)).transpose()
}

/// Those of the statement's assignment that wait for somebody.
pub(super) fn waiting(
    connection: &Connection,
    statement: &Statement,
    now: UnixTime,
) -> Result<Vec<Stored>, Error> {
    let sql = format!(
        "{PROPOSAL} WHERE course = ?1 AND assignment = ?2 AND ended IS NULL \
         AND (waits_until >= ?3 OR {WAITS_FOR_CUHK}) AND {UNANSWERED} \
         AND submission IN (SELECT submission FROM cosigners WHERE sid IN (SELECT value FROM json_each(?4)))"
    );
    let sids = as_list(statement.members.iter().map(|one| &one.sid));
    let (course, assignment) = (
        statement.course.to_string(),
        statement.assignment.to_string(),
    );
    let key = params![course, assignment, as_integer(now.as_secs()), sids];
    all(connection, &sql, key)
}

/// Those that everybody has signed, whose files are here, and that have no receipt yet; the one
/// that was signed first comes first.
pub(super) fn signed(connection: &Connection) -> Result<Vec<Stored>, Error> {
    let sql = format!(
        "{PROPOSAL} WHERE {WAITS_FOR_CUHK} AND ended IS NULL AND {UNANSWERED} \
         ORDER BY signed_at, signed_index"
    );
    all(connection, &sql, [])
}

/// Those that have not ended and are no submissions.
pub(super) fn unended(connection: &Connection) -> Result<Vec<Stored>, Error> {
    let sql = format!("{PROPOSAL} WHERE ended IS NULL AND {UNANSWERED}");
    all(connection, &sql, [])
}

fn all(
    connection: &Connection,
    sql: &str,
    key: impl rusqlite::Params,
) -> Result<Vec<Stored>, Error> {
    let mut query = connection.prepare_cached(sql)?;
    let rows = query
        .query_map(key, Raw::read)?
        .collect::<Result<Vec<_>, _>>()?;
    let mut all = Vec::new();
    for raw in rows {
        match raw.complete(connection) {
            // Others do not wait for that.
            Err(error @ Error::ProposalAltered { .. }) => tracing::error!("left out: {error}"),
            stored => all.push(stored?),
        }
    }
    Ok(all)
}

/// The submissions whose files may come, or wait for signatures or for CUHK.
pub(super) fn open(connection: &Connection, now: UnixTime) -> Result<Vec<[u8; 16]>, Error> {
    let sql = format!(
        "SELECT submission FROM proposals WHERE ended IS NULL \
         AND (waits_until >= ? OR {WAITS_FOR_CUHK}) AND {UNANSWERED}"
    );
    let mut query = connection.prepare_cached(&sql)?;
    let rows = query.query_map([as_integer(now.as_secs())], |row| row.get(0))?;
    rows.map(|row| row.map_err(Error::from)).collect()
}

pub(super) fn insert(
    transaction: &Transaction<'_>,
    signing: &Dated<Signing>,
    waits_until: UnixTime,
) -> Result<(), Error> {
    let statement = &signing.statement;
    let sql = "INSERT INTO proposals (submission, course, assignment, proposed_at, waits_until, \
               statement) VALUES (?, ?, ?, ?, ?, ?)";
    transaction.prepare_cached(sql)?.execute(params![
        statement.submission.as_bytes(),
        statement.course.to_string(),
        statement.assignment.to_string(),
        as_integer(signing.at.as_secs()),
        as_integer(waits_until.as_secs()),
        signing.bytes,
    ])?;
    let sql = "INSERT INTO cosigners (submission, nth, sid, said, made_at) \
               VALUES (?, ?, ?, 'nothing', ?)";
    let (mut insert, proposers) = (transaction.prepare_cached(sql)?, signing.sids());
    for (nth, member) in (1..).zip(&statement.members) {
        let nth: i64 = nth;
        let made_at = as_integer(signing.at.as_secs());
        insert.execute(params![
            statement.submission.as_bytes(),
            nth,
            member.sid.as_str(),
            proposers.contains(&member.sid).then_some(made_at),
        ])?;
    }
    Ok(())
}

/// Signatures came: of each who had said nothing, this one counts. When it was the last one, the
/// proposal is complete.
pub(super) fn deliver(
    transaction: &Transaction<'_>,
    signing: &Dated<Signing>,
    index: u64,
) -> Result<(), Error> {
    let submission = signing.statement.submission;
    let members = joined(signing.delivered.iter().map(|one| &one.sid));
    let (mode, assurance) = &signing.assurance;
    let sql = "INSERT INTO deliveries (submission, at, connection, members, signatures, mode, \
               assurance, log_index, upload_until) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
    transaction.prepare_cached(sql)?.execute(params![
        submission.as_bytes(),
        as_integer(signing.at.as_secs()),
        signing.connection.as_bytes(),
        members,
        signing.signatures,
        mode.as_str(),
        assurance.as_bytes(),
        as_integer(index),
        as_integer(signing.upload_until.as_secs()),
    ])?;
    let delivery = transaction.last_insert_rowid();
    let sql = "UPDATE cosigners SET said = 'signed', certificate = ?, delivery = ? \
               WHERE submission = ? AND sid = ? AND said = 'nothing'";
    let mut update = transaction.prepare_cached(sql)?;
    for one in &signing.delivered {
        update.execute(params![
            one.certificate.as_bytes(),
            delivery,
            submission.as_bytes(),
            one.sid.as_str(),
        ])?;
    }
    complete(transaction, signing, index)
}

/// Once everybody has signed, the files must follow within the window for uploads. If they are here
/// already, nobody waits for anything but CUHK.
fn complete(
    transaction: &Transaction<'_>,
    signing: &Dated<Signing>,
    index: u64,
) -> Result<(), Error> {
    let sql = "UPDATE proposals SET signed_at = ?2, signed_index = ?3, \
               waits_until = CASE WHEN files_at IS NULL THEN ?4 ELSE max(waits_until, ?4) END \
               WHERE submission = ?1 AND NOT EXISTS \
               (SELECT 1 FROM cosigners WHERE submission = ?1 AND said <> 'signed')";
    transaction.prepare_cached(sql)?.execute(params![
        signing.statement.submission.as_bytes(),
        as_integer(signing.at.as_secs()),
        as_integer(index),
        as_integer(signing.upload_until.as_secs()),
    ])?;
    Ok(())
}

/// Members said that they do not sign, or do not any more.
pub(super) fn say(
    transaction: &Transaction<'_>,
    end: &End,
    (said, members): (Said, &[StudentId]),
    index: u64,
) -> Result<(), Error> {
    let sql = "INSERT INTO deliveries (submission, at, connection, members, reason, log_index) \
               VALUES (?, ?, ?, ?, ?, ?)";
    transaction.prepare_cached(sql)?.execute(params![
        end.submission.as_bytes(),
        as_integer(end.at.as_secs()),
        end.connection.as_bytes(),
        joined(end.members.iter()),
        end.reason.as_ref().map(ToString::to_string),
        as_integer(index),
    ])?;
    let delivery = transaction.last_insert_rowid();
    let sql = "UPDATE cosigners SET said = ?, delivery = ? WHERE submission = ? AND sid = ?";
    let mut update = transaction.prepare_cached(sql)?;
    for sid in members {
        update.execute(params![
            said.as_str(),
            delivery,
            end.submission.as_bytes(),
            sid.as_str()
        ])?;
    }
    Ok(())
}

/// The row says again what the log says, if it says something else of when it waits and since when it is complete.
pub(super) fn put_right(transaction: &Transaction<'_>, stored: &Stored) -> Result<(), Error> {
    let sql = "UPDATE proposals SET waits_until = ?2, signed_at = ?3, signed_index = ?4 WHERE submission = ?1 \
               AND (waits_until, signed_at, signed_index) IS NOT (?2, ?3, ?4)";
    let (submission, kept) = (stored.submission(), stored.kept);
    let put_right = transaction.prepare_cached(sql)?.execute(params![
        submission.as_bytes(),
        as_integer(kept.waits_until.as_secs()),
        kept.signed.map(|(at, _)| as_integer(at.as_secs())),
        kept.signed.map(|(_, index)| as_integer(index)),
    ])?;
    if put_right > 0 {
        tracing::error!(
            "what was recorded of the proposal {submission} was altered, and is put right by what the log says of it"
        );
    }
    Ok(())
}

pub(super) fn end(
    transaction: &Transaction<'_>,
    submission: SubmissionId,
    state: ProposalState,
    at: UnixTime,
) -> Result<(), Error> {
    let sql = "UPDATE proposals SET ended = ?, ended_at = ? WHERE submission = ?";
    transaction.prepare_cached(sql)?.execute(params![
        state.as_str(),
        as_integer(at.as_secs()),
        submission.as_bytes(),
    ])?;
    Ok(())
}

pub(super) fn files(
    transaction: &Transaction<'_>,
    submission: SubmissionId,
    files_at: Option<UnixTime>,
) -> Result<(), Error> {
    let sql = "UPDATE proposals SET files_at = ? WHERE submission = ?";
    let files_at = files_at.map(|at| as_integer(at.as_secs()));
    transaction
        .prepare_cached(sql)?
        .execute(params![files_at, submission.as_bytes()])?;
    Ok(())
}

fn joined<'a>(sids: impl Iterator<Item = &'a StudentId>) -> String {
    let sids: Vec<_> = sids.map(StudentId::as_str).collect();
    sids.join(",")
}

/// A row of `proposals`.
struct Raw {
    submission: [u8; 16],
    statement: Vec<u8>,
    times: [i64; 2],
    files_at: Option<i64>,
    signed: [Option<i64>; 2],
    ended: Option<String>,
}

impl Raw {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            submission: row.get("submission")?,
            statement: row.get("statement")?,
            times: [row.get("proposed_at")?, row.get("waits_until")?],
            files_at: row.get("files_at")?,
            signed: [row.get("signed_at")?, row.get("signed_index")?],
            ended: row.get("ended")?,
        })
    }

    fn complete(self, connection: &Connection) -> Result<Stored, Error> {
        let submission = SubmissionId::from_bytes(self.submission);
        let altered = || Error::ProposalAltered { submission };
        let statement = Statement::parse(&self.statement).map_err(|_| altered())?;
        let cosigners = cosigners(connection, submission)?.ok_or_else(altered)?;
        let named = statement.members.iter().map(|one| &one.sid);
        if statement.submission != submission || !named.eq(cosigners.iter().map(|one| &one.sid)) {
            return Err(altered());
        }
        let ended = |text: &str| {
            use ProposalState::{Declined, Lapsed, Withdrawn};
            let mut states = [Declined, Withdrawn, Lapsed].into_iter();
            states.find(|state| state.as_str() == text)
        };
        let kept = Kept {
            proposed_at: time(self.times[0]),
            waits_until: time(self.times[1]),
            files_at: self.files_at.map(time),
            signed: match self.signed {
                [Some(at), Some(index)] => Some((time(at), index.unsigned_abs())),
                _ => None,
            },
            ended: match self.ended {
                Some(text) => Some(ended(&text).ok_or_else(altered)?),
                None => None,
            },
        };
        let in_row = Stored {
            statement,
            bytes: self.statement,
            kept,
            cosigners,
        };
        let kept = logged::as_logged(connection, &in_row)?.ok_or_else(altered)?;
        Ok(Stored { kept, ..in_row })
    }
}

/// Who is to sign, in order; `None` if something there is no such thing.
fn cosigners(
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

fn time(stored: i64) -> UnixTime {
    from_seconds(stored.unsigned_abs())
}
