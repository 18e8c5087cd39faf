//! CUHK's records. Only the `store*` files name SQL.
//!
//! [`Store`] opens the database; a job gets [`Records`], which leads to one small struct per
//! domain. All that one job does is one transaction.

mod authorities;
mod bundles;
mod certificates;
mod clock_trust;
mod codes;
mod convert;
#[cfg(test)]
pub(crate) mod fixtures;
mod imports;
mod lists;
mod log;
mod operations;
#[cfg(test)]
mod plans;
mod pruning;
mod renewals;
mod revocations;
mod roster;
mod seal;
mod services;
mod signers;
mod status;
mod terms;
mod witnessed;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, Transaction};
use rusqlite_migration::{M, Migrations};
use scb_storage::{Database, Inspection};

use crate::Error;

pub use authorities::{Authorities, AuthorityKind, AuthorityRecord, AuthorityState, CrlSigner};
pub use bundles::TrustBundles;
pub(crate) use certificates::Hold;
pub use certificates::{CertificateRecord, Certificates, Intent, Profile, Revocation};
pub(crate) use clock_trust::{ClockTrust, Trust};
pub(crate) use codes::OpenCode;
pub use codes::{CodeRecord, Codes};
#[cfg(test)]
pub(crate) use fixtures::{issuer, temporary};
pub(crate) use imports::{Begun, Imports, Step};
pub use lists::{RevocationLists, StoredList};
pub use log::{Contradiction, Log, LoggedEntry, Place, Removed, Witness};
pub(crate) use log::{Pin, Unpinned};
pub(crate) use operations::{Act, Operation, Operations};
pub(crate) use pruning::Pruned;
pub use pruning::Pruning;
pub use renewals::Renewals;
pub(crate) use revocations::{Revocations, RevokedRow, Tally};
pub use roster::{Change, Roster, Student};
pub use services::{Service, Services};
pub use signers::{TokenSigner, TokenSigners};
pub use status::Status;
pub use terms::{Term, Terms};
pub use witnessed::{IdleLog, WitnessedLog, WitnessedLogs};

/// The database of one CUHK. Clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    database: Database,
    /// What an operator does; none of a server's.
    act: Option<Arc<Act>>,
}

impl Store {
    /// Makes the database of a new home.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn create(path: &Path) -> Result<Self, Error> {
        let database = Database::open(path, &migrations())?;
        Ok(Self::of(database))
    }

    /// Opens the database and brings its schema up to date. Never makes one: an empty database in
    /// the place of one that is gone would forget every revocation.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`]: gone, newer than this program, damaged, or not accessible.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let database = Database::open_existing(path, &migrations())?;
        Ok(Self::of(database))
    }

    /// As [`Store::open`], for a command beside the server that has it open and looked at every
    /// page: costs the same however large it is.
    ///
    /// # Errors
    ///
    /// As for [`Store::open`].
    pub(crate) fn open_in_use(path: &Path) -> Result<Self, Error> {
        let database = Database::open_in_use(path, &migrations())?;
        Ok(Self::of(database))
    }

    /// As [`Store::open`]; where nothing can be written, and on a full disk, for reading alone.
    ///
    /// # Errors
    ///
    /// As for [`Store::open`].
    pub(crate) fn open_to_read(path: &Path) -> Result<Self, Error> {
        let database = Database::open_to_read(path, &migrations())?;
        Ok(Self::of(database))
    }

    fn of(database: Database) -> Self {
        Self {
            database,
            act: None,
        }
    }

    /// The same; what is done is noted as this act.
    #[must_use]
    pub(crate) fn done_by(self, act: Act) -> Self {
        Self {
            act: Some(Arc::new(act)),
            ..self
        }
    }

    /// Looks at the database without changing it.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`] if it is none or cannot be read.
    pub(crate) fn inspect(path: &Path) -> Result<Inspection, Error> {
        Ok(Inspection::of(path, &migrations())?)
    }

    /// Runs a job that may write, and answers once it is durable. An error undoes all of it.
    ///
    /// # Errors
    ///
    /// What the job returns; [`Error::Storage`].
    pub async fn write<T, F>(&self, job: F) -> Result<T, Error>
    where
        F: FnOnce(&Records<'_>) -> Result<T, Error> + Send + 'static,
        T: Send + 'static,
    {
        let job = self.job(job);
        self.database.write(|transaction| job(transaction)).await
    }

    /// Runs a job on one consistent snapshot.
    ///
    /// # Errors
    ///
    /// What the job returns; [`Error::Storage`].
    pub async fn read<T, F>(&self, job: F) -> Result<T, Error>
    where
        F: FnOnce(&Records<'_>) -> Result<T, Error> + Send + 'static,
        T: Send + 'static,
    {
        self.database.read(self.job(job)).await
    }

    /// [`Store::write`] for callers without a runtime.
    ///
    /// # Errors
    ///
    /// As for [`Store::write`].
    pub fn write_blocking<T, F>(&self, job: F) -> Result<T, Error>
    where
        F: FnOnce(&Records<'_>) -> Result<T, Error> + Send + 'static,
        T: Send + 'static,
    {
        let job = self.job(job);
        self.database.write_blocking(|transaction| job(transaction))
    }

    /// [`Store::read`] for callers without a runtime.
    ///
    /// # Errors
    ///
    /// As for [`Store::read`].
    pub fn read_blocking<T, F>(&self, job: F) -> Result<T, Error>
    where
        F: FnOnce(&Records<'_>) -> Result<T, Error> + Send + 'static,
        T: Send + 'static,
    {
        self.database.read_blocking(self.job(job))
    }

    fn job<T, F>(&self, job: F) -> impl FnOnce(&Connection) -> Result<T, Error> + Send + use<T, F>
    where
        F: FnOnce(&Records<'_>) -> Result<T, Error> + Send + 'static,
    {
        let act = self.act.clone();
        move |connection| {
            job(&Records {
                connection,
                act: act.as_deref(),
            })
        }
    }

    /// A file beside the database.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.database.path().with_file_name(name)
    }

    /// Where the database is.
    pub(crate) fn path(&self) -> &std::path::Path {
        self.database.path()
    }

    /// Bytes that it takes on the disk.
    pub(crate) fn size(&self) -> u64 {
        self.database.size()
    }

    /// Takes no more jobs, does those that wait and closes the file.
    pub async fn close(&self) {
        self.database.close().await;
    }

    /// [`Store::close`] for callers without a runtime.
    pub fn close_blocking(&self) {
        self.database.close_blocking();
    }
}

/// All domains of the database, as one job sees them.
#[derive(Debug)]
pub struct Records<'a> {
    connection: &'a Connection,
    act: Option<&'a Act>,
}

impl<'a> Records<'a> {
    /// The connection itself, for tests that alter what is on the disk.
    #[cfg(test)]
    pub(crate) fn connection(&self) -> &'a Connection {
        self.connection
    }

    /// Students.
    pub fn roster(&self) -> Roster<'a> {
        Roster::on(self.connection)
    }

    /// The roster's import that is under way.
    pub(crate) fn imports(&self) -> Imports<'a> {
        Imports::on(self.connection)
    }

    /// Services.
    pub fn services(&self) -> Services<'a> {
        Services::on(self.connection)
    }

    /// Enrolment codes.
    pub fn codes(&self) -> Codes<'a> {
        Codes::on(self.connection)
    }

    /// Certificates.
    pub fn certificates(&self) -> Certificates<'a> {
        Certificates::on(self.connection)
    }

    /// Authorities.
    pub fn authorities(&self) -> Authorities<'a> {
        Authorities::on(self.connection)
    }

    /// Signers of tokens.
    pub fn signers(&self) -> TokenSigners<'a> {
        TokenSigners::on(self.connection)
    }

    /// Revocation lists.
    pub fn lists(&self) -> RevocationLists<'a> {
        RevocationLists::on(self.connection)
    }

    /// Renewals of students' certificates.
    pub fn renewals(&self) -> Renewals<'a> {
        Renewals::on(self.connection)
    }

    /// Who is revoked, and what changed that.
    pub(crate) fn revocations(&self) -> Revocations<'a> {
        Revocations::on(self.connection)
    }

    /// Terms.
    pub fn terms(&self) -> Terms<'a> {
        Terms::on(self.connection)
    }

    /// Trust bundles.
    pub fn bundles(&self) -> TrustBundles<'a> {
        TrustBundles::on(self.connection)
    }

    /// Removal of what has long ended.
    pub fn pruning(&self) -> Pruning<'a> {
        Pruning::on(self.connection)
    }

    /// The issuance log.
    pub fn log(&self) -> Log<'a> {
        Log::on(self.connection)
    }

    /// The logs of services that are witnessed.
    pub fn witnessed(&self) -> WitnessedLogs<'a> {
        WitnessedLogs::on(self.connection)
    }

    /// What operators did.
    pub(crate) fn operations(&self) -> Operations<'a> {
        Operations::on(self.connection)
    }

    /// Whether this machine's clock is believed.
    pub(crate) fn clock_trust(&self) -> ClockTrust<'a> {
        ClockTrust::on(self.connection)
    }

    /// The epoch of all statuses.
    pub fn status(&self) -> Status<'a> {
        Status::on(self.connection)
    }
}

fn migrations() -> Migrations<'static> {
    Migrations::new(vec![
        M::up(include_str!("store/migrations/0001.sql")),
        M::up_with_hook(
            include_str!("store/migrations/0002.sql"),
            |transaction: &Transaction<'_>| seal::STUDENT.seal_all(transaction),
        ),
        M::up(include_str!("store/migrations/0003.sql")),
        M::up(include_str!("store/migrations/0004.sql")),
        M::up_with_hook(
            include_str!("store/migrations/0005.sql"),
            |transaction: &Transaction<'_>| seal::CERTIFICATE.seal_all(transaction),
        ),
        M::up(include_str!("store/migrations/0006.sql")),
        M::up(include_str!("store/migrations/0007.sql")),
        M::up(include_str!("store/migrations/0008.sql")),
        M::up(include_str!("store/migrations/0009.sql")),
        M::up(include_str!("store/migrations/0010.sql")),
        M::up(include_str!("store/migrations/0011.sql")),
        M::up_with_hook(
            include_str!("store/migrations/0012.sql"),
            |transaction: &Transaction<'_>| Revocations::count_all(transaction),
        ),
        M::up(include_str!("store/migrations/0013.sql")),
        M::up(include_str!("store/migrations/0014_roster_import.sql")),
        M::up(include_str!("store/migrations/0015_restored.sql")),
        M::up(include_str!("store/migrations/0016_removed_questions.sql")),
        M::up(include_str!("store/migrations/0017_witnessed_growth.sql")),
        M::up(include_str!(
            "store/migrations/0018_withdrawn_authority.sql"
        )),
        M::up(include_str!("store/migrations/0019_contradicted_log.sql")),
        M::up(include_str!("store/migrations/0020_clock_trust.sql")),
        M::up(include_str!("store/migrations/0021_operation.sql")),
        M::up_with_hook(
            include_str!("store/migrations/0022_corrected_clock.sql"),
            |transaction: &Transaction<'_>| RevocationLists::date_all(transaction),
        ),
        M::up(include_str!(
            "store/migrations/0023_removed_by_questions.sql"
        )),
        M::up(include_str!("store/migrations/0024_restoration.sql")),
        M::up(include_str!("store/migrations/0025_left_student.sql")),
    ])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_valid() {
        migrations().validate().unwrap();
    }

    #[test]
    fn what_was_pruned_before_there_was_a_column_for_it_is_known_to_be_of_then() {
        let mut database = rusqlite::Connection::open_in_memory().unwrap();
        migrations().to_version(&mut database, 22).unwrap();
        let old = "INSERT INTO removed_questions VALUES (1, 70, 1000)";
        database.execute(old, []).unwrap();
        migrations().to_latest(&mut database).unwrap();
        let log = Log::on(&database);
        assert_eq!(log.removed_by_questions().unwrap(), 70);
        let later = Removed {
            below: 90,
            before: convert::time(2000).unwrap(),
        };
        log.note_removed(later).unwrap();
        assert_eq!(log.removed().unwrap(), Some(later));
        assert_eq!(log.removed_by_questions().unwrap(), 70);
    }

    #[test]
    fn a_database_from_before_the_checksums_gets_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cuhk.db");
        let first = Migrations::new(vec![M::up(include_str!("store/migrations/0001.sql"))]);
        let before = Database::open(&path, &first).unwrap();
        before
            .write_blocking(|connection| {
                connection.execute(
                    "INSERT INTO student VALUES ('1155000001', '王小明', '', '', 0, 1000)",
                    [],
                )?;
                Ok::<_, Error>(())
            })
            .unwrap();
        before.close_blocking();
        let store = Store::open(&path).unwrap();
        let all = store.read_blocking(|records| records.roster().all());
        assert!(!all.unwrap()[0].active);
        let altered = store.write_blocking(|records| {
            let flip = "UPDATE student SET active = 1";
            records.connection.execute(flip, [])?;
            records.roster().all()
        });
        assert!(matches!(altered, Err(Error::RecordInvalid { .. })));
    }

    #[test]
    fn a_code_withdrawn_before_there_was_a_column_for_it_stays_withdrawn() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cuhk.db");
        let first = Migrations::new(vec![M::up(include_str!("store/migrations/0001.sql"))]);
        let before = Database::open(&path, &first).unwrap();
        before
            .write_blocking(|connection| {
                let add = "INSERT INTO enrolment_code VALUES (?1, '1155000001', 1000, ?2, NULL)";
                connection.execute(add, rusqlite::params![[1_u8; 32], 0])?;
                connection.execute(add, rusqlite::params![[2_u8; 32], 2000])?;
                Ok::<_, Error>(())
            })
            .unwrap();
        before.close_blocking();
        let store = Store::open(&path).unwrap();
        let withdrawn = |digest: [u8; 32]| {
            let subject = "1155000001".parse().unwrap();
            let found = store.read_blocking(move |records| records.codes().find(&digest, &subject));
            found.unwrap().unwrap().withdrawn_at
        };
        assert_eq!(withdrawn([1; 32]), Some(convert::time(1000).unwrap()));
        assert_eq!(withdrawn([2; 32]), None);
    }

    #[test]
    fn an_error_undoes_the_whole_job() {
        let (_dir, store) = temporary();
        let now = convert::time(1000).unwrap();
        let refused = store.write_blocking(move |records| {
            records.status().advance(now)?;
            Err::<(), _>(Error::RecordInvalid { what: "test" })
        });
        assert!(refused.is_err());
        assert_eq!(
            store
                .read_blocking(|records| records.status().epoch())
                .unwrap(),
            0
        );
    }
}
