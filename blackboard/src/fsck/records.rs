//! Every submission: its record, its receipt, its entry in the log, its files.

use std::collections::{HashMap, HashSet};

use scb_certs::Fingerprint;
use scb_protocol::statement::{Statement, SubmissionNumber};
use scb_storage::{Error as StorageError, StoredContents};

use super::Scope;
use super::report::Report;
use crate::failure::failure;
use crate::store::{EntryRow, Error, Inspector, Record, Repeat};

/// What became of a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Whole,
    Altered,
    Missing,
    Unreadable,
}

/// Looks at submissions one by one. What it keeps is a hash and a verdict for each stored file.
pub(super) struct Records<'a> {
    pub(super) database: &'a Inspector,
    pub(super) content: &'a StoredContents,
    /// SHA-256 of the roots that this home trusts.
    pub(super) roots: &'a [Fingerprint],
    pub(super) scope: &'a Scope,
    verdicts: HashMap<[u8; 32], Verdict>,
    unread: bool,
    last: u64,
}

impl<'a> Records<'a> {
    pub(super) fn new(
        database: &'a Inspector,
        content: &'a StoredContents,
        roots: &'a [Fingerprint],
        scope: &'a Scope,
    ) -> Self {
        Self {
            database,
            content,
            roots,
            scope,
            verdicts: HashMap::new(),
            unread: false,
            last: 0,
        }
    }

    /// Looks at all submissions after those that were looked at before.
    pub(super) fn look(&mut self, report: &mut Report) -> anyhow::Result<()> {
        while let Some(number) = self.database.after(self.last)? {
            self.last = number.get();
            self.submission(number, report)?;
            report.step(1);
        }
        Ok(())
    }

    /// Whatever is answered by the receipt of another was signed as the same work.
    pub(super) fn repeats(&self, report: &mut Report) -> anyhow::Result<()> {
        for Repeat {
            submission,
            number,
            statement,
        } in self.database.repeats()?
        {
            let statement = statement.and_then(|bytes| Statement::parse(&bytes).ok());
            let is_same = match (&statement, self.database.record(number)) {
                (Some(statement), Ok(Some(record))) => {
                    record.statement().is_same_version(statement)
                }
                (None, _) | (_, Ok(None)) => false,
                // Told already, with its number.
                (_, Err(_)) => true,
            };
            let place = statement.map(|one| (one.course, one.assignment));
            let in_scope = place.is_none_or(|(course, place)| self.scope.has(&course, &place));
            if !is_same && in_scope {
                let found = format!("submission {submission} was not signed as the same work");
                report.damage("repeat_altered", number, found)?;
            }
        }
        Ok(())
    }

    /// Whether a record names this content.
    pub(super) fn names(&self, sha256: &[u8; 32]) -> bool {
        self.verdicts.contains_key(sha256)
    }

    /// Whether there are records of which nobody can tell what they name.
    pub(super) fn some_are_unread(&self) -> bool {
        self.unread
    }

    fn submission(&mut self, number: SubmissionNumber, report: &mut Report) -> anyhow::Result<()> {
        let record = match self.database.record(number) {
            Ok(Some(record)) => record,
            // Nobody removes records; whoever did left the entry in the log.
            Ok(None) => return Ok(()),
            Err(error) => {
                self.unread = true;
                return report.failed(number, failure(error.into()));
            }
        };
        let statement = record.statement();
        if !self.scope.has(&statement.course, &statement.assignment) {
            return Ok(());
        }
        report.counts.submissions += 1;
        if let Err(error) = record.receipt(self.roots) {
            report.failed(number, failure(error.into()))?;
        }
        self.entry(&record, report)?;
        self.parts(&record, report)?;
        self.files(&record, report)
    }

    /// The log has the very entry that the receipt holds.
    fn entry(&self, record: &Record, report: &mut Report) -> anyhow::Result<()> {
        let (log, index) = match record.entry() {
            Ok(entry) => entry,
            // Told already: without it the receipt does not verify.
            Err(Error::Altered { .. }) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let entry = self.database.entry(&log, index)?;
        let holds = |entry: &EntryRow| entry.holds(record.leaf());
        let found = match entry.as_ref().map(|entry| &entry.leaf) {
            Some(Some(leaf)) if leaf == record.leaf() => return Ok(()),
            Some(Some(_)) => "there is another one",
            // Lost once, and the record entered again from a receipt.
            Some(None) if entry.as_ref().is_some_and(holds) => return Ok(()),
            Some(None) => "there is another one, which is lost",
            None => "there is none",
        };
        let found = format!("its entry, number {index} of the log {log}: {found}");
        report.damage("entry_missing", record.number(), found)
    }

    /// Every member has a part in it, so that histories show it.
    fn parts(&self, record: &Record, report: &mut Report) -> anyhow::Result<()> {
        let statement = record.statement();
        let (course, assignment) = (&statement.course, &statement.assignment);
        let part = |sid: &_| format!("{course}/{assignment}/{sid}");
        let expected = statement.members.iter().map(|member| part(&member.sid));
        let expected: HashSet<String> = expected.collect();
        match self.database.parts(record.number())? == expected {
            true => Ok(()),
            false => report.damage(
                "part_missing",
                record.number(),
                "it is not listed under exactly its members",
            ),
        }
    }

    fn files(&mut self, record: &Record, report: &mut Report) -> anyhow::Result<()> {
        for file in &record.statement().files {
            let (code, found) = match self.verdict(*file.sha256.as_bytes(), report) {
                Verdict::Whole => continue,
                Verdict::Altered => ("content_altered", "does not have its hash any more"),
                Verdict::Missing => ("content_missing", "is not there"),
                Verdict::Unreadable => ("content_unreadable", "cannot be read"),
            };
            let path = self.content.path_of(file.sha256.as_bytes());
            report.damage(
                code,
                format!("{} {}", record.number(), file.name),
                format!("{} {found}", path.display()),
            )?;
        }
        Ok(())
    }

    /// Each content is read once, however many submissions have it.
    fn verdict(&mut self, sha256: [u8; 32], report: &mut Report) -> Verdict {
        if let Some(verdict) = self.verdicts.get(&sha256) {
            return *verdict;
        }
        report.counts.files += 1;
        let verdict = match self.content.check(&sha256, |bytes| report.read(bytes)) {
            Ok(_) => Verdict::Whole,
            Err(StorageError::Missing { .. }) => Verdict::Missing,
            Err(StorageError::Altered { .. }) => Verdict::Altered,
            Err(error) => {
                tracing::error!("{:#}", anyhow::Error::new(error));
                Verdict::Unreadable
            }
        };
        self.verdicts.insert(sha256, verdict);
        verdict
    }
}
