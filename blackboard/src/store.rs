//! The database of submissions: only the files of this module name SQL.

mod assignments;
mod commitment;
mod courses;
mod error;
mod known_log;
pub(crate) mod log;
mod mark;
mod proof;
mod record;
mod register;
mod revocation;
mod versions;
mod witnessed;

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use rusqlite_migration::{M, Migrations};
use rustls_pki_types::UnixTime;
use scb_certs::{Crl, Fingerprint};
use scb_cli::Home;
use scb_protocol::audit::{GrownLog, KnownLog};
use scb_protocol::log_leaf::{Entry, LogName, Recovered};
use scb_protocol::receipt::{Evidence, LogProof, SignedLeaf};
use scb_protocol::statement::{Statement, SubmissionId, SubmissionNumber};
use scb_protocol::witness::CosignedCheckpoint;
use scb_protocol::{COMMITMENT_SIZE, Mode, SignedLogKeys, from_seconds};
use scb_storage::Database;

use crate::authority::Numbers;
pub(crate) use assignments::{Assignment, Given, Place};
pub use commitment::{Committal, Unfinished};
pub(crate) use courses::{Course, Membership};
pub use error::Error;
pub use record::{Draft, Record, Summary};
pub use register::Register;

const STEPS: &[M<'static>] = &[
    M::up(include_str!("store/migration_1.sql")),
    M::up(include_str!("store/migration_2.sql")),
    M::up(include_str!("store/migration_3.sql")),
    M::up(include_str!("store/migration_4.sql")),
    M::up(include_str!("store/migration_courses.sql")),
    M::up(include_str!("store/migration_log.sql")),
    M::up(include_str!("store/migration_leaf.sql")),
    M::up(include_str!("store/migration_commitments.sql")),
    M::up(include_str!("store/migration_witness.sql")),
    M::up(include_str!("store/migration_proof.sql")),
];
const MIGRATIONS: Migrations<'static> = Migrations::from_slice(STEPS);

/// The file that notes the highest number ever given.
const NUMBERS: &str = "numbers";

/// A submission for a list, or why it is left out.
pub(crate) type Listed = (SubmissionNumber, Result<Summary, Error>);

/// What was handed in, for reading; [`Register`] takes in. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    database: Database,
}

impl Store {
    /// Opens `HOME/blackboard.db`, or creates it in a home that has never served. Many may have it
    /// open at once.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`]: gone, damaged, newer than this program, or not accessible.
    pub fn open(home: &Home) -> Result<Self, Error> {
        let path = home.path("blackboard.db");
        // Numbers were given: an empty database in its place would hide that records are lost.
        let database = match home.path(NUMBERS).exists() {
            true => Database::open_existing(&path, &MIGRATIONS)?,
            false => Database::open(&path, &MIGRATIONS)?,
        };
        Ok(Self { database })
    }

    /// The record of a submission ID, if it was accepted.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::Altered`].
    pub async fn find(&self, submission: SubmissionId) -> Result<Option<Record>, Error> {
        self.database
            .read(move |connection| by_submission(connection, submission))
            .await
    }

    /// The record of the last version of any of these members, if it has the same files by the
    /// same members, and this submission was not committed before.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::Altered`].
    pub async fn same_version(&self, statement: Statement) -> Result<Option<Record>, Error> {
        self.database
            .read(move |connection| versions::same(connection, &statement))
            .await
    }

    /// The record of this number, if there is one.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::Altered`].
    pub fn record(&self, number: SubmissionNumber) -> Result<Option<Record>, Error> {
        self.database
            .read_blocking(move |connection| by_number(connection, number))
    }

    /// What a list shows of all submissions, in order; [`Error::Altered`] of each that is not
    /// what its log entry speaks of. No signature is verified: that takes [`Record::receipt`].
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn summaries(&self) -> Result<Vec<Listed>, Error> {
        self.database.read_blocking(summaries)
    }

    /// The numbers of all submissions, in order.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn numbers(&self) -> Result<Vec<SubmissionNumber>, Error> {
        self.database.read_blocking(numbers)
    }

    /// What was committed and has not come, or not whole, the earliest first.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn unfinished(&self) -> Result<Vec<Unfinished>, Error> {
        self.database.read_blocking(commitment::unfinished)
    }

    /// The highest numbers of revocation lists that were seen.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub async fn crl_numbers(&self) -> Result<Numbers, Error> {
        self.database.read(revocation::numbers).await
    }

    /// The last revocation lists that were remembered, DER, to be judged anew; none at first.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub async fn crls(&self) -> Result<Vec<Vec<u8>>, Error> {
        self.database.read(revocation::lists).await
    }

    /// Remembers revocation lists in the place of those before, and the highest numbers seen,
    /// none of which ever goes back.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub async fn remember_crls(&self, numbers: Numbers, lists: &[Crl]) -> Result<(), Error> {
        let key_and_der = |list: &Crl| (list.issuer_key_id().to_vec(), list.der().to_vec());
        let lists: Vec<_> = lists.iter().map(key_and_der).collect();
        self.database
            .write(move |transaction| revocation::remember(transaction, &numbers, &lists))
            .await
    }

    /// Bytes that it takes on the disk.
    pub(crate) fn size(&self) -> u64 {
        self.database.size()
    }

    /// CUHK's issuance log as it was remembered last.
    ///
    /// # Errors
    ///
    /// [`Error::KnownLog`] if it was altered since; [`Error::Storage`].
    pub async fn known_log(&self) -> Result<Option<KnownLog>, Error> {
        self.database.read(known_log::find).await
    }

    /// Remembers the log that grew out of the one before.
    ///
    /// # Errors
    ///
    /// [`Error::LogRolledBack`] if it did not; [`Error::Storage`].
    pub async fn remember_log(&self, log: &GrownLog) -> Result<(), Error> {
        let (known, checkpoint) = (log.known(), log.checkpoint().to_string());
        self.database
            .write(move |transaction| known_log::remember(transaction, &known, &checkpoint))
            .await
    }

    /// All logs, with how many entries each has.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) async fn log_sizes(&self) -> Result<Vec<(LogName, u64)>, Error> {
        self.database.read(log::sizes).await
    }

    /// All logs.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn log_names(&self) -> Result<Vec<LogName>, Error> {
        let sizes = self.database.read_blocking(log::sizes)?;
        Ok(sizes.into_iter().map(|(name, _)| name).collect())
    }

    /// How many entries a log has.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn log_size_blocking(&self, name: &LogName) -> Result<u64, Error> {
        let name = name.clone();
        self.database
            .read_blocking(move |connection| log::size(connection, &name))
    }

    /// What is committed to in a log, from number `from` on, at most `most`.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) async fn commitments(
        &self,
        name: LogName,
        from: u64,
        most: usize,
    ) -> Result<Vec<[u8; COMMITMENT_SIZE]>, Error> {
        self.database
            .read(move |connection| log::commitments(connection, &name, from, most))
            .await
    }

    /// As [`Store::commitments`], for callers without a runtime.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn commitments_blocking(
        &self,
        name: &LogName,
        from: u64,
        most: usize,
    ) -> Result<Vec<[u8; COMMITMENT_SIZE]>, Error> {
        let name = name.clone();
        self.database
            .read_blocking(move |connection| log::commitments(connection, &name, from, most))
    }

    /// CUHK's endorsement of a log's keys, as it was kept.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) async fn endorsement(&self, log: &LogName) -> Result<Option<SignedLogKeys>, Error> {
        let log = log.clone();
        self.database
            .read(move |connection| witnessed::endorsement(connection, &log))
            .await
    }

    /// Keeps CUHK's endorsement of a log's keys in the place of the one before.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) async fn keep_endorsement(
        &self,
        log: &LogName,
        signed: &SignedLogKeys,
    ) -> Result<(), Error> {
        let (log, signed) = (log.clone(), signed.clone());
        self.database
            .write(move |transaction| witnessed::keep_endorsement(transaction, &log, &signed))
            .await
    }

    /// The newest checkpoint of a log that CUHK cosigned, with both signatures.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) async fn cosigned(&self, log: &LogName) -> Result<Option<String>, Error> {
        let log = log.clone();
        self.database
            .read(move |connection| witnessed::cosigned(connection, &log))
            .await
    }

    /// [`Store::cosigned`] for tests that look again and again.
    #[cfg(test)]
    pub(crate) fn cosigned_blocking(&self, log: &LogName) -> Result<Option<String>, Error> {
        let log = log.clone();
        self.database
            .read_blocking(move |connection| witnessed::cosigned(connection, &log))
    }

    /// Keeps a checkpoint that CUHK cosigned in the place of the one before.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) async fn keep_cosigned(
        &self,
        log: &LogName,
        cosigned: &CosignedCheckpoint,
    ) -> Result<(), Error> {
        let (log, note) = (log.clone(), cosigned.note().to_string());
        self.database
            .write(move |transaction| witnessed::keep_cosigned(transaction, &log, &note))
            .await
    }

    /// Goes on with a log after `lost` entries of which only the commitments are known, the first
    /// of them number `kept`, and enters that it was so.
    ///
    /// # Errors
    ///
    /// [`Error::LogGrown`] if the log has not `kept` entries; [`Error::Storage`].
    pub(crate) fn recover_log(
        &self,
        name: &LogName,
        (kept, lost): (u64, Vec<Fingerprint>),
        at: UnixTime,
    ) -> Result<(), Error> {
        let name = name.clone();
        let seen = kept + lost.len() as u64;
        self.database.write_blocking(move |transaction| {
            log::adopt(transaction, &name, kept, &lost)?;
            let recovered = Entry::Recovered(Recovered { kept, seen });
            log::append(transaction, &name, at, recovered).map(drop)
        })
    }

    /// Keeps the proof of a submission's entry, unless there is one. Answers the one that counts.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::Altered`].
    pub(crate) async fn keep_proof(
        &self,
        number: SubmissionNumber,
        proof: LogProof,
    ) -> Result<LogProof, Error> {
        self.database
            .write(move |transaction| proof::keep(transaction, number, &proof))
            .await
    }

    /// Finishes what is queued and closes the file.
    pub async fn close(&self) {
        self.database.close().await;
    }
}

fn by_submission(connection: &Connection, id: SubmissionId) -> Result<Option<Record>, Error> {
    one(
        connection,
        "SELECT * FROM submissions WHERE submission = ?",
        id.as_bytes().as_slice(),
    )
}

fn by_number(connection: &Connection, number: SubmissionNumber) -> Result<Option<Record>, Error> {
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

fn summaries(connection: &Connection) -> Result<Vec<Listed>, Error> {
    let sql = "SELECT number, accepted_at, statement, mode, leaf, leaf_signature \
               FROM submissions ORDER BY number";
    let mut query = connection.prepare_cached(sql)?;
    let rows = query.query_map([], RawSummary::read)?;
    rows.map(|row| row.map(|row| (number(row.number), row.compared())))
        .map(|listed| listed.map_err(Error::from))
        .collect()
}

fn numbers(connection: &Connection) -> Result<Vec<SubmissionNumber>, Error> {
    let mut query = connection.prepare_cached("SELECT number FROM submissions ORDER BY number")?;
    let rows = query.query_map([], |row| row.get(0))?;
    rows.map(|row| Ok(number(row?))).collect()
}

/// The table's CHECK keeps numbers above zero.
fn number(stored: i64) -> SubmissionNumber {
    SubmissionNumber::new(stored.unsigned_abs().max(1)).expect("not zero")
}

/// SHA-256 of the content of every submission; `None` if some statement cannot be read.
fn contents(connection: &Connection) -> Result<Option<HashSet<[u8; 32]>>, Error> {
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

fn count(connection: &Connection) -> Result<u64, Error> {
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
fn blob(connection: &Connection, sha256: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    let mut query = connection.prepare_cached("SELECT bytes FROM blobs WHERE sha256 = ?")?;
    let bytes: Option<Vec<u8>> = query.query_row([sha256], |row| row.get(0)).optional()?;
    Ok(bytes.filter(|bytes| Fingerprint::of(bytes).as_bytes() == sha256))
}

fn insert_blob(transaction: &Transaction<'_>, bytes: &[u8]) -> Result<[u8; 32], Error> {
    let sha256 = *Fingerprint::of(bytes).as_bytes();
    transaction
        .prepare_cached("INSERT INTO blobs (sha256, bytes) VALUES (?, ?) ON CONFLICT DO NOTHING")?
        .execute(params![sha256, bytes])?;
    Ok(sha256)
}

fn insert(transaction: &Transaction<'_>, record: &Record) -> Result<(), Error> {
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
fn last_number(connection: &Connection) -> Result<u64, Error> {
    let sql = "SELECT seq FROM sqlite_sequence WHERE name = 'submissions'";
    let mut query = connection.prepare_cached(sql)?;
    let last: Option<i64> = query.query_row([], |row| row.get(0)).optional()?;
    Ok(last.map_or(0, i64::unsigned_abs))
}

/// SQLite's integers have 63 bits and a sign; nothing here comes near the limit.
fn as_integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
