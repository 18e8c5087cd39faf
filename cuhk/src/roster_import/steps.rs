//! The steps of an import: collected, then done some at a time, so that nobody who writes
//! meanwhile waits for long. What others did in between counts: it is looked at again.

use std::thread;
use std::time::{Duration, Instant};

use rustls_pki_types::UnixTime;

use scb_cli::counted;

use super::{Earlier, Import};
use crate::revocation::{restore, suspend};
use crate::store::{Begun, Records, Step, Store, Student};
use crate::turn::{Turn, Work};
use crate::{Error, Subject};

/// Rows compared and steps done in one transaction: some ten milliseconds.
pub(super) const AT_ONCE: usize = 1000;

/// What is written for an import, in short transactions.
pub(super) struct Steps<'a> {
    store: &'a Store,
    pace: Pace,
    /// How many were collected.
    collected: u64,
}

impl<'a> Steps<'a> {
    pub(super) fn new(store: &'a Store) -> Self {
        Self {
            store,
            pace: Pace::new(),
            collected: 0,
        }
    }

    /// Has nothing left of an import that was interrupted: one that counts is finished, another is
    /// forgotten.
    pub(super) fn settle(&mut self, now: UnixTime) -> Result<Option<Earlier>, Error> {
        let begun = self
            .store
            .read_blocking(|records| records.imports().begun());
        Ok(match begun? {
            None => None,
            Some(Begun { decided: false, .. }) => {
                self.forget()?;
                Some(Earlier::Forgotten)
            }
            Some(Begun { left, .. }) => {
                self.perform(left, now, &mut |_, _| {})?;
                Some(Earlier::Finished(left))
            }
        })
    }

    /// Notes steps; nothing is done yet.
    pub(super) fn collect(&mut self, steps: Vec<Step>) -> Result<(), Error> {
        let mut steps = steps.into_iter();
        loop {
            let some: Vec<_> = steps.by_ref().take(AT_ONCE).collect();
            if some.is_empty() {
                return Ok(());
            }
            self.collected += some.len() as u64;
            self.store
                .write_blocking(move |records| records.imports().stage(&some))?;
            self.pace.keep();
        }
    }

    /// Forgets what was collected.
    pub(super) fn forget(&self) -> Result<(), Error> {
        self.store
            .write_blocking(|records| records.imports().clear())
    }

    /// What was collected counts from here on.
    pub(super) fn decide(&self, import: &Import, now: UnixTime) -> Result<(), Error> {
        if self.collected == 0 {
            return Ok(());
        }
        let mut result = format!("{}, {}", import.counts, counted(import.codes, "code"));
        if import.replaced > 0 {
            result += &format!(", {} replaced", import.replaced);
        }
        self.store.write_blocking(move |records| {
            records.note(&"roster", &result, now)?;
            records.imports().decide()
        })
    }

    /// Does what was decided, and tells how much of it is done.
    ///
    /// # Errors
    ///
    /// [`Error::ImportUnfinished`]: the rest is still noted.
    pub(super) fn complete(
        &mut self,
        now: UnixTime,
        told: &mut dyn FnMut(u64, u64),
    ) -> Result<(), Error> {
        match self.collected {
            0 => Ok(()),
            total => self.perform(total, now, told),
        }
    }

    fn perform(
        &mut self,
        total: u64,
        now: UnixTime,
        told: &mut dyn FnMut(u64, u64),
    ) -> Result<(), Error> {
        let mut done = 0;
        loop {
            let some = self.store.write_blocking(move |records| some(records, now));
            let some = some.map_err(|source| Error::ImportUnfinished {
                left: total.saturating_sub(done),
                source: Box::new(source),
            })?;
            if some == 0 {
                return Ok(());
            }
            done += some;
            told(done, total);
            self.pace.keep();
        }
    }
}

/// Does the next steps, or forgets the import when none is left.
fn some(records: &Records<'_>, now: UnixTime) -> Result<u64, Error> {
    let steps = records.imports().take(AT_ONCE)?;
    let count = steps.len() as u64;
    for step in steps {
        perform(records, step, now)?;
    }
    if count == 0 {
        records.imports().clear()?;
    }
    Ok(count)
}

fn perform(records: &Records<'_>, step: Step, now: UnixTime) -> Result<(), Error> {
    let roster = records.roster();
    match step {
        Step::Correct {
            sid,
            name,
            email,
            programme,
        } => {
            let student = Student {
                sid,
                name,
                email,
                programme,
                active: true,
            };
            roster.import(&student, now)?;
        }
        Step::Restore(sid) => {
            if roster.is_noted_missing(&sid)? {
                restore(records, &sid, now)?;
            }
        }
        // Whom somebody suspended by hand meanwhile is not noted as missing.
        Step::Suspend(sid) => {
            if roster.find(&sid)?.is_some_and(|student| student.active) {
                suspend(records, &sid, now)?;
                roster.note_missing(&sid, now)?;
            }
        }
        Step::Code {
            sid,
            digest,
            issued_at,
            expires_at,
        } => {
            if roster.find(&sid)?.is_some_and(|student| student.active) {
                let subject = Subject::Student(sid);
                // There is none but where it is to be replaced: that was looked at.
                records.codes().withdraw_until(&subject, issued_at, now)?;
                records
                    .codes()
                    .add(&digest, &subject, issued_at, expires_at)?;
            }
        }
    }
    Ok(())
}

/// Leaves the others their turn. SQLite knows no queue: who waits to write looks again and again,
/// every 100 ms at the latest.
struct Pace {
    since: Instant,
}

/// So long one transaction may follow the other.
const STRETCH: Duration = Duration::from_millis(500);
/// Long enough for everybody who waits to look once.
const REST: Duration = Duration::from_millis(110);

impl Pace {
    fn new() -> Self {
        Self {
            since: Instant::now(),
        }
    }

    fn keep(&mut self) {
        if self.since.elapsed() >= STRETCH {
            thread::sleep(REST);
            self.since = Instant::now();
        }
    }
}

/// What an import has left that was interrupted; nothing while one is running.
pub(crate) fn interrupted(store: &Store) -> Result<Option<Begun>, Error> {
    let begun = store.read_blocking(|records| records.imports().begun())?;
    Ok(begun.filter(|_| !Turn::is_taken(store, Work::Import)))
}
