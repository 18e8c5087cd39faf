//! Submissions as rows, and the large things that many of them share.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use scb_certs::Fingerprint;
use scb_protocol::receipt::{Evidence, SignedLeaf};
use scb_protocol::statement::{Statement, SubmissionId, SubmissionNumber};
use scb_protocol::{Mode, from_seconds};

use super::parts::Version;
use super::{Error, Listed, Record, Summary, as_integer, proof, versions};

pub(super) fn by_submission(
    connection: &Connection,
    id: SubmissionId,
) -> Result<Option<Record>, Error> {
    one(
        connection,
        "SELECT * FROM submissions WHERE submission = ?",
        id.as_bytes().as_slice(),
    )
}

pub(super) fn by_number(
    connection: &Connection,
    number: SubmissionNumber,
) -> Result<Option<Record>, Error> {
    one(
        connection,
        "SELECT * FROM submissions WHERE number = ?",
        as_integer(number.get()),
    )
}

fn one(
    connection: &Connection,
    sql: &str,
    key: impl rusqlite::ToSql,
) -> Result<Option<Record>, Error> {
    let mut query = connection.prepare_cached(sql)?;
    let found = query.query_row([key], RawRecord::read).optional()?;
    found.map(|raw| raw.complete(connection)).transpose()
}

/// A row of `submissions` as it is stored.
struct RawRecord {
    head: RawSummary,
    signatures: Vec<u8>,
    assurance: Vec<u8>,
    blobs: [Vec<u8>; 3],
}

impl RawRecord {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            head: RawSummary::read(row)?,
            signatures: row.get("signatures")?,
            assurance: row.get("assurance")?,
            blobs: [row.get("chains")?, row.get("crls")?, row.get("root")?],
        })
    }

    fn complete(self, connection: &Connection) -> Result<Record, Error> {
        let Summary {
            number,
            accepted_at,
            statement,
            mode,
            ..
        } = self.head.parse()?;
        let altered = || Error::Altered { number };
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).map_err(|_| altered());
        let blob = |sha256: &Vec<u8>| text(blob(connection, sha256)?.ok_or_else(altered)?);
        let [chains, crls, root] = &self.blobs;
        Ok(Record {
            number,
            accepted_at,
            statement,
            evidence: Evidence {
                statement: self.head.statement,
                signatures: self.signatures,
                mode,
                assurance: text(self.assurance)?,
                chains: blob(chains)?,
                crls: blob(crls)?,
                root: blob(root)?,
            },
            leaf: self.head.leaf,
            proof: proof::find(connection, number)?,
        })
    }
}

/// The columns that a list needs.
struct RawSummary {
    number: i64,
    accepted_at: i64,
    statement: Vec<u8>,
    mode: String,
    leaf: SignedLeaf,
}

impl RawSummary {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            number: row.get("number")?,
            accepted_at: row.get("accepted_at")?,
            statement: row.get("statement")?,
            mode: row.get("mode")?,
            leaf: SignedLeaf {
                leaf: row.get("leaf")?,
                signature: row.get("leaf_signature")?,
            },
        })
    }

    fn parse(&self) -> Result<Summary, Error> {
        let number = number(self.number);
        let altered = || Error::Altered { number };
        let seconds = u64::try_from(self.accepted_at).map_err(|_| altered())?;
        Ok(Summary {
            number,
            committed_at: self.leaf.accepted().map(|accepted| accepted.committed_at),
            accepted_at: from_seconds(seconds),
            statement: Statement::parse(&self.statement).map_err(|_| altered())?,
            mode: mode(&self.mode).ok_or_else(altered)?,
        })
    }

    fn compared(&self) -> Result<Summary, Error> {
        let summary = self.parse()?;
        let (number, at) = (summary.number, summary.accepted_at);
        match self
            .leaf
            .speaks_of(&self.statement, number, at, summary.mode)
        {
            true => Ok(summary),
            false => Err(Error::Altered { number }),
        }
    }
}

pub(super) fn summaries(connection: &Connection) -> Result<Vec<Listed>, Error> {
    let sql = "SELECT number, accepted_at, statement, mode, leaf, leaf_signature \
               FROM submissions ORDER BY number";
    let mut query = connection.prepare_cached(sql)?;
    let rows = query.query_map([], RawSummary::read)?;
    rows.map(|row| row.map(|row| (number(row.number), row.compared())))
        .map(|listed| listed.map_err(Error::from))
        .collect()
}

/// A row of `submissions` as a version, or the number of one that is not what was stored.
pub(super) fn version(row: &Row<'_>) -> rusqlite::Result<Result<Version, SubmissionNumber>> {
    let raw = RawSummary::read(row)?;
    let altered = number(raw.number);
    let version = raw.compared().ok().and_then(|summary| {
        let accepted = raw.leaf.accepted()?;
        let (at, index) = (accepted.committed_at, accepted.committed_index);
        Some(Version::new(summary, at, index))
    });
    Ok(version.ok_or(altered))
}

/// A submission as a list shows it, and its entry.
pub(super) fn summary(
    connection: &Connection,
    number: SubmissionNumber,
) -> Result<Option<(Summary, SignedLeaf)>, Error> {
    let sql = "SELECT number, accepted_at, statement, mode, leaf, leaf_signature \
               FROM submissions WHERE number = ?";
    let mut query = connection.prepare_cached(sql)?;
    let found = query.query_row([as_integer(number.get())], RawSummary::read);
    let Some(raw) = found.optional()? else {
        return Ok(None);
    };
    Ok(Some((raw.compared()?, raw.leaf)))
}

pub(super) fn numbers(connection: &Connection) -> Result<Vec<SubmissionNumber>, Error> {
    let mut query = connection.prepare_cached("SELECT number FROM submissions ORDER BY number")?;
    let rows = query.query_map([], |row| row.get(0))?;
    rows.map(|row| Ok(number(row?))).collect()
}

/// The table's CHECK keeps numbers above zero.
pub(super) fn number(stored: i64) -> SubmissionNumber {
    SubmissionNumber::new(stored.unsigned_abs().max(1)).expect("not zero")
}

/// SHA-256 of the content of every submission; `None` if some statement cannot be read.
pub(super) fn contents(connection: &Connection) -> Result<Option<HashSet<[u8; 32]>>, Error> {
    let mut query = connection.prepare_cached("SELECT statement FROM submissions")?;
    let rows = query.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
    let mut contents = HashSet::new();
    for row in rows {
        let Ok(statement) = Statement::parse(&row?) else {
            return Ok(None);
        };
        contents.extend(statement.files.iter().map(|file| *file.sha256.as_bytes()));
    }
    Ok(Some(contents))
}

pub(super) fn count(connection: &Connection) -> Result<u64, Error> {
    let sql = "SELECT count(*) FROM submissions";
    let count: i64 = connection
        .prepare_cached(sql)?
        .query_one([], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

fn mode(text: &str) -> Option<Mode> {
    [Mode::Verified, Mode::Tokens]
        .into_iter()
        .find(|mode| mode.as_str() == text)
}

/// `None` if it is not there or does not have its hash.
pub(super) fn blob(connection: &Connection, sha256: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    let mut query = connection.prepare_cached("SELECT bytes FROM blobs WHERE sha256 = ?")?;
    let bytes: Option<Vec<u8>> = query.query_row([sha256], |row| row.get(0)).optional()?;
    Ok(bytes.filter(|bytes| Fingerprint::of(bytes).as_bytes() == sha256))
}

pub(super) fn insert_blob(transaction: &Transaction<'_>, bytes: &[u8]) -> Result<[u8; 32], Error> {
    let sha256 = *Fingerprint::of(bytes).as_bytes();
    transaction
        .prepare_cached("INSERT INTO blobs (sha256, bytes) VALUES (?, ?) ON CONFLICT DO NOTHING")?
        .execute(params![sha256, bytes])?;
    Ok(sha256)
}

pub(super) fn insert(transaction: &Transaction<'_>, record: &Record) -> Result<(), Error> {
    let Record { evidence, leaf, .. } = record;
    let chains = insert_blob(transaction, evidence.chains.as_bytes())?;
    let crls = insert_blob(transaction, evidence.crls.as_bytes())?;
    let root = insert_blob(transaction, evidence.root.as_bytes())?;
    let sql = "INSERT INTO submissions (number, submission, accepted_at, statement, signatures, \
               mode, assurance, chains, crls, root, leaf, leaf_signature) \
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    transaction.prepare_cached(sql)?.execute(params![
        as_integer(record.number.get()),
        record.statement.submission.as_bytes(),
        as_integer(record.accepted_at.as_secs()),
        evidence.statement,
        evidence.signatures,
        evidence.mode.as_str(),
        evidence.assurance.as_bytes(),
        chains,
        crls,
        root,
        leaf.leaf,
        leaf.signature,
    ])?;
    versions::insert(transaction, record)
}

/// The highest number that the database has ever given, also to records since deleted.
pub(super) fn last_number(connection: &Connection) -> Result<u64, Error> {
    let sql = "SELECT seq FROM sqlite_sequence WHERE name = 'submissions'";
    let mut query = connection.prepare_cached(sql)?;
    let last: Option<i64> = query.query_row([], |row| row.get(0)).optional()?;
    Ok(last.map_or(0, i64::unsigned_abs))
}

/// How many entries of all logs are lost: only their commitments are here.
pub(super) fn lost_entries(connection: &Connection) -> Result<u64, Error> {
    let sql = "SELECT count(*) FROM log_entries WHERE kind IS NULL";
    let lost: i64 = connection
        .prepare_cached(sql)?
        .query_one([], |row| row.get(0))?;
    Ok(lost.unsigned_abs())
}
