//! The tables of proposals, of who is to sign them, and of what came over which connection.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use rustls_pki_types::UnixTime;
use scb_certs::StudentId;
use scb_protocol::from_seconds;
use scb_protocol::log_leaf::LogName;
use scb_protocol::message::proposal::{CosignerStanding, ProposalState, Said};
use scb_protocol::server::{Commitment, DeliveredSignature};
use scb_protocol::statement::{Statement, SubmissionId};

use super::cosigners::{self, Cosigner};
use super::logged::{self, SaidBy};
use super::{End, Signing};
use crate::store::arrival::Dated;
use crate::store::{Error, as_integer, as_list, log};

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
    /// Until when the files might come after the last signature, as far as that is kept beside.
    pub(super) upload_until: Option<UnixTime>,
    pub(super) files_at: Option<UnixTime>,
    /// When the last member signed, and which entry says so.
    pub(super) signed: Option<(UnixTime, u64)>,
    /// How and when it ended.
    pub(super) ended: Option<(ProposalState, UnixTime)>,
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
            refused: None,
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

const PROPOSAL: &str = "SELECT submission, proposed_at, waits_until, statement, files_at, ended, ended_at, \
    (SELECT upload_until FROM kept_windows AS kept WHERE kept.submission = proposals.submission) AS kept_until, \
    (SELECT files_at FROM kept_windows AS kept WHERE kept.submission = proposals.submission) AS kept_files \
    FROM proposals";

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

/// Those that are no submissions, but for what has ended by its row and by the log alike.
pub(super) fn in_doubt(connection: &Connection) -> Result<Vec<Stored>, Error> {
    let sql = format!("{PROPOSAL} WHERE {UNANSWERED}");
    all(connection, &sql, [])
}

/// Those that are submissions, or have ended by their row.
pub(super) fn over(connection: &Connection) -> Result<Vec<SubmissionId>, Error> {
    let sql =
        format!("SELECT submission FROM proposals WHERE ended IS NOT NULL OR NOT {UNANSWERED}");
    let mut query = connection.prepare_cached(&sql)?;
    let rows = query.query_map([], |row| row.get(0).map(SubmissionId::from_bytes))?;
    Ok(rows.collect::<Result<_, _>>()?)
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
        if raw.has_ended(connection)? {
            continue;
        }
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
    let sql = "INSERT INTO kept_windows (submission) VALUES (?)";
    transaction
        .prepare_cached(sql)?
        .execute([statement.submission.as_bytes()])?;
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
    let (submission, until) = (
        signing.statement.submission,
        as_integer(signing.upload_until.as_secs()),
    );
    let completed = transaction.prepare_cached(sql)?.execute(params![
        submission.as_bytes(),
        as_integer(signing.at.as_secs()),
        as_integer(index),
        until,
    ])?;
    if completed > 0 {
        let sql = "UPDATE kept_windows SET upload_until = ? WHERE submission = ?";
        let key = params![until, submission.as_bytes()];
        transaction.prepare_cached(sql)?.execute(key)?;
    }
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
    let files_at = files_at.map(|at| as_integer(at.as_secs()));
    for sql in [
        "UPDATE proposals SET files_at = ? WHERE submission = ?",
        "UPDATE kept_windows SET files_at = ? WHERE submission = ?",
    ] {
        let key = params![files_at, submission.as_bytes()];
        transaction.prepare_cached(sql)?.execute(key)?;
    }
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
    kept_until: Option<i64>,
    /// Here, and as it is kept once more.
    files_at: [Option<i64>; 2],
    ended: (Option<String>, Option<i64>),
}

impl Raw {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            submission: row.get("submission")?,
            statement: row.get("statement")?,
            times: [row.get("proposed_at")?, row.get("waits_until")?],
            kept_until: row.get("kept_until")?,
            files_at: [row.get("files_at")?, row.get("kept_files")?],
            ended: (row.get("ended")?, row.get("ended_at")?),
        })
    }

    /// Whether it has ended by its row and by the log alike. Of what cannot be read the row is believed: it is not
    /// gone on with.
    fn has_ended(&self, connection: &Connection) -> Result<bool, Error> {
        let (Some(ended), at) = (&self.ended.0, self.ended.1) else {
            return Ok(false);
        };
        let Ok(statement) = Statement::parse(&self.statement) else {
            return Ok(true);
        };
        let name = LogName::of(&statement).map_err(Error::Leaf)?;
        let entered = log::ended(connection, &name, SubmissionId::from_bytes(self.submission))?;
        Ok(entered
            .is_some_and(|(state, when)| state.as_str() == ended && at.map(time) == Some(when)))
    }

    fn complete(self, connection: &Connection) -> Result<Stored, Error> {
        let submission = SubmissionId::from_bytes(self.submission);
        let altered = || Error::ProposalAltered { submission };
        let statement = Statement::parse(&self.statement).map_err(|_| altered())?;
        let cosigners = cosigners::of(connection, submission)?.ok_or_else(altered)?;
        let named = statement.members.iter().map(|one| &one.sid);
        if statement.submission != submission || !named.eq(cosigners.iter().map(|one| &one.sid)) {
            return Err(altered());
        }
        let [here, again] = self.files_at;
        let in_row = Stored {
            statement,
            bytes: self.statement,
            kept: Kept {
                proposed_at: time(self.times[0]),
                waits_until: time(self.times[1]),
                upload_until: self.kept_until.map(time),
                // Whether they are is seen when it is completed.
                files_at: here.or(again).map(time),
                signed: None,
                ended: None,
            },
            cosigners,
        };
        let kept = logged::as_logged(connection, &in_row)?.ok_or_else(altered)?;
        Ok(Stored { kept, ..in_row })
    }
}

pub(super) fn time(stored: i64) -> UnixTime {
    from_seconds(stored.unsigned_abs())
}
