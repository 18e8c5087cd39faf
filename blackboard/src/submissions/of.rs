//! Of which course or assignment submissions are wanted: a teacher of one gets nobody else's. Of a record that was
//! altered, and of which no row says whose it is, every teacher gets the number.

use std::collections::BTreeSet;

use scb_protocol::statement::{Label, Statement, SubmissionNumber};

use crate::arguments::OfAny;
use crate::store::{Error, Listed, Store};

/// What is wanted.
pub(super) struct Wanted<'a> {
    store: &'a Store,
    of: &'a OfAny,
}

impl<'a> Wanted<'a> {
    /// # Errors
    ///
    /// [`Error::NoCourse`], [`Error::NoAssignment`] if there is no such one; [`Error::Storage`].
    pub(super) fn new(store: &'a Store, of: &'a OfAny) -> Result<Self, Error> {
        if let Some(course) = &of.course {
            store.require(course, of.assignment.as_ref())?;
        }
        Ok(Self { store, of })
    }

    pub(super) fn has(&self, statement: &Statement) -> bool {
        self.is_of(&statement.course, &statement.assignment)
    }

    fn is_of(&self, course: &Label, assignment: &Label) -> bool {
        let (wanted, only) = (self.of.course.as_ref(), self.of.assignment.as_ref());
        wanted.is_none_or(|one| one == course) && only.is_none_or(|one| one == assignment)
    }

    /// What the logs of those have accepted and of which there is no record.
    pub(super) fn missing(&self) -> Result<BTreeSet<SubmissionNumber>, Error> {
        let mut missing = BTreeSet::new();
        for log in self.store.log_names()? {
            if self.is_of(log.course(), log.assignment()) {
                missing.append(&mut self.store.missing_records(&log)?);
            }
        }
        Ok(missing)
    }

    /// Whether it may be of those, where it was altered: other rows say whose it is, or there are none, and it may be
    /// anybody's.
    pub(super) fn may_have(&self, number: SubmissionNumber) -> Result<bool, Error> {
        match &self.of.course {
            Some(course) => {
                let place = (course, self.of.assignment.as_ref());
                self.store.may_be_of(number, place)
            }
            None => Ok(true),
        }
    }

    pub(super) fn only(&self, found: Vec<Listed>) -> Result<Vec<Listed>, Error> {
        let mut only = Vec::new();
        for (number, summary) in found {
            let is_wanted = match &summary {
                Ok(summary) => self.has(&summary.statement),
                Err(_) => self.may_have(number)?,
            };
            if is_wanted {
                only.push((number, summary));
            }
        }
        Ok(only)
    }
}
