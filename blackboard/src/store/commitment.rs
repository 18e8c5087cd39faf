//! The table of commitments: signed statements whose files were to follow.

use std::collections::HashSet;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use rustls_pki_types::UnixTime;
use scb_certs::DetachedSignature;
use scb_protocol::log_leaf::{Committed, Entry, LogName};
use scb_protocol::receipt::{SignedEntry, SignedLeaf};
use scb_protocol::server::Commitment;
use scb_protocol::statement::{Statement, SubmissionId};
use scb_protocol::{Mode, from_seconds};

use super::arrival::{Arriving, Dated};
use super::{Error, Record, as_integer, log};

/// What is recorded of a statement before its files come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Committal {
    /// The statement.
    pub(crate) statement: Statement,
    /// Its exact bytes.
    pub(crate) bytes: Vec<u8>,
    /// The members' detached CMS signatures, DER.
    pub(crate) signatures: Vec<u8>,
    /// What stood behind the members, and what it said.
    pub(crate) assurance: (Mode, String),
    /// For how long the files may come once it is committed.
    pub(crate) upload_window: Duration,
}

impl Arriving for Committal {
    fn assurance(&self) -> &str {
        &self.assurance.1
    }

    fn upload_window(&self) -> Duration {
        self.upload_window
    }
}

impl Committal {
    /// What the log says of it.
    fn entry(&self) -> Entry {
        let (mode, assurance) = &self.assurance;
        let signed = (self.bytes.as_slice(), self.signatures.as_slice());
        let committed = Committed::of(&self.statement, signed, (*mode, assurance));
        Entry::Committed(committed)
    }
}

/// What has come of a statement that was to be committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CommitOutcome {
    /// It is recorded; its files may come. With the entry of the log that says so, signed.
    Committed(Commitment, SignedEntry),
    /// The members' last version is the very same: nothing was recorded.
    SameVersion(Box<Record>),
}

/// A commitment whose files have not come, or not all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unfinished {
    /// When it was committed, and until when the files may come.
    pub(crate) commitment: Commitment,
    /// What the members signed.
    pub(crate) statement: Statement,
}

/// The commitment of this submission, and the statement that it is about.
pub(super) fn find(
    connection: &Connection,
    submission: SubmissionId,
) -> Result<Option<(Commitment, Vec<u8>)>, Error> {
    let sql = "SELECT committed_at, upload_until, log_index, statement FROM commitments WHERE submission = ?";
    let mut query = connection.prepare_cached(sql)?;
    let found = query.query_row([submission.as_bytes()], |row| {
        Ok((read(row)?, row.get("statement")?))
    });
    Ok(found.optional()?)
}

/// Records a commitment, here and in the log of its assignment, and has `sign` sign the entry.
pub(super) fn insert(
    transaction: &Transaction<'_>,
    committal: &Dated<Committal>,
    sign: impl FnOnce(Vec<u8>) -> Result<SignedLeaf, scb_protocol::Error>,
) -> Result<CommitOutcome, Error> {
    let upload_until = committal.upload_until;
    let log = LogName::of(&committal.statement).map_err(Error::Leaf)?;
    let entered = log::append_as_of(transaction, &log, committal.at, committal.entry())?;
    let log::Appended { index, at, leaf } = entered;
    let signed = sign(leaf).map_err(Error::Receipt)?;
    let (mode, assurance) = &committal.assurance;
    let sql = "INSERT INTO commitments (submission, committed_at, upload_until, statement, \
               signatures, mode, assurance, log_index, leaf_signature) \
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
    transaction.prepare_cached(sql)?.execute(params![
        committal.statement.submission.as_bytes(),
        as_integer(at.as_secs()),
        as_integer(upload_until.as_secs()),
        committal.bytes,
        committal.signatures,
        mode.as_str(),
        assurance.as_bytes(),
        as_integer(index),
        signed.signature,
    ])?;
    let commitment = Commitment {
        index,
        at,
        upload_until,
    };
    Ok(CommitOutcome::Committed(commitment, carried(signed)?))
}

/// The row says again what the log says, with the statement that the log has.
pub(super) fn put_right(
    transaction: &Transaction<'_>,
    (submission, bytes): (SubmissionId, &[u8]),
    entered: Commitment,
) -> Result<(), Error> {
    let sql = "UPDATE commitments SET statement = ?, committed_at = ?, log_index = ?, upload_until = ? \
               WHERE submission = ?";
    transaction.prepare_cached(sql)?.execute(params![
        bytes,
        as_integer(entered.at.as_secs()),
        as_integer(entered.index),
        as_integer(entered.upload_until.as_secs()),
        submission.as_bytes(),
    ])?;
    Ok(())
}

/// The entry of a commitment as it was signed when it was made. `sign` signs it now if that was before
/// entries were, or if the signature was altered since; then, too, it stays as it is.
pub(super) fn signed(
    transaction: &Transaction<'_>,
    statement: &Statement,
    commitment: Commitment,
    sign: impl FnOnce(Vec<u8>) -> Result<SignedLeaf, scb_protocol::Error>,
) -> Result<SignedEntry, Error> {
    let (submission, log) = (
        statement.submission,
        LogName::of(statement).map_err(Error::Leaf)?,
    );
    let leaf = log::leaf(transaction, &log, commitment.index)?;
    let leaf = leaf.ok_or(Error::ProposalAltered { submission })?;
    let sql = "SELECT leaf_signature FROM commitments WHERE submission = ?";
    let mut query = transaction.prepare_cached(sql)?;
    let signature: Option<Vec<u8>> = query.query_one([submission.as_bytes()], |row| row.get(0))?;
    match signature.filter(|signature| is_of(signature, &leaf)) {
        Some(signature) => carried(SignedLeaf { leaf, signature }),
        None => {
            let signed = sign(leaf).map_err(Error::Receipt)?;
            let sql = "UPDATE commitments SET leaf_signature = ? WHERE submission = ?";
            let mut update = transaction.prepare_cached(sql)?;
            update.execute(params![signed.signature, submission.as_bytes()])?;
            carried(signed)
        }
    }
}

/// Whether it is a signature of these bytes; by whom is for those to judge who are given it.
pub(super) fn is_of(signature: &[u8], leaf: &[u8]) -> bool {
    let signature = DetachedSignature::parse(signature);
    signature.is_ok_and(|signature| signature.verify(leaf).is_ok())
}

pub(super) fn carried(signed: SignedLeaf) -> Result<SignedEntry, Error> {
    SignedEntry::try_from(signed).map_err(Error::Receipt)
}

/// Every commitment that has no record and was not given up. Until when its files may come is the latest that its
/// row, or the backlog of one of its members, says: what the log has goes on, whatever became of one of these rows.
pub(super) const OPEN: &str = "SELECT submission, committed_at, log_index, statement, \
    max(upload_until, coalesce(latest, upload_until)) AS upload_until FROM commitments \
    LEFT JOIN (SELECT submission, max(upload_until) AS latest FROM backlog GROUP BY submission) USING (submission) \
    WHERE NOT EXISTS (SELECT 1 FROM settled WHERE settled.submission = commitments.submission)";

/// Every commitment without a record that was not given up, in order; those whose statement was altered are left out.
pub(super) fn unfinished(connection: &Connection) -> Result<Vec<Unfinished>, Error> {
    let sql = format!("{OPEN} ORDER BY committed_at, submission");
    let mut query = connection.prepare_cached(&sql)?;
    let rows = query.query_map([], |row| {
        Ok((read(row)?, row.get::<_, Vec<u8>>("statement")?))
    })?;
    let mut found = Vec::new();
    for row in rows {
        let (commitment, bytes) = row?;
        match Statement::parse(&bytes) {
            Ok(statement) => found.push(Unfinished {
                commitment,
                statement,
            }),
            Err(refusal) => tracing::error!("the statement of a commitment was altered: {refusal}"),
        }
    }
    Ok(found)
}

/// The submissions whose files may still come.
pub(super) fn open(connection: &Connection, now: UnixTime) -> Result<HashSet<[u8; 16]>, Error> {
    let sql = format!("SELECT submission FROM ({OPEN}) WHERE upload_until >= ?");
    let mut query = connection.prepare_cached(&sql)?;
    let rows = query.query_map([as_integer(now.as_secs())], |row| row.get(0))?;
    rows.map(|row| row.map_err(Error::from)).collect()
}

fn read(row: &Row<'_>) -> rusqlite::Result<Commitment> {
    let time = |name| -> rusqlite::Result<UnixTime> {
        let seconds: i64 = row.get(name)?;
        Ok(from_seconds(seconds.unsigned_abs()))
    };
    let index: i64 = row.get("log_index")?;
    Ok(Commitment {
        index: index.unsigned_abs(),
        at: time("committed_at")?,
        upload_until: time("upload_until")?,
    })
}
