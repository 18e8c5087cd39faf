//! Grades beside what the log of their assignment says: those that are not what was entered are believed nowhere, and
//! can be entered anew.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;
use scb_certs::{DetachedSignature, Fingerprint, StudentId};
use scb_protocol::log_leaf::{Entry, LogName};

use super::{COUNTING, Graded, rows};
use crate::store::{Error, Place, Store, assignments, entered};

/// The grades of an assignment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Compared {
    /// Those that are what was entered last, by student.
    pub(crate) entered: BTreeMap<StudentId, Graded>,
    /// Whose are not, or are gone.
    pub(crate) altered: BTreeSet<StudentId>,
}

impl Store {
    /// As [`Store::grades`], each compared with the log.
    ///
    /// # Errors
    ///
    /// [`Error::CoursesAltered`] if the log's entries of grades are not what it holds; [`Error::Storage`].
    pub(crate) fn compared_grades(&self, place: &Place) -> Result<Compared, Error> {
        let place = place.clone();
        self.database.read_blocking(move |connection| {
            assignments::require(connection, &place)?;
            compared(connection, &place)
        })
    }
}

fn compared(connection: &Connection, place: &Place) -> Result<Compared, Error> {
    let mut last = last_entered(connection, &place.log()?)?;
    let mut found = Compared::default();
    for raw in rows(connection, COUNTING, place)? {
        // Of whom nobody can say who he is no gradebook has a row.
        let Ok(sid) = raw.place[2].parse::<StudentId>() else {
            continue;
        };
        let entry = last.remove(&sid);
        match raw.parse() {
            Ok(graded) if is_it(&graded, entry) => {
                found.entered.insert(sid, graded);
            }
            _ => {
                found.altered.insert(sid);
            }
        }
    }
    found.altered.extend(last.into_keys());
    Ok(found)
}

/// Whether this was entered last. Whose signature it is whoever is told the grade verifies, and `fsck`.
fn is_it(graded: &Graded, entry: Option<(u64, Fingerprint)>) -> bool {
    let (bytes, signature) = (&graded.signed.grade, &graded.signed.signature);
    let is_signed = DetachedSignature::parse(signature).and_then(|found| found.verify(bytes));
    entry == Some((graded.entry.1, Fingerprint::of(bytes))) && is_signed.is_ok()
}

/// The number of each student's last entry, and what it holds.
fn last_entered(
    connection: &Connection,
    log: &LogName,
) -> Result<BTreeMap<StudentId, (u64, Fingerprint)>, Error> {
    let leaves = entered::leaves(connection, log, &["grades"], None);
    let leaves = leaves.map_err(|error| match error {
        Error::RulesAltered { course, assignment } => Error::CoursesAltered {
            name: format!("the log of {course}/{assignment}"),
        },
        other => other,
    })?;
    let mut last = BTreeMap::new();
    for (leaf, _) in leaves {
        if let Entry::Grades(graded) = leaf.entry {
            last.insert(graded.sid, (leaf.index, graded.grade_sha256));
        }
    }
    Ok(last)
}
