//! The one way in for submissions: a statement is committed, its files get their names for good, and the
//! number is given; nobody is told before it is durable.

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use rustls_pki_types::UnixTime;
use scb_cli::Home;
use scb_protocol::log_leaf::{Accepted, Entry, LogName};
use scb_protocol::receipt::{SignedLeaf, accepted_entry};
use scb_protocol::rules::admit;
use scb_protocol::server::Commitment;
use scb_protocol::statement::{Statement, SubmissionNumber};
use scb_storage::{ContentStore, StoredContents};

use super::arrival::Dated;
use super::mark::{self, Mark};
use super::{
    Arrival, CommitOutcome, Committal, Draft, Error, Record, Store, as_committed, assignments,
    backlog, by_submission, closing, commitment, groups, insert, last_number, log, lost_entries,
    proposals, rulebook, superseded, unnamed, versions, withdrawal,
};
use crate::quota::Quota;

/// The directory of what was handed in, in the home.
const CONTENT: &str = "content";

/// Takes in submissions and gives them their numbers. One per home. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Register {
    store: Store,
    mark: Arc<Mutex<Mark>>,
    path: PathBuf,
}

impl Register {
    /// Refuses a clock that is behind the last number that was given: what is taken in now would be
    /// dated before it, and deadlines that are over would be open again.
    ///
    /// # Errors
    ///
    /// [`Error::ClockSetBack`].
    pub(crate) fn check_clock(home: &Home, now: UnixTime) -> Result<(), Error> {
        let since = Duration::from_secs(now.as_secs());
        match mark::behind(&home.path(super::NUMBERS), since) {
            Some(last) => Err(Error::ClockSetBack {
                last: UnixTime::since_unix_epoch(last),
                now,
            }),
            None => Ok(()),
        }
    }

    /// Somebody vouches for the clock: what the logs say of later times binds no entry of now.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn vouch_for_clock(store: &Store) -> Result<(), Error> {
        store.database.write_blocking(log::vouch)
    }

    /// Opens the register of a home whose lock is held.
    ///
    /// # Errors
    ///
    /// [`Error::Mark`], [`Error::Storage`].
    pub(crate) fn open(home: &Home, store: Store) -> Result<Self, Error> {
        let path = home.path(super::NUMBERS);
        let in_database = |connection: &rusqlite::Connection| {
            Ok::<_, Error>((last_number(connection)?, lost_entries(connection)?))
        };
        let in_database = store.database.read_blocking(in_database)?;
        let mark = Mark::open(&path, in_database).map_err(|source| Error::Mark {
            path: path.clone(),
            source,
        })?;
        Ok(Self {
            store,
            mark: Arc::new(Mutex::new(mark)),
            path,
        })
    }

    /// Whether this home was put back from a backup, as far as can be told, and its logs were not
    /// compared with what the witness has seen of them since.
    pub(crate) fn is_put_back(&self) -> bool {
        self.mark().is_put_back()
    }

    /// Notes that the logs have all that the witness has seen of them.
    ///
    /// # Errors
    ///
    /// [`Error::Mark`].
    pub(crate) fn compared(&self) -> Result<(), Error> {
        let mut mark = self.mark();
        if mark.is_put_back() {
            mark.compared().map_err(|source| self.unusable(source))?;
        }
        Ok(())
    }

    /// Goes on beyond every number that may have been given since this home was copied, and answers
    /// the one after which it does: its logs have lost so many entries, whatever its files look like.
    ///
    /// # Errors
    ///
    /// [`Error::Mark`].
    pub(crate) fn skip_lost(&self, entries: u64) -> Result<u64, Error> {
        let mut mark = self.mark();
        mark.skip(entries).map_err(|source| self.unusable(source))?;
        Ok(mark.highest())
    }

    /// When the last number was given, by the clock of that time; with the first start there was none.
    pub(crate) fn last_number_at(&self) -> Option<UnixTime> {
        mark::noted_at(&self.path).map(UnixTime::since_unix_epoch)
    }

    /// What was handed in, for reading.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Removes content that was stored before `moment` and that no record names and none will: a crash
    /// between content and record leaves it. Nothing is removed if anything that was accepted has no
    /// record, if a record cannot be read, or in a home that was put back and not compared since; where
    /// entries or numbers were lost, nothing that may be of what was acknowledged then.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn sweep(&self, content: &ContentStore, moment: SystemTime) -> Result<usize, Error> {
        let mark = self.mark();
        if mark.is_put_back() {
            return Ok(0);
        }
        let highest = mark.highest();
        let look = move |connection: &rusqlite::Connection| unnamed::of(connection, highest);
        let Some(unnamed) = self.store.database.read_blocking(look)? else {
            return Ok(0);
        };
        let stored = StoredContents::of(&self.path.with_file_name(CONTENT));
        let mut kept = HashSet::new();
        for first in 0..=u8::MAX {
            let listed = stored.list(first)?.into_iter();
            let not_left = listed.filter(|one| !unnamed.is_left(one));
            kept.extend(not_left.filter_map(|one| one.sha256));
        }
        Ok(content.sweep_blocking(moment, &kept)?)
    }

    /// Removes what came of uploads that nobody can go on with: those whose time is over, that
    /// were never committed, or that are stored.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn sweep_uploads(
        &self,
        content: &ContentStore,
        now: UnixTime,
    ) -> Result<usize, Error> {
        let ids = content.uploads_blocking()?;
        let here = ids.clone();
        let open = move |connection: &rusqlite::Connection| {
            let mut open = commitment::open(connection, now)?;
            open.extend(proposals::open(connection, now)?);
            for id in here {
                // Until what was altered is put right, nobody can say whether somebody goes on with it.
                if !open.contains(&id) && proposals::is_damaged(connection, id)? {
                    open.insert(id);
                }
            }
            Ok::<_, Error>(open)
        };
        let open = self.store.database.read_blocking(open)?;
        let over = ids.iter().filter(|id| !open.contains(*id));
        over.map(|id| Ok(content.discard_upload_blocking(id)?))
            .collect::<Result<Vec<()>, Error>>()
            .map(|removed| removed.len())
    }

    /// Records a statement before its files come, if the rules as they are at the moment that counts take it.
    /// The same statement again keeps the time at which it was committed first, and is not judged
    /// again; the entry of the log, which `sign` signs when it is made, stays the same as well. Nothing is
    /// recorded if the members' last version is the very same, and `counts` says that its receipt does.
    /// Answered once it is durable.
    ///
    /// # Errors
    ///
    /// [`Error::NotAdmitted`] by the rules of this moment, if it is new, and
    /// [`Error::TooManyUploads`] beside what is unfinished; [`Error::TooManyVersions`];
    /// [`Error::Conflict`] for the same submission ID with another statement;
    /// [`Error::UploadExpired`] if its time was over at this moment; [`Error::ProposalEnded`] if it
    /// was given up; [`Error::Superseded`]; [`Error::Receipt`] if `sign` fails;
    /// [`Error::ProposalAltered`]; [`Error::Storage`].
    pub(crate) async fn commit<F>(
        &self,
        (committal, arrival): (Committal, Arrival),
        quota: Quota,
        counts: impl FnOnce(&Record) -> bool + Send + 'static,
        sign: F,
    ) -> Result<CommitOutcome, Error>
    where
        F: FnOnce(Vec<u8>) -> Result<SignedLeaf, scb_protocol::Error> + Send + 'static,
    {
        let commit = move |transaction: &rusqlite::Transaction<'_>| {
            let committal = arrival.dates(committal);
            let submission = committal.statement.submission;
            let signed = (&committal.statement, committal.bytes.as_slice());
            match as_committed::of(transaction, signed)? {
                Some((_, statement)) if statement != committal.bytes => {
                    Err(Error::Conflict { submission })
                }
                Some((found, _)) if found.upload_until < committal.at => {
                    Err(Error::UploadExpired { submission })
                }
                Some((found, _)) => {
                    withdrawal::check_stands(transaction, &committal.statement)?;
                    superseded::check(transaction, &committal.statement, found, committal.at)?;
                    let entry = commitment::signed(transaction, &committal.statement, found, sign)?;
                    Ok(CommitOutcome::Committed(found, entry))
                }
                None if proposals::is_proposed(transaction, submission)? => {
                    Err(Error::Conflict { submission })
                }
                None => {
                    let same = versions::same_since(transaction, &committal.statement, None)?;
                    match same.filter(counts) {
                        Some(record) => Ok(CommitOutcome::SameVersion(Box::new(record))),
                        None => commit_new(transaction, committal, quota, sign),
                    }
                }
            }
        };
        self.store.database.write(commit).await
    }

    /// The record of the members' last version, if this statement is the very same and `counts` says
    /// that its receipt does; see [`Store::same_version`]. If it was committed, nobody waits for its
    /// files any more.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::Altered`].
    pub(crate) async fn same_version(
        &self,
        (statement, bytes): (Statement, Vec<u8>),
        counts: impl FnOnce(&Record) -> bool,
    ) -> Result<Option<Record>, Error> {
        let submission = statement.submission;
        let same = self.store.same_version(statement).await?;
        let Some(record) = same.filter(counts) else {
            return Ok(None);
        };
        let number = record.number();
        let settle = move |transaction: &rusqlite::Transaction<'_>| match commitment::find(
            transaction,
            submission,
        )? {
            Some((_, committed)) if committed == bytes => {
                versions::repeat(transaction, submission, number)
            }
            _ => Ok(()),
        };
        self.store.database.write(settle).await?;
        Ok(Some(record))
    }

    /// Accepts a submission whose content is durable: one transaction gives it its number,
    /// enters it in the assignment's log, has `sign` sign the entry and stores it all. The same
    /// submission ID with the same statement gives the record that is there already. So does one that
    /// repeats the members' last version, if `counts` says that its receipt does: of two that are
    /// on their way at once there is one version. What the same members had proposed before waits no
    /// longer. Answered once it is durable.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] for the same submission ID with another statement;
    /// [`Error::Superseded`]; [`Error::NotAdmitted`] if a member has handed in with others meanwhile, in an
    /// assignment that keeps groups; [`Error::Receipt`] if `sign` fails; [`Error::Leaf`]; [`Error::Mark`], [`Error::Storage`].
    pub(crate) async fn accept<F>(
        &self,
        mut draft: Draft,
        counts: impl FnOnce(&Record) -> bool + Send + 'static,
        sign: F,
    ) -> Result<Record, Error>
    where
        F: FnOnce(Vec<u8>) -> Result<SignedLeaf, scb_protocol::Error> + Send + 'static,
    {
        let register = self.clone();
        let accept = move |transaction: &rusqlite::Transaction<'_>| {
            let submission = draft.statement.submission;
            match by_submission(transaction, submission)? {
                Some(found) if found.statement_bytes() == draft.evidence.statement => Ok(found),
                Some(_) => Err(Error::Conflict { submission }),
                None => {
                    withdrawal::check_stands(transaction, &draft.statement)?;
                    let committed = Some((draft.committed.at, draft.committed.index));
                    let same = versions::same_since(transaction, &draft.statement, committed)?;
                    if let Some(record) = same.filter(counts) {
                        versions::repeat(transaction, submission, record.number())?;
                        return Ok(record);
                    }
                    if let Some((row, _)) = commitment::find(transaction, submission)? {
                        // As the log says, whatever became of the row meanwhile.
                        let found = Commitment {
                            index: draft.committed.index.unwrap_or(row.index),
                            at: draft.committed.at,
                            ..row
                        };
                        superseded::check(transaction, &draft.statement, found, draft.accepted_at)?;
                    }
                    groups::check_kept(transaction, &draft)?;
                    closing::check_open(transaction, &draft.statement)?;
                    let name = LogName::of(&draft.statement).map_err(Error::Leaf)?;
                    draft.accepted_at = log::moment(transaction, &name, draft.accepted_at)?;
                    let number = register.next_number(transaction)?;
                    let leaf = enter(transaction, &draft, number)?;
                    let leaf = sign(leaf).map_err(Error::Receipt)?;
                    let record = record(draft, number, leaf);
                    insert(transaction, &record)?;
                    proposals::overtake(transaction, &record)?;
                    Ok(record)
                }
            }
        };
        self.store.database.write(accept).await
    }

    /// A number that was never given, noted as given before anything is signed under it.
    fn next_number(&self, connection: &rusqlite::Connection) -> Result<SubmissionNumber, Error> {
        let last = last_number(connection)?;
        let mut mark = self.mark();
        if last > mark.highest() {
            let overtaken = mark.overtake((last, lost_entries(connection)?));
            overtaken.map_err(|source| self.unusable(source))?;
        }
        let next = mark.highest().checked_add(1);
        let number = next
            .and_then(SubmissionNumber::new)
            .ok_or(Error::NumbersExhausted)?;
        let raised = mark.raise(number.get());
        raised.map_err(|source| self.unusable(source))?;
        Ok(number)
    }

    fn mark(&self) -> MutexGuard<'_, Mark> {
        // What a panic may have left behind is still the highest number.
        self.mark.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unusable(&self, source: io::Error) -> Error {
        let path = self.path.clone();
        Error::Mark { path, source }
    }
}

fn commit_new(
    transaction: &rusqlite::Transaction<'_>,
    mut committal: Dated<Committal>,
    quota: Quota,
    sign: impl FnOnce(Vec<u8>) -> Result<SignedLeaf, scb_protocol::Error>,
) -> Result<CommitOutcome, Error> {
    as_committed::check_unknown(transaction, &committal.statement)?;
    let name = LogName::of(&committal.statement).map_err(Error::Leaf)?;
    committal.at = log::arrival(transaction, &name, committal.at)?;
    let committal = &committal;
    let found = assignments::look_up(transaction, &committal.statement, committal.at)?;
    admit(&committal.statement, &found, committal.at)
        .map_err(|refusal| Error::NotAdmitted(Box::new(refusal)))?;
    versions::check_bound(transaction, &committal.statement)?;
    backlog::enter(transaction, committal, quota)?;
    commitment::insert(transaction, committal, sign)
}

/// The entry in the assignment's log.
fn enter(
    transaction: &rusqlite::Transaction<'_>,
    draft: &Draft,
    number: SubmissionNumber,
) -> Result<Vec<u8>, Error> {
    let name = LogName::of(&draft.statement).map_err(Error::Leaf)?;
    let (rules, extended) = match draft.committed.index {
        Some(index) => (
            rulebook::in_force(transaction, &name, index)?,
            rulebook::extended(transaction, &name, index, &draft.statement)?,
        ),
        None => (None, Vec::new()),
    };
    let committed = draft.committed;
    let entry = accepted_entry(&draft.evidence, &draft.statement, number, committed, rules);
    let entry = match entry {
        Entry::Accepted(accepted) => Entry::Accepted(Accepted {
            extensions: extended,
            ..accepted
        }),
        entry => entry,
    };
    Ok(log::append(transaction, &name, draft.accepted_at, entry)?.leaf)
}

fn record(draft: Draft, number: SubmissionNumber, leaf: SignedLeaf) -> Record {
    Record {
        number,
        accepted_at: draft.accepted_at,
        statement: draft.statement,
        evidence: draft.evidence,
        leaf,
        proof: None,
    }
}
