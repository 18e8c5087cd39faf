use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use scb_cli::Home;
use scb_protocol::receipt::SignedAcceptance;
use scb_protocol::statement::SubmissionNumber;
use scb_storage::ContentStore;

use super::mark::Mark;
use super::{Draft, Error, Record, Store, by_submission, contents, count, insert, last_number};

/// Takes in submissions and gives them their numbers. One per home. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Register {
    store: Store,
    mark: Arc<Mutex<Mark>>,
    path: PathBuf,
}

impl Register {
    /// Opens the register of a home whose lock is held.
    ///
    /// # Errors
    ///
    /// [`Error::Mark`], [`Error::Storage`].
    pub fn open(home: &Home, store: Store) -> Result<Self, Error> {
        let path = home.path(super::NUMBERS);
        let last = store.database.read_blocking(last_number)?;
        let mark = Mark::open(&path, last).map_err(|source| Error::Mark {
            path: path.clone(),
            source,
        })?;
        Ok(Self {
            store,
            mark: Arc::new(Mutex::new(mark)),
            path,
        })
    }

    /// What was handed in, for reading.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Removes content that was stored before `moment` and that no record names: a crash
    /// between content and record leaves it. Nothing is removed if any number ever given has
    /// no record, as after an old backup was put back, or if a record cannot be read.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn sweep(&self, content: &ContentStore, moment: SystemTime) -> Result<usize, Error> {
        let mark = self.mark.lock().unwrap_or_else(PoisonError::into_inner);
        let highest = mark.highest();
        let (records, named) = self.store.database.read_blocking(|connection| {
            Ok::<_, Error>((count(connection)?, contents(connection)?))
        })?;
        match named {
            Some(named) if records == highest => Ok(content.sweep_blocking(moment, &named)?),
            _ => Ok(0),
        }
    }

    /// Accepts a submission whose content is durable: one transaction gives it its number,
    /// has `seal` sign the acceptance and stores it all. The same submission ID with the
    /// same statement gives the record that is there already. Answered once it is durable.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] for the same submission ID with another statement;
    /// [`Error::Receipt`] if `seal` fails; [`Error::Mark`], [`Error::Storage`].
    pub async fn accept<F>(&self, draft: Draft, seal: F) -> Result<Record, Error>
    where
        F: FnOnce(&Draft, SubmissionNumber) -> Result<SignedAcceptance, scb_protocol::Error>
            + Send
            + 'static,
    {
        let register = self.clone();
        let accept = move |transaction: &rusqlite::Transaction<'_>| {
            let submission = draft.statement.submission;
            match by_submission(transaction, submission)? {
                Some(found) if found.statement_bytes() == draft.evidence.statement => Ok(found),
                Some(_) => Err(Error::Conflict { submission }),
                None => {
                    let number = register.next_number(last_number(transaction)?)?;
                    let accepted = seal(&draft, number).map_err(Error::Receipt)?;
                    let record = record(draft, number, accepted);
                    insert(transaction, &record)?;
                    Ok(record)
                }
            }
        };
        self.store.database.write(accept).await
    }

    /// A number that was never given, noted as given before anything is signed under it.
    fn next_number(&self, last: u64) -> Result<SubmissionNumber, Error> {
        // What a panic may have left behind is still the highest number.
        let mut mark = self.mark.lock().unwrap_or_else(PoisonError::into_inner);
        let next = last.max(mark.highest()).checked_add(1);
        let number = next
            .and_then(SubmissionNumber::new)
            .ok_or(Error::NumbersExhausted)?;
        mark.raise(number.get()).map_err(|source| Error::Mark {
            path: self.path.clone(),
            source,
        })?;
        Ok(number)
    }
}

fn record(draft: Draft, number: SubmissionNumber, accepted: SignedAcceptance) -> Record {
    Record {
        number,
        accepted_at: draft.accepted_at,
        statement: draft.statement,
        evidence: draft.evidence,
        accepted,
    }
}
