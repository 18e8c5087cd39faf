//! The database of submissions: only the files of this module name SQL.

mod arrival;
mod as_committed;
mod assignments;
mod backlog;
pub(crate) mod closing;
mod commitment;
mod courses;
mod delivered;
pub(crate) mod detachments;
mod entered;
mod error;
mod extensions;
mod gone;
pub(crate) mod grades;
mod groups;
mod history;
mod inspector;
mod known_log;
mod listing;
pub(crate) mod log;
mod mark;
mod missing;
pub(crate) mod parts;
mod proof;
mod proposals;
mod record;
mod refused;
mod register;
mod releases;
mod removal;
mod restoring;
mod revocation;
mod rows;
mod rulebook;
pub(crate) mod setbacks;
mod superseded;
mod unfinished;
mod unnamed;
pub(crate) mod uploading;
mod versions;
mod withdrawal;
mod witnessed;

use std::collections::BTreeMap;

use rusqlite_migration::{M, Migrations};
use rustls_pki_types::UnixTime;
use scb_certs::{Crl, Fingerprint, StudentId};
use scb_cli::Home;
use scb_protocol::log_leaf::{Entry, LogName, Recovered};
use scb_protocol::statement::{Statement, SubmissionId, SubmissionNumber};
use scb_protocol::{COMMITMENT_SIZE, SignedLogKeys};
use scb_storage::Database;

use crate::authority::Numbers;
pub(crate) use arrival::Arrival;
pub(crate) use assignments::{Amended, Assignment, Place};
pub(crate) use commitment::{CommitOutcome, Committal, Unfinished};
pub(crate) use courses::{Course, Membership};
pub(crate) use delivered::Delivered;
pub(crate) use error::Error;
pub(crate) use extensions::{Changed, Given, NotListed};
pub(crate) use history::Own;
pub(crate) use inspector::{
    AddedRow, CommittedRow, DeliveryRow, EntryRow, FormerGrade, Inspector, ProposedRow, Release,
    Repeat, SignedRow,
};
pub(crate) use known_log::FormerLog;
pub(crate) use listing::ListedFor;
pub(crate) use proposals::{End, Proposal, Signing, Told, Window};
#[cfg(test)]
pub(crate) use proposals::{MAX_WAITING, MOST_IN_A_DAY};
pub(crate) use record::{Draft, Record, Summary};
#[cfg(test)]
pub(crate) use refused::MOST_OF_ONE;
pub(crate) use refused::{Entered, Record as RejectionRecord, Rejection, Tried};
pub(crate) use register::Register;
pub(crate) use restoring::{FromReceipt, Standing};
use rows::{
    blob, by_number, by_submission, contents, count, insert, insert_blob, last_number,
    lost_entries, number, numbers, summaries,
};
#[cfg(test)]
pub(crate) use versions::MOST as MOST_VERSIONS;
pub(crate) use witnessed::Asked;

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
    M::up(include_str!("store/migration_grades.sql")),
    M::up(include_str!("store/migration_proposals.sql")),
    M::up(include_str!("store/migration_history.sql")),
    M::up(include_str!("store/migration_repeats.sql")),
    M::up(include_str!("store/migration_releases.sql")),
    M::up(include_str!("store/migration_backlog.sql")),
    M::up(include_str!("store/migration_removals.sql")),
    M::up(include_str!("store/migration_withdrawals.sql")),
    M::up(include_str!("store/migration_lists.sql")),
    M::up(include_str!("store/migration_committed.sql")),
    M::up(include_str!("store/migration_endings.sql")),
    M::up(include_str!("store/migration_former_logs.sql")),
    M::up(include_str!("store/migration_proposers.sql")),
    M::up(include_str!("store/migration_backlog_places.sql")),
    M::up(include_str!("store/migration_asked.sql")),
    M::up(include_str!("store/migration_signed_commitments.sql")),
    M::up(include_str!("store/migration_former_grades.sql")),
    M::up(include_str!("store/migration_vouched.sql")),
    M::up(include_str!("store/migration_judged.sql")),
    M::up(include_str!("store/migration_last_signed.sql")),
    M::up(include_str!("store/migration_restored.sql")),
    M::up(include_str!("store/migration_suspended.sql")),
    M::up(include_str!("store/migration_entered.sql")),
    M::up(include_str!("store/migration_windows.sql")),
    M::up(include_str!("store/migration_said.sql")),
    M::up(include_str!("store/migration_times.sql")),
    M::up(include_str!("store/migration_unseen.sql")),
    M::up(include_str!("store/migration_kept_windows.sql")),
    M::up(include_str!("store/migration_refusals.sql")),
];
const MIGRATIONS: Migrations<'static> = Migrations::from_slice(STEPS);

/// The database, in the home.
pub(crate) const DATABASE: &str = "blackboard.db";
/// The file that notes the highest number ever given.
pub(crate) const NUMBERS: &str = "numbers";

/// A submission for a list, or why it is left out.
pub(crate) type Listed = (SubmissionNumber, Result<Summary, Error>);

/// What was handed in, for reading; [`Register`] takes in. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    database: Database,
}

impl Store {
    /// Opens `HOME/blackboard.db`, or creates it in a home that has never served. Many may have it open at once.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`]: gone, damaged, newer than this program, or not accessible.
    pub(crate) fn open(home: &Home) -> Result<Self, Error> {
        let path = home.path(DATABASE);
        // Numbers were given: an empty database in its place would hide that records are lost.
        let database = match home.path(NUMBERS).exists() {
            true => Database::open_existing(&path, &MIGRATIONS)?,
            false => Database::open(&path, &MIGRATIONS)?,
        };
        Ok(Self { database })
    }

    /// As [`Store::open`], for a command: where nothing can be written, and on a full disk, what is there is
    /// read, and whoever writes is told why that cannot be done.
    ///
    /// # Errors
    ///
    /// As for [`Store::open`].
    pub(crate) fn open_to_read(home: &Home) -> Result<Self, Error> {
        let path = home.path(DATABASE);
        if !path.exists() {
            return Self::open(home);
        }
        let database = Database::open_to_read(&path, &MIGRATIONS)?;
        Ok(Self { database })
    }

    /// As [`Store::open`], if the home has a database.
    ///
    /// # Errors
    ///
    /// As for [`Store::open`].
    pub(crate) fn existing(home: &Home) -> Result<Option<Self>, Error> {
        match home.path(DATABASE).exists() {
            true => Self::open(home).map(Some),
            false => Ok(None),
        }
    }

    /// The record of a submission ID, if it was accepted.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::Altered`].
    pub(crate) async fn find(&self, submission: SubmissionId) -> Result<Option<Record>, Error> {
        self.database
            .read(move |connection| by_submission(connection, submission))
            .await
    }

    /// Whether none of these students has anything unfinished beside this submission.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) async fn is_only_one(
        &self,
        sids: Vec<StudentId>,
        submission: SubmissionId,
        now: UnixTime,
    ) -> Result<bool, Error> {
        let look = move |connection: &rusqlite::Connection| {
            for sid in &sids {
                if backlog::of(connection, sid, submission, now)?.number > 0 {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        self.database.read(look).await
    }

    /// The record whose receipt answers a submission ID: its own, or that of the same version.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::Altered`].
    pub(crate) async fn answer(&self, submission: SubmissionId) -> Result<Option<Record>, Error> {
        self.database
            .read(move |connection| versions::answer(connection, submission))
            .await
    }

    /// The record of the last version of any of these members, if it has the same files by the
    /// same members, and this statement, if it was committed before, would stand no better.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::Altered`].
    pub(crate) async fn same_version(&self, statement: Statement) -> Result<Option<Record>, Error> {
        self.database
            .read(move |connection| versions::same(connection, &statement))
            .await
    }

    /// The record of this number, if there is one.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::Altered`].
    pub(crate) fn record(&self, number: SubmissionNumber) -> Result<Option<Record>, Error> {
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
    pub(crate) fn numbers(&self) -> Result<Vec<SubmissionNumber>, Error> {
        self.database.read_blocking(numbers)
    }

    /// What was committed and has not come, or not whole, the earliest first.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn unfinished(&self) -> Result<Vec<Unfinished>, Error> {
        self.database.read_blocking(|connection| {
            let mut unfinished = commitment::unfinished(connection)?;
            unfinished.extend(proposals::unfinished(connection)?);
            unfinished.sort_by_key(|one| (one.commitment.at, one.statement.submission));
            Ok(unfinished)
        })
    }

    /// The highest numbers of revocation lists that were seen.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) async fn crl_numbers(&self) -> Result<Numbers, Error> {
        self.database.read(revocation::numbers).await
    }

    /// The last revocation lists that were remembered, DER, to be judged anew; none at first.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) async fn crls(&self) -> Result<Vec<Vec<u8>>, Error> {
        self.database.read(revocation::lists).await
    }

    /// Remembers revocation lists in the place of those before, and the highest numbers seen,
    /// none of which ever goes back.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) async fn remember_crls(&self, numbers: Numbers, lists: &[Crl]) -> Result<(), Error> {
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

    /// Where the database is.
    pub(crate) fn path(&self) -> &std::path::Path {
        self.database.path()
    }

    /// All logs, with how many entries each has.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) async fn log_sizes(&self) -> Result<Vec<(LogName, u64)>, Error> {
        self.database.read(log::sizes).await
    }

    /// How many submissions were accepted by entries beyond the first so many of their logs.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn accepted_beyond(&self, sizes: BTreeMap<LogName, u64>) -> Result<u64, Error> {
        self.database
            .read_blocking(move |connection| log::accepted_beyond(connection, &sizes))
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

    /// What a command of the teacher writes, most of which is an entry of a log: never into a home
    /// whose logs may be older than what the witness has seen of them, where it would be a fork.
    fn enter_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        match self.is_put_back()? {
            false => self.database.write_blocking(work),
            true => Err(Error::PutBack),
        }
    }

    /// Finishes what is queued and closes the file.
    pub(crate) async fn close(&self) {
        self.database.close().await;
    }
}

/// SQLite's integers have 63 bits and a sign; nothing here comes near the limit.
fn as_integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// As `json_each` reads it: their number is not known when the statement is written.
fn as_list<'a>(sids: impl Iterator<Item = &'a StudentId>) -> String {
    let sids: Vec<_> = sids.map(StudentId::as_str).collect();
    serde_json::json!(sids).to_string()
}
